"""What batches need, in memory; each passes the contract suite of its adapter."""

import io
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import date, datetime, timedelta
from threading import RLock
from types import TracebackType
from typing import BinaryIO, Self, cast

from chalicelib.adapters import spreadsheet
from chalicelib.domain.batch import Batch, Chunk, FileLayout, progress_of
from chalicelib.domain.batch_messages import RowMessage, decode, encode
from chalicelib.domain.batch_rows import Row
from chalicelib.services.batch_ports import Batching, BatchPage, FileChangedError, Upload
from chalicelib.services.ports import Clock, UnavailableError
from tests.fakes.cursor import page

RECORD_TIME = timedelta(days=730)


class FakeBatches:
    """What stands there is in ``items``, ``counters`` and ``ends``; ``down`` fails every call.

    ``lose_reply_next`` chunks are written and UnavailableError is raised all the same.
    """

    def __init__(self, clock: Clock) -> None:
        self.items: dict[str, Batch] = {}
        self.counters: dict[str, Counter[str]] = {}
        self.ends: dict[tuple[str, int], Chunk] = {}
        self.down = False
        self.lose_reply_next = 0
        self._at: dict[str, datetime] = {}
        self._clock = clock
        self._lock = RLock()

    def get(self, batch_id: str) -> Batch | None:
        with self._lock:
            self._reach()
            return self._standing(batch_id)

    def add(self, batch: Batch) -> bool:
        with self._lock:
            self._reach()
            if self._standing(batch.id) is None:
                self.items[batch.id] = _bare(batch)
            return self.items[batch.id] == _bare(batch)

    def replace(self, after: Batch, before: Batch) -> bool:
        with self._lock:
            self._reach()
            standing = self.items.get(after.id)
            if standing is not None and standing.revision == before.revision:
                self.items[after.id] = _bare(after)
            return self.items.get(after.id) == _bare(after)

    def add_chunk(self, chunk: Chunk, counters: Mapping[str, int]) -> Chunk | None:
        with self._lock:
            self._reach()
            place = (chunk.batch_id, chunk.row)
            standing = self.ends.get(place)
            if standing is not None:
                return None if standing == chunk else standing
            self.ends[place] = chunk
            self.counters.setdefault(chunk.batch_id, Counter()).update(counters)
            self._at[chunk.batch_id] = self._clock.now()
            if self.lose_reply_next:
                self.lose_reply_next -= 1
                raise UnavailableError("the reply was lost")
            return None

    def chunk(self, batch_id: str, row: int) -> Chunk | None:
        with self._lock:
            self._reach()
            return self.ends.get((batch_id, row))

    def chunks(self, batch_id: str, from_row: int, to_row: int | None = None) -> Iterator[Chunk]:
        with self._lock:
            self._reach()
            return iter(
                [
                    chunk
                    for (owner, row), chunk in sorted(self.ends.items())
                    if owner == batch_id and from_row <= row and (to_row is None or row <= to_row)
                ]
            )

    def chunk_before(self, batch_id: str, row: int) -> Chunk | None:
        return next(iter([*self.chunks(batch_id, 0, row)][::-1]), None)

    def of_day(self, day: date, limit: int, cursor: str | None) -> BatchPage:
        with self._lock:
            self._reach()
            standing = (one for one in map(self._standing, self.items) if one is not None)
            return BatchPage(*page(standing, day, limit, cursor))

    def due(self, until: datetime, limit: int) -> Sequence[Batch]:
        with self._lock:
            self._reach()
            found = sorted(
                (one.due_at, one.id) for one in self.items.values() if one.due_at is not None
            )
            loaded = (self._standing(one) for due_at, one in found if due_at <= until)
            return [one for one in loaded if one is not None][:limit]

    def _standing(self, batch_id: str) -> Batch | None:
        found = self.items.get(batch_id)
        if found is None:
            return None
        over = found.due_at is None and found.ended_at is not None
        if over and found.ended_at and found.ended_at + RECORD_TIME < self._clock.now():
            return None
        counters = self.counters.get(batch_id)
        if counters is None:
            return found
        return replace(found, progress=progress_of(counters, self._at[batch_id]))

    def _reach(self) -> None:
        if self.down:
            raise UnavailableError("the table is out of reach")


def _bare(batch: Batch) -> Batch:
    fresh = type(batch.progress)()
    return replace(batch, progress=fresh)


class FakeFiles:
    """What lies there is in ``objects``; ``deleted`` are the keys that were removed.

    While ``down`` is true every call fails; ``put_next`` replaces an object at the next read of
    an open one, as somebody might.
    """

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.deleted: list[str] = []
        self.down = False
        self.put_next: dict[str, bytes] = {}
        self._versions: Counter[str] = Counter()

    def put(self, key: str, body: bytes) -> None:
        self._reach()
        self.objects[key] = body
        self._versions[key] += 1

    def upload(self, key: str, seconds: int) -> Upload:
        return Upload("PUT", f"https://bucket.example/{key}?for={seconds}", {"x-sealed": "yes"})

    def open(self, key: str) -> BinaryIO:
        self._reach()
        if key not in self.objects:
            raise UnavailableError("bucket: NoSuchKey")
        return cast("BinaryIO", io.BufferedReader(_Watched(self, key), 1024))

    def read(self, key: str, start: int, end: int) -> bytes:
        self._reach()
        if key not in self.objects:
            raise UnavailableError("bucket: NoSuchKey")
        return self.objects[key][start:end]

    def writer(self, key: str) -> "_FakeWriter":
        return _FakeWriter(self, key)

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._reach()
            self.deleted.append(key)
            self.objects.pop(key, None)

    def version(self, key: str) -> int:
        return self._versions[key]

    def _reach(self) -> None:
        if self.down:
            raise UnavailableError("bucket: down")


class _Watched(io.RawIOBase):
    def __init__(self, files: FakeFiles, key: str) -> None:
        super().__init__()
        self._files = files
        self._key = key
        self._version = files.version(key)
        self._raw = io.BytesIO(files.objects[key])

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return self._raw.seek(offset, whence)

    def tell(self) -> int:
        return self._raw.tell()

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        if self._key in self._files.put_next:
            self._files.put(self._key, self._files.put_next.pop(self._key))
        if self._files.version(self._key) != self._version:
            raise FileChangedError("replaced")
        return self._raw.readinto(buffer)


class _FakeWriter:
    def __init__(self, files: FakeFiles, key: str) -> None:
        self._files = files
        self._key = key
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> None:
        self._parts.append(data)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exc is None:
            self._files.put(self._key, b"".join(self._parts))


class FakeRowQueue:
    """``sent`` lists the messages and their delays; while ``down`` is true nothing is taken."""

    def __init__(self) -> None:
        self.sent: list[tuple[RowMessage, int]] = []
        self.down = False

    def send(self, message: RowMessage, delay: int = 0) -> None:
        if self.down:
            raise UnavailableError("the queue is out of reach")
        self.sent.append((decode(encode(message)), delay))

    def taken(self) -> list[tuple[RowMessage, int]]:
        """What was sent since the last time."""
        found, self.sent = self.sent, []
        return found


def fake_batching(clock: Clock) -> Batching:
    """All of them, over the real reader, which needs nothing from outside."""
    return Batching(FakeBatches(clock), FakeFiles(), FakeRowQueue(), _read)


def _read(file: BinaryIO, layout: FileLayout) -> Iterator[Row]:
    return spreadsheet.rows(file, **asdict(layout))
