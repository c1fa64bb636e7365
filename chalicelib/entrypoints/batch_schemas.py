"""What requests about batches look like."""

import binascii
from base64 import b64decode

from chalicelib.domain.batch import MAX_INLINE
from chalicelib.domain.batch_file import MAX_COLUMNS, MAX_NUMBER
from chalicelib.domain.errors import MalformedRequestError, PayloadTooLargeError
from chalicelib.domain.secret import MAX_AGE_LIMIT
from chalicelib.entrypoints.schemas import (
    LIST_QUERY,
    VERIFICATION_REQUEST,
    Field,
    Fields,
    choice,
    json_whole,
    whole,
)

MAX_BODY = MAX_INLINE * 4 // 3 + 64 * 1024
"""Bytes of a request with a file in it."""

MAX_LIMIT = 5_000
_MAX_TITLE = 200
_COLUMNS = ("name", "id_number", "reference")


def _content(name: str, value: object) -> bytes:
    try:
        found = b64decode(value, validate=True) if isinstance(value, str) else b""
    except (ValueError, binascii.Error):
        found = b""
    if not found:
        raise MalformedRequestError(f"{name}: must be the file in base64, in quotes.")
    if len(found) > MAX_INLINE:
        limit = MAX_INLINE // 1024 // 1024
        raise PayloadTooLargeError(
            f"{name}: must be at most {limit} MiB; leave it out, and put the file where the answer "
            "says."
        )
    return found


def _title(name: str, value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_TITLE:
        raise MalformedRequestError(f"{name}: must be a text of 1 to {_MAX_TITLE} characters.")
    return value


def _columns(name: str, value: object) -> dict[str, str | int]:
    allowed = ", ".join(_COLUMNS)
    if not isinstance(value, dict) or not value or not value.keys() <= set(_COLUMNS):
        raise MalformedRequestError(f"{name}: must be an object with some of {allowed}.")
    return {
        column: chosen
        if type(chosen) is int and 1 <= chosen <= MAX_COLUMNS
        else _column(f"{name}.{column}", chosen)
        for column, chosen in value.items()
    }


def _column(name: str, value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_TITLE:
        raise MalformedRequestError(
            f"{name}: must be a column's title, or its number from 1 to {MAX_COLUMNS}."
        )
    return value


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise MalformedRequestError(f"{name}: must be true or false.")
    return value


_LABEL = next(item for item in VERIFICATION_REQUEST.items if item.name == "reference")

BATCH_REQUEST = Fields(
    (
        Field(
            "format",
            choice("csv", "xlsx"),
            {"type": "string", "enum": ["csv", "xlsx"], "description": "What the file is."},
            required=True,
        ),
        Field(
            "content",
            _content,
            {
                "type": "string",
                "contentEncoding": "base64",
                "description": "A small file, at most 4 MiB. Left out, the answer says where the "
                "file is to be put.",
            },
        ),
        Field(
            "columns",
            _columns,
            {
                "type": "object",
                "additionalProperties": False,
                "minProperties": 1,
                "properties": {
                    column: {
                        "type": ["string", "integer"],
                        "minLength": 1,
                        "maxLength": _MAX_TITLE,
                        "minimum": 1,
                        "maximum": MAX_COLUMNS,
                    }
                    for column in _COLUMNS
                },
                "description": "Which columns, by title or by number from 1; default: those with "
                "a usual title.",
                "examples": [{"name": "姓名", "id_number": 2}],
            },
        ),
        Field(
            "sheet",
            _title,
            {
                "type": "string",
                "minLength": 1,
                "maxLength": _MAX_TITLE,
                "description": "The worksheet; default the only visible one with content.",
            },
        ),
        Field(
            "encoding",
            choice("utf-8", "gb18030"),
            {
                "type": "string",
                "enum": ["utf-8", "gb18030"],
                "description": "Of a CSV file; default: found out.",
            },
        ),
        Field(
            "max_age_seconds",
            json_whole(0, MAX_AGE_LIMIT),
            {
                "type": "integer",
                "minimum": 0,
                "maximum": MAX_AGE_LIMIT,
                "default": 0,
                "description": "Above 0: an earlier outcome for the same person that is not older "
                "is accepted, free of charge.",
            },
            default=0,
        ),
        Field(
            "dry_run",
            _flag,
            {
                "type": "boolean",
                "default": False,
                "description": "Read and count the rows, and ask nothing until it is resumed.",
            },
            default=False,
        ),
        Field(
            "label",
            _LABEL.parse,
            {**_LABEL.schema, "description": "Your own name for it; no person in it."},
        ),
    )
)

BATCH_LIST_QUERY = Fields(
    tuple(item for item in LIST_QUERY.items if item.name in {"day", "limit", "cursor"})
)

RESULTS_QUERY = Fields(
    (
        Field(
            "from_row",
            whole(1, MAX_NUMBER),
            {
                "type": "integer",
                "minimum": 1,
                "maximum": MAX_NUMBER,
                "default": 1,
                "description": "The first row; X-Next-Row of the last part.",
            },
            default=1,
        ),
        Field(
            "limit",
            whole(1, MAX_LIMIT),
            {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": MAX_LIMIT},
            default=MAX_LIMIT,
        ),
    )
)
