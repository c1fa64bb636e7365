"""A workbook's ZIP archive, opened so that none of its claims can cost memory.

The directory is bounded before it is read, what it promises is bounded before anything is
unpacked, and no part gives more than the directory promised of it: ``zipfile`` stops there, and
finds the checksum wrong.
"""

import io
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, BinaryIO, cast
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile

from chalicelib.domain.batch_file import DAMAGED, FileError

MAX_UNPACKED = 512 * 1_000_000
MAX_PARTS = 2_000
_MAX_READ = 1 << 20  # some hundred bytes a part; zipfile reads the whole directory at once
_CHUNK = 1 << 16
_ENCRYPTED = 0x1


class Archive:
    """The parts of a workbook by name."""

    def __init__(self, stream: BinaryIO) -> None:
        with errors():
            self._zip = ZipFile(cast("IO[bytes]", _Bounded(stream)))
        parts = self._zip.infolist()
        if len(parts) > MAX_PARTS:
            raise FileError(f"The workbook has more than {MAX_PARTS:,} parts; save it as CSV.")
        if sum(part.file_size for part in parts) > MAX_UNPACKED:
            raise FileError(
                f"The workbook is larger than {MAX_UNPACKED // 1_000_000} MB once unpacked; split "
                "it, or save it as CSV."
            )
        if any(part.flag_bits & _ENCRYPTED for part in parts):
            raise FileError("The workbook has a password; save it without one.")
        if not {part.compress_type for part in parts} <= {ZIP_STORED, ZIP_DEFLATED}:
            raise FileError(DAMAGED)  # what no spreadsheet writes, and zipfile unpacks unbounded

    def has(self, name: str) -> bool:
        """Whether there is such a part."""
        return name in self._zip.NameToInfo

    def chunks(self, name: str) -> Iterator[bytes]:
        """A part piece by piece; raises FileError."""
        with errors():
            if not self.has(name):
                raise FileError(DAMAGED)
            with self._zip.open(name) as part:
                while chunk := part.read(_CHUNK):
                    yield chunk


# Not OSError: the caller's own stream may fail, and be good the next time.
_ERRORS = (BadZipFile, EOFError, NotImplementedError, ValueError, struct.error, zlib.error)


@contextmanager
def errors() -> Iterator[None]:
    """Whatever zipfile finds wrong is one error."""
    try:
        yield
    except _ERRORS as exc:
        raise FileError(DAMAGED) from exc


class _Bounded(io.RawIOBase):
    """The stream, of which no one read takes more than an honest archive needs."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_SET and offset < 0:
            raise BadZipFile  # which a file would call an OSError
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(_MAX_READ + 1 if size < 0 else min(size, _MAX_READ + 1))
        if len(data) > _MAX_READ:
            raise FileError(f"The workbook has more than {MAX_PARTS:,} parts; save it as CSV.")
        return data
