"""What requests about packages, the console and the export look like."""

import re
from datetime import datetime, time
from decimal import Decimal

from chalicelib.domain import reference
from chalicelib.domain.errors import MalformedRequestError
from chalicelib.domain.verification import CHINA
from chalicelib.entrypoints.schemas import (
    LIST_QUERY,
    USAGE_QUERY,
    Field,
    Fields,
    day,
    json_whole,
    whole,
)

_MAX_CALLS = 1_000_000_000
_MAX_NOTE = 200
_PRICE = re.compile(r"(0|[1-9][0-9]{0,8})(\.[0-9]{1,2})?", re.ASCII)
_YEARS = range(2000, 2200)
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})",
    re.ASCII,
)


def price(name: str, value: object) -> Decimal:
    """Yuan as text: a JSON number would be a float somewhere on its way."""
    if not isinstance(value, str) or not _PRICE.fullmatch(value):
        raise MalformedRequestError(f'{name}: must be yuan as a text in quotes, such as "149.00".')
    return Decimal(value).quantize(Decimal("0.01"))


def moment(name: str, value: object) -> datetime:
    """A time with its offset, or a day, which means its beginning in UTC+8."""
    if isinstance(value, str):
        try:
            found = (
                datetime.fromisoformat(value.upper()).astimezone(CHINA)
                if _TIME.fullmatch(value)
                else datetime.combine(day(name, value), time(), CHINA)
            )
        except (MalformedRequestError, ValueError, OverflowError):
            found = None
        if found is not None and found.year in _YEARS:
            return found
    raise MalformedRequestError(
        f"{name}: must be a time such as 2026-11-24T09:30:00+08:00, or a day such as 2026-11-24, "
        "in this century or the next."
    )


def _note(name: str, value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_NOTE or not value.isprintable():
        raise MalformedRequestError(
            f"{name}: must be a text in quotes of 1 to {_MAX_NOTE} printable characters."
        )
    if reference.holds_spaced_number(value):
        raise MalformedRequestError(f"{name}: must not contain an identity number.")
    return value


def _moment(name: str, description: str) -> Field:
    return Field(
        name,
        moment,
        {
            "type": "string",
            "description": f"{description} A time with its offset, or a day: its beginning in "
            "UTC+8.",
            "examples": ["2026-11-24T09:30:00+08:00", "2026-11-24"],
        },
    )


PACKAGE = Fields(
    (
        Field(
            "calls",
            json_whole(1, _MAX_CALLS),
            {
                "type": "integer",
                "minimum": 1,
                "maximum": _MAX_CALLS,
                "description": "How many calls were bought.",
                "examples": [5000],
            },
            required=True,
        ),
        Field(
            "price",
            price,
            {
                "type": "string",
                "pattern": f"^{_PRICE.pattern}$",
                "description": "What was paid for them in all, in yuan.",
                "examples": ["149.00"],
            },
            required=True,
        ),
        _moment("purchased_at", "When; default now, never in the future."),
        _moment("expires_at", "Until when they are valid; default a year after purchased_at."),
        Field(
            "note",
            _note,
            {
                "type": "string",
                "minLength": 1,
                "maxLength": _MAX_NOTE,
                "description": "Your own words, such as an order's number; no person in it.",
            },
        ),
    )
)


def _shown(name: str, description: str) -> Field:
    return Field(
        name,
        json_whole(0, _MAX_CALLS),
        {
            "type": "integer",
            "minimum": 0,
            "maximum": _MAX_CALLS,
            "description": description,
        },
        required=True,
    )


READING = Fields(
    (
        _shown("used", "What the seller's console shows as used (已使用用量)."),
        _shown("total", "What it shows in all (总用量)."),
        _moment("at", "When it was read; default just now."),
    )
)

ADVICE_QUERY = Fields(
    (
        Field(
            "days",
            whole(1, 730),
            {
                "type": "integer",
                "minimum": 1,
                "maximum": 730,
                "default": 365,
                "description": "How many days after today the calls are to last.",
            },
            default=365,
        ),
    )
)

EXPORT_QUERY = Fields((*USAGE_QUERY.items, LIST_QUERY.items[-1]))
