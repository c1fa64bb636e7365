"""What callers get wrong, told in the journal: the upstream itself only refuses."""

import re
from collections.abc import Callable
from typing import NamedTuple

from mock_server.call import API_PATH, Call, Fields

_FORM = "application/x-www-form-urlencoded"
_NUMBER = re.compile(r"[0-9]{17}[0-9Xx]")
_APPCODE = re.compile(r"APPCODE [^\s]+")
_RAW_BYTE = re.compile(rb"[\x80-\xff]")
_RIGHT_FIELDS = re.compile(rb"(?=.*(?:^|&)idNo=)(?=.*(?:^|&)name=)", re.DOTALL)
_LOST_DIGITS = re.compile(r"[0-9.]+[eE]\+?[0-9]+|[0-9]+\.[0-9]*")
_ENCODED = re.compile(r"%[0-9A-Fa-f]{2}")
_REPLACED = "\ufffd"  # what decoding puts for bytes that are no UTF-8


class Hint(NamedTuple):
    """One mistake: how it is called, what to do, and whether a refused call made it."""

    code: str
    advice: str
    fits: Callable[[Call, Fields], bool]


def _media_type(call: Call) -> str:
    return call.content_type.split(";", 1)[0].strip().lower()


def _is_json(call: Call) -> bool:
    return _media_type(call) == "application/json" or call.body.lstrip()[:1] in (b"{", b"[")


def _field_names(call: Call, _: Fields) -> bool:
    return b"=" in call.body and not _is_json(call) and not _RIGHT_FIELDS.search(call.body)


def _swapped(_: Call, fields: Fields) -> bool:
    number = fields.id_number
    return bool(_NUMBER.fullmatch(fields.name)) or (number.isalpha() and not number.isascii())


TABLE = (
    Hint(
        "wrong_path",
        f"The path is {API_PATH}, with no slash after it.",
        lambda call, _: call.path != API_PATH,
    ),
    Hint("wrong_method", "The method is POST.", lambda call, _: call.method != "POST"),
    Hint(
        "query_parameters",
        "Name and number belong in the body: a query lands in logs.",
        lambda call, _: bool(call.query),
    ),
    Hint(
        "appcode_header",
        "Send `Authorization: APPCODE <appcode>`: capitals, one ASCII space, nothing after it.",
        lambda call, _: not _APPCODE.fullmatch(call.authorization),
    ),
    Hint(
        "content_type",
        f"Send `Content-Type: {_FORM}; charset=UTF-8`.",
        lambda call, _: bool(call.body) and _media_type(call) != _FORM,
    ),
    Hint(
        "json_body",
        "The body is a form, `idNo=…&name=…`, not JSON.",
        lambda call, _: _is_json(call),
    ),
    Hint("field_names", "The fields are spelt `idNo` and `name`.", _field_names),
    Hint("fields_swapped", "`name` holds the number, or `idNo` the name.", _swapped),
    Hint(
        "not_percent_encoded",
        "Percent-encode the name's UTF-8 bytes, as forms do.",
        lambda call, _: bool(_RAW_BYTE.search(call.body)) and not _is_json(call),
    ),
    Hint(
        "not_utf8",
        "Percent-encode the name in UTF-8, not in GBK.",
        lambda _, fields: _REPLACED in fields.name,
    ),
    Hint(
        "encoded_twice",
        "Percent-encode once.",
        lambda _, fields: any(_ENCODED.search(value) for value in fields),
    ),
    Hint(
        "blanks",
        "Take the blanks out of name and number.",
        lambda _, fields: any(char.isspace() for value in fields for char in value),
    ),
    Hint(
        "lower_case_x",
        "Send the check character as a capital X.",
        lambda _, fields: fields.id_number.endswith("x"),
    ),
    Hint(
        "lost_digits",
        "Keep the number as text: a float has lost its last digits.",
        lambda _, fields: _LOST_DIGITS.fullmatch(fields.id_number) is not None,
    ),
)


def find(call: Call, fields: Fields) -> tuple[str, ...]:
    """Give the codes of the mistakes that a refused call made."""
    return tuple(hint.code for hint in TABLE if hint.fits(call, fields))
