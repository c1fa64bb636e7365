"""How a batch's rows stand now, in their order, for the owner's own list.

An end is kept as the id of a verification, so what is answered is that verification as it stands:
an answer that came late, or a human's word on an unknown, shows.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from chalicelib.domain import batch_index
from chalicelib.domain.batch import ENDED, Batch, Chunk, RowEnd
from chalicelib.domain.batch_index import ENTRY_BYTES, Line
from chalicelib.domain.errors import BatchFileError, BatchStateError
from chalicelib.domain.person_name import mask as mask_name
from chalicelib.domain.resident_id import mask as mask_number
from chalicelib.domain.verification import Verification
from chalicelib.services.batch_ports import Batching
from chalicelib.services.ports import Repository

WAITING = "waiting"
GONE = "gone"
"""The reason of a row whose verification's time is over."""

_BYTES = 256 * 1024


class ResultLine(NamedTuple):
    """One row of the result file; empty texts where there is nothing to say."""

    row: int
    reference: str
    name: str
    id_number: str
    outcome: str
    code: str
    billed: str
    reason: str
    verification_id: str


class ResultPage(NamedTuple):
    """Some rows, and the number of the next one (None: that was all)."""

    lines: Sequence[ResultLine]
    next_row: int | None


def page(
    batch: Batch, from_row: int, limit: int, *, repository: Repository, batching: Batching
) -> ResultPage:
    """Rows from that number on; raises BatchStateError, BatchFileError, UnavailableError.

    Of a batch that ended before all of its rows did, those that have no end are left out.
    """
    if batch.rows_key is None:
        if batch.problem is not None:
            raise BatchFileError(batch.problem.detail)
        raise BatchStateError(
            f"The batch is {batch.status.value}: there are results once its file has been read."
        )
    found = [*islice(_rows(batch, from_row, batching), limit + 1)]
    more = found[limit].number if len(found) > limit else None
    ids = {one.verification_id for one in found[:limit] if isinstance(one, RowEnd)} - {""}
    known = repository.many([*ids])
    return ResultPage([_result(one, known) for one in found[:limit]], more)


def _rows(batch: Batch, from_row: int, batching: Batching) -> Iterator[RowEnd | Line]:
    """Ends, and between them what waits, in order."""
    before = batching.batches.chunk_before(batch.id, from_row)
    place = _beginning(batch, from_row, before, batching)
    for chunk in batching.batches.chunks(batch.id, from_row if before is None else before.row):
        if place is not None and place < chunk.start:
            yield from _waiting(batch, place, chunk.start, from_row, batching)
        yield from (end for end in chunk.ends if end.number >= from_row)
        place = None if place is None else max(place, chunk.end)
    if place is not None:
        yield from _waiting(batch, place, None, from_row, batching)


def _beginning(batch: Batch, from_row: int, before: Chunk | None, batching: Batching) -> int | None:
    """Where in the file to look for rows that wait; None if there are none to be read."""
    if batch.status in ENDED or batch.index_key is None:
        return None
    index = batch_index.entries(
        batching.files.read(batch.index_key, 0, (batch.chunks + 1) * ENTRY_BYTES)
    )
    first = max((one.start for one in index[:-1] if one.row <= from_row), default=0)
    return first if before is None else max(first, before.start)


def _waiting(
    batch: Batch, start: int, end: int | None, from_row: int, batching: Batching
) -> Iterator[Line]:
    """Rows in these bytes of the file, some of it at a time."""
    ends = _size(batch, batching) if end is None else end
    left = b""
    while start < ends:
        upto = min(start + _BYTES, ends)
        data = left + batching.files.read(batch.rows_key or "", start, upto)
        whole, mark, left = data.rpartition(b"\n")
        yield from (line for line in batch_index.lines(whole + mark) if line.number >= from_row)
        start = upto


def _size(batch: Batch, batching: Batching) -> int:
    last = batch.chunks * ENTRY_BYTES
    (entry,) = batch_index.entries(
        batching.files.read(batch.index_key or "", last, last + ENTRY_BYTES)
    )
    return entry.start


def _result(row: RowEnd | Line, known: Mapping[str, Verification]) -> ResultLine:
    if isinstance(row, Line):
        return _of_waiting(row)
    if not row.verification_id:
        masked = (row.name_masked, row.id_number_masked)
        return ResultLine(row.number, row.reference, *masked, "", "", "no", row.flaw, "")
    found = known.get(row.verification_id)
    if found is None:
        return ResultLine(row.number, row.reference, "", "", "", "", "", GONE, row.verification_id)
    return ResultLine(
        row.number,
        "" if found.erased else row.reference,
        found.name_masked or "",
        found.id_number_masked or "",
        "" if found.outcome is None else found.outcome.value,
        found.resp_code or "",
        "no" if row.duplicate_of is not None else found.billed.value,
        f"duplicate_of:{row.duplicate_of}" if row.duplicate_of else _reason(found),
        found.id,
    )


def _of_waiting(row: Line) -> ResultLine:
    masked = (row.name, row.id_number)
    if not row.flaw:
        masked = (mask_name(row.name), mask_number(row.id_number))
    return ResultLine(row.number, row.reference, *masked, "", "", "no", row.flaw or WAITING, "")


def _reason(found: Verification) -> str:
    if found.problem is not None and found.outcome is None:
        return found.problem.code
    return "" if found.outcome is not None else found.status.value
