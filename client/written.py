"""A file that is whole or not there."""

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

_LEFT_OVER_SECONDS = 3600


@contextmanager
def whole(path: Path) -> Iterator[TextIO]:
    """A text file for Excel (UTF-8 with BOM, the owner's alone) that replaces ``path`` at the end.

    Raises OSError. A killed process leaves a ``.part``; the next one clears it away.
    """
    for left in path.parent.glob(f".{path.name}.*.part"):
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
    """A cell that no spreadsheet takes for a formula.

    >>> escaped("=cmd|'/c calc'!A0"), escaped("张三")
    ("'=cmd|'/c calc'!A0", '张三')
    """
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
