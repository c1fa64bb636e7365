"""In which line of a TOML file a value stands: tomllib does not say.

It goes by table headers and keys, line by line. What it cannot see (an inline table over several
lines, a text that looks like a header) gets the line of its table, or one near by.
"""

import re
from collections.abc import Iterator

_FIELD = re.compile(r"(?P<table>\w+)(?:\[(?P<index>[0-9]{1,9})\])?(?:\.(?P<key>.+))?", re.DOTALL)
_HEADER = re.compile(r"\s*\[\[?\s*([^\]]*?)\s*\]")
_QUOTES = "\"' \t"


def line_of(text: str, field: str) -> int:
    """Find `key`, `key[index]`, `table.key` or `table[index].key`, else the table, else line 1."""
    parsed = _FIELD.fullmatch(field)
    if parsed is None:  # a key in quotes
        return _at_top(text, field, "") or 1
    table, key = parsed["table"], parsed["key"] or ""
    index = int(parsed["index"] or 0)
    return _under_header(text, table, index, key) or _at_top(text, table, key) or 1


def _under_header(text: str, table: str, index: int, key: str) -> int:
    """Find the key under the index-th header of that name, else the header; 0 without one."""
    wanted = re.compile(rf"(?:^|[\s.{{,])[\"']?{re.escape(key)}[\"']?\s*=")
    found, seen, inside = 0, -1, False
    for number, line, header in _lines(text):
        if header == table:
            seen += 1
            inside = seen == index
            found = number if inside else found
        elif header is not None:
            inside = inside and header.startswith(table + ".")
        elif inside and key and wanted.search(line):
            return number
    return found


def _at_top(text: str, table: str, key: str) -> int:
    """Find `table.key = `, else `table = `, before the first header; 0 without either."""
    start = rf"\s*[\"']?{re.escape(table)}[\"']?\s*[.=]"
    wanted = re.compile(rf"{start}(?:.*[\s.{{,])?[\"']?{re.escape(key)}[\"']?\s*=")
    found = 0
    for number, line, header in _lines(text):
        if header is not None:
            break
        if key and wanted.match(line):
            return number
        if not found and re.match(start, line):
            found = number
    return found


def _lines(text: str) -> Iterator[tuple[int, str, str | None]]:
    """Give the number of each line, the line, and the name in it if it is a header.

    Comments are left out.
    """
    for number, line in enumerate(text.split("\n"), 1):
        if line.lstrip().startswith("#"):
            continue
        header = _HEADER.match(line)
        name = ".".join(part.strip(_QUOTES) for part in header[1].split(".")) if header else None
        yield number, line, name
