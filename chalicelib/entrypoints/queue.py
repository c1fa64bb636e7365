"""Messages of the queue, one after the other; a failed one does not hold up the others."""

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from chalicelib import bootstrap
from chalicelib.bootstrap import Container
from chalicelib.domain.errors import ServiceError
from chalicelib.domain.messages import Ask, Deliver, Repair, decode
from chalicelib.entrypoints import errors
from chalicelib.services import deliver, work
from chalicelib.services.ports import PortError

logger = logging.getLogger("eryaosu")


def work_off(records: Iterable[Mapping[str, Any]]) -> dict[str, object]:
    """SQS's partial batch response: the ids of the messages that are to come again."""
    failed = [record["messageId"] for record in records if not _done(record["body"])]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def _done(body: str) -> bool:
    try:
        _work(body, bootstrap.container())
    except (PortError, ServiceError) as exc:
        # Their texts never hold a person or a secret.
        logger.warning("a message comes again: %s", exc)
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
