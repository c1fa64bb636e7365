"""Reading a body: JSON, urlencoded or multipart; what cannot be read is None, never an error."""

import json
import re
from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl

from chalicelib.domain.submission import HookRequest

_MOST_FIELDS = 1_000
_LONGEST_HEAD = 1_024
_BOUNDARY = re.compile(r'boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))', re.IGNORECASE)
_NAME = re.compile(rb'(?im)^content-disposition:\s*form-data\b.*;\s*name="([^"]*)"')
_FILE = re.compile(rb"(?im)^content-disposition:.*;\s*filename\*?=")


def json_value(text: str | bytes) -> object:
    """A JSON value in UTF-8."""
    try:
        decoded = text.decode("utf-8-sig") if isinstance(text, bytes) else text
        return json.loads(decoded, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None


def _refuse(name: str) -> object:
    raise ValueError(name)  # NaN and Infinity are no JSON


def json_object(text: object) -> dict[str, object]:
    """The members of a JSON object; none of anything else."""
    return as_object(json_value(text)) if isinstance(text, str | bytes) else {}


def as_object(value: object) -> dict[str, object]:
    """The members of a parsed object; none of anything else."""
    return value if isinstance(value, dict) else {}


def as_objects(value: object) -> list[dict[str, object]]:
    """The objects in a parsed list."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def dig(value: object, *names: str) -> object:
    """A member of a member; None where there is none."""
    for name in names:
        value = as_object(value).get(name)
    return value


def document(request: HookRequest) -> object:
    """A JSON or urlencoded body, as its Content-Type says."""
    if _media_type(request) == "application/x-www-form-urlencoded":
        return form_fields(request)
    return json_value(request.raw)


def form_fields(request: HookRequest) -> Mapping[str, str]:
    """The text fields of a multipart or urlencoded body; the first of a name counts."""
    multipart = _media_type(request) == "multipart/form-data"
    fields: dict[str, str] = {}
    try:
        for name, value in _multipart(request) if multipart else _urlencoded(request.raw):
            fields.setdefault(name, value)
    except ValueError:
        return {}
    return fields


def _media_type(request: HookRequest) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _urlencoded(raw: bytes) -> list[tuple[str, str]]:
    return parse_qsl(
        raw.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS
    )


def _multipart(request: HookRequest) -> Iterator[tuple[str, str]]:
    found = _BOUNDARY.search(request.headers.get("content-type", ""))
    if found is None:
        return
    boundary = (found[1] or found[2]).encode("utf-8", "surrogatepass")
    parts = (b"\r\n" + request.raw).split(b"\r\n--" + boundary, _MOST_FIELDS)
    for part in parts[1:]:
        head, blank, value = part.partition(b"\r\n\r\n")
        name = _NAME.search(head[:_LONGEST_HEAD])
        if blank and name and not _FILE.search(head[:_LONGEST_HEAD]):
            yield name[1].decode("utf-8"), value.decode("utf-8")
