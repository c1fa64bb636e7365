"""A list of people as it was typed into a spreadsheet: rows, and what is wrong with them.

``read`` makes rows of what an adapter found in a CSV or XLSX file. Two things can be wrong: a
``Flaw`` makes one row hopeless, a ``FileError`` the whole file. Neither repeats what a cell holds.

>>> header, first = (1, ["姓名", "身份证号"]), (2, ["张三", " '11010519491231002X"])
>>> for row in read([header, first, (4, ["李四", "1.1E+17"])], None):
...     print(row.number, row.id_number, row.flaw and row.flaw.code)
2 11010519491231002X None
4 1.1E+17 id_number_not_text
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import NamedTuple

from chalicelib.domain import batch_cells, batch_columns, person_name, reference, resident_id
from chalicelib.domain.batch_cells import Cell, Flaw
from chalicelib.domain.batch_columns import Columns
from chalicelib.domain.batch_file import MAX_ROWS, FileError
from chalicelib.domain.errors import MalformedRequestError, RequestError


class Row(NamedTuple):
    """One person of the list; ``number`` is the row's as the spreadsheet shows it.

    With a ``flaw`` the texts are what could be read, at most ``batch_cells.MAX_CHARACTERS`` each.
    """

    number: int
    name: str
    id_number: str
    reference: str | None
    flaw: Flaw | None


def read(
    rows: Iterable[tuple[int, Sequence[Cell]]], chosen: Mapping[str, str | int | None] | None
) -> Iterator[Row]:
    """The people of numbered rows, the first with content being the header; raises FileError.

    ``chosen`` has a header's text or a column's number, counted from 1, for ``name``,
    ``id_number`` and ``reference``. Where all are numbers there need be no header: the first row
    is a person unless its number's cell looks like a title.
    """
    filled = ((number, cells) for number, cells in rows if not batch_cells.are_blank(cells))
    number, first = next(filled, (0, ()))
    if not first:
        raise FileError("The file holds no rows.")
    columns = batch_columns.find(first, chosen, row=number)
    reader = _Reader(columns)
    if not batch_columns.is_header(first, columns, chosen):
        yield reader.row(number, first)
    for number, cells in filled:
        yield reader.row(number, cells)
    if not reader.count:
        raise FileError("The file holds a header and no rows below it.")


def person(row: Row, *, today: date, check_character: bool = True) -> tuple[str, str] | Flaw:
    """The normalised name and number that a call would carry, or what makes the row hopeless."""
    if row.flaw:
        return row.flaw
    try:
        number = resident_id.validate(row.id_number, today=today, check_character=check_character)
        latin = resident_id.allows_latin_name(number)
        return person_name.validate(row.name, latin=latin), number
    except RequestError as exc:
        return Flaw(exc.code, exc.detail)


class _Reader:
    """Rows one after another: what was seen in one tells how to read the next."""

    def __init__(self, columns: Columns) -> None:
        self.count = 0
        self._columns = columns
        self._rounded = False

    def row(self, number: int, cells: Sequence[Cell]) -> Row:
        self.count += 1
        if self.count > MAX_ROWS:
            raise FileError(f"More than {MAX_ROWS:,} people; split the file.", number)
        columns = self._columns
        name, flaw = batch_cells.text(_at(cells, columns.name), "name")
        id_number, wrong = batch_cells.number(_at(cells, columns.id_number), rounded=self._rounded)
        if wrong and wrong.code == batch_cells.NOT_TEXT:
            self._rounded = True
        flaw = flaw or wrong
        own = None
        if columns.reference is not None:
            own, wrong = _reference(_at(cells, columns.reference))
            flaw = flaw or wrong
        return Row(number, name, id_number, own, flaw)


def _at(cells: Sequence[Cell], column: int) -> Cell:
    return cells[column] if column < len(cells) else ""


def _reference(cell: Cell) -> tuple[str | None, Flaw | None]:
    own, flaw = batch_cells.text(cell, "reference")
    if flaw or not own:
        return None, flaw
    try:
        return reference.validate(own), None
    except MalformedRequestError as exc:
        return None, Flaw("reference_invalid", exc.detail)
