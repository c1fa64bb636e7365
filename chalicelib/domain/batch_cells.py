"""One cell of a list of people: what it says, and what spreadsheets did to it.

A spreadsheet takes 18 digits for a number and keeps 15 of them; whoever knows that types an
apostrophe, a tab or ``="…"`` around them. The latter is mended, lost digits are told.

>>> number("'11010519491231002X ")[0]
'11010519491231002X'
>>> number("110105194912310000.0")[1].code
'id_number_not_text'
"""

import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import NamedTuple

from chalicelib.domain import resident_id
from chalicelib.domain.blanks import BLANKS

MAX_CHARACTERS = 1_000
NOT_TEXT = "id_number_not_text"

_AROUND = BLANKS + "'＇‘’"
_TEXT_FORMULA = re.compile(r'[=＝]\s*"([^"]*)"')
_SCIENTIFIC = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]*)?[Ee][+-]?[0-9]+")
_DECIMAL = re.compile(r"[0-9]{15,}[.,]0*")
_LENGTH = 18
_EXACT = 15  # digits that a spreadsheet's number keeps
_LOST = "000"  # what it puts in place of the other three


class Kind(Enum):
    """What a cell is that is not simply a text."""

    NUMBER = "number"
    FORMULA = "formula"
    MERGED = "merged"  # covered by the cell that it was merged with


class Odd(NamedTuple):
    """A cell that is not simply a text."""

    kind: Kind
    text: str


Cell = str | Odd


class Flaw(NamedTuple):
    """Why a row is hopeless: ``code`` for programs, ``detail`` for people."""

    code: str
    detail: str


def are_blank(cells: Sequence[Cell]) -> bool:
    """Whether a row says nothing."""
    return all(not (cell if isinstance(cell, str) else cell.text).strip(BLANKS) for cell in cells)


def text(cell: Cell, field: str) -> tuple[str, Flaw | None]:
    """What the cell of a field says, without what is around it, and what is wrong with it."""
    if isinstance(cell, str):
        said = _said(cell)
        if len(said) > MAX_CHARACTERS or said.startswith("="):
            return _odd(said, field)
        return said, None
    said = _said(cell.text)[:MAX_CHARACTERS]
    if cell.kind is Kind.FORMULA:
        return said, _formula(field)
    if cell.kind is Kind.MERGED:
        return said, Flaw("cell_merged", f"{field}: the cell is merged with another; unmerge it.")
    return said, None


def number(cell: Cell, *, rounded: bool = False) -> tuple[str, Flaw | None]:
    """The same for the identity number; ``rounded`` when others of the file have lost digits."""
    said, flaw = text(cell, "id_number")
    if flaw is None and _has_lost_digits(cell, said, rounded=rounded):
        flaw = Flaw(
            NOT_TEXT,
            "id_number: the spreadsheet made a number of it and its last digits are lost; format "
            "the column as text and enter the number again.",
        )
    return said, flaw


def number_text(value: str) -> str:
    """What a cell with a number shows of it, as far as it is whole and exact.

    >>> number_text("10023.0"), number_text("3.4042119071014541E+17")
    ('10023', '3.4042119071014541E+17')
    """
    try:
        exact = Decimal(value)
    except InvalidOperation:
        return value
    if not exact.is_finite() or exact.adjusted() >= _EXACT or exact != exact.to_integral_value():
        return value
    return str(int(exact))


def _said(text: str) -> str:
    text = text.strip(_AROUND)
    if text[:1] in "=＝" and (literal := _TEXT_FORMULA.fullmatch(text)):
        return literal[1].strip(_AROUND)
    return text


def _odd(said: str, field: str) -> tuple[str, Flaw]:
    if said.startswith("="):
        return said[:MAX_CHARACTERS], _formula(field)
    return said[:MAX_CHARACTERS], Flaw(
        "cell_too_long", f"{field}: the cell is longer than {MAX_CHARACTERS:,} characters."
    )


def _formula(field: str) -> Flaw:
    return Flaw("formula", f"{field}: the cell is a formula; paste its value instead.")


def _has_lost_digits(cell: Cell, said: str, *, rounded: bool) -> bool:
    if not isinstance(cell, str) and len(said) > _EXACT:
        return True
    if len(said) == _LENGTH and said.isascii() and said.isdigit():
        # One number in a thousand ends so by right, and then its check character agrees.
        return said.endswith(_LOST) and (
            rounded or resident_id.check_character(said[:-1]) != said[-1]
        )
    return bool(_DECIMAL.fullmatch(said) or _SCIENTIFIC.fullmatch(said))
