"""Messages of the queue, one after the other; a failed one does not hold up the others."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from chalicelib import bootstrap
from chalicelib.bootstrap import Container
from chalicelib.domain import events
from chalicelib.domain.errors import ServiceError
from chalicelib.domain.events import Trace
from chalicelib.domain.messages import Ask, Deliver, Message, Repair, decode
from chalicelib.entrypoints import errors
from chalicelib.services import deliver, work
from chalicelib.services.ports import PortError

Json = dict[str, object]


_MARGIN_SECONDS = 10.0
"""Beside the call itself: reading, claiming, and writing the end."""


def work_off(records: Iterable[Mapping[str, Any]], seconds_left: Callable[[], float]) -> Json:
    """SQS's partial batch response: the ids of the messages that are to come again.

    No call is begun that the function's own end could cut off: its outcome would be unknown.
    """
    failed = [
        record["messageId"]
        for record in records
        if seconds_left() < _seconds_needed() or not _done(record["body"])
    ]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def _seconds_needed() -> float:
    try:
        return bootstrap.container().policy.deadline + _MARGIN_SECONDS
    except ServiceError:
        return 0.0  # each message will say so


def _done(body: str) -> bool:
    trace = Trace()
    try:
        message = decode(body)
        trace = bootstrap.trace(message.correlation)
        _work(message, bootstrap.container().traced(trace))
    except (PortError, ServiceError) as exc:
        # Its text never holds a person or a secret; what led there might.
        bootstrap.tell(events.message_given_back(str(exc)), trace)
    except Exception as exc:  # noqa: BLE001  # one bad message must not fail the others
        errors.tell_fault(exc, trace)
    else:
        return True
    return False


def _work(message: Message, container: Container) -> None:
    tools, policy = container.tools, container.policy
    match message:
        case Ask():
            work.ask(message, tools=tools, policy=policy)
        case Repair():
            work.repair(message, tools=tools, policy=policy)
        case Deliver():
            deliver.deliver(message, tools=tools)
