"""What docs/client.md claims; `python -m tests.client.test_docs` puts the table of exit codes."""

import re
from pathlib import Path

import pytest

from client.arguments import _BUILDERS
from client.exits import MEANINGS, Exit
from tests.client.conftest import Run

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {"en": DOCS / "client.md", "zh": DOCS / "client.zh-CN.md"}
_TABLE = re.compile(r"(<!-- exit codes -->\n.*?\|---\|---\|\n).*?(<!-- /exit codes -->)", re.DOTALL)


def put(page: str, language: str) -> str:
    """Give the page with the exit codes as they stand in the code."""
    rows = "".join(f"| {code} | {MEANINGS[code][language == 'zh']} |\n" for code in Exit)
    return _TABLE.sub(lambda found: found[1] + rows + found[2], page)


@pytest.mark.parametrize("language", PAGES)
def test_the_exit_codes_are_the_codes(language: str) -> None:
    page = PAGES[language].read_text("utf-8")
    assert _TABLE.search(page)
    assert put(page, language) == page


@pytest.mark.parametrize("language", PAGES)
def test_every_flag_and_command_is_documented(run: Run, language: str) -> None:
    page = PAGES[language].read_text("utf-8")
    for command in _BUILDERS:
        assert re.search(rf"eryaosu {command}\b", page), command
        for flag in re.findall(r"--[a-z-]+", run(command, "--help").out):
            assert flag == "--help" or flag in page, (command, flag)


def test_both_languages_show_the_same() -> None:
    texts = [page.read_text("utf-8") for page in PAGES.values()]
    names = {page.name for page in PAGES.values()}
    commands, files, headings, links, marks = (
        [
            [
                re.sub(r"#.*", "", code).split()
                for code in re.findall(r"```sh\n(.*?)```", t, re.DOTALL)
            ]
            for t in texts
        ],
        [re.findall(r"<!-- file .*?```text\n(.*?)```", text, re.DOTALL) for text in texts],
        [len(re.findall(r"^#+ ", text, re.MULTILINE)) for text in texts],
        [set(re.findall(r"\]\(([^)]+)\)", text)) - names for text in texts],
        [re.findall(r"<!-- (.*?) -->", text) for text in texts],
    )
    for pair in (commands, files, headings, links, marks):
        assert pair[0] == pair[1]


if __name__ == "__main__":
    for each, file in PAGES.items():
        file.write_text(put(file.read_text("utf-8"), each), "utf-8")
