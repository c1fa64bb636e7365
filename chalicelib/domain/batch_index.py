"""A batch's rows as the splitter writes them, and where in them each chunk begins.

A line for each row, ``[number, name, id_number, reference, flaw]`` in JSON: with a flaw the masked
forms stand in place of the person. The index has 12 bytes a chunk, so that any part of it can be
read alone: where the chunk begins and its first row's number; one entry more says where it all
ends.
"""

import json
import struct
from collections.abc import Iterator
from typing import NamedTuple

_ENTRY = struct.Struct(">QI")
ENTRY_BYTES = _ENTRY.size


class Line(NamedTuple):
    """One row; ``size`` is what it takes of the file, in bytes."""

    number: int
    name: str
    id_number: str
    reference: str
    flaw: str
    size: int = 0


def line(row: Line) -> bytes:
    """The row's line."""
    text = json.dumps(row[:-1], ensure_ascii=False, separators=(",", ":"))
    # Half of a character that is written in two cannot be written in UTF-8.
    return text.encode("utf-8", "backslashreplace") + b"\n"


def lines(data: bytes) -> Iterator[Line]:
    """The rows in these bytes, which begin and end with a row's."""
    for one in data.splitlines(keepends=True):
        number, name, id_number, reference, flaw = json.loads(one)
        yield Line(number, name, id_number, reference, flaw, len(one))


class Entry(NamedTuple):
    """Where a chunk begins, and with which row; the last entry of all has row 0."""

    start: int
    row: int


def entry(start: int, row: int) -> bytes:
    """One entry's bytes."""
    return _ENTRY.pack(start, row)


def entries(data: bytes) -> list[Entry]:
    """The entries in these bytes."""
    return [Entry(*found) for found in _ENTRY.iter_unpack(data)]
