"""What is printed: answers on stdout, for people or as one JSON document; the rest on stderr."""

import json
import os
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from client.errors import ClientError

Language = Literal["en", "zh"]


@dataclass(frozen=True, slots=True)
class Console:
    """Speaks one language; with ``as_json`` only ``answer`` is heard on stdout."""

    language: Language
    as_json: bool = False

    def pick(self, english: str, chinese: str) -> str:
        """The text of the two that is in the user's language."""
        return chinese if self.language == "zh" else english

    def say(self, english: str, chinese: str) -> None:
        """A line of the answer, for people."""
        if not self.as_json:
            print(self.pick(english, chinese), flush=True)

    def note(self, english: str, chinese: str) -> None:
        """How it goes, on stderr."""
        if not self.as_json:
            print(self.pick(english, chinese), file=sys.stderr, flush=True)

    def answer(self, document: object) -> None:
        """The whole answer, for programs."""
        if self.as_json:
            print(json.dumps(document, ensure_ascii=False, indent=2), flush=True)

    def failed(self, error: ClientError) -> None:
        """The end of a command that did not come to its answer."""
        text = self.pick(error.english, error.chinese)
        if self.as_json:
            told = {"exit": int(error.exit_code), "code": error.code, "detail": text}
            self.answer({"error": error.problem | told})
        else:
            print(f"eryaosu: {text}", file=sys.stderr, flush=True)

    def table(self, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Columns of text, with Chinese characters counted as two wide."""
        if self.as_json:
            return
        lines = [list(head), *([str(cell) for cell in row] for row in rows)]
        widths = [max(map(_width, column)) for column in zip(*lines, strict=True)]
        for line in lines:
            cells = (
                cell + " " * (width - _width(cell))
                for cell, width in zip(line, widths, strict=True)
            )
            print("  ".join(cells).rstrip())

    @property
    def asks(self) -> bool:
        """Whether somebody is there to answer a question."""
        return not self.as_json and sys.stdin.isatty()

    def confirmed(self, english: str, chinese: str) -> bool:
        """Ask for a yes; anything else is a no."""
        print(self.pick(english, chinese), end=" ", file=sys.stderr, flush=True)
        return sys.stdin.readline().strip().lower() in {"y", "yes", "是", "好"}


def chosen_language(arguments: Sequence[str], env: Mapping[str, str]) -> Language:
    """``--lang`` before the locale's variables; Chinese wherever these begin with zh.

    >>> chosen_language([], {"LANG": "zh_CN.UTF-8"}), chosen_language([], {})
    ('zh', 'en')
    >>> chosen_language(["usage", "--lang=en"], {"LANG": "zh_CN.UTF-8"})
    'en'
    """
    for index, argument in enumerate(arguments):
        name, _, value = argument.partition("=")
        if name == "--lang":
            value = value or "".join(arguments[index + 1 : index + 2])
            return "zh" if value == "zh" else "en"
    named = next((env[n] for n in ("LC_ALL", "LC_MESSAGES", "LANG") if env.get(n)), "")
    if not named and os.name == "nt":
        import locale  # where no variable says it

        named = locale.getlocale()[0] or ""
    return "zh" if named.lower().startswith(("zh", "chinese")) else "en"


def yuan(value: Any) -> str:  # noqa: ANN401  # as JSON has it: a text, or null
    """A sum of money, or a dash."""
    return "–" if value is None else f"¥{value}"


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)
