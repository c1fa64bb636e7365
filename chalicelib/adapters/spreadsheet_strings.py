"""A workbook's shared strings: cells hold their numbers, so all are kept, closely packed."""

import re
from array import array

from chalicelib.adapters import spreadsheet_xml
from chalicelib.adapters.spreadsheet_zip import Archive
from chalicelib.domain.batch_cells import MAX_CHARACTERS
from chalicelib.domain.batch_file import DAMAGED, FileError

MAX_STRINGS = 128 * 1_000_000
"""Bytes that are held of them."""

_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")


class Text:
    """Gathers the text of one cell or string: runs of it, without how it is pronounced."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._left = 0
        self._open = False
        self._pronounced = False

        self.starts = {"t": self._start_t, "rPh": self._start_pronunciation}
        self.ends = {"t": self._end_t, "rPh": self._end_pronunciation}

    def begin(self, _: object = None) -> None:
        """Forget what was gathered."""
        self._parts = []
        # One character more than a cell may have, for the rule to see; escapes have seven.
        self._left = 7 * (MAX_CHARACTERS + 1)

    def _start_t(self, _: dict[str, str]) -> None:
        """A run of text begins."""
        self._open = not self._pronounced

    def _end_t(self) -> None:
        """It ends."""
        self._open = False

    def _start_pronunciation(self, _: dict[str, str]) -> None:
        """What follows is how it is read, not what it says."""
        self._pronounced = True

    def _end_pronunciation(self) -> None:
        """It ends."""
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
            text = _whole(_ESCAPED.sub(_character, text))
        return text[: MAX_CHARACTERS + 1]


class Strings:
    """The strings by number: one run of UTF-8, and where each ends."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._ends = array("I", [0])

    def append(self, text: str) -> None:
        """One more; raises FileError."""
        self._bytes += text.encode()
        self._ends.append(len(self._bytes))
        if len(self._bytes) + len(self._ends) * self._ends.itemsize > MAX_STRINGS:
            raise FileError(
                f"The texts of the workbook take more than {MAX_STRINGS // 1_000_000} MB; split "
                "it, or save it as CSV."
            )

    def __getitem__(self, number: int) -> str:
        if not 0 <= number < len(self._ends) - 1:
            raise FileError(DAMAGED)
        return self._bytes[self._ends[number] : self._ends[number + 1]].decode()


def read(archive: Archive, part: str) -> Strings:
    """All of a part; raises FileError."""
    strings, text = Strings(), Text()

    def end_string() -> None:
        strings.append(text.value())

    starts = {"si": text.begin, **text.starts}
    ends = {"si": end_string, **text.ends}
    for _ in spreadsheet_xml.parse(archive.chunks(part), starts, ends, text.add):
        pass
    return strings


def _character(found: re.Match[str]) -> str:
    return chr(int(found[1], 16))


def _whole(text: str) -> str:
    """The text whose escaped halves are characters, or U+FFFD: a half can be written nowhere."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
