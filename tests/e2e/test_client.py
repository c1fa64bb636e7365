"""The command-line client against the whole system, as a program of its own."""

import csv
import io
import json
import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from client.exits import Exit
from tests.e2e.conftest import (
    ROOT,
    Running,
    heed_ctrl_c,
    start_stack,
    stop_stack,
    until,
    unused_number,
)
from tests.examples import NAME

FLAW = "1.1E+17"


def started(stack: Running, *arguments: str, **env: str) -> "subprocess.Popen[str]":
    clean = {name: value for name, value in os.environ.items() if name not in {"LC_ALL", "LANG"}}
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, "-m", "client", *arguments],
        cwd=ROOT,
        env=clean | {"ERYAOSU_URL": stack.api, "LANG": "C.UTF-8"} | env,
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        text=True,
        encoding="utf-8",
        preexec_fn=heed_ctrl_c,  # noqa: PLW1509  # before any thread of its own
    )


def run(
    stack: Running, *arguments: str, stdin: str = "", **env: str
) -> "subprocess.CompletedProcess[str]":
    with started(stack, *arguments, **env) as process:
        out, err = process.communicate(stdin, timeout=120)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def people(serials: Iterable[int]) -> list[tuple[str, ...]]:
    return [("姓名", "身份证号"), *((NAME, unused_number(serial)) for serial in serials)]


def csv_file(path: Path, rows: Iterable[tuple[str, ...]]) -> str:
    with path.open("w", encoding="gb18030", newline="") as stream:
        csv.writer(stream).writerows(rows)
    return str(path)


def xlsx_file(path: Path, rows: Iterable[tuple[str, ...]]) -> str:
    book = Workbook()
    assert book.active is not None
    for row in rows:
        book.active.append(row)
    book.save(path)
    return str(path)


