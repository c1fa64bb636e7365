"""What is written: read back, it is what it was, and no cell of it is a formula."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain import csv_lines

TEXTS = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("=+-@'\t\r\n \u3000\","))


def read_back(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


@given(st.lists(st.lists(TEXTS, min_size=2), max_size=5))
def test_a_reader_gets_what_was_written_but_for_one_apostrophe(rows: list[list[str]]) -> None:
    read = read_back("".join(map(csv_lines.line, rows)))
    assert [[cell.removeprefix("'") for cell in row] for row in read] == rows


@given(TEXTS)
def test_no_cell_begins_as_a_formula(text: str) -> None:
    ((cell, _),) = read_back(csv_lines.line([text, ""]))
    assert cell.lstrip(" \u3000\n\u00a0\ufeff")[:1] not in {*"=+-@\t\r＝＋－＠"}


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "  =1",
        "\u3000=1",
        "\n=1",
        "\ufeff=1",
        "＝1",
        "=cmd|' /C calc'!A1",
        "'=1",
        "\tplain",
    ],
)
def test_a_formula_is_escaped(text: str) -> None:
    assert csv_lines.escaped(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "张*", "a=b", "3-4", "order-9", "1.5", "a@b", " plain"])
def test_any_other_text_stays(text: str) -> None:
    assert csv_lines.escaped(text) == text


def test_numbers_and_nothing_stay() -> None:
    assert csv_lines.line([-1, None, "", 12]) == "-1,,,12\r\n"
