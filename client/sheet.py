"""The rows of a CSV or XLSX file, numbered as a spreadsheet shows them, one at a time."""

import csv
import re
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time
from typing import Any

from client.errors import usage_error
from client.source import Source

_LONGEST_CELL = 64 * 1024 * 1024
_DELIMITERS = "\t;,"  # of equals the first: commas stand in titles
_QUOTED = re.compile('"[^"]*"?')
_WHOLE = 1e15  # floats below it show whole numbers exactly


def rows(source: Source, sheet: str | None) -> Iterator[tuple[int, list[str]]]:
    """Each row with its number, counted from 1, the empty ones too; raises ClientError."""
    if source.format == "csv":
        yield from enumerate(_csv_rows(source), 1)
    else:
        yield from enumerate(_xlsx_rows(source, sheet), 1)


def _csv_rows(source: Source) -> Iterator[list[str]]:
    csv.field_size_limit(_LONGEST_CELL)
    try:
        with source.path.open(encoding=source.codec, newline="") as stream:
            delimiter = _delimiter(stream)
            stream.seek(0)
            yield from csv.reader(stream, delimiter=delimiter, strict=True)
    except (csv.Error, UnicodeError):
        raise _unreadable(source) from None


def _delimiter(lines: Iterable[str]) -> str:
    r"""The sign that stands most often in the first record with content, as the service finds it.

    >>> _delimiter(["\n", '"a,b,\n', 'c";d\n'])
    ';'
    """
    record, quotes = "", 0
    for line in lines:
        record += line
        quotes += line.count('"')
        if quotes % 2:
            continue  # a line break in quotes
        if record.strip():
            break
        record = ""
    return max(_DELIMITERS, key=_QUOTED.sub("", record).count)


def _xlsx_rows(source: Source, sheet: str | None) -> Iterator[list[str]]:
    from openpyxl import load_workbook  # heavy, and for workbooks only

    try:
        # Values as they were shown last, not the formulas that made them.
        book = load_workbook(source.path, read_only=True, data_only=True)
        try:
            chosen = book[sheet] if sheet else _with_content(book)
            for cells in _cells(chosen):
                yield [_text(cell) for cell in cells]
        finally:
            book.close()
    # openpyxl raises whatever it stumbles over; the service has read the file before.
    except Exception as exc:
        if isinstance(exc, MemoryError):
            raise
        raise _unreadable(source) from None


def _with_content(book: Any) -> Any:  # noqa: ANN401  # openpyxl is imported late
    """The only visible worksheet with content, which is the one that the service reads."""
    visible = [one for one in book.worksheets if one.sheet_state == "visible"]
    if len(visible) == 1:
        return visible[0]
    return next(one for one in visible if any(map(_says_something, _cells(one))))


def _says_something(cells: tuple[object, ...]) -> bool:
    return any(cell is not None for cell in cells)


def _cells(sheet: Any) -> Iterator[tuple[object, ...]]:  # noqa: ANN401
    # Some programs write down a smaller size of the sheet than it has, and openpyxl stops there.
    sheet.reset_dimensions()
    return iter(sheet.iter_rows(values_only=True))


def _unreadable(source: Source) -> Exception:
    return usage_error(
        f"{source.path}: cannot be read as {source.format.upper()} here",
        f"{source.path}：本机无法按 {source.format.upper()} 读取",
    )


def _text(value: Any) -> str:  # noqa: ANN401  # whatever a cell may hold
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float) and value.is_integer() and abs(value) < _WHOLE:
        return str(int(value))
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    return str(value)
