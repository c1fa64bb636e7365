"""What a row worker does with a message; an exception leaves the message for another time.

A row is asked as any question is: the same claim, breaker, caps and end. Its key is made of the
batch and the person, so that however often, and by however many workers, its message is worked on,
one call is made; and so that a person who stands in the file twice is asked once. Only when rows
have their ends are they written, all those of a stretch at once; whoever writes a stretch first
counts, and another worker writes what lies behind it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from chalicelib.domain import batch as rules
from chalicelib.domain import batch_index, codes, events
from chalicelib.domain.batch import Batch, BatchStatus, Chunk, Pause, RowEnd
from chalicelib.domain.batch_index import ENTRY_BYTES, Line, entries
from chalicelib.domain.batch_messages import Dispatch, Rows
from chalicelib.domain.codes import Billed, Trip
from chalicelib.domain.errors import (
    BreakerOpenError,
    ErasedError,
    IdempotencyKeyReusedError,
    RequestError,
    ServiceError,
    VerificationEndedError,
    VerificationInProgressError,
)
from chalicelib.domain.verification import Status, Verification, VerificationRequest
from chalicelib.services.batch_ports import Batching
from chalicelib.services.batches import complete_if_done, move
from chalicelib.services.ports import UnavailableError
from chalicelib.services.verify import Policy, Run, Tools

LOOK_SECONDS = 3.0
"""How long it may take until a worker sees that its batch was paused."""

PORTION = 200
"""Chunks that one message sends."""

_WAIT_FOR_ANOTHER = 1.0
"""Seconds; whoever asks the same right now is looked after by a later message."""

_SHORT = timedelta(minutes=1)
_DAY = timedelta(days=1)
_SOON = 10
_MAX_DELAY = 900
_HUMANS = frozenset(row.problem for row in codes.ROWS.values() if row.trip is Trip.HOLD)
"""Problems that last until a human acts."""


class Stop(NamedTuple):
    """Why the rows from here on have to wait: for some seconds, or with the whole batch."""

    delay: int = 0
    pause: Pause | None = None


class Asked(NamedTuple):
    """A row's end, and the words by which it is counted."""

    end: RowEnd
    size: int
    outcome: str
    billed: str


