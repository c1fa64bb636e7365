"""Values of /__admin and of a scenario: taken, or refused with field and allowed values."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime

from mock_server import people
from mock_server.clock import parse_day

_RESP_CODE = re.compile(r"[0-9A-Za-z]{1,10}")
RESP_CODE_SHAPE = "1 to 10 letters and digits"
MAX_COUNT = 1_000_000_000
_MAX_TEXT = 200

# The field of what is wrong with all that was sent.
BODY = "body"

Body = Mapping[str, object]


class InvalidInputError(ValueError):
    """An input that is refused: which field, why, and what it may be."""

    def __init__(self, field: str, message: str, allowed: object = None) -> None:
        super().__init__(message)
        self.field = field
        self.message = message
        self.allowed = allowed

    def within(self, section: str) -> "InvalidInputError":
        """Give the same for what was sent as a section of something larger."""
        field = self.field
        if field == BODY:
            field = section
        else:
            field = section + ("" if field.startswith("[") else ".") + field
        return InvalidInputError(field, self.message, self.allowed)


def parse(raw: bytes) -> object:
    """Read JSON.

    Raises:
        InvalidInputError: not JSON.
    """
    try:
        return json.loads(raw, parse_float=_number)
    except (ValueError, RecursionError):
        raise InvalidInputError(BODY, "must be JSON") from None


def _number(written: str) -> float:
    """Take 5.0 for 5: to JSON they are the same number, and some clients write it so."""
    number = float(written)
    return int(number) if number.is_integer() else number


def obj(value: object, fields: tuple[str, ...], field: str = BODY) -> Body:
    """Take an object with no other fields than these."""
    if not isinstance(value, dict):
        raise InvalidInputError(field, "must be an object", list(fields))
    for key in value:
        if key not in fields:
            raise InvalidInputError(str(key)[:_MAX_TEXT], "is unknown", list(fields))
    return value


def listed(value: object, allowed: object) -> list[object]:
    """Take a list of anything."""
    if not isinstance(value, list):
        raise InvalidInputError(BODY, "must be a list", allowed)
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


def required(body: Body, field: str) -> object:
    """Take whatever stands there, null too."""
    if field not in body:
        raise InvalidInputError(field, "is missing: null is allowed")
    return body[field]


def whole(value: object, field: str, lowest: int = 0, highest: int = MAX_COUNT) -> int:
    """Take a whole number."""
    if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
        allowed = f"{lowest} to {highest}"
        raise InvalidInputError(field, "must be a whole number", allowed)
    return value


def optional_whole(value: object, field: str, lowest: int = 0) -> int | None:
    """Take a whole number, or null."""
    return None if value is None else whole(value, field, lowest)


def choice(value: object, field: str, allowed: Iterable[str]) -> str:
    """Take one of a few strings."""
    listed = list(allowed)
    if not isinstance(value, str) or value not in listed:
        raise InvalidInputError(field, "is unknown", listed)
    return value


def day(value: object, field: str) -> date | None:
    """Take a date, or null."""
    if value is None:
        return None
    try:
        return parse_day(value if isinstance(value, str) else "")
    except ValueError:
        raise InvalidInputError(field, "must be a date", "YYYY-MM-DD or null") from None


def flag(value: object, field: str) -> bool:
    """Take true or false."""
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


def decimal(text: str, field: str, lowest: int = 0, highest: int = MAX_COUNT) -> int:
    """Take a whole number that is written in digits."""
    digits = text.isascii() and text.isdecimal() and len(text) <= len(str(highest))
    return whole(int(text) if digits else None, field, lowest, highest)


def resp_code(value: object, field: str) -> str:
    """Take a respCode, listed or not."""
    if isinstance(value, str) and _RESP_CODE.fullmatch(value):
        return value
    raise InvalidInputError(field, "must be a respCode", RESP_CODE_SHAPE)


def query(given: Mapping[str, list[str]], fields: Sequence[str]) -> None:
    """Refuse query parameters that a call does not know, or that come twice."""
    for field, values in given.items():
        if field not in fields:
            raise InvalidInputError(field[:_MAX_TEXT], "is unknown", list(fields))
        if len(values) > 1:
            raise InvalidInputError(field, "is given more than once", "once")


def is_token(text: str) -> bool:
    """Tell whether a text can be an AppCode or a token: it has to fit into a header."""
    return 0 < len(text) <= _MAX_TEXT and text.isascii() and text.isprintable() and " " not in text


def appcodes(value: object) -> tuple[str, ...]:
    """Take a list of AppCodes; a refused one is not repeated."""
    allowed = f"a list of ASCII texts without blanks, 1 to {_MAX_TEXT} characters each"
    taken: dict[str, None] = {}
    for i, code in enumerate(listed(value, allowed)):
        if not isinstance(code, str) or not is_token(code):
            raise InvalidInputError(f"[{i}]", "is no AppCode", allowed)
        taken[code] = None
    return tuple(taken)


def new_people(value: object) -> dict[str, str]:
    """Take `[{"name","id_number"}, ...]`: {id_number: name}."""
    found: dict[str, str] = {}
    for i, row in enumerate(listed(value, [{"name": "…", "id_number": "…"}])):
        try:
            name, number = _person(row)
        except InvalidInputError as exc:
            raise exc.within(f"[{i}]") from None
        found[number] = name
    return found


def _person(value: object) -> tuple[str, str]:
    row = obj(value, ("name", "id_number"))
    name, number = text(row, "name"), text(row, "id_number")
    if objection := people.objection(name, number):
        raise InvalidInputError(*objection)
    return name, number
