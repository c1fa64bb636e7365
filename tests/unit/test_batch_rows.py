"""Rows of a list: damages that spreadsheets do, labelled, and what is made of them."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain import batch_file, batch_rows
from chalicelib.domain.batch_cells import MAX_CHARACTERS, Cell, Flaw, Kind, Odd
from chalicelib.domain.batch_file import FileError
from chalicelib.domain.batch_rows import Row, person, read
from tests.examples import NAME, NUMBER
from tests.strategies import person_names, resident_ids

HEADER: list[Cell] = ["name", "id number", "reference"]
TODAY = date(2026, 1, 1)


def rows(*cells: list[Cell]) -> list[Row]:
    return list(read(enumerate([HEADER, *cells], start=1), None))


def code(row: Row) -> str | None:
    return row.flaw and row.flaw.code


MENDED = [
    f" {NUMBER} ",
    f"\u3000{NUMBER}\u00a0",
    f"\t{NUMBER}",
    f"{NUMBER}\r\n",
    f"\ufeff{NUMBER}",
    f"'{NUMBER}",
    f" '{NUMBER} ",
    f"＇{NUMBER}",
    f"‘{NUMBER}’",
    f'="{NUMBER}"',
    f'= "{NUMBER}"',
    f'="\'{NUMBER}"',
]


@pytest.mark.parametrize("cell", MENDED)
def test_what_stands_around_a_number_is_taken_away(cell: str) -> None:
    assert rows([NAME, cell, ""]) == [Row(2, NAME, NUMBER, None, None)]


LOST: list[Cell] = [
    "3.40421E+17",
    "3.40421e+17",
    "3,40421E+17",
    "3.4042119071014541E+17",
    "1E+17",
    "340421190710145000.0",
    "340421190710145412.0",
    "340421190710145408,00",
    "340421190710145000",  # its check character would be another
    "'340421190710145000",
    Odd(Kind.NUMBER, "340421190710145408"),
    Odd(Kind.NUMBER, "3.4042119071014541E+17"),
    Odd(Kind.NUMBER, "3.4E+17"),
]


@pytest.mark.parametrize("cell", LOST)
def test_lost_digits_are_found(cell: Cell) -> None:
    (row,) = rows([NAME, cell, ""])
    assert code(row) == "id_number_not_text"
    assert row.id_number == (cell if isinstance(cell, str) else cell.text).strip("'")


def test_a_true_number_may_end_in_noughts_unless_its_neighbours_lost_theirs() -> None:
    true = "110105185001012000"  # its check character agrees
    lost = "340421190710145000"
    assert list(map(code, rows([NAME, true], [NAME, NUMBER]))) == [None, None]
    found = list(map(code, rows([NAME, true], [NAME, lost], [NAME, true], [NAME, NUMBER])))
    assert found == [None, "id_number_not_text", "id_number_not_text", None]


def test_a_number_that_a_cell_kept_whole_is_judged_as_text() -> None:
    (row,) = rows([NAME, Odd(Kind.NUMBER, "340421071014541")])
    assert row.flaw is None
    refused = person(row, today=TODAY)
    assert isinstance(refused, Flaw)
    assert refused.code == "id_number_invalid"


FLAWED: list[tuple[list[Cell], str]] = [
    (["=A1", NUMBER], "formula"),
    ([NAME, "=1+1"], "formula"),
    ([NAME, "=cmd|' /C calc'!A1"], "formula"),
    ([Odd(Kind.FORMULA, NAME), NUMBER], "formula"),
    ([NAME, Odd(Kind.FORMULA, NUMBER)], "formula"),
    ([NAME, NUMBER, "=1"], "formula"),
    ([Odd(Kind.MERGED, ""), NUMBER], "cell_merged"),
    ([Odd(Kind.MERGED, NAME), NUMBER], "cell_merged"),
    ([NAME, Odd(Kind.MERGED, "")], "cell_merged"),
    ([NAME, "1" * 1001], "cell_too_long"),
    (["张" * 1001, NUMBER], "cell_too_long"),
    ([NAME, NUMBER, "张三的订单"], "reference_invalid"),
    ([NAME, NUMBER, NUMBER], "reference_invalid"),
    ([NAME, NUMBER, "a" * 65], "reference_invalid"),
]


@pytest.mark.parametrize(("cells", "expected"), FLAWED)
def test_a_flaw_makes_one_row_hopeless(cells: list[Cell], expected: str) -> None:
    first, flawed, last = rows([NAME, NUMBER], cells, [NAME, NUMBER])
    assert (code(first), code(flawed), code(last)) == (None, expected, None)
    assert person(flawed, today=TODAY) == flawed.flaw


@pytest.mark.parametrize(("cells", "_"), FLAWED)
def test_a_flaw_tells_nothing_of_the_person(cells: list[Cell], _: str) -> None:
    (row,) = rows(cells)
    assert row.flaw
    assert NAME not in row.flaw.detail
    assert NUMBER not in row.flaw.detail
    assert max(len(row.name), len(row.id_number)) <= MAX_CHARACTERS


JUDGED: list[tuple[list[Cell], str]] = [
    (["", NUMBER], "name_empty"),
    ([Odd(Kind.NUMBER, "45000"), NUMBER], "name_invalid"),  # a date
    (["TRUE", NUMBER], "name_invalid"),
    (["#N/A", NUMBER], "name_invalid"),
    (["+1", NUMBER], "name_invalid"),
    (["@x", NUMBER], "name_invalid"),
    ([NAME, ""], "id_number_empty"),
    ([NAME], "id_number_empty"),
    ([NAME, "#N/A"], "id_number_invalid"),
    ([NAME, NUMBER[:-1] + "1"], "id_number_invalid"),
]


@pytest.mark.parametrize(("cells", "expected"), JUDGED)
def test_the_domains_rules_judge_the_rest(cells: list[Cell], expected: str) -> None:
    (row,) = rows(cells)
    assert row.flaw is None
    refused = person(row, today=TODAY)
    assert isinstance(refused, Flaw)
    assert refused.code == expected


@given(person_names(), resident_ids())
def test_a_person_is_what_a_call_would_carry(name: str, number: str) -> None:
    (row,) = rows([f" {name}", f"'{number.lower()}", "A-1"])
    assert row.reference == "A-1"
    assert person(row, today=TODAY) == (name, number)


def test_the_check_character_is_a_setting() -> None:
    (row,) = rows([NAME, "340421190710145412"])
    assert person(row, today=TODAY, check_character=False) == (NAME, "340421190710145412")


def test_empty_rows_count_and_are_left_out() -> None:
    cells: list[tuple[int, list[Cell]]] = [
        (1, []),
        (2, ["", " \u3000", Odd(Kind.MERGED, "")]),
        (3, HEADER),
        (4, []),
        (5, ["\ufeff", "\t"]),
        (6, [NAME, NUMBER]),
        (9, ["", "", "", "a remark"]),
    ]
    assert [row.number for row in read(cells, None)] == [6, 9]


@pytest.mark.parametrize("cells", [[], [(1, [])], [(1, ["", " "])]])
def test_an_empty_file_is_told(cells: list[tuple[int, list[Cell]]]) -> None:
    with pytest.raises(FileError, match="holds no rows"):
        list(read(cells, None))


def test_a_header_alone_is_told() -> None:
    with pytest.raises(FileError, match="no rows below"):
        rows()


def test_there_is_a_most_of_people(monkeypatch: pytest.MonkeyPatch) -> None:
    assert batch_file.MAX_ROWS == 1_000_000
    monkeypatch.setattr(batch_rows, "MAX_ROWS", 2)
    with pytest.raises(FileError, match="Row 4: More than 2 people"):
        rows([NAME, NUMBER], [NAME, NUMBER], [NAME, NUMBER])


@given(st.lists(st.text(max_size=30) | st.builds(Odd, st.sampled_from(Kind), st.text(max_size=30))))
def test_no_cell_breaks_it(cells: list[Cell]) -> None:
    for row in rows([NAME, NUMBER], cells)[1:]:
        person(row, today=TODAY)
