"""Which columns of a list hold the name, the number and the reference.

A title is known or it is not: nothing is taken for a name because it looks like one. Blanks,
case, width and punctuation of a title do not matter.

>>> find(["序号", "客户姓名 *", "ID No."], None, row=1)
Columns(name=1, id_number=2, reference=None)
>>> find(["甲", "乙"], {"name": 1, "id_number": "乙"}, row=1)
Columns(name=0, id_number=1, reference=None)
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from unicodedata import normalize

from chalicelib.domain.batch_cells import MAX_CHARACTERS, Cell
from chalicelib.domain.batch_file import MAX_COLUMNS, FileError

FIELDS = ("name", "id_number", "reference")


def _titles(text: str) -> tuple[str, ...]:
    return tuple(text.split(", "))


# For each field, titles that can mean nothing else; and those that yield to one of the first.
KNOWN: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "name": (
        _titles("姓名, 名字, 真实姓名, 客户姓名, 用户姓名, 证件姓名, 身份证姓名, 开户名")
        + _titles("name, full name, real name, customer name, xingming, xm"),
    ),
    "id_number": (
        _titles(
            "身份证号, 身份证号码, 身份证, 居民身份证号, 居民身份证号码, 公民身份号码, 身份号码"
        )
        + _titles("身份证编号, 证件号码, 证件号, 客户身份证号, id number, id no, id num, id card")
        + _titles("id card number, id card no, identity number, identity card number")
        + _titles("resident id, national id, sfz, sfzh, sfzhm"),
        _titles("id"),
    ),
    "reference": (
        _titles("reference, ref, reference no, reference number, 参考号, 参考编号"),
        _titles("编号, 订单号, 订单编号, 流水号, 业务号, 业务编号, 客户编号")
        + _titles("order id, order no, order number, external id"),
    ),
}
_DECORATIONS = ("必填", "选填", "required", "optional")
_DIGITS_OF_A_TITLE = 6

_CHOOSE = (
    'say which with "columns", as in {"name": 1, "id_number": 2}: a title, or a column\'s number '
    "counted from 1"
)


class Columns(NamedTuple):
    """Where the fields are, counted from 0."""

    name: int
    id_number: int
    reference: int | None


def find(
    header: Sequence[Cell], chosen: Mapping[str, str | int | None] | None, *, row: int
) -> Columns:
    """The columns of a file whose first row this is; raises FileError.

    A field without a choice is looked for among the known titles; the reference only where
    nothing is chosen at all.
    """
    titles = [_plain(cell if isinstance(cell, str) else cell.text) for cell in header]
    choices = {field: choice for field, choice in (chosen or {}).items() if choice is not None}
    if not {*choices} <= {*FIELDS}:
        raise FileError(f"columns: knows {', '.join(FIELDS)} only.")
    places: dict[str, int | None] = {}
    for field in FIELDS:
        if field in choices:
            places[field] = _chosen(titles, field, choices[field], row)
        elif field == "reference" and choices:
            places[field] = None
        else:
            places[field] = _known(titles, field, row)
    name, id_number, reference = (places[field] for field in FIELDS)
    if name is None or id_number is None:
        field = "name" if name is None else "id_number"
        titles = [title for rank in KNOWN[field] for title in rank]
        raise FileError(f"no title is known as {field} ({', '.join(titles)}); {_CHOOSE}.", row)
    if name == id_number or reference in {name, id_number}:
        raise FileError(f"one column is chosen for two fields; {_CHOOSE}.", row)
    return Columns(name, id_number, reference)


def is_header(
    first: Sequence[Cell], columns: Columns, chosen: Mapping[str, str | int | None] | None
) -> bool:
    """Whether the first row has titles: without them, columns are chosen by numbers only."""
    choices = [choice for choice in (chosen or {}).values() if choice is not None]
    if len(choices) < len(FIELDS) - 1 or any(isinstance(choice, str) for choice in choices):
        return True
    cell = first[columns.id_number] if columns.id_number < len(first) else ""
    title = _plain(cell if isinstance(cell, str) else cell.text)
    return bool(title) and sum(map(str.isdigit, title)) < _DIGITS_OF_A_TITLE


def _plain(title: str) -> str:
    letters = "".join(filter(str.isalnum, normalize("NFKC", title[:MAX_CHARACTERS]).casefold()))
    for decoration in _DECORATIONS:
        letters = letters.removesuffix(decoration)
    return letters


_RANKS = {
    field: [frozenset(map(_plain, titles)) for titles in ranks] for field, ranks in KNOWN.items()
}


def _known(titles: Sequence[str], field: str, row: int) -> int | None:
    for names in _RANKS[field]:
        found = [place for place, title in enumerate(titles) if title in names]
        if len(found) > 1:
            raise FileError(f"more than one column could be {field}; {_CHOOSE}.", row)
        if found:
            return found[0]
    return None


def _chosen(titles: Sequence[str], field: str, choice: str | int, row: int) -> int:
    if isinstance(choice, int):
        if isinstance(choice, bool) or not 1 <= choice <= MAX_COLUMNS:
            raise FileError(f"columns.{field}: must be from 1 to {MAX_COLUMNS}.")
        return choice - 1
    found = [place for place, title in enumerate(titles) if title == _plain(choice)]
    if len(found) != 1:
        count = "no column has" if not found else "more than one column has"
        raise FileError(f"{count} the title of columns.{field}; {_CHOOSE}.", row)
    return found[0]
