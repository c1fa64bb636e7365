"""What batches need from outside, as protocols.

Apart from ``ports``, so that a cold start of what has nothing to do with batches does not pay for
them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from types import TracebackType
from typing import BinaryIO, NamedTuple, Protocol, Self

from chalicelib.domain.batch import Batch, Chunk, FileLayout
from chalicelib.domain.batch_messages import RowMessage
from chalicelib.domain.batch_rows import Row
from chalicelib.services.ports import PortError


class FileChangedError(PortError):
    """Another object was put under the key while it was read."""


@dataclass(frozen=True, slots=True)
class BatchPage:
    """Some of a list of batches, newest first, and where the next part starts."""

    items: Sequence[Batch]
    next_cursor: str | None


class Batches(Protocol):
    """Batches and how their rows ended, in the one table; all raise UnavailableError."""

    def get(self, batch_id: str) -> Batch | None:
        """The batch with its progress, None if there is none or its retention ended."""

    def add(self, batch: Batch) -> bool:
        """Keep a new one; whether it was not there before."""

    def replace(self, after: Batch, before: Batch) -> bool:
        """Put ``after`` in the place of ``before`` if it still stands; whether that was so.

        The progress is not part of it.
        """

    def add_chunk(self, chunk: Chunk, counters: Mapping[str, int]) -> Chunk | None:
        """Write it and add to the batch's counters, all or nothing; first come, first served.

        None if it stands now; else whatever stands in its place.
        """

    def chunk(self, batch_id: str, row: int) -> Chunk | None:
        """The chunk that begins with that row."""

    def chunks(self, batch_id: str, from_row: int, to_row: int | None = None) -> Iterator[Chunk]:
        """Those that begin with these rows, or between them, in order."""

    def chunk_before(self, batch_id: str, row: int) -> Chunk | None:
        """The last one that begins with that row or before."""

    def of_day(self, day: date, limit: int, cursor: str | None) -> BatchPage:
        """Batches created that day (UTC+8); raises ValueError for a broken cursor."""

    def due(self, until: datetime, limit: int) -> Sequence[Batch]:
        """Those that have to be looked at before ``until``, earliest first."""


class Upload(NamedTuple):
    """Where a file is to be put, and with which headers."""

    method: str
    url: str
    headers: Mapping[str, str]


class FileWriter(Protocol):
    """An object in the making: it is there once the block ends well, and never in part."""

    def write(self, data: bytes) -> None:
        """Add to it."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


class Files(Protocol):
    """The bucket, sealed at rest; all raise UnavailableError, for what is not there as well."""

    def put(self, key: str, body: bytes) -> None:
        """Put a small object."""

    def upload(self, key: str, seconds: int) -> Upload:
        """An address under which others may put it for so long."""

    def open(self, key: str) -> BinaryIO:
        """The object as it stands now, seekable, a few blocks of it in memory at a time.

        Reading raises FileChangedError once another one was put in its place.
        """

    def read(self, key: str, start: int, end: int) -> bytes:
        """These bytes of it."""

    def writer(self, key: str) -> FileWriter:
        """Write one of any size, a block of it in memory at a time."""

    def delete(self, keys: Iterable[str]) -> None:
        """Remove them; those that are not there are no error."""


class RowQueue(Protocol):
    """At least once, in any order, to the row workers."""

    def send(self, message: RowMessage, delay: int = 0) -> None:
        """Hand it over, to arrive after ``delay`` seconds (900 at most); UnavailableError."""


ReadRows = Callable[[BinaryIO, FileLayout], Iterator[Row]]
"""The file's rows one by one; raises ``batch_rows.FileError``."""


@dataclass(frozen=True, slots=True)
class Batching:
    """The ports of batches, built when the first one is needed."""

    batches: Batches
    files: Files
    rows: RowQueue
    read_rows: ReadRows
