import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from mock_server import cli
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
        caller = Thread(target=lambda: upstream.ask(*PERSON))
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
    assert err == f"mock_server: {people}:1: name must be Han characters and U+00B7 only\n"


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
    line = f"--host {EVERYWHERE} --admin-token t --appcode a b --appcode c --charge 0000 --reveal"
    command = cli.parse([*line.split(), "--clock", "2026-11-23", "--lower-x", "accept"])
    options = command.options
    assert (command.host, options.admin_token) == (EVERYWHERE, "t")
    assert options.appcodes == ("a", "b", "c")
    assert options.charged_codes == {"0000"}
    assert (options.clock, options.lower_x) == (parse_day("2026-11-23"), "accept")
    assert options.reveal
