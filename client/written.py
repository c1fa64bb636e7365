"""A file that is whole or not there."""

import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from typing import TextIO

_LEFT_OVER_SECONDS = 3600
_FORMULA = frozenset("=+-@＝＋－＠'")
# Also what shows as nothing: zero-width spaces and joiners, marks of writing direction.
_INVISIBLE = "\u180e\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff"
_BLANKS = re.compile(rf"\A[\s{_INVISIBLE}]*")
_CONTROL = frozenset("\t\r")


@contextmanager
def whole(path: Path) -> Iterator[TextIO]:
    """A text file for Excel (UTF-8 with BOM, the owner's alone) that replaces ``path`` at the end.

    Raises OSError. A killed process leaves a ``.part``; the next one clears it away.
    """
    for left in path.parent.glob(f".{escape(path.name)}.*.part"):
        if time.time() - left.stat().st_mtime > _LEFT_OVER_SECONDS:
            left.unlink(missing_ok=True)
    part = path.parent / f".{path.name}.{secrets.token_hex(4)}.part"
    # It holds persons: nobody else may read it, whatever the umask.
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8-sig", newline="") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def escaped(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula; one apostrophe less is the original.

    >>> escaped("=cmd|'/c calc'!A0"), escaped("张三")
    ("'=cmd|'/c calc'!A0", '张三')
    """
    dangerous = cell[:1] in _CONTROL or _BLANKS.sub("", cell, count=1)[:1] in _FORMULA
    return f"'{cell}" if dangerous else cell
