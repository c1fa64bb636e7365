"""CSV files: every encoding and delimiter that spreadsheets write, and memory that stays."""

import csv
import io
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.adapters import spreadsheet, spreadsheet_csv
from chalicelib.adapters.spreadsheet_csv import MAX_RECORD
from chalicelib.domain.batch_file import FileError
from chalicelib.domain.batch_rows import Row
from tests.examples import NAME, NUMBER
from tests.spreadsheets import generated
from tests.strategies import person_names, resident_ids

HEADER = ["姓名", "身份证号", "订单号"]
LIST = f"姓名,身份证号,订单号\r\n{NAME},{NUMBER},A-1\r\n"
PERSON = Row(2, NAME, NUMBER, "A-1", None)


def read(data: bytes, **options: str) -> list[Row]:
    return list(spreadsheet.rows(io.BytesIO(data), format="csv", encoding=options.get("encoding")))


def refused(data: bytes, **options: str) -> FileError:
    with pytest.raises(FileError) as told:
        read(data, **options)
    return told.value


@settings(max_examples=50)
@given(
    st.lists(st.tuples(person_names(), resident_ids()), min_size=1, max_size=5),
    st.sampled_from(["utf-8", "utf-8-sig", "gb18030", "utf-16"]),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["\r\n", "\n"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_what_is_written_is_read(
    people: list[tuple[str, str]], encoding: str, delimiter: str, end: str, quoting: int
) -> None:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=quoting)  # type: ignore[arg-type]
    writer.writerow(HEADER)
    writer.writerows((name, number, f"A-{place}") for place, (name, number) in enumerate(people))
    assert read(out.getvalue().encode(encoding)) == [
        # A round number with a wrong check character cannot come from resident_ids().
        Row(place + 2, name, number, f"A-{place}", None)
        for place, (name, number) in enumerate(people)
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "gbk", "utf-16"])
def test_an_encoding_is_found(encoding: str) -> None:
    assert read(LIST.encode(encoding)) == [PERSON]


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_an_encoding_that_is_said_wins(encoding: str) -> None:
    assert read(LIST.encode(encoding), encoding=encoding) == [PERSON]


def test_an_ascii_file_is_any_encoding() -> None:
    data = f"name,id\n{NAME},{NUMBER}\n".encode("gb18030")
    ascii_rows = b"".join(b"1,2\n" for _ in range(50_000))
    found = read(data.splitlines(keepends=True)[0] + ascii_rows + data.splitlines(keepends=True)[1])
    assert found[-1] == Row(50_002, NAME, NUMBER, None, None)


@pytest.mark.parametrize(
    ("data", "said", "row", "told"),
    [
        (LIST.encode("gb18030"), "utf-8", 1, "not UTF-8"),
        (LIST.encode(), "gb18030", 1, "not GB18030"),
        (LIST.encode("gb18030") + b"\xff\xff,1\n", None, 3, "not GB18030"),
        (LIST.encode() + b"a\n\xff\xff,1\n", None, 4, "not UTF-8, as everything before"),
        (LIST.encode("utf-8-sig") + b"\xff\xff,1\n", None, 3, "not UTF-8"),
        (LIST.encode("utf-8-sig"), "gb18030", None, "says of itself that it is utf-8"),
        (LIST.encode("utf-16"), "utf-8", None, "says of itself that it is utf-16"),
        (LIST.encode("utf-16-le"), None, 1, "NUL byte"),
        (LIST.encode("utf-16") + b"\n", None, None, "not UTF-16"),
        (
            LIST.encode("big5", "replace"),
            "latin-1",
            None,
            "encoding: must be one of utf-8, gb18030",
        ),
    ],
)
def test_a_wrong_encoding_is_told(
    data: bytes, said: str | None, row: int | None, told: str
) -> None:
    error = refused(data, **({"encoding": said} if said else {}))
    assert told in error.detail
    if row is not None:
        assert error.row == row
        assert error.detail.startswith(f"Row {row}: ")


def test_a_truncated_utf8_file_is_not_taken_for_another_encoding() -> None:
    error = refused(f"姓名,身份证号\n{NAME},{NUMBER}\n王".encode()[:-1])
    assert error.row == 3
    assert "not UTF-8" in error.detail


