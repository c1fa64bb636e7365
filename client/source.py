"""The file of a batch: what it is, its hash, and its way to the service."""

import base64
import codecs
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from client.errors import ClientError, usage_error
from client.exits import Exit

INLINE_BYTES = 4 * 1024 * 1024
"""What the service takes inside a request; more goes to a presigned URL."""

MAX_BYTES = 200 * 1024 * 1024

_CHUNK = 1 << 20
_WORKBOOK = b"PK\x03\x04"
_OLD_OR_ENCRYPTED = b"\xd0\xcf\x11\xe0"


@dataclass(frozen=True, slots=True)
class Source:
    """A file as it was when it was read first; ``codec`` is Python's name, for CSV."""

    path: Path
    format: str
    size: int
    sha256: str
    codec: str


def look(path: Path, encoding: str | None) -> Source:
    """Read the file once, a piece at a time; raises ClientError where it cannot be a list."""
    try:
        with path.open("rb") as stream:
            begin = stream.read(4)
            stream.seek(0)
            digest, is_utf8, size = _read(stream)
    except OSError as exc:
        raise unreadable(path, exc) from None
    if begin == _OLD_OR_ENCRYPTED:
        raise usage_error(
            f"{path}: an old workbook (.xls), or one with a password; save it as .xlsx without one",
            f"{path}：是旧版工作簿（.xls）或设有密码；请另存为不带密码的 .xlsx",
        )
    if not size:
        raise usage_error(f"{path}: is empty", f"{path}：是空文件")
    if size > MAX_BYTES:
        raise usage_error(
            f"{path}: is larger than {MAX_BYTES // 1024**2} MB; split it",
            f"{path}：超过 {MAX_BYTES // 1024**2} MB；请拆分",
        )
    kind = "xlsx" if begin == _WORKBOOK else "csv"
    return Source(path, kind, size, digest, _codec(begin, encoding, is_utf8=is_utf8))


def _read(stream: IO[bytes]) -> tuple[str, bool, int]:
    digest, decoder = hashlib.sha256(), codecs.getincrementaldecoder("utf-8")()
    is_utf8, size = True, 0
    while chunk := stream.read(_CHUNK):
        digest.update(chunk)
        size += len(chunk)
        try:
            if is_utf8:
                decoder.decode(chunk)
        except UnicodeDecodeError:
            is_utf8 = False
    return digest.hexdigest(), is_utf8, size


def _codec(begin: bytes, encoding: str | None, *, is_utf8: bool) -> str:
    if begin[:2] in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}:
        return "utf-16"
    if encoding == "gb18030" or not (encoding or is_utf8):
        return "gb18030"
    return "utf-8-sig"


def inline(source: Source) -> str:
    """The whole file in base64; for small ones only."""
    content = source.path.read_bytes()
    if hashlib.sha256(content).hexdigest() != source.sha256:
        raise changed(source)
    return base64.b64encode(content).decode()


class Upload:
    """The file as a request's body, piece by piece; a file that has changed is never sent whole."""

    def __init__(self, source: Source, stream: IO[bytes], told: Callable[[int], object]) -> None:
        self._source = source
        self._stream = stream
        self._told = told
        self._digest = hashlib.sha256()
        self._left = source.size

    def __len__(self) -> int:
        return self._source.size

    def read(self, size: int = -1) -> bytes:
        """The next piece; raises ClientError instead of the last one of a changed file."""
        wanted = self._left if size < 0 else min(size, self._left)
        chunk = self._stream.read(wanted)
        self._digest.update(chunk)
        self._left -= len(chunk)
        if len(chunk) < wanted or (
            not self._left and self._digest.hexdigest() != self._source.sha256
        ):
            raise changed(self._source)
        self._told(len(chunk))
        return chunk


def check_unchanged(source: Source) -> None:
    """Raise ClientError if the file is not what was sent: results would meet the wrong rows."""
    try:
        with source.path.open("rb") as stream:
            digest, _, _ = _read(stream)
    except OSError as exc:
        raise unreadable(source.path, exc) from None
    if digest != source.sha256:
        raise changed(source)


def changed(source: Source) -> ClientError:
    """The file is not what was read first."""
    return ClientError(
        Exit.USAGE,
        "file_changed",
        f"{source.path}: has changed since it was read; put it back as it was, or start anew",
        f"{source.path}：文件在读取之后被改动；请恢复原样，或重新开始",
    )


def unreadable(path: Path, exc: OSError) -> ClientError:
    """The file cannot be opened or read."""
    return usage_error(f"{path}: {exc.strerror}", f"{path}：{exc.strerror}")