def result(path: str) -> list[dict[str, str]]:
    text = Path(f"{path}.result.csv").read_text("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def once_each(stack: Running, rows: list[tuple[str, ...]]) -> None:
    """Every person of a list was paid for once, in the mock's own ledger."""
    numbers = {row[1] for row in rows[1:]} - {FLAW, ""}
    assert {number: stack.paid(number) for number in numbers} == dict.fromkeys(numbers, 1)


def test_one_question_in_every_state(stack: Running) -> None:
    known = {one["answers"]: one for one in stack.admin("GET", "identities")}
    for answers, code, english, chinese in (
        ("0000", Exit.OK, "match", "一致（match）"),
        ("0008", Exit.OTHERWISE, "mismatch", "不一致（mismatch）"),
        ("0007", Exit.OTHERWISE, "no_record", "库中无此号（no_record）"),
    ):
        stdin = f"{known[answers]['name']}\n{known[answers]['id_number']}\n"
        for language, text in (("en_GB.UTF-8", english), ("zh_CN.UTF-8", chinese)):
            done = run(stack, "verify", stdin=stdin, LANG=language)
            assert (done.returncode, done.stdout.splitlines()[0]) == (code, text)
        answer = json.loads(run(stack, "verify", "--json", stdin=stdin).stdout)
        read = run(stack, "get", answer["id"], "--json")
        assert (read.returncode, json.loads(read.stdout)["id"]) == (code, answer["id"])
    refused = run(stack, "verify", "--json", stdin=f"{NAME}\n123\n")
    assert refused.returncode == Exit.REFUSED
    assert json.loads(refused.stdout)["error"]["code"] == "id_number_invalid"


def test_an_unknown_outcome_is_resolved_and_asked_again(stack: Running, key: str) -> None:
    number = unused_number(7001)
    stack.admin("POST", "faults", {"kind": "reset", "when": "before_charge", "times": 1})
    question = ("verify", "--idempotency-key", key)
    lost = run(stack, *question, stdin=f"{NAME}\n{number}\n")
    assert lost.returncode == Exit.UNKNOWN
    found = re.search(r"eryaosu resolve (vrf_\w+)", lost.stderr)
    assert found, lost.stderr
    resolve = ("resolve", found[1], "--billed", "no", "--action", "retry", "--json")
    assert run(stack, *resolve).returncode == Exit.OK
    assert run(stack, *resolve).returncode == Exit.REFUSED
    again = run(stack, *question, stdin=f"{NAME}\n{number}\n")
    assert again.returncode in {Exit.OK, Exit.OTHERWISE}
    assert stack.paid(number) == 1


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_file(stack: Running, tmp_path: Path, kind: str) -> None:
    serials = range(7100, 7130) if kind == "csv" else range(7130, 7160)
    rows = people(serials)
    rows[5:5] = [(NAME, FLAW), rows[1], ("", ""), ("=HYPERLINK(1)", rows[2][1])]
    make = csv_file if kind == "csv" else xlsx_file
    file = make(tmp_path / f"people.{kind}", rows)
    checked = run(stack, "batch", file, "--dry-run", "--json")
    assert checked.returncode == Exit.OTHERWISE, checked.stdout + checked.stderr
    told = json.loads(checked.stdout)
    assert told["batch"]["status"] == "checked"
    assert sum(len(found) for found in told["flaw_rows"].values()) >= 1
    assert 6 in told["flaw_rows"]["id_number_not_text"]
    assert stack.paid(rows[1][1]) == 0

    done = run(stack, "batch", file, LANG="zh_CN.UTF-8")
    assert done.returncode == Exit.OTHERWISE, done.stderr
    found = result(file)
    # What a formula shows is its last value, and this workbook was never calculated.
    formula = "" if kind == "xlsx" else "'=HYPERLINK(1)"
    rows[8] = (formula, rows[8][1])
    assert [(row["姓名"], row["身份证号"]) for row in found] == rows[1:]
    assert found[4]["原因"] == "id_number_not_text"
    assert found[5]["原因"] == "duplicate_of:2"
    assert found[6]["结果"] == ""
    assert found[7]["结果"] == ""
    assert all(row["结果"] and row["扣费"] == "是" for row in [*found[:4], *found[8:]])
    once_each(stack, rows)
    # Again: the same batch, and nothing is paid.
    again = run(stack, "batch", file, "--json")
    assert json.loads(again.stdout)["batch"]["billed"]["yes"] == len(serials)
    once_each(stack, rows)


def test_a_large_file_goes_round_the_gateway(stack: Running, tmp_path: Path) -> None:
    padding = tuple("x" * 999 for _ in range(190))
    rows = [(*row, *padding) for row in people(range(7200, 7224))]
    file = csv_file(tmp_path / "large.csv", rows)
    assert Path(file).stat().st_size > 4 * 1024 * 1024
    done = run(stack, "batch", file)
    assert done.returncode == Exit.OK, done.stderr
    found = result(file)
    assert [row["身份证号"] for row in found] == [row[1] for row in rows[1:]]
    once_each(stack, rows)


def the_batch(stack: Running, label: str) -> Any:
    """The batch of that label, once there is one."""
    items = stack.call("GET", "/v1/batches?limit=100").json()["items"]
    return next((item for item in items if item["label"] == label), None)


def test_killed_five_times_and_gone_on(stack: Running, tmp_path: Path, key: str) -> None:
    rows = people(range(7300, 7400))
    rows[36:36] = [(NAME, FLAW), rows[3]]
    file = csv_file(tmp_path / "people.csv", rows)
    command = ("batch", file, "--label", key)
    stack.admin("POST", "faults", {"kind": "latency_ms", "value": 60})
    points = sorted(random.Random().sample(range(90), 4))  # any moment must do
    seen: list[Any] = []
    for least in (0, *points):
        with started(stack, *command) as process:

            def far_enough(process: Any = process, least: int = least) -> bool:
                batch = the_batch(stack, key)
                seen.append(batch)
                return process.poll() is not None or bool(batch and batch["rows"]["done"] >= least)

            until(far_enough, 60)
            process.kill()
    done = run(stack, *command)
    assert done.returncode == Exit.OTHERWISE, (points, done.stderr)
    assert len({batch["id"] for batch in seen if batch}) == 1
    found = result(file)
    assert [(row["姓名"], row["身份证号"]) for row in found] == rows[1:], points
    # Whichever of the two was asked first, the other one is its duplicate.
    told = [row["reason"] for row in found if row["reason"]]
    flaw = "id_number_not_text"
    assert told in ([flaw, "duplicate_of:4"], ["duplicate_of:38", flaw])
    once_each(stack, rows)
    assert stack.admin("GET", "ledger")["paid_calls"] == len(rows) - 3


@pytest.mark.parametrize("flags", [(), ("--pause-on-interrupt",)])
def test_ctrl_c(stack: Running, tmp_path: Path, key: str, flags: tuple[str, ...]) -> None:
    start = 7600 if flags else 7700
    rows = people(range(start, start + 40))
    file = csv_file(tmp_path / "people.csv", rows)
    command = ("batch", file, "--label", key, *flags)
    stack.admin("POST", "faults", {"kind": "latency_ms", "value": 40})
    with started(stack, *command) as process:
        until(lambda: (the_batch(stack, key) or {}).get("status") == "running", 60)
        assert process.stderr is not None
        # It has seen that too, and so knows that rows are asked.
        until(lambda: process.stderr and "asking" in process.stderr.readline(), 60)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == Exit.INTERRUPTED
    assert "Traceback" not in err
    assert "to go on: the same command" in err
    if flags:
        assert the_batch(stack, key)["status"] == "paused"
    else:
        assert "the service goes on asking" in err
        until(lambda: the_batch(stack, key)["status"] == "completed", 60)
    done = run(stack, *command)
    assert done.returncode == Exit.OK, done.stderr
    assert len(result(file)) == 40
    once_each(stack, rows)


def test_a_file_that_is_refused_names_the_row(stack: Running, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text(f'姓名,身份证号\n{NAME},"{unused_number(7800)}\n', "utf-8")
    for language, says in (("C", "the batch failed"), ("zh_CN.UTF-8", "批次失败")):
        done = run(stack, "batch", str(file), LANG=language)
        assert done.returncode == Exit.REFUSED
        assert says in done.stderr
        assert "2" in done.stderr
        assert unused_number(7800) not in done.stderr
        assert NAME not in done.stderr
    assert not Path(f"{file}.result.csv").exists()


def test_every_answer_for_programs_is_one_json_document(stack: Running, tmp_path: Path) -> None:
    for command in (
        ("usage",),
        ("packages",),
        ("packages", "add", "--calls", "5000", "--price", "149.00"),
        ("packages", "advice", "--days", "365"),
        ("export",),
        ("export", "--out", str(tmp_path / "export.csv")),
        ("batches",),
    ):
        done = run(stack, *command, "--json")
        assert done.returncode == Exit.OK, (command, done.stdout + done.stderr)
        json.loads(done.stdout)
        assert not done.stderr
        if "add" not in command:
            assert run(stack, *command, LANG="zh_CN.UTF-8").returncode == Exit.OK


def test_a_wrong_key_is_shown_nowhere(stack: Running, tmp_path: Path) -> None:
    file = csv_file(tmp_path / "people.csv", people([7900]))
    key = "a-wrong-key-that-nobody-may-see"
    for command in (
        ("verify",),
        ("batch", file),
        ("usage", "--json"),
        ("batches", "pause", "bat_1"),
    ):
        done = run(stack, *command, stdin=f"{NAME}\n{unused_number(7900)}\n", ERYAOSU_KEY=key)
        assert done.returncode == Exit.REFUSED
        for value in (key, NAME, unused_number(7900)):
            assert value not in done.stdout + done.stderr


@pytest.fixture
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A stack of its own: nobody else's calls and packages count."""
    running = start_stack(tmp_path_factory.mktemp("client"))
    yield running
    stop_stack(running)


def part(page: str, mark: str) -> str:
    """The code between ``<!-- mark -->`` and ``<!-- /mark -->``."""
    found = re.search(rf"<!-- {mark} -->\n```\w+\n(.*?)```\n<!-- /{mark} -->", page, re.DOTALL)
    assert found, mark
    return found[1]


def steady(output: str) -> str:
    """Without what differs from run to run."""
    output = re.sub(r"(vrf|bat|pkg)_\w+", r"\1_ID", output)
    return re.sub(r"202\d-\d\d-\d\d", "DAY", output)


@pytest.mark.parametrize(("name", "lang"), [("client.md", "C"), ("client.zh-CN.md", "zh_CN.UTF-8")])
def test_the_pages_programs_show_what_the_pages_show(
    shop: Running, tmp_path: Path, name: str, lang: str
) -> None:
    page = (ROOT / "docs" / name).read_text("utf-8")
    (tmp_path / "people.csv").write_text(part(page, "file people.csv"), "utf-8")
    program = f'eryaosu() {{ env LC_ALL={lang} {sys.executable} -m client "$@"; }}\n'
    env = {"PYTHONPATH": str(ROOT), "ERYAOSU_URL": shop.api}

    def ran(mark: str) -> str:
        return subprocess.run(
            ["bash", "-c", program + part(page, f"run {mark}")],
            cwd=tmp_path,
            env=os.environ | env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            check=False,
        ).stdout

    for mark in ("books", "verify", "dry-run", "batch"):
        shown = steady(part(page, f"shown {mark}")).splitlines()
        # How often somebody looks at a batch depends on how quick it is.
        passing = re.compile(r"asking|核验中")
        told = [line for line in steady(ran(mark)).splitlines() if not passing.match(line)]
        assert told == [line for line in shown if not passing.match(line)], mark
    written = (tmp_path / "people.csv.result.csv").read_text("utf-8-sig")
    assert steady(written) == steady(part(page, "shown result"))