@pytest.mark.parametrize(
    "text",
    [
        f'"姓名\n(必填)",身份证号\n{NAME},{NUMBER}\n',
        f'姓名,身份证号,备注\n"{NAME}",{NUMBER},"a\nb\r\nc"\n',
        f'姓名;身份证号;"a,b,c,d,e"\n{NAME};{NUMBER};"x,y"\n',
        f"\n\n姓名\t身份证号\t甲,乙,丙\n{NAME}\t{NUMBER}\n",
        f"姓名,身份证号,,,,\n{NAME},{NUMBER},,,,\n",
        f"姓名,身份证号\n{NAME},{NUMBER}",
        f"姓名,身份证号{',' * 9_998}\n{NAME},{NUMBER}{',' * 9_998}\n",
    ],
)
def test_odd_but_honest_files_are_read(text: str) -> None:
    ((_, name, number, reference, flaw),) = read(text.encode())
    assert (name, number, reference, flaw) == (NAME, NUMBER, None, None)


def test_rows_are_numbered_as_a_spreadsheet_shows_them() -> None:
    text = f'姓名,身份证号,备注\n{NAME},{NUMBER},"a\nb"\n\n,,\n{NAME},{NUMBER}\n'
    assert [row.number for row in read(text.encode())] == [2, 5]


@pytest.mark.parametrize(
    ("text", "row", "told"),
    [
        (f"{LIST}\0,1\n", 3, "NUL byte"),
        (f"{LIST}a,1{',x' * 10_000}\n", 3, "more than 200 columns"),
        (f"姓名,身份证号{',x' * 10_000}\n", 1, "more than 200 columns"),
        (f'{LIST}"a,1\nb,2\n', 3, "unexpected end of data"),
        (f'{LIST}"a"b,1\nb,2\n', 3, "expected after"),
        (f"{LIST}{'a' * 200_000},1\n", 3, "field larger than field limit"),
        (f'{LIST}"' + "a,1\n" * 500_000, 3, "field larger than field limit"),
        ("姓名,身份证号\ra,1\r" * 200_000, 1, "longer than 1,048,576 bytes"),
    ],
)
def test_a_hostile_row_is_told_by_its_number(text: str, row: int, told: str) -> None:
    error = refused(text.encode())
    assert error.row == row
    assert told in error.detail


def peak(data: Iterator[bytes], *, encoding: str | None = None) -> tuple[int, int]:
    """Rows read, and the most bytes that were held; told also where the file is refused."""
    chunks = list(data)
    count = 0
    tracemalloc.start()
    try:
        stream = generated(lambda: iter(chunks))
        for _ in spreadsheet.rows(stream, format="csv", encoding=encoding):
            count += 1
    except FileError:
        pass
    finally:
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return count, most


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16"])
def test_memory_does_not_grow_with_the_rows(encoding: str) -> None:
    some = "".join(f"{NAME},{NUMBER},A-{place}\n" for place in range(1_000))
    parts = [LIST.encode(encoding)] + [some.encode(encoding.replace("16", "16-le"))] * 10
    count, most = peak(iter(parts))
    assert count == 10_001
    assert most < 700_000  # as objects the rows are five times as large


@pytest.mark.parametrize("piece", [b"a", b",", b'"', "张".encode(), b"a\n"])
def test_a_line_of_fifty_megabytes_is_not_held(piece: bytes) -> None:
    block = piece * ((1 << 16) // len(piece))
    _, most = peak(iter([LIST.encode(), b'"', *[block] * 800]), encoding="utf-8")
    assert most < 20 * MAX_RECORD


def test_the_stream_stays_open_and_belongs_to_the_caller() -> None:
    for encoding in ("utf-8", "utf-16"):
        stream = io.BytesIO(LIST.encode(encoding))
        assert list(spreadsheet.rows(stream, format="csv")) == [PERSON]
        assert list(spreadsheet.rows(stream, format="csv")) == [PERSON]


def test_rows_are_numbered_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreadsheet_csv, "MAX_NUMBER", 5)
    header, person, _ = LIST.split("\r\n")
    assert [row.number for row in read(f"{header}\n\n\n\n{person}".encode())] == [5]
    told = refused(f"{header}\n\n\n\n\n{person}".encode())
    assert (told.row, "delete the empty ones" in told.detail) == (6, True)