@dataclass(slots=True)
class Worker:
    """The ports, what they obey, and the seconds that are left of the function's time."""

    tools: Tools
    batching: Batching
    policy: Policy
    seconds_left: Callable[[], float]
    margin: float

    def work(self, message: Rows) -> None:
        """Ask the rows of a message; raises UnavailableError, ServiceError."""
        batch = self._active(message)
        if batch is None:
            return
        stretch = self._open_part(message)
        if stretch is not None:
            self._work(batch, stretch, message)
        # Also where nothing was left to ask: who wrote the last end may not have come so far.
        found = self.batching.batches.get(batch.id)
        if found is not None:
            complete_if_done(found, tools=self.tools, batching=self.batching)

    def _work(self, batch: Batch, stretch: Rows, message: Rows) -> None:
        """Ask what of a message has no end yet, and see to what is left."""
        lines = self._lines(batch, stretch)
        asked, stop = self._asked(batch, lines)
        rest = self._written(batch, stretch, asked, lines)
        if stop is not None and stop.pause is not None:
            self._pause(batch, stop.pause)
        elif rest is not None and self._active(message) is not None:
            self._send(rest, min(stop.delay if stop else 0, _MAX_DELAY))

    def _active(self, message: Rows | Dispatch) -> Batch | None:
        """The batch, if this message is of the run that it is in."""
        found = self.batching.batches.get(message.batch_id)
        if found is None or found.status is not BatchStatus.RUNNING or found.run != message.run:
            return None
        return found

    def _open_part(self, message: Rows) -> Rows | None:
        """What of it has no end yet."""
        while (chunk := self.batching.batches.chunk(message.batch_id, message.row)) is not None:
            if chunk.end >= message.end or chunk.next_row is None:
                return None
            message = replace(message, start=chunk.end, row=chunk.next_row)
        return message

    def _lines(self, batch: Batch, stretch: Rows) -> list[Line]:
        data = self.batching.files.read(batch.rows_key or "", stretch.start, stretch.end)
        return [*batch_index.lines(data)]

    def _asked(self, batch: Batch, lines: list[Line]) -> tuple[list[Asked], Stop | None]:
        """The ends of the first rows, and why the others have none."""
        asked: list[Asked] = []
        looked = self.tools.clock.monotonic()
        for line in lines:
            if not line.flaw:
                if self.seconds_left() < self.margin:
                    return asked, Stop()
                if self.tools.clock.monotonic() - looked >= LOOK_SECONDS:
                    looked = self.tools.clock.monotonic()
                    if self._active(Dispatch(batch.id, batch.run)) is None:
                        return asked, Stop()
            found = self._row(batch, line)
            if isinstance(found, Stop):
                return asked, found
            asked.append(found)
        return asked, None

    def _row(self, batch: Batch, line: Line) -> Asked | Stop:
        row = _Row(batch, line, self.tools, self.policy)
        if line.flaw:
            return row.hopeless()
        try:
            return row.ended(row.run().answer().verification)
        except ServiceError as exc:
            return row.otherwise(exc)
        except UnavailableError:
            return Stop(_SOON)

    def _written(
        self, batch: Batch, stretch: Rows, asked: list[Asked], lines: list[Line]
    ) -> Rows | None:
        """Write the ends, but for those that another worker wrote first; what is left to ask."""
        start, row, done = stretch.start, stretch.row, 0
        while done < len(asked):
            now = asked[done:]
            end = start + sum(one.size for one in now)
            following = done + len(now)
            chunk = Chunk(
                batch.id,
                row,
                start,
                end,
                tuple(one.end for one in now),
                lines[following].number if following < len(lines) else None,
            )
            counters = rules.tally([(one.outcome, one.billed) for one in now])
            standing = self.batching.batches.add_chunk(chunk, counters)
            chunk = standing or chunk
            done += len(chunk.ends)
            start = chunk.end
            if done < len(lines):
                row = lines[done].number
        return replace(stretch, start=start, row=row) if done < len(lines) else None

    def _pause(self, batch: Batch, why: Pause) -> None:
        """Unless somebody else did, or it is in another run by now."""

        def change(found: Batch) -> Batch:
            return rules.pause(found, why) if found.run == batch.run else found

        paused = move(batch.id, change, self.batching, {BatchStatus.RUNNING})
        if paused is not None:
            self.tools.tell(events.batch_moved(paused))

    def _send(self, message: Rows | Dispatch, delay: int = 0) -> None:
        self.batching.rows.send(replace(message, correlation=self.tools.correlation), delay)

    def dispatch(self, message: Dispatch) -> None:
        """Send what of some chunks has no end, and then a message for those behind them."""
        batch = self._active(message)
        if batch is None or message.from_chunk >= batch.chunks:
            return
        if complete_if_done(batch, tools=self.tools, batching=self.batching):
            return
        last = min(message.from_chunk + PORTION, batch.chunks)
        data = self.batching.files.read(
            batch.index_key or "", message.from_chunk * ENTRY_BYTES, (last + 1) * ENTRY_BYTES
        )
        places = entries(data)
        to_row = places[-1].row - 1 if places[-1].row else None
        covered = {
            chunk.start: chunk
            for chunk in self.batching.batches.chunks(batch.id, places[0].row, to_row)
        }
        for place, following in pairwise(places):
            start, row = place.start, place.row
            while (chunk := covered.get(start)) is not None:
                start, row = chunk.end, chunk.next_row or row
            if start < following.start:
                self._send(Rows(batch.id, batch.run, start, following.start, row))
        if last < batch.chunks:
            self._send(Dispatch(batch.id, batch.run, last))


