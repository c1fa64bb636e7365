"""XLSX workbooks: what openpyxl writes is read as openpyxl reads it; what damages do is found."""

import io
from typing import Any

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.adapters import spreadsheet, spreadsheet_xlsx
from chalicelib.domain.batch_cells import Cell, Kind, Odd
from chalicelib.domain.batch_file import FileError
from chalicelib.domain.batch_rows import Row
from tests.examples import NAME, NUMBER
from tests.spreadsheets import data, replaced, shared, sheet, workbook
from tests.strategies import person_names, resident_ids

HEADER = ("姓名", "身份证号", "编号")
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"]) | st.just("\n"), max_size=20)


def read(made: bytes, sheet: str | None = None) -> list[Row]:
    return list(spreadsheet.rows(io.BytesIO(made), format="xlsx", sheet=sheet))


def records(made: bytes) -> list[tuple[int, list[Cell]]]:
    return list(spreadsheet_xlsx.records(io.BytesIO(made), None))


def flaws(made: bytes) -> list[tuple[int, str | None]]:
    return [(row.number, row.flaw and row.flaw.code) for row in read(made)]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(person_names(), resident_ids()), min_size=1, max_size=5))
def test_what_is_written_is_read(people: list[tuple[str, str]]) -> None:
    made = workbook(HEADER, *((name, number, f"A-{number[-4:]}") for name, number in people))
    expected = [
        Row(place + 2, name, number, f"A-{number[-4:]}", None)
        for place, (name, number) in enumerate(people)
    ]
    assert read(made) == expected
    assert read(shared(made)) == expected


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.lists(
            st.none()
            | TEXTS.filter(lambda text: "_x" not in text)
            | st.booleans()
            # openpyxl reads numbers back as floats, exact to fifteen digits
            | st.integers(-(10**14), 10**14)
            | st.floats(-1e9, 1e9).map(lambda number: round(number, 3)),
            min_size=1,
            max_size=4,
        ),
        min_size=1,
        max_size=4,
    ),
    st.booleans(),
)
def test_openpyxl_reads_the_same(rows: list[list[Any]], kept_apart: bool) -> None:
    made = workbook(*rows)
    if kept_apart:
        made = shared(made)
    found = dict(records(made))
    opened = openpyxl.load_workbook(io.BytesIO(made))
    for number, row in enumerate(opened.worksheets[0].iter_rows(), start=1):
        cells = found.get(number, [])
        for place, theirs in enumerate(row):
            ours = cells[place] if place < len(cells) else ""
            if theirs.data_type == "f":
                assert isinstance(ours, Odd) or not ours
            elif isinstance(theirs.value, bool):
                assert ours == str(theirs.value).upper()
            elif isinstance(theirs.value, int | float):
                assert isinstance(ours, Odd)
                assert ours.kind is Kind.NUMBER
                assert float(ours.text) == theirs.value
            else:
                assert ours == (theirs.value or "")


def test_a_number_in_a_cell_has_lost_its_digits() -> None:
    made = workbook(HEADER, (NAME, 340421190710145412), (NAME, 3.40421e17), (NAME, NUMBER))
    assert flaws(made) == [(2, "id_number_not_text"), (3, "id_number_not_text"), (4, None)]


def test_an_order_number_may_be_a_number() -> None:
    made = workbook(HEADER, (NAME, NUMBER, 10023), (NAME, NUMBER, 10023.0), (NAME, NUMBER, 1.5))
    assert [row.reference for row in read(made)] == ["10023", "10023", "1.5"]


def test_apostrophes_and_blanks_are_taken_away() -> None:
    assert read(workbook(HEADER, (f"{NAME}\u3000", f"'{NUMBER}\u00a0"))) == [
        Row(2, NAME, NUMBER, None, None)
    ]


def test_merged_cells_are_found_behind_the_rows() -> None:
    people = [(NAME, NUMBER, f"A-{place}") for place in range(6)]
    made = workbook(HEADER, *people, merged=["A3:A4", "B6:C7", "E1:F2"])
    found = {2: None, 3: None, 4: "cell_merged", 5: None, 6: "cell_merged", 7: "cell_merged"}
    assert dict(flaws(made)) == found


def test_a_row_under_a_merged_one_is_empty() -> None:
    made = workbook(HEADER, (NAME, NUMBER), (), (NAME, NUMBER), merged=["A2:A3", "B2:B3"])
    assert flaws(made) == [(2, None), (4, None)]


