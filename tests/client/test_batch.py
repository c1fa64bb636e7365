"""A file, from its upload to its result."""

import csv
import io
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from client.exits import Exit
from tests.client.conftest import Run
from tests.client.fake_service import FakeBatch, FakeService, Reply, lost, problem

Rows = Sequence[tuple[str, ...]]

NUMBERS = [f"1101051949123{serial:04d}X" for serial in range(40)]
PEOPLE = [
    ("姓名", "身份证号", "备注"),
    *((f"张{i}", number, "") for i, number in enumerate(NUMBERS)),
]


def csv_file(path: Path, rows: Rows | None = None, encoding: str = "utf-8") -> Path:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows or PEOPLE)
    path.write_bytes(text.getvalue().encode(encoding))
    return path


def xlsx_file(path: Path, rows: Rows) -> Path:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(row)
    book.save(path)
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def result(path: Path) -> list[list[str]]:
    content = path.read_bytes()
    assert content.startswith(b"\xef\xbb\xbf")  # Excel's sign for UTF-8
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def test_a_csv_file_from_end_to_end(service: FakeService, run: Run, tmp_path: Path) -> None:
    service.step, service.page = 7, 9
    file = csv_file(tmp_path / "people.csv")
    done = run("batch", file)
    assert done.exit == Exit.OK, done.err
    head, *rows = result(tmp_path / "people.csv.result.csv")
    added = ["outcome", "resp_code", "billed", "reason", "meaning", "verification_id"]
    assert head == [*PEOPLE[0], *added]
    assert [tuple(row[:3]) for row in rows] == PEOPLE[1:]
    assert {row[3] for row in rows} == {"match"}
    assert done.out.splitlines()[0].startswith("completed: match 40, mismatch 0")
    assert "¥1.20 of about ¥1.20" in done.out
    assert "asking: 0/40 rows" in done.err
    assert (tmp_path / "people.csv.result.csv").stat().st_mode & 0o777 == 0o600
    assert names(tmp_path) == ["people.csv", "people.csv.result.csv"]


