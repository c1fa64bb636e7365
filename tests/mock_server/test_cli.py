import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import requests

from mock_server import cli
from mock_server.cli import Command
from mock_server.clock import parse_day
from mock_server.options import Options
from tests.mock_server.support import PATH, PERSON, UNHELD, Upstream, code

EVERYWHERE = "0.0.0.0"  # noqa: S104
ROOT = Path(__file__).parents[2]


@contextmanager
def running(*flags: str) -> Iterator[tuple[subprocess.Popen[str], Upstream]]:
    command = [sys.executable, "-m", "mock_server", "--port", "0", *flags]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=ROOT, **pipes) as process:
        try:
            assert process.stdout is not None
            first = process.stdout.readline()  # empty if it did not start
            with Upstream(first.split(" ")[-1].strip().removesuffix(PATH)) as upstream:
                yield process, upstream
        finally:
            process.kill()


def read(process: subprocess.Popen[str]) -> tuple[str, str]:
    assert process.stdout is not None
    assert process.stderr is not None
    return process.stdout.read(), process.stderr.read()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_logs_and_ends_cleanly(number: signal.Signals, tmp_path: Path) -> None:
    people = tmp_path / "people.csv"
    people.write_text(f"赵六,{UNHELD}\n", encoding="utf-8")
    with running("--people", str(people), "--quota", "1") as (process, upstream):
        assert code(upstream.ask("赵六", UNHELD)) == "0000"
        assert upstream.ask(*PERSON).headers["X-Ca-Error-Code"] == "B403MQ"
        process.send_signal(number)
        assert process.wait(timeout=20) == 0
        out, err = read(process)
    assert "curl -si http://127.0.0.1:" in out
    first, second = err.splitlines()
    assert "POST /idenAuthentication name=赵* idNo=110***********002X -> 200 0000" in first
    assert "403 B403MQ" in second


def test_a_hanging_call_does_not_hold_up_the_end() -> None:
    with running() as (process, upstream):
        upstream.arm("hang", value=600_000)

        def call() -> None:
            with suppress(requests.ConnectionError):
                upstream.ask(*PERSON)

        caller = Thread(target=call)
        caller.start()
        while not upstream.get("/requests")["requests"]:
            time.sleep(0.02)
        process.terminate()
        assert process.wait(timeout=20) == 0
        caller.join()


def test_a_bad_people_file_stops_the_start(tmp_path: Path) -> None:
    people = tmp_path / "people.csv"
    people.write_text(f"Zhao,{UNHELD}\n", encoding="utf-8")
    with running("--people", str(people)) as (process, _):
        assert process.wait(timeout=20) == 2
        _, err = read(process)
    assert err == f"mock_server: {people}:1: name: must be Han characters and U+00B7 only\n"


def test_a_scenario_and_a_flag_over_it(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text(f"赵六,{UNHELD}\n", encoding="utf-8")
    path = tmp_path / "scenario.toml"
    text = 'people_file = "people.csv"\n[quota]\ntotal = 0\n[[faults]]\nkind = "resp_code:0010"'
    path.write_text(text, encoding="utf-8")
    with running("--scenario", str(path), "--quota", "5") as (_, upstream):
        assert code(upstream.ask("赵六", UNHELD)) == "0010"
        upstream.disarm()
        assert code(upstream.ask("赵六", UNHELD)) == "0000"
        upstream.do("/reset")
        assert upstream.get("/quota") == {"used": 0, "total": 5, "expires_at": None}
        assert code(upstream.ask("赵六", UNHELD)) == "0010"


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        (
            "[quota]\ntotal = 'x'",
            2,
            "quota.total: must be a whole number (allowed: 0 to 1000000000)",
        ),
        ("gateway = 'x'", 1, "gateway: is unknown (allowed: old, new)"),
        ("unknown", 1, "Expected '=' after a key in a key/value pair"),
    ],
)
def test_a_bad_scenario_stops_the_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, line: int, reason: str
) -> None:
    path = tmp_path / "scenario.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SystemExit) as caught:
        cli.parse(["--scenario", str(path)])
    assert caught.value.code == 2
    assert capsys.readouterr().err == f"mock_server: {path}:{line}: {reason}\n"


def test_a_bad_people_file_of_a_scenario_stops_the_start(tmp_path: Path) -> None:
    people = tmp_path / "people.csv"
    people.write_text("赵六,1\n", encoding="utf-8")
    path = tmp_path / "scenario.toml"
    path.write_text('people_file = "people.csv"', encoding="utf-8")
    with running("--scenario", str(path)) as (process, _):
        assert process.wait(timeout=20) == 2
        _, err = read(process)
    assert err.startswith(f"mock_server: {people}:1: id_number: must be ")
    assert err.count("\n") == 1


def test_https(tmp_path: Path) -> None:
    ca_file = tmp_path / "the ca.pem"
    with running("--tls", str(ca_file)) as (process, upstream):
        upstream.session.verify = str(ca_file)
        assert upstream.url.startswith("https://127.0.0.1:")
        assert code(upstream.ask(*PERSON)) == "0000"
        assert upstream.admin("POST", "/reset", Origin=upstream.url).status_code == 200
        process.terminate()
        out, _ = read(process)
    assert f"curl -si --cacert '{ca_file}' https://127.0.0.1:" in out