@dataclass(slots=True)
class _Row:
    """One row that is asked."""

    batch: Batch
    line: Line
    tools: Tools
    policy: Policy

    @property
    def reference(self) -> str:
        """What its verification is called."""
        return rules.row_reference(self.batch.id, self.line.number)

    def run(self) -> Run:
        """The question on its way."""
        line, secret = self.line, self.tools.secrets.current()
        request = VerificationRequest(
            line.name,
            line.id_number,
            self.reference,
            self.batch.max_age_seconds,
            secret.row_key(self.batch.id, line.name, line.id_number),
        )
        # Nobody reads the derived fields of a list: they are not kept, which saves sealing them.
        policy = replace(self.policy, keep_person=False, duplicate_wait=_WAIT_FOR_ANOTHER)
        return Run(
            request, self.batch.client, self.tools, policy, started=self.tools.clock.monotonic()
        )

    def ended(self, found: Verification) -> Asked:
        """It is this row's verification that ended."""
        if found.outcome is not None:
            outcome = found.outcome.value
        else:
            outcome = "unknown" if found.status is Status.UNKNOWN else "failed"
        return self._counted(
            RowEnd(self.line.number, self.line.reference, found.id), outcome, found
        )

    def _counted(self, end: RowEnd, outcome: str, found: Verification | None = None) -> Asked:
        billed = Billed.NO if found is None else found.billed
        return Asked(end, self.line.size, outcome, billed.value)

    def _of(self, found_id: str, number: int, outcome: str = "duplicate") -> Asked:
        end = RowEnd(self.line.number, self.line.reference, found_id, duplicate_of=number)
        return self._counted(end, outcome)

    def hopeless(self) -> Asked:
        """It is not asked at all."""
        line = self.line
        end = RowEnd(
            line.number,
            line.reference,
            flaw=line.flaw,
            name_masked=line.name,
            id_number_masked=line.id_number,
        )
        return self._counted(end, "hopeless")

    def otherwise(self, exc: ServiceError) -> Asked | Stop:
        """It has no outcome, or none of its own, or not now."""
        match exc:
            case VerificationEndedError():
                return self.without_outcome(exc)
            case IdempotencyKeyReusedError():
                return self.anothers(exc)
            case VerificationInProgressError():
                return self.anothers(exc, still=True)
            case RequestError() | ErasedError():
                return self.refused(exc)
        return _stopped(exc, self.tools.clock.now())

    def without_outcome(self, exc: VerificationEndedError) -> Asked | Stop:
        """Its own end, one that may be asked again, or that of the person's last verification."""
        found = exc.verification
        if found.reference != self.reference:
            number = rules.row_of(found.reference, self.batch.id)
            return self._of(found.id, number, found.status.value)
        if found.status is Status.FAILED and found.retryable:
            return _stopped(exc, self.tools.clock.now())
        return self.ended(found)

    def anothers(self, exc: ServiceError, *, still: bool = False) -> Asked | Stop:
        """Another row has the same person; ``still`` if somebody is asking right now."""
        found_id = exc.verification_id or ""
        found = self.tools.repository.get(found_id)
        number = 0 if found is None else rules.row_of(found.reference, self.batch.id)
        if number and number != self.line.number:
            return self._of(found_id, number)
        return Stop(_SOON) if still else self.refused(exc)

    def refused(self, exc: ServiceError) -> Asked:
        """It cannot be asked at all."""
        end = RowEnd(self.line.number, self.line.reference, flaw=exc.code)
        return self._counted(end, "failed")


def _stopped(exc: ServiceError, now: datetime) -> Stop:
    """How long a trouble that is not the row's own holds up the others too."""
    wait = None if exc.retry_after is None else timedelta(seconds=exc.retry_after)
    if exc.code in _HUMANS or (isinstance(exc, BreakerOpenError) and wait is None):
        return Stop(pause=Pause(exc.code))
    if wait is not None and wait > _SHORT:
        # What lasts longer than a day, a human can mend sooner.
        return Stop(pause=Pause(exc.code, None if wait > _DAY else now + wait))
    if isinstance(exc, VerificationEndedError):
        return Stop(2 ** min(len(exc.verification.attempts), 10))
    return Stop(_SOON if wait is None else round(wait.total_seconds()))
