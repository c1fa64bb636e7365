"""What README and docs claim: their commands run, their tables are the code's."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from chalicelib.domain.codes import PROBLEMS, ROWS
from chalicelib.domain.messages import Ask, encode
from chalicelib.entrypoints.errors import STATUSES
from tests.e2e.conftest import ROOT, Running, dead_letters_of

READMES = ("README.md", "README.zh-CN.md")
ASYNC = ("docs/async.md", "docs/async.zh-CN.md")
PACKAGES = ("docs/packages.md", "docs/packages.zh-CN.md")


def block(text: str, mark: str) -> str:
    """The code between ``<!-- mark -->`` and ``<!-- /mark -->``."""
    found = re.search(rf"<!-- {mark} -->\n```\w+\n(.*?)```\n<!-- /{mark} -->", text, re.DOTALL)
    assert found, mark
    return found[1]


def steady(output: str) -> str:
    """Without what differs from run to run."""
    for pattern, instead in (
        (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
        (r"vrf_\w+", "vrf_ID"),
        (r"[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}", "REQUEST-ID"),
        (r"\d{4}-\d\d-\d\dT[0-9:.]+(Z|\+00:00)", "TIME"),
        (r'"age": \d+', '"age": AGE'),
    ):
        output = re.sub(pattern, instead, output)
    return output


def test_the_demo_prints_what_the_readme_shows() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "local_stack", "--once"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    for name in READMES:
        shown = block((ROOT / name).read_text("utf-8"), "demo")
        assert steady(shown) == steady(done.stdout), name


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("name", READMES)
def test_the_readmes_curl_verifies_once(stack: Running, name: str) -> None:
    command = block((ROOT / name).read_text("utf-8"), "run")
    command = command.replace("http://127.0.0.1:8000", stack.api)
    command = command.replace("order-1", f"order-{stack.api[-5:]}")
    bodies = {
        subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    }
    (body,) = bodies
    assert '"status": "completed"' in body


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("name", ASYNC)
def test_what_is_asked_asynchronously(stack: Running, name: str) -> None:
    def run(mark: str) -> str:
        command = block((ROOT / name).read_text("utf-8"), mark)
        for shown, here in (
            ("http://127.0.0.1:8000", stack.api),
            ("order-2", f"{name}-{stack.api[-5:]}"),
            ("vrf_…", verification_id),
        ):
            command = command.replace(shown, here)
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
        return done.stdout

    verification_id = ""
    accepted = run("accept")
    assert accepted.startswith("HTTP/1.1 202")
    found = re.search(r"Location: verifications/(vrf_\w+)", accepted)
    assert found
    verification_id = found[1]
    assert stack.ended(verification_id)["outcome"] == "match"
    assert json.loads(run("read"))["status"] == "completed"


@pytest.mark.parametrize("name", ASYNC)
def test_dead_letters_are_sent_again_as_shown(stack: Running, name: str) -> None:
    with stack.sqs() as sqs:
        url = dead_letters_of(sqs, stack.env["QUEUE_URL"])
        sqs.send_message(QueueUrl=url, MessageBody=encode(Ask("vrf_nobodys")))
    text = (ROOT / name).read_text("utf-8")
    command = block(text, "redrive").replace("python", sys.executable)
    done = subprocess.run(
        ["bash", "-ec", command],
        cwd=ROOT,
        env=os.environ | stack.env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert steady(done.stdout) == steady(block(text, "redriven"))


@pytest.mark.parametrize("names", [READMES, ASYNC, PACKAGES])
def test_both_languages_say_the_same(names: tuple[str, str]) -> None:
    texts = [(ROOT / name).read_text("utf-8") for name in names]
    code = [re.findall(r"```\w*\n(.*?)```", text, re.DOTALL) for text in texts]
    # Comments in commands may be translated.
    bare = [[re.sub(r"#.*", "", part).split() for part in parts] for parts in code]
    assert bare[0] == bare[1]
    links = [
        set(re.findall(r"\]\(([^)#]+)\)", text)) - {Path(name).name for name in names}
        for text in texts
    ]
    assert links[0] == links[1]
    headings = [len(re.findall(r"^#+ ", text, re.MULTILINE)) for text in texts]
    assert headings[0] == headings[1]


@pytest.mark.parametrize("page", [*READMES, *sorted(p.name for p in (ROOT / "docs").glob("*.md"))])
def test_every_link_leads_somewhere(page: str) -> None:
    path = ROOT / page if page in READMES else ROOT / "docs" / page
    for link in re.findall(r"\]\(([^)#]+)\)", path.read_text("utf-8")):
        assert link.startswith("https://") or (path.parent / link).exists(), link


def test_every_make_target_that_is_named_exists() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    pages = [*(ROOT / name for name in READMES), *(ROOT / "docs").glob("*.md")]
    named = {
        target
        for page in pages
        for target in re.findall(r"(?:^|`)make ([a-z]+)", page.read_text("utf-8"), re.MULTILINE)
    }
    assert {"demo", "run", "test", "lint", "bench", "peers", "setup"} <= named
    # What the demo's test runs is what `make demo` runs.
    assert "demo: setup" in makefile
    assert "\t@$(BIN)/python -m local_stack --once\n" in makefile
    for target in named:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_the_problem_table_is_the_codes() -> None:
    rows = re.findall(
        r"^\| (`.*?) \| ([0-9, ]+) \| (.*?) \| (.*?) \|$",
        (ROOT / "docs/api.md").read_text("utf-8"),
        re.MULTILINE,
    )
    told: dict[str, tuple[int, str, str]] = {}
    for codes, statuses, billed, retryable in rows:
        names = re.findall(r"`(\w+)`", codes)
        numbers = [int(number) for number in statuses.split(",")]
        numbers = numbers if len(numbers) == len(names) else numbers * len(names)
        told |= {
            name: (number, billed, retryable) for name, number in zip(names, numbers, strict=True)
        }
    assert told.keys() == STATUSES.keys() == PROBLEMS.keys()
    for code, (status, billed, retryable) in told.items():
        assert STATUSES[code][0] == status, code
        assert billed.startswith(PROBLEMS[code].billed.value), code
        assert retryable.startswith("yes" if PROBLEMS[code].retryable else "no"), code


def test_every_setting_is_documented_and_every_documented_one_is_read() -> None:
    config = (ROOT / "chalicelib/config.py").read_text("utf-8")
    page = (ROOT / "docs/configuration.md").read_text("utf-8")
    read = set(re.findall(r'(?:_read\(env,|\.get\() ?"([A-Z_]+)"', config))
    assert read == set(re.findall(r"^\| `([A-Z_]+)` \|", page, re.MULTILINE))


def test_the_resp_codes_are_documented_as_they_stand_in_the_table() -> None:
    page = (ROOT / "docs/upstream.md").read_text("utf-8")
    rows = re.findall(r"^\| (\d{4}) \| (\S+) \| .*`(\w+)` \| (\w+) \|$", page, re.MULTILINE)
    assert len(rows) == 8
    for code, message, meaning, billed in rows:
        row = ROWS[code]
        assert row.message == message
        assert meaning == (row.outcome.value if row.outcome else row.problem)
        assert billed == row.billed.value


def test_every_flag_of_the_programs_is_documented() -> None:
    for module, page in (
        ("local_stack", "local-stack.md"),
        ("mock_server", "mock-server.md"),
        ("tools.redrive", "async.md"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", module, "--help"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        flags = set(re.findall(r"(--[a-z-]+)", done.stdout)) - {"--help"}
        text = Path(ROOT / "docs" / page).read_text("utf-8")
        assert not {flag for flag in flags if flag not in text}, module