def test_a_workbook(service: FakeService, run: Run, tmp_path: Path) -> None:
    file = xlsx_file(
        tmp_path / "people.xlsx", [*PEOPLE[:3], ("", "", ""), ("李四", NUMBERS[7], "")]
    )
    done = run("batch", file, "--lang", "zh")
    assert done.exit == Exit.OK, done.err
    rows = result(tmp_path / "people.xlsx.result.csv")
    assert rows[0][3:] == ["结果", "代码", "扣费", "原因", "说明", "核验编号"]
    assert [row[3] for row in rows[1:]] == ["一致", "一致", "", "不一致"]
    assert rows[4][:2] == ["李四", NUMBERS[7]]
    assert next(iter(service.batches.values())).body["format"] == "xlsx"
    assert "已完成" in done.out


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030", "utf-16"])
def test_encodings(
    service: FakeService, run: Run, tmp_path: Path, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The fake reads what it would have read as UTF-8.
    real = FakeService._split
    monkeypatch.setattr(
        FakeService,
        "_split",
        lambda self, batch, content: real(self, batch, content.decode(encoding).encode()),
    )
    run("batch", csv_file(tmp_path / "a.csv", encoding=encoding))
    assert [tuple(row[:3]) for row in result(tmp_path / "a.csv.result.csv")] == PEOPLE


def test_rows_that_have_no_outcome(service: FakeService, run: Run, tmp_path: Path) -> None:
    rows = [
        ("姓名", "身份证号"),
        ("张三", "1.1E+17"),
        ("张三", NUMBERS[1]),
        ("张三", NUMBERS[1]),
        ("", ""),
        ("=cmd|' /C calc'!A0", NUMBERS[2], "-1", "more than the header has"),
    ]
    done = run("batch", csv_file(tmp_path / "a.csv", rows), "--out", tmp_path / "out.csv")
    assert done.exit == Exit.OTHERWISE
    head, hopeless, first, second, empty, formula = result(tmp_path / "out.csv")
    assert head[:5] == ["姓名", "身份证号", "", "", "outcome"]
    assert hopeless[4:8] == ["", "", "no", "id_number_invalid"]
    assert hopeless[8] == "not a resident identity number"
    assert first[4:8] == ["match", "0000", "yes", ""]
    assert second[6:9] == ["no", "duplicate_of:3", "the same person as in row 3, free"]
    assert empty == [""] * 10
    assert formula[:4] == ["'=cmd|' /C calc'!A0", NUMBERS[2], "'-1", "more than the header has"]


def test_unknown_outcomes_have_an_exit_code_of_their_own(run: Run, tmp_path: Path) -> None:
    file = csv_file(tmp_path / "a.csv", [("姓名", "身份证号"), ("未知", NUMBERS[1])])
    done = run("batch", file, "--json")
    assert done.exit == Exit.UNKNOWN
    assert done.err == ""
    told = json.loads(done.out)
    assert told["batch"]["outcomes"]["unknown"] == 1
    assert told["out"] == str(tmp_path / "a.csv.result.csv")


def test_a_list_without_a_header(
    service: FakeService, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def split(_: FakeService, batch: FakeBatch, content: bytes) -> None:
        masked = f"110***********{NUMBERS[0][-4:]}"
        batch.lines.append(["1", "", "张*", masked, "match", "0000", "yes", "", "vrf_1"])
        batch.status, batch.started = "running", True

    monkeypatch.setattr(FakeService, "_split", split)
    file = csv_file(tmp_path / "a.csv", [("张三", NUMBERS[0])])
    assert run("batch", file, "--columns", "name=1,id_number=2").exit == Exit.OK
    assert service.asked[0].json["columns"] == {"name": 1, "id_number": 2}
    head, row = result(tmp_path / "a.csv.result.csv")
    assert head[:3] == ["", "", "outcome"]
    assert row[:3] == ["张三", NUMBERS[0], "match"]


def test_the_same_command_finds_its_batch_again(
    service: FakeService, run: Run, tmp_path: Path
) -> None:
    file = csv_file(tmp_path / "a.csv")
    for _ in range(3):
        assert run("batch", file).exit == Exit.OK
    assert len(service.batches) == 1
    for option in (("--label", "again"), ("--max-age", "60"), ("--columns", "name=1,id_number=2")):
        assert run("batch", file, *option).exit == Exit.OK
    assert len(service.batches) == 4
    csv_file(file, [*PEOPLE, ("王五", NUMBERS[0][::-1])])
    run("batch", file)
    assert len(service.batches) == 5


def test_a_lost_answer_makes_no_second_batch(
    service: FakeService, run: Run, tmp_path: Path
) -> None:
    real = service.answer
    once = iter([True])

    def answer(asked: Any) -> Reply:
        reply = real(asked)
        if next(once, False):
            lost()
        return reply

    service.answer = answer  # type: ignore[method-assign]
    assert run("batch", csv_file(tmp_path / "a.csv")).exit == Exit.OK
    assert len(service.batches) == 1


def test_what_ended_without_a_paid_row_is_begun_anew(
    service: FakeService, run: Run, tmp_path: Path
) -> None:
    file = csv_file(tmp_path / "a.csv")
    service.fail = {"code": "batch_file_unreadable", "detail": "cell C2: too long.", "row": 2}
    done = run("batch", file)
    assert done.exit == Exit.REFUSED
    assert "row 2: cell C2: too long. (batch_file_unreadable)" in done.err
    service.fail = None
    assert run("batch", file).exit == Exit.OK
    assert len(service.batches) == 2


def test_what_was_cancelled_after_paid_rows_is_shown_and_not_paid_again(
    service: FakeService, run: Run, tmp_path: Path
) -> None:
    file = csv_file(tmp_path / "a.csv")
    run("batch", file)
    (batch,) = service.batches.values()
    batch.status, batch.done = "cancelled", 5
    done = run("batch", file)
    assert done.exit == Exit.OTHERWISE
    assert "cancelled: match 5" in done.out
    assert len(service.batches) == 1


def test_what_was_cancelled_while_its_first_rows_were_asked_is_not_begun_anew(
    service: FakeService, run: Run, tmp_path: Path
) -> None:
    file = csv_file(tmp_path / "a.csv")
    service.step = 0

    def cancelled() -> None:
        (batch,) = service.batches.values()
        batch.status = "cancelled"  # what is asked right now is counted later

    for _ in range(2):
        done = run("batch", file, meanwhile=cancelled)
        assert done.exit == Exit.OTHERWISE
        assert "--label TEXT asks the file anew" in done.err
    assert len(service.batches) == 1


def test_a_batch_that_failed_after_paid_rows_gives_their_results(
    service: FakeService, run: Run, tmp_path: Path
) -> None:
    file = csv_file(tmp_path / "a.csv")
    run("batch", file)
    (batch,) = service.batches.values()
    batch.status, batch.done = "failed", 5
    batch.problem = {"code": "batch_file_unreadable", "detail": "It lay for days.", "row": None}
    (tmp_path / "a.csv.result.csv").unlink()
    done = run("batch", file)
    assert done.exit == Exit.OTHERWISE
    assert "It lay for days. Rows without a result were not asked" in done.err
    assert result(tmp_path / "a.csv.result.csv")[1][3] == "match"
    assert len(service.batches) == 1


@pytest.mark.parametrize("resumed", [False, True])
def test_a_dry_run_and_the_run_proper_are_one_batch(
    service: FakeService, run: Run, tmp_path: Path, *, resumed: bool
) -> None:
    file = csv_file(tmp_path / "a.csv")
    run("batch", file, "--dry-run")
    (batch,) = service.batches.values()
    if resumed:
        run("batches", "resume", batch.id)
    done = run("batch", file)
    assert done.exit == Exit.OK, done.err
    assert len(service.batches) == 1
    assert len(result(tmp_path / "a.csv.result.csv")) == 41


def test_another_run_that_resumed_it_is_followed(
    service: FakeService, run: Run, tmp_path: Path
) -> None:
    file = csv_file(tmp_path / "a.csv")
    run("batch", file, "--dry-run")
    (batch,) = service.batches.values()

    def resumed_by_another() -> None:
        batch.status, batch.started = "running", True
        service.routes["POST", f"/v1/batches/{batch.id}/resume"] = problem("batch_state", 409)

    # Between the look at the batch, the price, and the resumption.
    real = service.routes.pop(("GET", "/v1/packages"))

    def answer(asked: Any, then: Any = service.answer) -> Reply:
        if asked.path == "/v1/packages":
            resumed_by_another()
            return real
        reply: Reply = then(asked)
        return reply

    service.answer = answer  # type: ignore[method-assign]
    done = run("batch", file)
    assert done.exit == Exit.OK, done.err


def test_a_dry_run_moves_no_list_that_is_asked(
    service: FakeService, run: Run, tmp_path: Path
) -> None:
    file = csv_file(tmp_path / "a.csv")
    service.pause_at, service.step = (10, {"cause": "quota_exhausted", "until": None}), 10
    run("batch", file)
    done = run("batch", file, "--dry-run")
    assert done.exit == Exit.REFUSED
    assert "begun without --dry-run" in done.err
    (batch,) = service.batches.values()
    assert batch.status == "paused"


def test_an_upload_whose_time_is_over_is_begun_anew(
    service: FakeService, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("client.batch.INLINE_BYTES", 100)
    file = csv_file(tmp_path / "a.csv")
    service.put_status = 403
    run("batch", file)
    service.upload_open = False
    real = service._created

    def created(asked: Any) -> Reply:
        reply = real(asked)
        service.upload_open = service.upload_open or len(service.batches) == 2
        return Reply(service.document([*service.batches.values()][-1]), reply.status)

    service._created, service.put_status = created, 200  # type: ignore[method-assign]
    assert run("batch", file).exit == Exit.OK
    assert [batch.status for batch in service.batches.values()] == ["cancelled", "completed"]


def test_a_large_file_is_put_to_the_signed_url(
    service: FakeService, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("client.batch.INLINE_BYTES", 100)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login a password b\n")
    file = csv_file(tmp_path / "a.csv")
    done = run("batch", file)
    assert done.exit == Exit.OK, done.err
    assert "content" not in service.asked[0].json
    (put,) = service.puts
    assert put.body == file.read_bytes()
    assert put.headers["content-length"] == str(file.stat().st_size)
    assert put.headers["x-extra"] == "1"
    assert "authorization" not in put.headers
    assert result(tmp_path / "a.csv.result.csv")[40][3] == "match"


def test_an_upload_that_is_refused_or_whose_file_changes(
    service: FakeService, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("client.batch.INLINE_BYTES", 100)
    file = csv_file(tmp_path / "a.csv")
    service.put_status = 403
    done = run("batch", file)
    assert done.exit == Exit.LATER
    assert "a-signature" not in done.err
    service.put_status = 200
    real = service.answer

    def answer(asked: Any) -> Reply:
        if asked.method == "POST":
            text = file.read_text("utf-8")
            file.write_text(text.replace("张0", "王0"), "utf-8")
        return real(asked)

    service.answer = answer  # type: ignore[method-assign]
    puts = len(service.puts)
    done = run("batch", file)
    assert (done.exit, len(service.puts)) == (Exit.USAGE, puts)
    assert "has changed" in done.err


def test_a_file_that_changed_while_it_was_asked_meets_no_results(
    service: FakeService, run: Run, tmp_path: Path
) -> None:
    file = csv_file(tmp_path / "a.csv")
    service.step = 39

    def sort_it() -> None:
        csv_file(file, PEOPLE[:1] + PEOPLE[:0:-1])

    done = run("batch", file, meanwhile=sort_it)
    assert done.exit == Exit.USAGE
    assert "has changed" in done.err
    assert names(tmp_path) == ["a.csv"]
    assert run("batch", csv_file(file)).exit == Exit.OK
    assert len(service.batches) == 1


def test_results_of_other_rows_are_not_written(
    service: FakeService, run: Run, tmp_path: Path
) -> None:
    file = csv_file(tmp_path / "a.csv")
    (tmp_path / "a.csv.result.csv").write_text("an earlier one")
    real = service._results

    def shifted(batch: Any, start: int) -> Reply:
        for line in batch.lines:
            line[0] = str(int(line[0]) + 1)
        return real(batch, start)

    service._results = shifted  # type: ignore[method-assign]
    done = run("batch", file)
    assert done.exit == Exit.FAULT
    assert "row 3" in done.err
    assert (tmp_path / "a.csv.result.csv").read_text() == "an earlier one"
    assert names(tmp_path) == ["a.csv", "a.csv.result.csv"]


@pytest.mark.parametrize("name", ["a.csv", "a[1].csv"])
def test_what_a_killed_run_left_is_cleared_away(run: Run, tmp_path: Path, name: str) -> None:
    file = csv_file(tmp_path / name)
    old, new = (tmp_path / f".{name}.result.csv.{one}.part" for one in ("old", "new"))
    for part in (old, new):
        part.write_text("half")
    os.utime(old, (0, 0))
    run("batch", file)
    assert not old.exists()
    assert new.exists()


def test_a_pause_that_time_ends_is_waited_for(
    service: FakeService, run: Run, tmp_path: Path
) -> None:
    service.pause_at = (10, {"cause": "upstream_maintenance", "until": "2026-11-24T05:00:00Z"})
    service.step = 10
    looks = iter(range(3))

    def meanwhile() -> None:
        (batch,) = service.batches.values()
        if batch.status == "paused" and next(looks, None) is None:
            batch.status, batch.paused = "running", None

    done = run("batch", csv_file(tmp_path / "a.csv"), meanwhile=meanwhile)
    assert done.exit == Exit.OK
    assert "paused: 10/40" in done.err
    assert not [asked for asked in service.asked if asked.path.endswith("/resume")]


def test_a_pause_that_needs_a_human_ends_the_run_and_the_next_one_resumes(
    service: FakeService, run: Run, tmp_path: Path
) -> None:
    file = csv_file(tmp_path / "a.csv")
    service.pause_at, service.step = (10, {"cause": "quota_exhausted", "until": None}), 10
    done = run("batch", file)
    assert done.exit == Exit.UNFINISHED
    assert "the package is used up, quota_exhausted" in done.err
    assert not (tmp_path / "a.csv.result.csv").exists()
    assert run("batch", file).exit == Exit.OK
    assert [a.path.split("/")[-1] for a in service.asked].count("resume") == 1


def test_a_dry_run_tells_and_asks(service: FakeService, run: Run, tmp_path: Path) -> None:
    rows = [*PEOPLE[:3], ("王五", "1"), ("王五", "2"), *PEOPLE[2:3]]
    file = csv_file(tmp_path / "a.csv", rows)
    declined = run("batch", file, "--dry-run", stdin="\tn\n")
    assert declined.exit == Exit.OTHERWISE
    assert declined.out.splitlines() == [
        "5 rows: 2 hopeless, 1 duplicates",
        "  2 × not a resident identity number (id_number_invalid): rows 4, 5",
        "2 calls, about ¥0.06; 100 left in the packages: enough",
    ]
    assert "the file is removed" in declined.err
    (first,) = service.batches.values()
    assert (first.status, first.done) == ("cancelled", 0)
    # A declined one does not stand in the way of the next, and a yes goes on.
    taken = run("batch", file, "--dry-run", "--lang", "zh", stdin="\ty\n")
    assert taken.exit == Exit.OTHERWISE
    assert "第 4, 5 行" in taken.out
    assert len(result(tmp_path / "a.csv.result.csv")) == 6
    assert [batch.status for batch in service.batches.values()] == ["cancelled", "completed"]
    # The same command again is the batch that was begun, not a third one.
    assert run("batch", file, "--dry-run").exit == Exit.OTHERWISE
    assert len(service.batches) == 2


@pytest.mark.parametrize("json_flag", [(), ("--json",)])
def test_a_dry_run_asks_nobody_where_nobody_is(
    service: FakeService, run: Run, tmp_path: Path, json_flag: tuple[str, ...]
) -> None:
    done = run("batch", csv_file(tmp_path / "a.csv"), "--dry-run", *json_flag)
    assert done.exit == Exit.OK
    (batch,) = service.batches.values()
    assert batch.status == "checked"
    if json_flag:
        told = json.loads(done.out)
        assert told["batch"]["cost"]["calls"] == 40
        assert told["flaw_rows"] == {}
    else:
        assert f"eryaosu batches resume {batch.id}" in done.err


def test_a_dry_run_that_the_balance_does_not_cover(run: Run, tmp_path: Path) -> None:
    rows = [PEOPLE[0], *((f"张{i}", f"1101051949{i:07d}X") for i in range(101))]
    done = run("batch", csv_file(tmp_path / "a.csv", rows), "--dry-run")
    assert done.exit == Exit.OTHERWISE
    assert "101 calls, about ¥3.03; 100 left in the packages: NOT ENOUGH" in done.out


@pytest.mark.parametrize("pause", [False, True])
def test_ctrl_c_detaches_or_pauses(
    service: FakeService, run: Run, tmp_path: Path, *, pause: bool
) -> None:
    file = csv_file(tmp_path / "a.csv")
    service.step = 10

    def meanwhile() -> None:
        (batch,) = service.batches.values()
        if batch.done == 20:
            raise KeyboardInterrupt

    flags = ("--pause-on-interrupt",) if pause else ()
    done = run("batch", file, *flags, meanwhile=meanwhile)
    (batch,) = service.batches.values()
    assert done.exit == Exit.INTERRUPTED
    assert "to go on: the same command" in done.err
    assert batch.status == ("paused" if pause else "running")
    goes_on = "goes on asking, and paying, without you (¥0.60 of about ¥1.20 so far)" in done.err
    assert goes_on is not pause
    assert run("batch", file, *flags).exit == Exit.OK
    assert len(service.batches) == 1


def test_ctrl_c_before_anything_was_asked(service: FakeService, run: Run, tmp_path: Path) -> None:
    def ctrl_c() -> None:
        raise KeyboardInterrupt

    file = csv_file(tmp_path / "a.csv")
    service.replies = [lost]
    done = run("batch", file, meanwhile=ctrl_c)
    assert done.exit == Exit.INTERRUPTED
    assert "the file may have arrived" in done.err.splitlines()[-2]
    service.replies = [lost]
    done = run("batch", file, "--dry-run", meanwhile=ctrl_c)
    assert done.err.splitlines()[-2:] == ["nothing was asked", "to go on: the same command"]
    service.replies = [lost]
    told = json.loads(run("batch", file, "--json", meanwhile=ctrl_c).out)
    assert told["error"]["exit"] == Exit.INTERRUPTED


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"\xd0\xcf\x11\xe0 an old workbook", "save it as .xlsx"),
    ],
)
def test_files_that_are_none(
    service: FakeService, run: Run, tmp_path: Path, content: bytes, says: str
) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    done = run("batch", tmp_path / "a.csv")
    assert done.exit == Exit.USAGE
    assert says in done.err
    assert not service.asked


def test_what_is_wrong_before_anything_is_asked(
    service: FakeService, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = csv_file(tmp_path / "a.csv")
    (tmp_path / "folder").mkdir()
    for arguments in (
        (tmp_path / "none.csv",),
        (file, "--out", file),
        (file, "--out", tmp_path / "folder" / ".." / file.name),
        (file, "--out", tmp_path / "folder"),
        (file, "--out", tmp_path / "none" / "out.csv"),
        (file, "--sheet", "A"),
        (xlsx_file(tmp_path / "a.xlsx", PEOPLE), "--encoding", "utf-8"),
    ):
        assert run("batch", *arguments).exit == Exit.USAGE
    monkeypatch.setattr("client.source.MAX_BYTES", 10)
    assert run("batch", file).exit == Exit.USAGE
    assert not service.asked


def test_a_key_that_may_not_know_the_price_counts_calls(
    service: FakeService, run: Run, tmp_path: Path
) -> None:
    service.routes["GET", "/v1/packages"] = problem("forbidden", 403)
    done = run("batch", csv_file(tmp_path / "a.csv"))
    assert done.exit == Exit.OK
    assert "billed 40, unknown 0; 40 of about 40 paid calls" in done.out
