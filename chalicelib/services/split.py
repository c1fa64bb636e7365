"""The splitter: an uploaded file becomes rows that the workers can be given in chunks.

Nothing is paid for here, so that it may be done again at any time: each try writes objects of its
own, and the conditional write of the batch decides whose are used. A file that came later, or a
second time, is deleted unread.
"""

import secrets as randomness
from array import array
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from hashlib import blake2b
from io import SEEK_END
from typing import BinaryIO

from chalicelib.domain import batch as rules
from chalicelib.domain import batch_index, batch_rows, events, person_name, resident_id
from chalicelib.domain.batch import (
    CHUNK_ROWS,
    UPLOADS,
    Batch,
    BatchStatus,
    FileLayout,
    FileProblem,
    Split,
)
from chalicelib.domain.batch_cells import Flaw
from chalicelib.domain.batch_file import FileError
from chalicelib.domain.batch_index import Line
from chalicelib.domain.batch_rows import Row
from chalicelib.domain.errors import TestIdentityError
from chalicelib.domain.verification import CHINA
from chalicelib.services.batch_ports import Batching, FileChangedError, FileWriter
from chalicelib.services.batches import delete_files, move, send_run
from chalicelib.services.verify import Policy, Tools

_TRIES = 3
_LAYOUT_BYTES = 64 * 1024
_SHOWN = 50
"""Characters of a masked cell that are kept at most."""

_WAITING = {BatchStatus.AWAITING_UPLOAD, BatchStatus.SPLITTING}


def split(key: str, *, tools: Tools, batching: Batching, policy: Policy) -> None:
    """Deal with the object that was put under a key; harmless to repeat.

    Raises UnavailableError.
    """
    if not key.startswith(UPLOADS):
        return
    batch = batching.batches.get(key.removeprefix(UPLOADS))
    if batch is None or batch.status not in _WAITING:
        batching.files.delete([key])
        return
    for _ in range(_TRIES):
        with suppress(FileChangedError):
            _split(batch, tools, batching, policy)
            return
    _fail(batch, FileError("Other files were put in its place while it was read."), tools, batching)


def _split(batch: Batch, tools: Tools, batching: Batching, policy: Policy) -> None:
    token = randomness.token_hex(8)
    own = (f"rows/{batch.id}/{token}", f"rows/{batch.id}/{token}.index")
    begun = move(
        batch.id, lambda found: rules.split_begun(found, own, tools.clock.now()), batching, _WAITING
    )
    if begun is None:
        return
    today = tools.clock.now().astimezone(CHINA).date()
    try:
        with batching.files.open(batch.upload_key) as file, batching.files.writer(own[0]) as out:
            _refuse_if_too_large(file)
            people = batching.read_rows(file, _layout(batch, batching))
            splitter = _Splitter(out, today, policy)
            splitter.run(people)
    except FileError as exc:
        _fail(begun, exc, tools, batching)
        return
    batching.files.put(own[1], bytes(splitter.index))
    found = splitter.found(*own)
    done = rules.split_done(begun, found, tools.clock.now())
    if not batching.batches.replace(done, begun):
        # Cancelled, or another try took over: what this one wrote is nobody's.
        batching.files.delete(own)
        return
    tools.tell(events.batch_moved(done))
    batching.files.delete(key for key in (batch.upload_key, batch.layout_key) if key)
    if done.status is BatchStatus.RUNNING:
        send_run(done, tools, batching)


def _layout(batch: Batch, batching: Batching) -> FileLayout:
    if batch.layout_key is None:
        return FileLayout(batch.format)
    return FileLayout.of(batching.files.read(batch.layout_key, 0, _LAYOUT_BYTES))


def _refuse_if_too_large(file: BinaryIO) -> None:
    if file.seek(0, SEEK_END) > rules.MAX_UPLOAD:
        limit = rules.MAX_UPLOAD // 1024 // 1024
        raise FileError(f"The file has more than {limit} MiB; split it, or leave out columns.")
    file.seek(0)


def _fail(batch: Batch, exc: FileError, tools: Tools, batching: Batching) -> None:
    problem = FileProblem("batch_file_unreadable", exc.detail, exc.row)
    failed = move(
        batch.id, lambda found: rules.fail(found, problem, tools.clock.now()), batching, _WAITING
    )
    if failed is not None:
        tools.tell(events.batch_moved(failed))
        delete_files(failed, batching)


class _Splitter:
    """Writes rows one by one; what it keeps of all of them are some bytes each."""

    def __init__(self, out: FileWriter, today: date, policy: Policy) -> None:
        self.index = bytearray()
        self._out = out
        self._today = today
        self._policy = policy
        self._seen = _Seen()
        self._flaws: Counter[str] = Counter()
        self._total = 0
        self._duplicates = 0
        self._bytes = 0

    def run(self, people: Iterator[Row]) -> None:
        """Write all of them."""
        for row in people:
            if self._total % CHUNK_ROWS == 0:
                self.index += batch_index.entry(self._bytes, row.number)
            text = batch_index.line(self._line(row))
            self._out.write(text)
            self._bytes += len(text)
            self._total += 1
        self.index += batch_index.entry(self._bytes, 0)

    def _line(self, row: Row) -> Line:
        found = self._person(row)
        reference = row.reference or ""
        if isinstance(found, Flaw):
            self._flaws[found.code] += 1
            return Line(row.number, *self._masked(row), reference, found.code)
        self._duplicates += self._seen.before(*found)
        return Line(row.number, *found, reference, "")

    def _person(self, row: Row) -> tuple[str, str] | Flaw:
        found = batch_rows.person(
            row, today=self._today, check_character=self._policy.check_character
        )
        if isinstance(found, Flaw) or not self._policy.live:
            return found
        is_test = resident_id.is_test_identity(found[1])
        return Flaw(TestIdentityError.code, "") if is_test else found

    @staticmethod
    def _masked(row: Row) -> tuple[str, str]:
        """Anything may stand in a cell: of a number only what looks like one is shown in part."""
        name, number = person_name.compact(row.name), resident_id.compact(row.id_number)
        shown = resident_id.mask(number) if number[:-1].isdigit() else "*" * len(number)
        return person_name.mask(name)[:_SHOWN], shown[:_SHOWN]

    def found(self, rows_key: str, index_key: str) -> Split:
        """What came of it."""
        return Split(
            rows_key,
            index_key,
            chunks=len(self.index) // batch_index.ENTRY_BYTES - 1,
            total=self._total,
            hopeless=self._flaws.total(),
            duplicates=self._duplicates,
            flaws=dict(self._flaws),
        )


class _Seen:
    """People by 64 bits of a keyed hash, in a table of 16 MB: twice as many places as MAX_ROWS.

    Two people share a hash once in ten million such files; that only makes one count wrong, never
    a result.
    """

    _SLOTS = 1 << 21

    def __init__(self) -> None:
        self._key = randomness.token_bytes(16)
        self._slots = array("Q", [0]) * self._SLOTS

    def before(self, name: str, id_number: str) -> bool:
        """Whether it was seen; now it is."""
        digest = blake2b(f"{name}\0{id_number}".encode(), digest_size=8, key=self._key).digest()
        wanted = int.from_bytes(digest, "big") or 1
        place = wanted % self._SLOTS
        while self._slots[place]:
            if self._slots[place] == wanted:
                return True
            place = (place + 1) % self._SLOTS
        self._slots[place] = wanted
        return False
