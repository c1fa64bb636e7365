"""Messages of the queue, one after the other; a failed one does not hold up the others."""

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from chalicelib import bootstrap
from chalicelib.bootstrap import Container
from chalicelib.domain.errors import ServiceError
from chalicelib.domain.messages import Ask, Deliver, Repair, decode
from chalicelib.entrypoints import errors
from chalicelib.services import deliver, work
from chalicelib.services.ports import PortError

logger = logging.getLogger("eryaosu")

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
    try:
        _work(body, bootstrap.container())
    except (PortError, ServiceError) as exc:
        # Its text never holds a person or a secret; what led there might.
        logger.error("a message comes again: %s", exc)  # noqa: TRY400
    except Exception as exc:  # noqa: BLE001  # one bad message must not fail the others
        errors.log_unexpected(exc)
    else:
        return True
    return False


def _work(body: str, container: Container) -> None:
    tools, policy = container.tools, container.policy
    match decode(body):
        case Ask() as message:
            work.ask(message, tools=tools, policy=policy)
        case Repair() as message:
            work.repair(message, tools=tools, policy=policy)
        case Deliver() as message:
            deliver.deliver(message, tools=tools)