def test_formulas_are_told_unless_they_say_nothing() -> None:
    made = data(
        '<row r="1"><c r="A1" t="str"><v>name</v></c><c r="B1" t="str"><v>id</v></c></row>'
        '<row r="2"><c r="A2" t="str"><f>C2</f><v>x</v></c><c r="B2" t="str"><v>1</v></c></row>'
        '<row r="3"><c r="A3" t="str"><f>C3</f><v></v></c><c r="B3"><f>C3</f></c></row>'
    )
    assert flaws(made) == [(2, "formula")]


def test_every_kind_of_cell_is_read() -> None:
    made = replaced(
        data(
            '<row r="2"><c r="A2" t="s"><v>0</v></c><c r="B2" t="s"><v>1</v></c><c t="b">'
            '<v>1</v></c><c r="E2" t="e"><v>#N/A</v></c><c r="F2" t="d"><v>2026-01-01</v></c>'
            '<c r="G2"/><c r="H2" t="inlineStr"><is><r><t>张</t></r><r><t>三</t></r>'
            "<rPh><t>zhang</t></rPh></is></c></row><row><c><v>1.0E3</v></c></row>"
        ),
        strings='<si><r><rPr/><t>李</t></r><r><t xml:space="preserve"> 四</t></r>'
        '<rPh sb="0" eb="1"><t>li</t></rPh><phoneticPr fontId="1"/></si><si><t>a_x000D_b</t></si>',
    )
    assert records(made) == [
        (2, ["李 四", "a\rb", "TRUE", "", "#N/A", "2026-01-01", "", "张三"]),
        (3, [Odd(Kind.NUMBER, "1000")]),
    ]


def test_prefixes_of_names_do_not_matter() -> None:
    xml = (
        '<sheetData xmlns:x="urn:x"/><x:sheetData xmlns:x="http://schemas.openxmlformats.org/'
        'spreadsheetml/2006/main"><x:row r="1"><x:c r="A1" t="str"><x:v>a</x:v></x:c></x:row>'
        '</x:sheetData><x:mergeCells xmlns:x="urn:y"><x:mergeCell ref="A1:B1"/></x:mergeCells>'
    )
    assert records(sheet(xml)) == [(1, ["a", Odd(Kind.MERGED, "")])]


def test_the_only_sheet_with_content_is_read() -> None:
    book = openpyxl.load_workbook(io.BytesIO(workbook(HEADER, (NAME, NUMBER))))
    book.create_sheet("empty", 0)
    out = io.BytesIO()
    book.save(out)
    assert [row.number for row in read(out.getvalue())] == [2]


def test_of_several_sheets_one_is_chosen() -> None:
    made = workbook(HEADER, (NAME, NUMBER), other=["name", "id"])
    with pytest.raises(FileError, match='More than one worksheet has content; say which with "sh'):
        read(made)
    assert [row.number for row in read(made, sheet="Sheet")] == [2]
    with pytest.raises(FileError, match="no rows below"):
        read(made, sheet="other")
    with pytest.raises(FileError, match="sheet: no worksheet has this name"):
        read(made, sheet="sheet")


def test_a_hidden_sheet_is_read_by_name_only() -> None:
    book = openpyxl.load_workbook(io.BytesIO(workbook(HEADER, (NAME, NUMBER), other=["x"])))
    book["other"].sheet_state = "hidden"
    out = io.BytesIO()
    book.save(out)
    assert [row.number for row in read(out.getvalue())] == [2]
    assert records(out.getvalue())[0][0] == 1


@pytest.mark.parametrize(
    ("made", "format_", "told"),
    [
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512),
            "xlsx",
            "old workbook .* save it as .xlsx",
        ),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512),
            "csv",
            "old workbook .* save it as .xlsx",
        ),
        (b"name,id\n", "xlsx", "no XLSX workbook"),
        (b"", "xlsx", "no XLSX workbook"),
        (workbook(["a"]), "csv", "is a workbook"),
    ],
)
def test_another_kind_of_file_is_told(made: bytes, format_: str, told: str) -> None:
    with pytest.raises(FileError, match=told):
        list(spreadsheet.rows(io.BytesIO(made), format=format_))


def test_options_of_the_other_format_are_told() -> None:
    with pytest.raises(FileError, match="encoding: is for CSV"):
        list(spreadsheet.rows(io.BytesIO(workbook(["a"])), format="xlsx", encoding="utf-8"))
    with pytest.raises(FileError, match="sheet: a CSV file has none"):
        list(spreadsheet.rows(io.BytesIO(b"a"), format="csv", sheet="a"))
