"""Asserting on the journal: how many requests were as wanted, and which were nearly so."""

import heapq
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from mock_server.admin_input import choice, flag, obj, resp_code, text, whole
from mock_server.effects import KINDS
from mock_server.gateway_errors import TABLE
from mock_server.journal import Entry

_SHOWN = 5
_STATUSES = (100, 599)

Wanted = Mapping[str, object]


class NearMiss(NamedTuple):
    """A request that is not as wanted, and in which fields."""

    differs: list[str]
    entry: Entry


@dataclass(frozen=True, slots=True)
class _Field:
    """How a wanted value is checked, and where a request has its own."""

    take: Callable[[object, str], object]
    of: Callable[[Entry], object]


def wanted(value: object) -> Wanted:
    """Take what requests are to be like; a slip of the pen would count nothing, so it is refused.

    Raises:
        InvalidInputError: an unknown field, or a value that no request can have.
    """
    body = obj(value, KEYS, "match")
    return {field: _FIELDS[field].take(given, field) for field, given in body.items()}


def look(entries: Iterable[Entry], like: Wanted) -> tuple[int, list[NearMiss]]:
    """Count the requests that are as wanted; give the nearest of the others, the latest first."""
    compared = [NearMiss(_differs(entry, like), entry) for entry in entries]
    missed = [near for near in reversed(compared) if near.differs]
    nearest = heapq.nsmallest(_SHOWN, missed, key=lambda near: len(near.differs))
    return len(compared) - len(missed), nearest


def _differs(entry: Entry, like: Wanted) -> list[str]:
    return [field for field, value in like.items() if _FIELDS[field].of(entry) != value]


def _text(value: object, field: str) -> str:
    return text({field: value}, field)


def _resp_code(value: object, field: str) -> str:
    return "" if value == "" else resp_code(value, field)


def _gateway_code(value: object, field: str) -> str:
    return choice(value, field, ("", *TABLE))


def _fault(value: object, field: str) -> str | None:
    return None if value is None else choice(value, field, KINDS)


def _status(value: object, field: str) -> int | None:
    return None if value is None else whole(value, field, *_STATUSES)


# As in the journal, null is no fault, or no answer sent.
_FIELDS = {
    "name": _Field(_text, lambda entry: entry.fields.name),
    "id_number": _Field(_text, lambda entry: entry.fields.id_number),
    "resp_code": _Field(_resp_code, lambda entry: entry.resp_code),
    "gateway_code": _Field(_gateway_code, lambda entry: entry.gateway_code),
    "fault": _Field(_fault, lambda entry: entry.effect.kind if entry.effect else None),
    "method": _Field(_text, lambda entry: entry.method),
    "path": _Field(_text, lambda entry: entry.path),
    "status": _Field(_status, lambda entry: entry.status),
    "charged": _Field(flag, lambda entry: entry.charged),
}
KEYS = tuple(_FIELDS)