def test_https_without_a_file_says_where_it_is() -> None:
    with running("--tls") as (process, upstream):
        assert process.stdout is not None
        printed = next(line for line in process.stdout if "--cacert" in line)
        ca_file = Path(shlex.split(printed)[3])
        upstream.session.verify = str(ca_file)
        assert code(upstream.ask(*PERSON)) == "0000"
        ca_file.unlink()
        ca_file.parent.rmdir()


def test_a_certificate_that_cannot_be_written_stops_the_start(tmp_path: Path) -> None:
    with running("--tls", str(tmp_path / "none" / "ca.pem")) as (process, _):
        assert process.wait(timeout=20) == 2
        _, err = read(process)
    assert re.fullmatch(r"mock_server: .*No such file.*\n", err)


def test_an_address_in_use_stops_the_start() -> None:
    with running() as (_, upstream), running("--port", upstream.url.rsplit(":", 1)[1]) as (late, _):
        assert late.wait(timeout=20) == 2
        _, err = read(late)
    assert re.fullmatch(r"mock_server: .*in use.*\n", err)


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (["--host", EVERYWHERE], "--admin-token"),
        (["--host", "example.com"], "--admin-token"),
        (["--host", "::"], "--admin-token"),
        (["--port", "70000"], "--port"),
        (["--port", "x"], "--port"),
        (["--quota", "-1"], "--quota"),
        (["--clock", "2026-02-30"], "--clock"),
        (["--clock", "20261123"], "--clock"),
        (["--unknown", "maybe"], "--unknown"),
        (["--latency-ms", "1.5"], "--latency-ms"),
        (["--gateway", "newest"], "--gateway"),
        (["--charge", "0005"], "--charge"),
        (["--appcode", "a b"], "--appcode"),
        (["--appcode", "a" * 201], "--appcode"),
        (["--expires", "tomorrow"], "--expires"),
        (["--rate", "0"], "--rate: must be a whole number from 1 to "),
        (["--rate", "x"], "--rate"),
        (["--journal", "0"], "--journal"),
        (["--journal", "9" * 5_000], "--journal"),
        (["--scenario"], "--scenario"),
        (["--scenario", "none.toml"], "none.toml:0: No such file"),
        (["--nonsense"], "--nonsense"),
    ],
)
def test_bad_flags_in_one_line(
    capsys: pytest.CaptureFixture[str], flags: list[str], reason: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.parse(flags)
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("mock_server: ")
    assert reason in error
    assert error.count("\n") == 1


def test_the_defaults_are_those_of_options() -> None:
    command = cli.parse([])
    assert (command.host, command.port, command.options) == ("127.0.0.1", 8001, Options())


def test_flags() -> None:
    line = f"--host {EVERYWHERE} --port 9 --admin-token t --appcode a b --appcode c a --reveal"
    more = "--expires 2027-01-01 --clock 2026-11-23 --unknown match --rate 3 --journal 4 --quota 5"
    last = "--latency-ms 6 --gateway old --lower-x accept --charge 0000 0008 --people people.csv"
    command = cli.parse(f"{line} {more} {last} --tls ca.pem".split())
    assert command == Command(
        EVERYWHERE,
        9,
        Options(
            admin_token="t",
            appcodes=("a", "b", "c"),
            reveal=True,
            expires_at=parse_day("2027-01-01"),
            clock=parse_day("2026-11-23"),
            unknown="match",
            calls_per_second=3,
            journal_length=4,
            quota=5,
            latency_ms=6,
            gateway="old",
            lower_x="accept",
            charged_codes=frozenset({"0000", "0008"}),
            people=Path("people.csv"),
        ),
        tls=True,
        ca_file=Path("ca.pem"),
    )


def test_tls_without_a_file() -> None:
    command = cli.parse(["--tls"])
    assert (command.tls, command.ca_file) == (True, None)


def test_every_flag_goes_over_the_scenario(tmp_path: Path) -> None:
    path = tmp_path / "scenario.toml"
    path.write_text(
        """
        appcodes = ["a"]
        unknown = "match"
        latency_ms = 5
        gateway = "old"
        lower_x = "accept"
        charged_codes = ["0001"]
        clock = 2026-11-23
        calls_per_second = 7
        journal_length = 8
        maintenance = true
        [quota]
        used = 1
        total = 10
        expires_at = 2027-01-01
        """,
        encoding="utf-8",
    )
    flags = "--appcode b --unknown no_record --latency-ms 0 --gateway new --lower-x refuse --rate 9"
    more = "--charge 0000 --clock 2000-01-01 --journal 1000 --quota 11 --expires 2000-01-02"
    command = cli.parse(["--scenario", str(path), *flags.split(), *more.split()])
    assert command.options == Options(
        appcodes=("b",),
        charged_codes=frozenset({"0000"}),
        clock=parse_day("2000-01-01"),
        calls_per_second=9,
        quota=11,
        used=1,
        expires_at=parse_day("2000-01-02"),
        maintenance=True,
    )
