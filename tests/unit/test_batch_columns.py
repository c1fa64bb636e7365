"""Titles: known in all their spellings, refused where two could be meant."""

import re
from pathlib import Path

import pytest

from chalicelib.domain.batch_cells import Kind, Odd
from chalicelib.domain.batch_columns import FIELDS, KNOWN, Columns, find
from chalicelib.domain.batch_file import FileError
from chalicelib.domain.batch_rows import read

DOCS = Path(__file__).parents[2] / "docs"
Chosen = dict[str, str | int | None]


@pytest.mark.parametrize(
    "title",
    [
        *(
            "身份证号",
            "身份证号码",
            "身份证",
            "证件号码",
            "公民身份号码",
            "身 份 证 号",
            "身份证号*",
        ),
        *("身份证号码（必填）", "身份证号(必填)", "身份证号：", "\ufeff身份证号", "身份证\n号码"),
        *(
            "id",
            "ID",
            "id_number",
            "ID Number",
            "idno",
            "idNo",
            "ID No.",
            "ID-Number",
            "ＩＤ",
            "Id. №",
        ),
        *("id_card", "idCardNumber", "sfzh", "id number (required)"),
    ],
)
def test_a_number_is_known_by_its_title(title: str) -> None:
    assert find(["x", title, "姓名"], None, row=1) == Columns(2, 1, None)


@pytest.mark.parametrize(
    "title",
    ["姓名", "名字", "客户姓名", "姓　名", "姓名*", "name", "NAME", "Full Name", "full_name"],
)
def test_a_name_is_known_by_its_title(title: str) -> None:
    assert find([title, "id"], None, row=1) == Columns(0, 1, None)


@pytest.mark.parametrize("title", ["reference", "Ref.", "编号", "订单号", "order_no", "Order ID"])
def test_a_reference_is_known_by_its_title(title: str) -> None:
    assert find(["name", "id_number", title], None, row=1) == Columns(0, 1, 2)


@pytest.mark.parametrize(
    "title", ["备注", "联系人", "父亲姓名", "username", "电话", "证件类型", "idea"]
)
def test_nothing_else_is_taken_for_one(title: str) -> None:
    assert find(["姓名", "身份证号", title], None, row=1) == Columns(0, 1, None)
    with pytest.raises(FileError):
        find([title, "身份证号"], None, row=1)
    with pytest.raises(FileError):
        find(["姓名", title], None, row=1)


def test_a_records_id_yields_to_an_identity_number() -> None:
    assert find(["id", "name", "id_number"], None, row=1) == Columns(1, 2, None)
    assert find(["编号", "name", "id", "reference"], None, row=1) == Columns(1, 2, 3)


@pytest.mark.parametrize(
    ("header", "field"),
    [
        (["姓名", "客户姓名", "身份证号"], "name"),
        (["姓名", "身份证号", "证件号码"], "id_number"),
        (["姓名", "身份证号", "身份证号"], "id_number"),
        (["姓名", "身份证号", "编号", "订单号"], "reference"),
    ],
)
def test_two_candidates_are_never_guessed_between(header: list[str], field: str) -> None:
    with pytest.raises(
        FileError, match=f"more than one column could be {field}; say which"
    ) as told:
        find(header, None, row=3)
    assert told.value.row == 3
    assert '"columns"' in told.value.detail


def test_choosing_ends_the_doubt() -> None:
    header = ["姓名", "客户姓名", "身份证号", "编号", "订单号"]
    assert find(header, {"name": "客户 姓名"}, row=1) == Columns(1, 2, None)
    assert find(header, {"name": 1, "reference": "订单号"}, row=1) == Columns(0, 2, 4)
    assert find(header, {"name": 2, "id_number": 3, "reference": None}, row=1) == Columns(
        1, 2, None
    )


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"name": "甲"}, "no column has the title of columns.name"),
        ({"name": "同"}, "more than one column has the title of columns.name"),
        ({"name": 0}, "columns.name: must be from 1 to 200"),
        ({"name": 201}, "columns.name: must be from 1 to 200"),
        ({"name": True}, "columns.name: must be from 1 to 200"),
        ({"name": 2, "id_number": 2}, "one column is chosen for two fields"),
        ({"reference": 1}, "one column is chosen for two fields"),
        ({"surname": 1}, "columns: knows name, id_number, reference only"),
    ],
)
def test_a_wrong_choice_is_told(chosen: Chosen, said: str) -> None:
    with pytest.raises(FileError, match=said):
        find(["姓名", "身份证号", "同", "同"], chosen, row=1)


def test_the_known_titles_are_told_and_what_the_file_holds_is_not() -> None:
    with pytest.raises(FileError) as told:
        find(["张三", "11010519491231002X"], None, row=1)
    assert "身份证号" not in told.value.detail  # the name is missed first
    assert all(title in told.value.detail for title in KNOWN["name"][0])
    assert "张三" not in told.value.detail
    assert "1101" not in told.value.detail


@pytest.mark.parametrize(
    ("first", "people"),
    [
        (["张三", "11010519491231002X"], [1, 2]),
        (["张三", "3.40421E+17"], [1, 2]),
        (["张三", Odd(Kind.NUMBER, "1.1010519491231E+17")], [1, 2]),
        (["张三", ""], [1, 2]),
        (["张三"], [1, 2]),
        (["姓名", "身份证号"], [2]),
        (["甲", "第2列"], [2]),
    ],
)
def test_by_numbers_a_file_needs_no_header(first: list[str | Odd], people: list[int]) -> None:
    rows: list[tuple[int, list[str | Odd]]] = [(1, first), (2, ["李四", "110105185012310021"])]
    assert [row.number for row in read(rows, {"name": 1, "id_number": 2})] == people


@pytest.mark.parametrize("chosen", [{"name": 1, "id_number": "乙"}, {"name": 1}])
def test_by_any_title_it_does(chosen: Chosen) -> None:
    rows = [(1, ["张三", "乙", "id"]), (2, ["李四", "110105185012310021", "x"])]
    assert [row.number for row in read(rows, chosen)] == [2]


@pytest.mark.parametrize("page", ["spreadsheets.md", "spreadsheets.zh-CN.md"])
def test_the_documentation_has_every_title_in_its_rank(page: str) -> None:
    lines = (DOCS / page).read_text("utf-8").splitlines()
    start = next(place for place, line in enumerate(lines) if "sfzhm" in line) - 1
    for line, field in zip(lines[start : start + 3], FIELDS, strict=True):
        titles = [title for rank in KNOWN[field] for title in rank]
        told = re.split("[,、;；：:] ?", line.strip("| ").partition(" | ")[2])
        assert [title for title in told if title.strip() in titles] == titles
        assert len(told) <= len(titles) + 1  # and no other but the words between the ranks
