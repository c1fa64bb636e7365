"""Workbooks that lie, swell or loop: one clear error, and no memory for it."""

import contextlib
import io
import tracemalloc
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZipFile

import pytest

from chalicelib.adapters import spreadsheet, spreadsheet_merged, spreadsheet_strings
from chalicelib.adapters.spreadsheet_strings import Strings
from chalicelib.domain.batch_file import FileError
from tests.spreadsheets import SHEET, STRINGS, data, replaced, sheet, with_deflated, workbook, zeros

A_FEW_MB = 8_000_000
"""The archive's chunks, the lists of one row, and what expat needs."""

EMPTY = "<c/>"
CELL = '<c t="str"><v>x</v></c>'


def refused(made: bytes) -> FileError:
    """How it is refused; whoever holds more than a few megabytes fails."""
    tracemalloc.start()
    try:
        with pytest.raises(FileError) as told:
            list(spreadsheet.rows(io.BytesIO(made), format="xlsx"))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < A_FEW_MB
    return told.value


class TestBombs:
    """Small files that are large once unpacked."""

    def test_ten_gigabytes_are_refused_before_they_are_unpacked(self) -> None:
        claims = {SHEET: 4_000_000_000, STRINGS: 4_000_000_000, "xl/styles.xml": 2_000_000_000}
        made = with_deflated(workbook(["a"]), claims, zeros(4_000))
        assert len(made) < 15_000_000
        assert "larger than 512 MB once unpacked" in refused(made).detail

    @pytest.mark.parametrize("claim", [0, 100, 1_000_000, 20_000_000])
    def test_a_directory_that_lies_gets_no_more_than_it_claimed(self, claim: int) -> None:
        made = with_deflated(workbook(["a"]), {SHEET: claim}, zeros(4_000))
        assert "damaged" in refused(made).detail

    @pytest.mark.parametrize(
        "strings", ["<si/>" * 300_000, f"<si><t>{'a' * 1_000}</t></si>" * 1_200]
    )
    def test_texts_kept_apart_have_a_limit_of_their_own(
        self, monkeypatch: pytest.MonkeyPatch, strings: str
    ) -> None:
        assert spreadsheet_strings.MAX_STRINGS == 128_000_000
        monkeypatch.setattr(spreadsheet_strings, "MAX_STRINGS", 1_000_000)
        made = replaced(workbook(["a"]), strings=strings)
        assert "texts of the workbook take more than 1 MB" in refused(made).detail

    def test_parts_are_limited(self) -> None:
        out = io.BytesIO(workbook(["a"]))
        with ZipFile(out, "a") as archive:
            for number in range(2_000):
                archive.writestr(f"{number}", b"")
        assert "more than 2,000 parts" in refused(out.getvalue()).detail

    def test_a_directory_is_not_read_whatever_its_size(self) -> None:
        out = io.BytesIO(workbook(["a"]))
        with ZipFile(out, "a") as archive:
            for number in range(200):
                archive.writestr(f"{number}".ljust(60_000, "x"), b"")
        assert "more than 2,000 parts" in refused(out.getvalue()).detail

    def test_what_unpacks_without_bounds_is_refused(self) -> None:
        made = io.BytesIO()
        with ZipFile(io.BytesIO(workbook(["a"]))) as old, ZipFile(made, "w", ZIP_BZIP2) as new:
            for name in old.namelist():
                new.writestr(name, old.read(name))
        assert "damaged" in refused(made.getvalue()).detail

    def test_a_password_is_told(self) -> None:
        made = bytearray(workbook(["a"]))
        made[made.index(b"PK\x01\x02") + 8] |= 1
        assert "password" in refused(bytes(made)).detail


