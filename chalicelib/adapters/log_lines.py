"""The log: one JSON object a line, which CloudWatch also reads its metrics from (EMF).

All lines go through the logger ``eryaosu``, those of events and those that a part of the service
writes itself. Nothing here raises: a line that cannot be written is lost, a verification never.
"""

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TextIO

from chalicelib.domain.events import BY_RESULT, Event, Level, Metric, Value

NAMESPACE = "eryaosu"

logger = logging.getLogger("eryaosu")
_LEVELS = {"INFO": logging.INFO, "WARNING": logging.WARNING, "ERROR": logging.ERROR}


def observe(event: Event) -> None:
    """Write the event's line."""
    level = _LEVELS[event.level]
    if logger.isEnabledFor(level):
        logger.log(level, "%s", event)


def write_to(stream: TextIO, level: Level, stage: str) -> None:
    """From now on write there, and nowhere else, what is of that level or above."""
    for before in [one for one in logger.handlers if isinstance(one, _Handler)]:
        logger.removeHandler(before)
    handler = _Handler(stream)
    handler.setFormatter(JsonLines(stage))
    logger.addHandler(handler)
    logger.setLevel(level)
    # Lambda's own handler stands at the root, and would write each line once more.
    logger.propagate = False


class _Handler(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # logging's own name
        """Say nothing: logging's way is to print what the line was made of."""


class JsonLines(logging.Formatter):
    """One line a record; metrics are told apart by ``stage``."""

    def __init__(self, stage: str) -> None:
        super().__init__()
        self._stage = stage

    def format(self, record: logging.LogRecord) -> str:
        """The record's event, or what somebody wrote himself."""
        match record.args:
            case (Event() as event,):
                pass
            case _:
                event = _written(record)
        return json.dumps(line(event, record.created, self._stage), separators=(",", ":"))


def _written(record: logging.LogRecord) -> Event:
    # An exception's text, and what chalice says beside it, may hold a person or a form's token.
    message = record.getMessage() if record.exc_info is None else "unhandled exception"
    level: Level = "ERROR" if record.levelno >= logging.ERROR else "WARNING"
    return Event("trouble", level, {"message": message})


def line(event: Event, seconds: float, stage: str) -> Mapping[str, object]:
    """What stands in the event's line; ``seconds`` is the time, since 1970."""
    moment = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    written: dict[str, object] = {
        "time": moment.replace("+00:00", "Z"),
        "level": event.level,
        "event": event.name,
    }
    if event.trace.correlation_id is not None:
        written["correlation_id"] = event.trace.correlation_id
    written["cold"] = event.trace.cold
    written.update(_present(event.members))
    if event.metrics:
        written.update(_counted(event, seconds, stage))
    return written


def _present(members: Mapping[str, Value]) -> dict[str, Value]:
    return {name: value for name, value in members.items() if value is not None}


def _counted(event: Event, seconds: float, stage: str) -> dict[str, object]:
    """CloudWatch's embedded metric format, version 1."""
    apart = [metric for metric in event.metrics if metric in BY_RESULT and event.result]
    directives = [_directive(event.metrics, ["Stage"])]
    counted: dict[str, object] = {metric.value: n for metric, n in event.metrics.items()}
    counted["Stage"] = stage
    if apart:
        counted["result"] = event.result
        directives.append(_directive(apart, ["Stage", "result"]))
    counted["_aws"] = {"Timestamp": int(seconds * 1000), "CloudWatchMetrics": directives}
    return counted


def _directive(metrics: Mapping[Metric, int] | list[Metric], by: list[str]) -> dict[str, object]:
    return {
        "Namespace": NAMESPACE,
        "Dimensions": [by],
        "Metrics": [{"Name": metric, "Unit": "Count"} for metric in metrics],
    }
