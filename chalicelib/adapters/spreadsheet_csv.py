"""Records out of a CSV file: its encoding and its delimiter are found, its memory is bounded.

The file is read twice where its encoding is not known: whether it is UTF-8 is known at its end.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterator
from typing import BinaryIO

from chalicelib.domain.batch_file import MAX_COLUMNS, MAX_NUMBER, FileError

MAX_RECORD = 1 << 20
"""Bytes of one record (characters in UTF-16), line breaks in quotes included."""

ENCODINGS = ("utf-8", "gb18030")

_CHUNK = 1 << 16
_WIDE = re.compile("[\u0800-\U0010ffff]")
_CERTAIN = 3
"""So many wide characters in a row are hardly found in a file that is not UTF-8."""
_QUOTED = re.compile('"[^"]*"?')
_DELIMITERS = "\t;,"  # of equals the first: commas stand in titles


def records(stream: BinaryIO, encoding: str | None) -> Iterator[tuple[int, list[str]]]:
    """Each record with its number, counted from 1; raises FileError, naming it."""
    codec, start = _codec(stream, encoding)
    source: BinaryIO | io.TextIOWrapper = stream
    if codec == "utf-16":  # no byte of it ends a line
        source = io.TextIOWrapper(stream, codec, newline="")
    elif isinstance(stream, io.RawIOBase):
        source = io.BufferedReader(stream)
    try:
        source.seek(start)
        delimiter = _delimiter(_Lines(source, codec))
        source.seek(start)
        yield from _records(_Lines(source, codec), delimiter)
    finally:
        if source is not stream and isinstance(source, io.TextIOWrapper | io.BufferedReader):
            source.detach()  # or it would close the stream


def _records(lines: "_Lines", delimiter: str) -> Iterator[tuple[int, list[str]]]:
    try:
        for cells in csv.reader(lines, delimiter=delimiter, strict=True):
            if len(cells) > MAX_COLUMNS and any(cells[MAX_COLUMNS:]):
                raise FileError(
                    f"more than {MAX_COLUMNS} columns; delete those that are not needed.",
                    lines.record,
                )
            yield lines.record, cells
            lines.next_record()
    except csv.Error as exc:
        raise FileError(
            f"is not CSV: {exc}; look for a quotation mark without its partner, or save the file "
            "anew.",
            lines.record,
        ) from exc


class _Lines:
    """The lines that make up records, each record bounded."""

    def __init__(self, source: BinaryIO | io.TextIOWrapper, codec: str) -> None:
        self.record = 1
        self._left = MAX_RECORD
        self._readline = source.readline
        self._codec = codec

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        try:
            read = self._readline(self._left + 1)
            if not read:
                raise StopIteration
            if self.record > MAX_NUMBER:
                raise FileError(f"more than {MAX_NUMBER:,}; delete the empty ones.", self.record)
            self._left -= len(read)
            if self._left < 0:
                raise FileError(
                    f"is longer than {MAX_RECORD:,} bytes; a quotation mark may lack its partner.",
                    self.record,
                )
            line = read if isinstance(read, str) else read.decode(self._codec)
        except UnicodeError as exc:
            raise FileError(
                f"bytes that are not {self._codec.upper()}; save the file as UTF-8, or say its "
                '"encoding".',
                self.record,
            ) from exc
        if "\0" in line:
            raise FileError("a NUL byte, which no text has; save the file as UTF-8.", self.record)
        return line

    def next_record(self) -> None:
        self.record += 1
        self._left = MAX_RECORD


def _codec(stream: BinaryIO, encoding: str | None) -> tuple[str, int]:
    """The codec, and where the text begins."""
    if encoding is not None and encoding not in ENCODINGS:
        raise FileError(f"encoding: must be one of {', '.join(ENCODINGS)}.")
    stream.seek(0)
    begin = stream.read(len(codecs.BOM_UTF8))
    found = None
    if begin == codecs.BOM_UTF8:
        found = "utf-8"
    elif begin[:2] in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}:
        found = "utf-16"
    if found and encoding not in {None, found}:
        raise FileError(f"encoding: is not {encoding}; the file says of itself that it is {found}.")
    if found:
        return found, len(begin) if found == "utf-8" else 0
    if encoding:
        return encoding, 0
    stream.seek(0)
    return ("utf-8" if _is_utf8(stream) else "gb18030"), 0


def _is_utf8(stream: BinaryIO) -> bool:
    """Raises FileError where it is UTF-8 up to a row: read as anything else, names would change."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    wide, row = 0, 1
    while True:
        chunk = stream.read(_CHUNK)
        try:
            text = decoder.decode(chunk, not chunk)
        except UnicodeDecodeError as exc:
            text = exc.object[: exc.start].decode()
            if wide + len(_WIDE.findall(text)) < _CERTAIN:
                return False
            raise FileError(
                "bytes that are not UTF-8, as everything before them is; mend the row, or say the "
                'file\'s "encoding".',
                row + text.count("\n"),
            ) from exc
        if wide < _CERTAIN:
            wide += len(_WIDE.findall(text))
        row += text.count("\n")
        if not chunk:
            return True


def _delimiter(lines: _Lines) -> str:
    """The sign that stands most often in the first record with content."""
    record, quotes = "", 0
    for line in lines:
        record += line
        quotes += line.count('"')
        if quotes % 2:
            continue  # a line break in quotes
        if record.strip():
            break
        lines.next_record()
        record = ""
    return max(_DELIMITERS, key=_QUOTED.sub("", record).count)
