"""A workbook's shared strings: cells hold their numbers, so all are kept, closely packed."""

import re
from array import array

from chalicelib.adapters import spreadsheet_xml
from chalicelib.adapters.spreadsheet_zip import Archive
from chalicelib.domain.batch_cells import MAX_CHARACTERS
from chalicelib.domain.batch_file import DAMAGED, FileError

MAX_STRINGS = 128 * 1_000_000

_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")


class Text:
    """Gathers the text of one cell or string: runs of it, without how it is pronounced."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._left = 0
        self._open = False
        self._pronounced = False

    def begin(self) -> None:
        """Forget what was gathered."""
        self._parts = []
        # One character more than a cell may have, for the rule to see; escapes have seven.
        self._left = 7 * (MAX_CHARACTERS + 1)

    def start(self, name: str) -> None:
        """An element began."""
        if name == "t":
            self._open = not self._pronounced
        elif name == "rPh":
            self._pronounced = True

    def end(self, name: str) -> None:
        """An element ended."""
        if name == "t":
            self._open = False
        elif name == "rPh":
            self._pronounced = False

    def add(self, text: str) -> None:
        """Characters, wherever they stand."""
        if self._open and self._left > 0:
            self._parts.append(text[: self._left])
            self._left -= len(text)

    def value(self) -> str:
        """What was gathered, escaped characters as themselves."""
        text = "".join(self._parts)
        if "_x" in text:
            text = _ESCAPED.sub(_character, text)
        return text[: MAX_CHARACTERS + 1]


class Strings:
    """The strings by number: one run of UTF-8, and where each ends."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._ends = array("I", [0])

    def append(self, text: str) -> None:
        """One more."""
        self._bytes += text.encode("utf-8", "replace")
        self._ends.append(len(self._bytes))

    def __getitem__(self, number: int) -> str:
        if not 0 <= number < len(self._ends) - 1:
            raise FileError(DAMAGED)
        return self._bytes[self._ends[number] : self._ends[number + 1]].decode()


def read(archive: Archive, part: str) -> Strings:
    """All of a part; raises FileError."""
    if archive.size(part) > MAX_STRINGS:
        raise FileError(
            f"The texts of the workbook are larger than {MAX_STRINGS // 1_000_000} MB; split it, "
            "or save it as CSV."
        )
    strings, text = Strings(), Text()

    def start(name: str, _: dict[str, str]) -> None:
        if name == "si":
            text.begin()
        else:
            text.start(name)

    def end(name: str) -> None:
        if name == "si":
            strings.append(text.value())
        else:
            text.end(name)

    for _ in spreadsheet_xml.parse(archive.chunks(part), start, end, text.add):
        pass
    return strings


def _character(found: re.Match[str]) -> str:
    return chr(int(found[1], 16))
