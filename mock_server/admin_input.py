"""What callers of /__admin may send: read, checked, or refused with field and allowed values."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime

from mock_server import people, resp_codes
from mock_server.clock import parse_day
from mock_server.effects import AFTER, BEFORE, GATEWAY, KINDS, VALUED, Effect, When, takes_when
from mock_server.faults import Armed, Match
from mock_server.gateway_errors import TABLE
from mock_server.options import Generation

_UNLISTED = re.compile(r"[0-9A-Za-z]{1,10}")
_MAX_COUNT = 1_000_000_000
_MAX_TEXT = 200

Body = Mapping[str, object]


class InvalidInputError(ValueError):
    """An input that is refused: which field, why, and what it may be."""

    def __init__(self, field: str, message: str, allowed: object = None) -> None:
        super().__init__(message)
        self.field = field
        self.message = message
        self.allowed = allowed


def parse(raw: bytes) -> object:
    """Read JSON.

    Raises:
        InvalidInputError: not JSON.
    """
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        raise InvalidInputError("body", "must be JSON") from None


def obj(value: object, fields: tuple[str, ...], field: str = "body") -> Body:
    """Take an object with no other fields than these."""
    if not isinstance(value, dict):
        raise InvalidInputError(field, "must be an object", list(fields))
    for key in value:
        if key not in fields:
            raise InvalidInputError(str(key)[:_MAX_TEXT], "is unknown", list(fields))
    return value


def text(body: Body, field: str) -> str:
    """Take a string."""
    value = body.get(field)
    if not isinstance(value, str) or len(value) > _MAX_TEXT:
        raise InvalidInputError(field, f"must be a string of at most {_MAX_TEXT} characters")
    return value


def optional_text(body: Body, field: str) -> str | None:
    """Take a string, or nothing."""
    return None if body.get(field) is None else text(body, field)


def whole(value: object, field: str, lowest: int = 0, highest: int = _MAX_COUNT) -> int:
    """Take a whole number."""
    if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
        allowed = f"{lowest} to {highest}"
        raise InvalidInputError(field, "must be a whole number", allowed)
    return value


def day(value: object, field: str) -> date | None:
    """Take a date, or null."""
    if value is None:
        return None
    try:
        return parse_day(value if isinstance(value, str) else "")
    except ValueError:
        raise InvalidInputError(field, "must be a date", "YYYY-MM-DD or null") from None


def flag(body: Body, field: str) -> bool:
    """Take true or false."""
    value = body.get(field)
    if not isinstance(value, bool):
        raise InvalidInputError(field, "must be true or false", [True, False])
    return value


def moment(value: str, field: str) -> datetime:
    """Take an ISO 8601 time; UTC unless it says otherwise."""
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        raise InvalidInputError(field, "must be a time", "ISO 8601") from None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def limit(value: str, field: str = "limit") -> int:
    """Take how many rows to give."""
    if not (value.isascii() and value.isdecimal() and len(value) < len(str(_MAX_COUNT))):
        raise InvalidInputError(field, "must be a whole number", f"1 to {_MAX_COUNT}")
    return whole(int(value), field, lowest=1)


def new_people(value: object) -> dict[str, str]:
    """Take `[{"name","id_number"}, ...]`: {id_number: name}."""
    if not isinstance(value, list):
        raise InvalidInputError("body", "must be a list", [{"name": "…", "id_number": "…"}])
    found: dict[str, str] = {}
    for i, row in enumerate(value):
        person = obj(row, ("name", "id_number"), f"[{i}]")
        name, number = text(person, "name"), text(person, "id_number")
        if objection := people.objection(name, number):
            raise InvalidInputError(f"[{i}].{objection[0]}", objection[1])
        found[number] = name
    return found


def fault(value: object, generation: Generation) -> Armed:
    """Take a fault to arm."""
    fields = ("kind", "value", "when", "times", "probability", "seed", "match")
    body = obj(value, fields)
    kind = text(body, "kind")
    if kind not in KINDS:
        raise InvalidInputError("kind", "is unknown", list(KINDS))
    times = body.get("times")
    return Armed(
        Effect(kind, _value(kind, body.get("value"), generation), _when(kind, body.get("when"))),
        times=None if times is None else whole(times, "times", lowest=1),
        probability=_probability(body.get("probability", 1)),
        seed=whole(body.get("seed", 0), "seed"),
        match=_match(body.get("match") or {}),
    )


def _value(kind: str, value: object, generation: Generation) -> int | str:
    if kind in VALUED:
        unit, lowest, highest, _ = VALUED[kind]
        return whole(value, f"value ({unit})", lowest, highest)
    if value is None:
        return ""
    if kind == "unknown_code":
        return _unlisted(value)
    if kind.startswith(GATEWAY):
        messages = [f.message for f in TABLE[kind[len(GATEWAY) :]].forms(generation)]
        if isinstance(value, str) and value in messages:
            return value
        raise InvalidInputError(
            "value", "must be a message of this gateway for that code", messages
        )
    raise InvalidInputError("value", f"{kind} takes none")


def _unlisted(value: object) -> str:
    if isinstance(value, str) and _UNLISTED.fullmatch(value) and value not in resp_codes.MESSAGES:
        return value
    raise InvalidInputError(
        "value", "must be a respCode that is not listed", "1 to 10 letters and digits"
    )


def _when(kind: str, value: object) -> When | None:
    if not takes_when(kind):
        if value is not None:
            raise InvalidInputError("when", f"{kind} follows the table of charges: leave it out")
        return None
    if value in (None, BEFORE):
        return BEFORE
    if value == AFTER:
        return AFTER
    raise InvalidInputError("when", "is unknown", [BEFORE, AFTER])


def _probability(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
        return float(value)
    raise InvalidInputError("probability", "must be a number", "0 to 1")


def _match(value: object) -> Match:
    body = obj(value, ("id_number", "name", "nth_call"), "match")
    nth = body.get("nth_call")
    return Match(
        optional_text(body, "id_number"),
        optional_text(body, "name"),
        None if nth is None else whole(nth, "nth_call", lowest=1),
    )