HOSTILE = {
    "an entity": (
        f'<!DOCTYPE x [<!ENTITY a "{"a" * 1_000}"><!ENTITY b "{"&a;" * 1_000}">]><x>&b;</x>'
    ),
    "depth": "<a>" * 1_000_000,
    "a tag without end": f'<c r="{"1" * 3_000_000}"',
    "a comment without end": f"<!--{'-' * 3_000_000}",
    "names of elements": "".join(f"<a{number}/>" for number in range(100_000)),
    "names of attributes": "".join(f'<c a{number}=""/>' for number in range(100_000)),
    "a tag of attributes": "<c " + " ".join(f"a{number}=''" for number in range(50_000)) + "/>",
    "no end": "<sheetData><row>",
    "no XML": "\x00\x01\x02",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_xml_is_refused(name: str) -> None:
    assert "damaged" in refused(sheet(HOSTILE[name])).detail


ROWS = {
    "a row out of sight": '<row r="1048577"><c/></row>',
    "a row far out": '<row r="99999999999999999999"><c/></row>',
    "a row without number": '<row r="x"/>',
    "a negative row": '<row r="-1"/>',
    "the same row twice": '<row r="1"/><row r="1"/>',
    "rows upwards": '<row r="2"/><row r="1"/>',
    "a cell without column": '<row><c r="1"/></row>',
    "the same cell twice": '<row r="1"><c r="A1"/><c r="A1"/></row>',
    "cells backwards": '<row r="1"><c r="B1"/><c r="A1"/></row>',
    "a text that is not there": '<row><c t="s"><v>7</v></c></row>',
    "a text before the first": '<row><c t="s"><v>-1</v></c></row>',
    "a text of a large number": f'<row><c t="s"><v>{"9" * 5_000}</v></c></row>',
    "a text of no number": '<row><c t="s"><v>x</v></c></row>',
}


@pytest.mark.parametrize("name", ROWS)
def test_hostile_rows_are_refused(name: str) -> None:
    assert "damaged" in refused(data(ROWS[name])).detail


def test_columns_are_limited_to_those_that_hold_something() -> None:
    error = refused(data(f'<row r="3">{CELL * 10_000}</row>'))
    assert error.row == 3
    assert "more than 200 columns" in error.detail
    assert "holds no rows" in refused(data(f"<row>{EMPTY * 100_000}</row>")).detail


def test_an_empty_row_may_be_far_down_and_costs_nothing() -> None:
    people = f'<row r="1">{CELL}</row><row r="1048576">{CELL}</row>'
    options = {"name": 1, "id_number": 2}
    made = io.BytesIO(data(people))
    found = list(spreadsheet.rows(made, format="xlsx", columns=options))
    assert [row.number for row in found] == [1, 1_048_576]


def test_a_long_text_is_cut_wherever_it_stands() -> None:
    long = "张" * 200_000
    people = (
        '<row><c t="str"><v>name</v></c><c t="str"><v>id</v></c></row>'
        f'<row><c t="str"><v>{long}</v></c></row>'
        f'<row><c t="inlineStr"><is><t>{long}</t></is></c></row>'
        '<row><c t="s"><v>0</v></c></row>'
    )
    made = replaced(data(people), strings="<si>" + f"<r><t>{long}</t></r>" * 3 + "</si>")
    found = list(spreadsheet.rows(io.BytesIO(made), format="xlsx"))
    assert [row.flaw and row.flaw.code for row in found] == ["cell_too_long"] * 3
    assert {len(row.name) for row in found} == {1_000}


def test_merged_cells_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    assert spreadsheet_merged.MAX_RANGES == 100_000
    monkeypatch.setattr(spreadsheet_merged, "MAX_RANGES", 5)
    ranges = "".join(f'<mergeCell ref="A{row}:B{row}"/>' for row in range(1, 7))
    assert "More than 5 merged cells" in refused(sheet(f"<mergeCells>{ranges}</mergeCells>")).detail


def test_merged_cells_that_overlap_are_refused() -> None:
    ranges = '<mergeCell ref="A1:GR1048576"/>' * 2
    made = sheet(f"<sheetData><row>{CELL}</row></sheetData><mergeCells>{ranges}</mergeCells>")
    assert "damaged" in refused(made).detail


@pytest.mark.parametrize("size", range(1, 40))
def test_merged_cells_are_found_across_pieces(size: int) -> None:
    xml = b'<x:mergeCell  ref = "A1:B2"/><mergeCell ref=\'C4:D4\' /><mergeCell ref="XFC1:XFD1"/>'
    pieces = (xml[start : start + size] for start in range(0, len(xml), size))
    merged = spreadsheet_merged.Merged(pieces)
    assert [merged.covered(row) for row in (1, 2, 3, 4, 5)] == [{1}, {0, 1}, set(), {3}, set()]


MISSING = ("xl/workbook.xml", SHEET, "_rels/.rels", "xl/_rels/workbook.xml.rels")


@pytest.mark.parametrize("name", MISSING)
def test_a_missing_part_is_told(name: str) -> None:
    made = io.BytesIO()
    with ZipFile(io.BytesIO(workbook(["a"]))) as old, ZipFile(made, "w", ZIP_DEFLATED) as new:
        for part in set(old.namelist()) - {name}:
            new.writestr(part, old.read(part))
    assert "damaged" in refused(made.getvalue()).detail


def test_any_cut_or_flipped_byte_is_an_error_or_nothing() -> None:
    made = workbook(["姓名", "身份证号"], ["张三", "11010519491231002X"])

    def tried(changed: bytes) -> None:
        with contextlib.suppress(FileError):
            list(spreadsheet.rows(io.BytesIO(changed), format="xlsx"))

    for place in range(0, len(made), 17):
        tried(made[:place])
        tried(made[:place] + bytes([made[place] ^ 0xFF]) + made[place + 1 :])


def test_memory_does_not_grow_with_the_rows() -> None:
    row = '<row><c t="str"><v>a</v></c><c t="s"><v>0</v></c></row>'
    made = io.BytesIO(replaced(data(row * 6_000), strings="<si><t>110105185012310021</t></si>"))
    columns = {"name": 1, "id_number": 2}
    tracemalloc.start()
    count = sum(1 for _ in spreadsheet.rows(made, format="xlsx", columns=columns))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 6_000
    assert most < 700_000  # as objects the rows are three times as large


def test_texts_kept_apart_are_packed() -> None:
    strings = Strings()
    tracemalloc.start()
    for number in range(20_000):
        strings.append(f"{number:018}")
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert strings[19_999] == f"{19_999:018}"
    assert held / 20_000 < 30  # an object for each takes 67 and its place


@pytest.mark.parametrize("escaped", ["_xD800_", "_xDC00__xD800_"])
def test_half_a_character_is_none(escaped: str) -> None:
    cells = "".join(f'<c t="inlineStr"><is><t>{text}</t></is></c>' for text in ("姓名", "sfz"))
    half = f'<c t="inlineStr"><is><t>{escaped}三</t></is></c><c t="str"><v>1</v></c>'
    (row,) = spreadsheet.rows(
        io.BytesIO(data(f"<row>{cells}</row><row>{half}</row>")), format="xlsx"
    )
    assert row.name == "\ufffd" * escaped.count("_xD") + "三"


def test_one_part_is_not_read_once_for_each_of_ten_thousand_names() -> None:
    made, out = workbook(["a"], second=["b"]), io.BytesIO()
    with ZipFile(io.BytesIO(made)) as old, ZipFile(out, "w") as new:
        for name in old.namelist():
            new.writestr(
                name, old.read(name).replace(b"/worksheets/sheet2.xml", b"/worksheets/sheet1.xml")
            )
    assert "damaged" in refused(out.getvalue()).detail
