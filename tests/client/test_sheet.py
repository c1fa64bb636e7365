"""The client's readers beside the service's: one file, the same rows under the same numbers."""

import csv
import io
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from chalicelib.adapters import spreadsheet_csv, spreadsheet_xlsx
from chalicelib.domain import csv_lines
from chalicelib.domain.batch_file import FileError
from client.errors import ClientError
from client.exits import Exit
from client.sheet import rows
from client.source import look
from client.written import escaped
from tests.spreadsheets import sheet, workbook

CELLS = st.text(
    st.one_of(
        st.sampled_from("张三,;\t\"'\n\r =+-@＝1X\u3000\u200b\ufeff\x1c"),
        st.characters(codec="gb18030", exclude_characters="\0"),
    ),
    max_size=6,
)
TABLES = st.lists(st.lists(CELLS, max_size=4), min_size=1, max_size=6)


def mine(path: Path, encoding: str | None = None) -> list[tuple[int, list[str]]]:
    return list(rows(look(path, encoding), None))


@settings(deadline=None)
@given(
    table=TABLES,
    delimiter=st.sampled_from(",;\t"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "gb18030"]),
)
def test_csv_as_the_service_reads_it(
    tmp_path_factory: pytest.TempPathFactory, table: list[list[str]], delimiter: str, encoding: str
) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows(table)
    content = text.getvalue().encode(encoding, "ignore")
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(content or b"\n")
    chosen = "gb18030" if encoding == "gb18030" else "utf-8"
    try:
        service = list(spreadsheet_csv.records(io.BytesIO(content or b"\n"), chosen))
    except FileError:
        return  # a batch of it fails, and nothing is left to be joined
    assert mine(path, chosen) == service


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_the_encoding_is_found_as_the_service_finds_it(tmp_path: Path, encoding: str) -> None:
    content = "姓名,身份证号\n\n张三,1\n".encode(encoding)
    (tmp_path / "a.csv").write_bytes(content)
    service = list(spreadsheet_csv.records(io.BytesIO(content), None))
    assert mine(tmp_path / "a.csv") == service
    assert service[2] == (3, ["张三", "1"])


def test_a_workbook_as_the_service_reads_it(tmp_path: Path) -> None:
    table: list[list[Any]] = [
        ["姓名", "身份证号"],
        [],
        ["张三", "11010519491231002X", None, "end"],
        [None, None],
        [7, 3.5, True, "a\nb"],
    ]
    content = workbook(*table)
    (tmp_path / "a.xlsx").write_bytes(content)
    here = mine(tmp_path / "a.xlsx")
    there = dict(spreadsheet_xlsx.records(io.BytesIO(content), None))
    filled = {number: cells for number, cells in here if any(cells)}
    assert filled.keys() == {number for number, cells in there.items() if cells} == {1, 3, 5}
    assert filled[3] == ["张三", "11010519491231002X", "", "end"]
    assert filled[5] == ["7", "3.5", "TRUE", "a\nb"]


def test_what_only_one_reader_could_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.xlsx").write_bytes(b"PK\x03\x04 no workbook")
    (tmp_path / "a.csv").write_bytes(b'name,id_number\n"a\n')
    (tmp_path / "b.csv").write_bytes(b"\xff\xff\xff\n")
    for name in ("a.xlsx", "a.csv", "b.csv"):
        with pytest.raises(ClientError) as caught:
            mine(tmp_path / name)
        assert caught.value.exit_code == Exit.USAGE


@given(CELLS)
def test_a_cell_that_the_service_escapes_is_escaped_here(cell: str) -> None:
    assert escaped(cell) in {cell, f"'{cell}"}
    assert escaped(cell) != cell or csv_lines.escaped(cell) == cell


@pytest.mark.parametrize("state", ["hidden", "veryHidden", "visible"])
def test_the_worksheet_that_the_service_reads(
    tmp_path: Path, state: Literal["visible", "hidden", "veryHidden"]
) -> None:
    book = Workbook()
    first = book.worksheets[0]
    if state != "visible":
        first.append(["not this one"])
    first.sheet_state = state
    book.create_sheet("people").append(["姓名", "身份证号"])
    path = tmp_path / "a.xlsx"
    book.save(path)
    with path.open("rb") as stream:
        theirs = [(number, [*cells]) for number, cells in spreadsheet_xlsx.records(stream, None)]
    assert mine(path) == theirs == [(1, ["姓名", "身份证号"])]


def test_a_workbook_that_claims_to_be_smaller_than_it_is(tmp_path: Path) -> None:
    cells = '<c r="A{0}" t="str"><v>x</v></c><c r="B{0}" t="str"><v>y</v></c>'
    inner = "".join(f'<row r="{row}">{cells.format(row)}</row>' for row in (1, 3))
    path = tmp_path / "a.xlsx"
    path.write_bytes(sheet(f'<dimension ref="A1"/><sheetData>{inner}</sheetData>'))
    assert [row for row in mine(path) if any(row[1])] == [(1, ["x", "y"]), (3, ["x", "y"])]
