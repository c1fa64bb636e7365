"""docs/mock-server.md in both languages: complete, equal, and its examples are what happens."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from itertools import chain, zip_longest
from pathlib import Path
from types import MappingProxyType

import pytest

from mock_server import (
    cli,
    create_app,
    effects,
    fault_input,
    identities,
    near_misses,
    samples,
    scenario,
)
from mock_server.gateway_errors import TABLE
from mock_server.options import Options
from mock_server.upstream import Upstream
from tests.mock_server import docs_tables
from tests.mock_server.docs_tables import PAGES, Language

ROOT = Path(__file__).parents[2]
FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
ADDRESS = re.compile(r"127\.0\.0\.1:\d+")

both = pytest.mark.parametrize("language", PAGES)
needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


@cache
def page(language: Language) -> str:
    return PAGES[language].read_text("utf-8")


def prose(language: Language) -> str:
    return FENCED.sub("", page(language))


def marked(mark: str) -> str:
    """Give the code between two marks of the English page; the Chinese one has the same."""
    found = re.search(
        rf"<!-- {mark} -->\n```\w+\n(.*?)```\n<!-- /{mark} -->", page("en"), re.DOTALL
    )
    assert found, mark
    return found[1]


def rows(language: Language, head: str) -> list[list[str]]:
    """Give the cells of the table that begins with a head (of both languages, by its place)."""
    tables = re.findall(r"(?:^\|.*\|\n)+", prose("en"), re.MULTILINE)
    place = next(i for i, table in enumerate(tables) if table.startswith(f"| {head}"))
    table = re.findall(r"(?:^\|.*\|\n)+", prose(language), re.MULTILINE)[place]
    split = [re.split(r"(?<!\\) ?\| ?", line)[1:-1] for line in table.splitlines()[2:]]
    return [[cell.strip() for cell in cells] for cells in split]


@both
def test_what_is_taken_from_elsewhere_is_up_to_date(language: Language) -> None:
    text = page(language)
    assert docs_tables.put(text, language) == text, "python -m tests.mock_server.docs_tables"
    shown = {path.relative_to(ROOT / "docs") for path in (ROOT / "docs/recipes").rglob("*.*")}
    marks = {str(path) for path in shown if path.name != "people.csv"}
    assert {"identities", "gateway", "hints", *marks} <= set(re.findall(r"<!-- (\S+) -->", text))


def test_the_pages_are_equal_but_for_the_language() -> None:
    english, chinese = ([*FENCED.findall(page(language))] for language in PAGES)
    for here, there in zip_longest(english, chinese):
        assert here == there
    for pattern in (
        r"^(#+) ",  # headings
        r"^(\||- )",  # rows and points
        r"\]\(((?!#)[^)]*?)(?:\.zh-CN)?(?:\.md)?\)",  # links
        r'src="([^"]+)"',
        r"<!-- (.*?) -->",
    ):
        found = [re.findall(pattern, prose(language), re.MULTILINE) for language in PAGES]
        assert found[0] == found[1], pattern
        assert found[0]


@both
def test_every_link_within_the_page_leads_somewhere(language: Language) -> None:
    headings = re.findall(r"^#+ (.*)$", prose(language), re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    links = re.findall(r"\]\(#([^)]+)\)", prose(language))
    assert len(links) > 20
    assert set(links) <= anchors


@both
def test_the_first_screen_says_what_it_does_not_do(language: Language) -> None:
    levels = re.findall(r"^## (.*)$", page(language), re.MULTILINE)
    assert levels[0] == {"en": "What it does not do", "zh": "它不做什么"}[language]


@both
def test_flags(language: Language) -> None:
    told = {re.findall(r"--[a-z-]+", cells[0])[0] for cells in rows(language, "flag")}
    known = set(re.findall(r"--[a-z-]+", cli._parser().format_help())) - {"--help"}
    assert told == known


@both
def test_kinds_of_faults(language: Language) -> None:
    table = {cells[0].strip("`"): cells for cells in rows(language, "kind")}
    assert table.keys() == {*effects.TRANSPORT, "resp_code:<code>", "gateway:<code>"}
    for kind, (_, lowest, highest, _) in effects.VALUED.items():
        assert re.findall(r"\d+", table[kind][1]) == [str(lowest), str(highest)], kind
    for kind in effects.TRANSPORT:
        assert effects.takes_when(kind)
        assert table[kind][2] == {"en": "yes", "zh": "是"}[language]
    codes = re.findall(r"`(\d{4})`", table["resp_code:<code>"][3])
    assert [effects.RESP_CODE + code for code in codes] == [
        kind for kind in effects.KINDS if kind.startswith(effects.RESP_CODE)
    ]


@both
def test_what_a_fault_may_say(language: Language) -> None:
    told = [re.findall(r"\w+", cells[0]) for cells in rows(language, "field")]
    assert tuple(chain(*told)) == fault_input._FIELDS
    (match,) = [cells[1] for cells in rows(language, "field") if cells[0] == "`match`"]
    assert tuple(re.findall(r"`(\w+)`", match)) == fault_input._MATCH


@both
def test_what_verify_compares(language: Language) -> None:
    begins = {"en": "What `match` may name", "zh": "`match` 里可以写的"}[language]
    _, _, rest = prose(language).partition(begins)
    listed = re.split(r"[.。]", rest)[0]
    assert tuple(re.findall(r"`(\w+)`", listed)) == near_misses.KEYS


@both
def test_calls(language: Language) -> None:
    told = {cells[0].strip("`") for cells in rows(language, "call |")}
    known = {
        f"{method} {rule.rule.replace('<fault_id>', '{id}')}"
        for rule in create_app().url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert told == known - {"GET /__admin/ui/<name>"}


@both
def test_members_of_the_fixture(language: Language) -> None:
    told = {re.findall(r"\w+", cells[0])[0] for cells in rows(language, "`upstream.`")}
    members = {*dir(Upstream), *Upstream.__dataclass_fields__}
    assert told == {name for name in members if not name.startswith("_")}
    for fixture in ("upstream_session", "upstream_options", "upstream_scenario"):
        assert fixture in page(language)


@both
def test_codes_and_people_that_are_named_exist(language: Language) -> None:
    text = page(language)
    assert set(re.findall(r"\b[A-Z]\d{3}[A-Z]{2}\b", text)) == TABLE.keys()
    known = identities.load()
    quick = rows(language, "to get")
    assert len(quick) == 10
    for answers, who, number in quick:
        if number == samples.SAMPLE_NUMBER:
            continue
        assert known[number].name in who
        assert f"`{known[number].answers}`" in answers
        effect = known[number].effect
        when = effect.when if effect else None
        sides = {"before_charge": ("before", "之前"), "after_charge": ("after", "之后")}
        for side, words in sides.items():
            assert any(word in answers for word in words) == (side == when)


def test_the_scenario_says_all_that_one_can() -> None:
    path = ROOT / "docs/recipes/scenario.toml"
    options = scenario.load(path)
    assert options.people == path.parent / "people.csv"
    keys = set(
        re.findall(r"^(\w+) =", path.read_text("utf-8").partition("[quota]")[0], re.MULTILINE)
    )
    assert keys == {*scenario._VALUES, "people_file"}
    assert (options.used, options.quota) == (990, 1000)
    assert options.expires_at
    assert len(options.faults) == 2
    assert options.extra_people
    defaults = Options()
    assert (options.unknown, options.gateway, options.lower_x, options.charged_codes) == (
        defaults.unknown,
        defaults.gateway,
        defaults.lower_x,
        defaults.charged_codes,
    )


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), **more}


@contextmanager
def serving(command: str, folder: Path) -> Iterator[tuple[str, str]]:
    """Start what the page starts, on a free port: its address, and what it prints."""
    flags = re.sub(r"--port \d+", "", command.removeprefix("eryaosu-mock")).split()
    with subprocess.Popen(
        [sys.executable, "-m", "mock_server", *flags, "--port", "0"],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            welcome = "".join(process.stdout.readline() for _ in range(5))
            (address, *_) = ADDRESS.findall(welcome) or pytest.fail(f"{command}: did not start")
            yield address, welcome
        finally:
            process.kill()


def steady(output: str) -> str:
    """Without what differs from run to run."""
    for pattern, instead in (
        (ADDRESS, "127.0.0.1:PORT"),
        (r"[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}", "REQUEST-ID"),
        (r"\d{4}-\d\d-\d\dT[0-9:.]+\+00:00", "TIME"),
        (r"Date: .* GMT", "Date: TIME"),
        (r'"duration_ms": [\d.]+', '"duration_ms": N'),
        (r"curl/[\d.]+", "curl/N"),
        (r"\r", ""),
    ):
        output = re.sub(pattern, instead, output)
    return output.strip()


@needs_curl
def test_the_examples_are_what_happens(tmp_path: Path) -> None:
    """A shell block with an output right after it is an example; the page is run from the top."""
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    pattern = r"^```sh\n((?:(?!^```).)*?)^```\n\n```(?:text|json)\n(.*?)^```$"
    examples = re.findall(pattern, page("en"), re.DOTALL | re.MULTILINE)
    assert len(examples) > 10
    with ExitStack() as stack:
        address = ""
        for command, shown in examples:
            if command.startswith("eryaosu-mock"):
                address, printed = stack.enter_context(serving(command, tmp_path))
            else:
                done = subprocess.run(
                    ["bash", "-c", ADDRESS.sub(address, command)],
                    cwd=tmp_path,
                    env=environment(),
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    check=False,
                )
                printed = done.stdout.decode()
            assert steady(printed) == steady(shown), command


def test_the_python_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(marked("embedded"), "docs/mock-server.md", "exec"), {})  # noqa: S102
    assert capsys.readouterr().out == "0\n"


@needs_curl
def test_the_ci_script_starts_tests_and_stops(tmp_path: Path) -> None:
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    command = tmp_path / "eryaosu-mock"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m mock_server "$@"\n', "utf-8")
    command.chmod(0o755)
    with serving("eryaosu-mock", tmp_path) as (address, _):
        free = address.rpartition(":")[2]  # free again once this one ends
    done = subprocess.run(
        ["sh", "-c", marked("ci").replace("8001", free)],
        cwd=tmp_path,
        env=environment(PATH=f"{tmp_path}:{os.environ['PATH']}"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done
    assert done.stdout.endswith("respCode 0000\npaid_calls 1\n")
    assert "POST /idenAuthentication name=李**" in (tmp_path / "mock.log").read_text("utf-8")


def test_the_workflow_waits_as_the_script_does() -> None:
    loop = re.search(r"^for .*?^done\n", marked("ci"), re.DOTALL | re.MULTILINE)
    assert loop
    workflow = re.sub(r"^ +", "", marked("actions"), flags=re.MULTILINE)
    assert re.sub(r"^ +", "", loop[0], flags=re.MULTILINE) in workflow
    assert "pip install './eryaosu[mock]'" in workflow


README_CLAIMS = MappingProxyType(
    {
        "README.md": ("docs/mock-server.md", "docs/mock-server.zh-CN.md"),
        "README.zh-CN.md": ("docs/mock-server.zh-CN.md", "docs/mock-server.md"),
    }
)


@pytest.mark.parametrize("name", README_CLAIMS)
def test_the_readme_installs_and_starts_what_there_is(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    assert "pip install '.[mock]'" in text
    assert "optional-dependencies.mock = " in project
    assert "`eryaosu-mock`" in text
    assert 'eryaosu-mock = "mock_server.__main__:main"' in project
    for link in README_CLAIMS[name]:
        assert f"]({link})" in text
