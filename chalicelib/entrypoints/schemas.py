"""What requests and answers look like: one declaration validates and documents.

Written by hand, since a JSON Schema library would be paid for at every cold start: ``read``
checks an object against its fields, ``json_schema`` prints the same fields for OpenAPI.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any, NamedTuple

from chalicelib.domain import reference
from chalicelib.domain.codes import Outcome
from chalicelib.domain.delivery import DeliveryStatus
from chalicelib.domain.errors import MalformedRequestError, ResidentIdNotTextError
from chalicelib.domain.secret import MAX_AGE_LIMIT
from chalicelib.domain.stored_submission import SubmissionStatus
from chalicelib.domain.verification import Status

MAX_TEXT = 500


class Field(NamedTuple):
    """One member: ``schema`` is its JSON Schema, ``parse`` turns its JSON value into ours."""

    name: str
    parse: Callable[[str, object], Any]
    schema: Mapping[str, object]
    required: bool = False
    default: Any = None


@dataclass(frozen=True, slots=True)
class Fields:
    """The members of one object."""

    items: tuple[Field, ...]
    names: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", frozenset(item.name for item in self.items))

    def read(self, value: object) -> dict[str, Any]:
        """The members parsed, defaults filled in; raises RequestError naming the field."""
        if not isinstance(value, dict):
            raise MalformedRequestError("The body must be a JSON object.")
        if not value.keys() <= self.names:
            allowed = ", ".join(item.name for item in self.items)
            raise MalformedRequestError(f"There is an unknown field; allowed are {allowed}.")
        return {item.name: self._one(item, value) for item in self.items}

    @staticmethod
    def _one(item: Field, value: Mapping[str, object]) -> object:
        if item.name not in value:
            if item.required:
                raise MalformedRequestError(f"{item.name}: is missing.")
            return item.default
        found = value[item.name]
        if found is None and not item.required:
            return item.default
        return item.parse(item.name, found)

    def json_schema(self) -> dict[str, object]:
        """The same as a JSON Schema object (2020-12)."""
        return {
            "type": "object",
            "additionalProperties": False,
            "required": [item.name for item in self.items if item.required],
            "properties": {
                item.name: dict(item.schema) if item.required else _nullable(item.schema)
                for item in self.items
            },
        }


def _nullable(schema: Mapping[str, object]) -> dict[str, object]:
    widened = {**schema, "type": [schema["type"], "null"]}
    if "enum" in schema:
        widened["enum"] = [*schema["enum"], None]  # type: ignore[misc]
    return widened


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise MalformedRequestError(f"{name}: must be a text in quotes.")
    if len(value) > MAX_TEXT:
        raise MalformedRequestError(f"{name}: must have at most {MAX_TEXT} characters.")
    return value


def _id_number(name: str, value: object) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ResidentIdNotTextError(
            "id_number: must be a text in quotes. As a JSON number its last digits are lost."
        )
    return _text(name, value)


def _reference(name: str, value: object) -> str:
    return reference.validate(_text(name, value))


def whole(low: int, high: int) -> Callable[[str, object], int]:
    """A whole number, given as JSON number, or as digits where it comes from a query string."""

    def parse(name: str, value: object) -> int:
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value, re.ASCII):
            value = int(value)
        if type(value) is not int or not low <= value <= high:
            raise MalformedRequestError(f"{name}: must be a whole number from {low} to {high}.")
        return value

    return parse


def json_whole(low: int, high: int) -> Callable[[str, object], int]:
    """A whole number that is given as JSON number."""
    parse = whole(low, high)

    def strict(name: str, value: object) -> int:
        # Only a query string has nothing but texts; in JSON a number is a number.
        return parse(name, None if isinstance(value, str) else value)

    return strict


def choice(*values: str) -> Callable[[str, object], str]:
    """One of a few texts."""

    def parse(name: str, value: object) -> str:
        if not isinstance(value, str) or value not in values:
            raise MalformedRequestError(f"{name}: must be one of {', '.join(values)}.")
        return value

    return parse


def day(name: str, value: object) -> date:
    """A calendar day, YYYY-MM-DD."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value, re.ASCII):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise MalformedRequestError(f"{name}: must be a day such as 2026-11-24.")


VERIFICATION_REQUEST = Fields(
    (
        Field(
            "name",
            _text,
            {
                "type": "string",
                "maxLength": MAX_TEXT,
                "description": "The name as on the card.",
                "examples": ["张三"],
            },
            required=True,
        ),
        Field(
            "id_number",
            _id_number,
            {
                "type": "string",
                "maxLength": MAX_TEXT,
                "description": "The 18 characters of the number, as text.",
                "examples": ["11010519491231002X"],
            },
            required=True,
        ),
        Field(
            "reference",
            _reference,
            {
                "type": "string",
                "pattern": "^[A-Za-z0-9._:-]{1,64}$",
                "description": "Your own reference; must not contain an identity number.",
                "examples": ["order-9"],
            },
        ),
        Field(
            "max_age_seconds",
            json_whole(0, MAX_AGE_LIMIT),
            {
                "type": "integer",
                "minimum": 0,
                "maximum": MAX_AGE_LIMIT,
                "description": "Above 0: an earlier outcome for the same person that is not older "
                "is accepted, free of charge. Default: the client's own, else 0.",
            },
        ),
        Field(
            "callback_url",
            _text,
            {
                "type": "string",
                "format": "uri",
                "maxLength": MAX_TEXT,
                "description": "Where the end is told (Standard Webhooks): https, at a host that "
                "is configured for the client. It is kept: nothing of the person may be in it.",
                "examples": ["https://shop.example/hooks/verified"],
            },
        ),
    )
)

RESOLUTION = Fields(
    (
        Field(
            "billed",
            choice("yes", "no"),
            {
                "type": "string",
                "enum": ["yes", "no"],
                "description": "What the seller's console says of this call.",
            },
            required=True,
        ),
        Field(
            "action",
            choice("close", "retry"),
            {
                "type": "string",
                "enum": ["close", "retry"],
                "description": "close: no outcome, for good. retry: one more paid call, made by "
                "the key's next post, or by itself for what came asynchronously.",
            },
            required=True,
        ),
    )
)

_DAY = Field(
    "day",
    day,
    {"type": "string", "format": "date", "description": "A day in UTC+8; default today."},
)
_PAGING = (
    Field(
        "limit",
        whole(1, 100),
        {"type": "integer", "minimum": 1, "maximum": 100, "default": 50},
        default=50,
    ),
    Field(
        "cursor",
        _text,
        {
            "type": "string",
            "maxLength": MAX_TEXT,
            "description": "next_cursor of the last page.",
        },
    ),
)


def _one_of(name: str, values: type[StrEnum]) -> Field:
    return Field(
        name, choice(*values), {"type": "string", "enum": [value.value for value in values]}
    )


LIST_QUERY = Fields((_DAY, _one_of("status", Status), _one_of("outcome", Outcome), *_PAGING))

DELIVERY_QUERY = Fields((_DAY, _one_of("status", DeliveryStatus), *_PAGING))

SUBMISSION_QUERY = Fields(
    (
        Field(
            "source",
            _text,
            {"type": "string", "maxLength": MAX_TEXT, "description": "The source's id."},
        ),
        _DAY,
        _one_of("status", SubmissionStatus),
        *_PAGING,
    )
)

USAGE_QUERY = Fields(
    (
        Field(
            "from",
            day,
            {"type": "string", "format": "date", "description": "First day, UTC+8; default to."},
        ),
        Field(
            "to",
            day,
            {"type": "string", "format": "date", "description": "Last day, UTC+8; default today."},
        ),
    )
)
