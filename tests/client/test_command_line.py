"""Help, languages, settings, and what must never be printed."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from chalicelib.domain.codes import PROBLEMS
from client.arguments import _BUILDERS
from client.commands import COMMANDS
from client.console import chosen_language
from client.exits import MEANINGS, Exit
from client.reasons import TEXTS
from client.service import Service
from tests.client.conftest import Run
from tests.client.fake_service import FakeService, problem

ROOT = Path(__file__).parents[2]
NAME, NUMBER, SECRET = "张三", "11010519491231002X", "a-secret-key-0123456789"
CHINESE = re.compile("[\u4e00-\u9fff]")


@pytest.mark.parametrize("command", ["", *_BUILDERS])
def test_help_in_both_languages(run: Run, command: str) -> None:
    words = [command] if command else []
    english, chinese = (run(*words, "--help", "--lang", lang) for lang in ("en", "zh"))
    assert english.exit == chinese.exit == Exit.OK
    flags = [re.findall(r"--[a-z-]+", done.out) for done in (english, chinese)]
    assert flags[0] == flags[1]
    bare = english.out.replace("name=姓名", "")
    assert not CHINESE.search(bare)
    assert chinese.out.startswith("用法：")
    assert "usage" not in chinese.out.replace("usage     ", "").replace("eryaosu usage", "")


def test_every_command_is_one() -> None:
    assert COMMANDS.keys() == _BUILDERS.keys()


def test_the_exit_codes_are_shown(run: Run) -> None:
    for language, index in (("en", 0), ("zh", 1)):
        text = run("--help", "--lang", language).out
        for code in Exit:
            assert f"{code:>3}  {MEANINGS[code][index]}" in text


@pytest.mark.parametrize(
    ("arguments", "env", "language"),
    [
        ([], {"LANG": "zh_CN.UTF-8"}, "zh"),
        ([], {"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ([], {"LANG": "de_DE.UTF-8", "LC_MESSAGES": "zh_TW.UTF-8"}, "zh"),
        (["usage", "--lang", "zh"], {"LANG": "C"}, "zh"),
        (["--lang=en", "usage"], {"LANG": "zh_CN"}, "en"),
        (["--lang"], {"LANG": "zh_CN"}, "en"),
    ],
)
def test_the_language(arguments: list[str], env: dict[str, str], language: str) -> None:
    assert chosen_language(arguments, env) == language


def test_nothing_heavy_is_loaded_for_help_or_a_mistake() -> None:
    code = (
        "import sys\n"
        "from client.__main__ import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "heavy = {'requests', 'urllib3', 'tqdm', 'openpyxl', 'ssl', 'asyncio', 'email'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    for arguments in (("--help",), ("batch", "--help"), ("batch",)):
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stderr.splitlines()[-1] == "[]", arguments


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(
    "arguments",
    [
        [NAME],
        ["verify", NAME, NUMBER, SECRET],
        ["verify", f"--{NAME}={NUMBER}"],
        ["verify", "--key", SECRET],
        ["verify", f"--key={SECRET}"],
        ["verify", "--max-age", NUMBER],
        ["verify", f"--json={SECRET}"],
        ["usage", "--from", NUMBER],
        ["packages", "add", "--calls", NUMBER],
        ["packages", "add", "--price", NAME],
        ["packages", NAME],
        ["batch", "--columns", f"{NAME}={NUMBER}"],
        ["batch", "a.csv", "--encoding", NAME],
        ["verify", "--lang", NAME],
        ["resolve"],
        ["verify", "--url"],
        [],
    ],
)
def test_a_mistake_is_named_without_what_was_typed(
    service: FakeService, run: Run, arguments: list[str], language: str
) -> None:
    done = run("--lang", language, *arguments)
    assert done.exit == Exit.USAGE
    assert len(done.err.splitlines()) == 1
    assert done.err.startswith("eryaosu: ")
    for typed in (NAME, NUMBER, SECRET):
        assert typed not in done.out + done.err
    if language == "zh" and NAME not in arguments[-1:]:
        assert CHINESE.search(done.err)
    assert not service.asked


def test_options_may_stand_before_or_behind_the_command(run: Run, service: FakeService) -> None:
    service.routes["GET", "/v1/usage"] = problem("forbidden", 403)
    before, behind = run("--json", "usage"), run("usage", "--json")
    assert before.out == behind.out
    assert json.loads(before.out)["error"]["code"] == "forbidden"


@pytest.mark.parametrize(
    "url",
    [
        "http://service.test",
        "ftp://127.0.0.1",
        "https://",
        "https://user:password@service.test",
        "https://service.test/?key=1",
        "http://127.0.0.1:99999",
        "http://[::1",
        "service.test",
    ],
)
def test_urls_that_are_refused(run: Run, url: str) -> None:
    done = run("usage", "--url", url)
    assert done.exit == Exit.USAGE
    assert "password" not in done.err


def test_the_local_key_stays_on_this_machine(run: Run) -> None:
    done = run("usage", "--url", "https://service.test")
    assert done.exit == Exit.USAGE
    assert "ERYAOSU_KEY" in done.err


def test_where_the_key_comes_from(run: Run, service: FakeService, tmp_path: Path) -> None:
    service.routes["GET", "/v1/usage"] = problem("forbidden", 403)
    file = tmp_path / "key"
    file.write_text(f"{SECRET}-of-the-file\n")
    run("usage", ERYAOSU_KEY=SECRET)
    run("usage", "--key-file", file, ERYAOSU_KEY=SECRET)
    sent = [asked.headers["authorization"] for asked in service.asked]
    assert sent == [f"Bearer {SECRET}", f"Bearer {SECRET}-of-the-file"]
    file.write_text(f"{SECRET}\nmore")
    for broken in (file, tmp_path / "none", tmp_path):
        done = run("usage", "--key-file", broken)
        assert done.exit == Exit.USAGE
        assert SECRET not in done.err
    file.write_bytes("密钥".encode())
    assert run("usage", "--key-file", file).exit == Exit.USAGE


def test_a_fault_of_the_client_shows_no_value(
    run: Run, service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError(NAME, NUMBER, SECRET)

    monkeypatch.setattr(Service, "_send", broken)
    for flags in ((), ("--json",)):
        done = run("verify", *flags, stdin=f"{NAME}\n{NUMBER}\n", ERYAOSU_KEY=SECRET)
        assert done.exit == Exit.FAULT
        assert "KeyError, test_command_line.py" in done.out + done.err
        for value in (NAME, NUMBER, SECRET):
            assert value not in done.out + done.err


def test_every_code_has_words_in_both_languages() -> None:
    assert PROBLEMS.keys() <= TEXTS.keys()
    for english, chinese in TEXTS.values():
        assert not CHINESE.search(english)
        assert CHINESE.search(chinese)


def test_output_that_nobody_reads_any_more_is_no_fault(service: FakeService) -> None:
    service.routes["GET", "/v1/usage"] = problem("forbidden", 403)
    command = f"{sys.executable} -m client usage --json | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=ROOT,
        env=os.environ | {"ERYAOSU_URL": service.url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
