"""Rows out of an XLSX workbook: its worksheet goes by once, whatever its size.

Read with expat rather than a library of workbooks: those turn numbers into floats, fill in rows
that a file merely claims, and keep a row, the styles and the strings as objects.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO

from chalicelib.adapters import spreadsheet_book, spreadsheet_strings, spreadsheet_xml
from chalicelib.adapters.spreadsheet_merged import Merged, column
from chalicelib.adapters.spreadsheet_strings import Strings, Text
from chalicelib.adapters.spreadsheet_zip import Archive
from chalicelib.domain.batch_cells import MAX_CHARACTERS, Cell, Kind, Odd, number_text
from chalicelib.domain.batch_file import DAMAGED, MAX_COLUMNS, FileError

_MAX_ROW = 1_048_576
_MAX_VALUE = MAX_CHARACTERS + 1  # one more than a cell may have, for the rule to see
_PLACE = re.compile(r"([A-Z]{1,3})[0-9]{1,7}")


def records(stream: BinaryIO, sheet: str | None) -> Iterator[tuple[int, list[Cell]]]:
    """Each row with its number, up to its last filled cell; raises FileError."""
    archive = Archive(stream)
    book = spreadsheet_book.read(archive)
    part = spreadsheet_book.worksheet(archive, book, sheet)
    strings = (
        spreadsheet_strings.read(archive, book.strings) if archive.has(book.strings) else Strings()
    )
    merged = Merged(archive.chunks(part))
    rows = _Rows(strings, merged)
    for _ in spreadsheet_xml.parse(archive.chunks(part), rows.starts, rows.ends, rows.characters):
        yield from rows.ready
        rows.ready.clear()


class _Rows:
    """What expat's handlers make of a worksheet."""

    def __init__(self, strings: Strings, merged: Merged) -> None:
        self.ready: list[tuple[int, list[Cell]]] = []
        self._strings = strings
        self._merged = merged
        self._row = 0
        self._covered: set[int] = set()
        self._cells: list[Cell] = []
        self._column = -1
        self._type = "n"
        self._formula = False
        self._in_value = False
        self._value = ""
        self._text = Text()
        self.starts = {
            **self._text.starts,
            "row": self._start_row,
            "c": self._start_cell,
            "v": self._start_value,
            "f": self._start_formula,
        }
        self.ends = {
            **self._text.ends,
            "row": self._end_row,
            "c": self._end_cell,
            "v": self._end_value,
        }

    def characters(self, text: str) -> None:
        if not self._in_value:
            self._text.add(text)
        elif len(self._value) < _MAX_VALUE:
            self._value += text[:_MAX_VALUE]

    def _start_row(self, attributes: dict[str, str]) -> None:
        row = _number(attributes.get("r", str(self._row + 1)))
        if not self._row < row <= _MAX_ROW:
            raise FileError(DAMAGED, self._row + 1)
        self._row = row
        self._column = -1
        self._cells = []
        self._covered = self._merged.covered(row)

    def _start_cell(self, attributes: dict[str, str]) -> None:
        at = attributes.get("r")
        place = self._column + 1
        if at is not None:
            found = _PLACE.fullmatch(at)
            place = column(found[1]) if found else -1
        if place <= self._column:
            raise FileError(DAMAGED, self._row)
        self._column = place
        self._type = attributes.get("t", "n")
        self._formula = False
        self._value = ""
        self._text.begin()

    def _start_formula(self, _: dict[str, str]) -> None:
        self._formula = True

    def _start_value(self, _: dict[str, str]) -> None:
        self._in_value = True

    def _end_value(self) -> None:
        self._in_value = False

    def _end_cell(self) -> None:
        cell = self._cell()
        if not (cell if isinstance(cell, str) else cell.text):
            return
        if self._column >= MAX_COLUMNS:
            raise FileError(
                f"more than {MAX_COLUMNS} columns; delete those that are not needed.", self._row
            )
        self._put(self._column, cell)

    def _cell(self) -> Cell:
        text = self._said()
        if self._formula:
            return Odd(Kind.FORMULA, text)
        if self._type == "n" and text:
            return Odd(Kind.NUMBER, number_text(text))
        return text

    def _said(self) -> str:
        if self._type == "s":
            return self._strings[_number(self._value)] if self._value else ""
        if self._type == "inlineStr":
            return self._text.value()
        if self._type == "b":
            return {"0": "FALSE", "1": "TRUE"}.get(self._value, self._value)
        return self._value

    def _end_row(self) -> None:
        for place in sorted(self._covered):
            cell = self._cells[place] if place < len(self._cells) else ""
            self._put(place, Odd(Kind.MERGED, cell if isinstance(cell, str) else cell.text))
        self.ready.append((self._row, self._cells))

    def _put(self, place: int, cell: Cell) -> None:
        self._cells.extend([""] * (place + 1 - len(self._cells)))
        self._cells[place] = cell


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise FileError(DAMAGED)
    return int(text)
