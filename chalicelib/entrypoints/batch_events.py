"""What the bucket and the queue of the rows bring."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from chalicelib import bootstrap
from chalicelib.domain import events
from chalicelib.domain.batch_messages import Dispatch, Rows, decode
from chalicelib.domain.errors import ServiceError
from chalicelib.domain.events import Trace
from chalicelib.entrypoints import errors
from chalicelib.services.ports import PortError
from chalicelib.services.row_work import Worker
from chalicelib.services.split import split

_MARGIN_SECONDS = 10.0
"""Beside the call itself: reading, claiming, and writing the ends."""


def split_upload(event_id: str, detail: Mapping[str, Any]) -> None:
    """The object that an EventBridge event of S3's is about."""
    trace = bootstrap.trace(event_id)
    container = bootstrap.container().traced(trace)
    try:
        split(
            str(detail["object"]["key"]),
            tools=container.tools,
            batching=container.batching(),
            policy=container.policy,
        )
    except (PortError, ServiceError) as exc:
        bootstrap.tell(events.message_given_back(str(exc)), trace)
        raise
    except Exception as exc:  # noqa: BLE001  # raised again, in other words
        errors.tell_fault(exc, trace)
        # Lambda writes down what is raised, and the text may hold what stood in the file.
        raise RuntimeError(type(exc).__name__) from None


def work_off_rows(
    records: Iterable[Mapping[str, Any]], seconds_left: Callable[[], float]
) -> dict[str, object]:
    """SQS's partial batch response: the ids of the messages that are to come again."""
    failed = [record["messageId"] for record in records if not _done(record["body"], seconds_left)]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def _done(body: str, seconds_left: Callable[[], float]) -> bool:
    trace = Trace()
    try:
        message = decode(body)
        trace = bootstrap.trace(message.correlation)
        container = bootstrap.container().traced(trace)
        worker = Worker(
            container.tools,
            container.batching(),
            container.policy,
            seconds_left,
            margin=container.policy.deadline + _MARGIN_SECONDS,
        )
        match message:
            case Rows():
                worker.work(message)
            case Dispatch():
                worker.dispatch(message)
    except (PortError, ServiceError) as exc:
        # Its text never holds a person or a secret; what led there might.
        bootstrap.tell(events.message_given_back(str(exc)), trace)
    except Exception as exc:  # noqa: BLE001  # it comes again, and then lies with the dead letters
        errors.tell_fault(exc, trace)
    else:
        return True
    return False
