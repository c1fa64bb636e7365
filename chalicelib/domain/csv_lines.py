r"""CSV as a spreadsheet may open it: no cell can become a formula there.

Whatever begins with one of ``= + - @``, also behind blanks or in full width, with a tab or a
carriage return, gets an apostrophe in front; so does what begins with an apostrophe. Who reads
the file by program takes one apostrophe away.

>>> line(["张三", 3, None, "=cmd|' /C calc'!A1"])
"张三,3,,'=cmd|' /C calc'!A1\r\n"
"""

import csv
import io
from collections.abc import Iterable

from chalicelib.domain.blanks import BLANKS

_FORMULA = frozenset("=+-@＝＋－＠'")
_CONTROL = frozenset("\t\r")


def line(cells: Iterable[str | int | None]) -> str:
    """One record with its end; None is an empty cell, and numbers stay numbers."""
    out = io.StringIO()
    csv.writer(out).writerow(escaped(cell) if isinstance(cell, str) else cell for cell in cells)
    return out.getvalue()


def escaped(text: str) -> str:
    """The text as a cell that no spreadsheet takes for a formula."""
    dangerous = text[:1] in _CONTROL or text.lstrip(BLANKS)[:1] in _FORMULA
    return f"'{text}" if dangerous else text
