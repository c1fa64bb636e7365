"""What docs/mock-server.md takes from elsewhere; `python -m tests.mock_server.docs_tables` puts it.

Tables come from the mock's data, programs from docs/recipes. Each stands between
`<!-- mark -->` and `<!-- /mark -->`.
"""

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal

from mock_server import effects, hints, identities
from mock_server.effects import GATEWAY
from mock_server.gateway_errors import TABLE, Form
from mock_server.options import CHARGED_CODES
from tests.mock_server.test_hints import MISTAKES

DOCS = Path(__file__).parents[2] / "docs"
PAGES: dict["Language", Path] = {
    "en": DOCS / "mock-server.md",
    "zh": DOCS / "mock-server.zh-CN.md",
}
Language = Literal["en", "zh"]
Row = Iterable[str]

# The page has them in both languages; a test there holds them against the mock.
_MEANINGS = (DOCS.parent / "mock_server/ui/tables.js").read_text("utf-8")
_FENCES = {".py": "python", ".mjs": "js", ".sh": "sh"}


def put(page: str, language: Language) -> str:
    """Give the page with all between its marks as it should be."""

    def between(found: re.Match[str]) -> str:
        mark = found[1]
        text = _program(mark) if mark.startswith("recipes/") else _TABLES[mark](language)
        return f"<!-- {mark} -->\n{text}<!-- /{mark} -->"

    marks = "|".join([*_TABLES, r"recipes/[\w./]+"])
    return re.sub(rf"<!-- ({marks}) -->\n.*?<!-- /\1 -->", between, page, flags=re.DOTALL)


def meaning(code: str, language: Language) -> str:
    """Give what the page says of a code."""
    found = re.search(
        rf'^  {code}: \{{.*?\b{language}: "(.*?)"', _MEANINGS, re.DOTALL | re.MULTILINE
    )
    if found is None:
        raise LookupError(code)
    return found[1]


def _program(mark: str) -> str:
    path = DOCS / mark
    fence = _FENCES.get(path.suffix, path.suffix[1:])
    return f"```{fence}\n{path.read_text('utf-8')}```\n"


def _table(head: Row, rows: Iterable[Row]) -> str:
    lines = [head, ["---"] * len(list(head)), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def _identities(language: Language) -> str:
    english = language == "en"
    head = ["name", "id_number", "answers", "when", "charged"]
    yes, no = ("yes", "no") if english else ("是", "否")
    rows = []
    for row in identities.load().values():
        answers = f"`{row.answers}`"
        if row.effect is None:
            answers = "`0000`, another name `0008`" if english else "`0000`，其他姓名 `0008`"
        when = f"`{row.effect.when}`" if row.effect and row.effect.when else ""
        rows.append(
            [row.name, row.id_number, answers, when, yes if row.charged(CHARGED_CODES) else no]
        )
    if not english:
        head = ["姓名", "身份证号", "得到的回答", "when", "扣费"]
    return _table(head, rows)


def _gateway(language: Language) -> str:
    head = {
        "en": ["code", "meaning", "new generation", "old generation", "takes `when`"],
        "zh": ["代码", "含义", "新一代", "老一代", "可带 `when`"],
    }[language]
    yes = "yes" if language == "en" else "是"
    rows = [
        [
            f"`{code}`",
            meaning(code, language),
            _form(error.new),
            ", ".join(map(_form, error.old)),
            yes if effects.takes_when(GATEWAY + code) else "",
        ]
        for code, error in TABLE.items()
    ]
    return _table(head, rows)


def _form(form: Form) -> str:
    fence = "``" if "`" in form.message else "`"
    space = " " if form.message.endswith("`") else ""
    return f"{form.status} {fence}{form.message}{space}{fence}"


def _hints(language: Language) -> str:
    head = {
        "en": ["hint", "the upstream's answer", "what to do"],
        "zh": ["提示", "上游的回答", "怎么改"],
    }[language]
    rows = []
    for hint in hints.TABLE:
        answers = dict.fromkeys(f"`{code}`" for _, _, code, told in MISTAKES if told == hint.code)
        advice = hint.advice if language == "en" else meaning(hint.code, language)
        rows.append([f"`{hint.code}`", ", ".join(answers), advice])
    return _table(head, rows)


_TABLES: dict[str, Callable[[Language], str]] = {
    "identities": _identities,
    "gateway": _gateway,
    "hints": _hints,
}


if __name__ == "__main__":
    for each, file in PAGES.items():
        file.write_text(put(file.read_text("utf-8"), each), "utf-8")
