"""Which cells of a worksheet are covered by the one that they were merged with.

The ranges stand behind the rows, so they are looked for first, among the bytes: nothing else of
the worksheet is parsed for them.
"""

import heapq
import re
from collections.abc import Iterable

from chalicelib.domain.batch_file import DAMAGED, MAX_COLUMNS, FileError

MAX_RANGES = 100_000

_RANGE = re.compile(
    rb"""mergeCell\s[^>]{0,200}?ref\s*=\s*["']([A-Z]{1,3})([0-9]{1,7}):([A-Z]{1,3})([0-9]{1,7})["']"""
)
_LONGEST = 300  # bytes of one match


class Merged:
    """Ranges of a worksheet, asked row by row downwards."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        # first row, first column, last row, last column; from the first row down
        self._coming = sorted(_ranges(chunks), reverse=True)
        self._here: list[tuple[int, int, int, int]] = []  # a heap by last row

    def covered(self, row: int) -> set[int]:
        """Columns of the row, counted from 0, that another cell covers."""
        while self._coming and self._coming[-1][0] <= row:
            top, left, bottom, right = self._coming.pop()
            heapq.heappush(self._here, (bottom, top, left, right))
        while self._here and self._here[0][0] < row:
            heapq.heappop(self._here)
        if sum(right + 1 - left for _, _, left, right in self._here) > MAX_COLUMNS:
            raise FileError(DAMAGED, row)  # they overlap, which no spreadsheet allows
        return {
            column
            for _, top, left, right in self._here
            for column in range(left + (row == top), right + 1)
        }


def column(letters: bytes | str) -> int:
    """A column's place, counted from 0, from its letters.

    >>> column("A"), column(b"AB")
    (0, 27)
    """
    place = 0
    for letter in letters if isinstance(letters, bytes) else letters.encode():
        place = place * 26 + letter - 64
    return place - 1


def _ranges(chunks: Iterable[bytes]) -> Iterable[tuple[int, int, int, int]]:
    count, before = 0, b""
    for chunk in chunks:
        data = before + chunk
        end = 0
        for found in _RANGE.finditer(data):
            end = found.end()
            count += 1
            if count > MAX_RANGES:
                raise FileError(f"More than {MAX_RANGES:,} merged cells; unmerge them.")
            left, top, right, bottom = found.groups()
            first, last = column(left), min(column(right), MAX_COLUMNS - 1)
            if first <= last:
                yield int(top), first, int(bottom), last
        before = data[max(end, len(data) - _LONGEST) :]
