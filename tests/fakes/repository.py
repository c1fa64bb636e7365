"""The table in memory; passes the same contract suite as the DynamoDB adapter."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from threading import RLock

from chalicelib.domain.breaker import Breaker
from chalicelib.domain.caps import CapCounter
from chalicelib.domain.usage import DayUsage
from chalicelib.domain.verification import Status, Verification
from chalicelib.services.ports import (
    CapReachedError,
    Clock,
    ConflictError,
    Hold,
    HoldConflictError,
    Page,
    UnavailableError,
    Write,
)
from tests.fakes.cursor import page
from tests.fakes.outbox import FakeOutbox

RECORD_TIME = timedelta(days=730)
PERSON_TIME = timedelta(days=30)
HOLD_TIME = timedelta(days=31)
_FOREVER = datetime.max.replace(tzinfo=UTC)


class FakeRepository:
    """What stands in the table is in ``items``, ``people``, ``holders``, ``days``, ``breaker_now``
    and ``caps``.

    Tests may read and set these. ``writes`` lists the writes that took effect, ``reads`` counts
    the looks at a verification. Faults:
    ``fail_next`` are raised by the next writes, one each, before anything is written;
    ``lose_reply_next`` writes take effect and raise UnavailableError; while ``down`` is true
    every call raises UnavailableError.
    """

    def __init__(self, clock: Clock, outbox: FakeOutbox | None = None) -> None:
        self.outbox = outbox or FakeOutbox(clock)
        self.items: dict[str, Verification] = {}
        self.people: dict[str, bytes] = {}
        self.holders: dict[str, str] = {}
        self.days: dict[tuple[date, str], Counter[str]] = {}
        self.breaker_now = Breaker()
        self.caps: Counter[CapCounter] = Counter()
        self.writes: list[Write] = []
        self.reads = 0
        self.fail_next: list[Exception] = []
        self.lose_reply_next = 0
        self.down = False
        self._clock = clock
        self._people_until: dict[str, datetime] = {}
        self._holders_until: dict[str, datetime] = {}
        self._lock = RLock()

    def get(self, verification_id: str) -> Verification | None:
        with self._lock:
            self._reach()
            self.reads += 1
            return self._standing(verification_id)

    def person(self, verification_id: str) -> bytes | None:
        with self._lock:
            self._reach()
            if self._people_until.get(verification_id, _FOREVER) < self._clock.now():
                return None
            return self.people.get(verification_id)

    def holder(self, subject: str) -> Hold:
        with self._lock:
            self._reach()
            holder_id = self._holder_id(subject)
            return Hold(subject, holder_id, self._standing(holder_id) if holder_id else None)

    def write(self, write: Write) -> None:
        with self._lock:
            self._reach()
            if self.fail_next:
                raise self.fail_next.pop(0)
            current = self._standing(write.after.id)
            if current != write.after:
                self._check(write, current)
                self._apply(write)
            if self.lose_reply_next:
                self.lose_reply_next -= 1
                raise UnavailableError("the reply was lost")

    def of_day(self, day: date, limit: int, cursor: str | None) -> Page:
        with self._lock:
            self._reach()
            standing = (item for item in map(self._standing, self.items) if item is not None)
            return Page(*page(standing, day, limit, cursor))

    def open_until(self, due: datetime, limit: int) -> Sequence[Verification]:
        with self._lock:
            self._reach()
            found = sorted(
                ((_due(item), item.id, item) for item in self.items.values() if item.open),
                key=lambda entry: entry[:2],
            )
            return [item for when, _, item in found if when <= due][:limit]

    def usage(self, days: Iterable[date], client: str | None) -> Sequence[DayUsage]:
        with self._lock:
            self._reach()
            return [self._day(day, client) for day in days]

    def taken(self, counters: Sequence[CapCounter]) -> Mapping[CapCounter, int]:
        with self._lock:
            self._reach()
            return {counter: self.caps[counter] for counter in counters}

    def breaker(self) -> Breaker:
        with self._lock:
            self._reach()
            return self.breaker_now

    def set_breaker(self, breaker: Breaker, *, before: Breaker) -> bool:
        with self._lock:
            self._reach()
            if self.breaker_now.revision == before.revision:
                self.breaker_now = breaker
            return self.breaker_now == breaker

    def _reach(self) -> None:
        if self.down:
            raise UnavailableError("the table is out of reach")

    def _standing(self, verification_id: str) -> Verification | None:
        found = self.items.get(verification_id)
        if found is None or found.open or found.ended_at is None:
            return found
        ended = found.status in {Status.COMPLETED, Status.FAILED}
        return None if ended and found.ended_at + RECORD_TIME < self._clock.now() else found

    def _holder_id(self, subject: str) -> str | None:
        if self._holders_until.get(subject, _FOREVER) < self._clock.now():
            return None
        return self.holders.get(subject)

    def _check(self, write: Write, current: Verification | None) -> None:
        if _revision(current) != _revision(write.before):
            raise ConflictError(current)
        take, release = write.take, write.release
        if take is not None:
            if self._holder_id(take.subject) != take.holder_id:
                raise HoldConflictError
            if take.holder_id not in {None, write.after.id} and _revision(
                self._standing(take.holder_id or "")
            ) != _revision(take.holder):
                raise HoldConflictError
        if release is not None and self.holders.get(release.subject, write.after.id) != (
            write.after.id
        ):
            raise HoldConflictError
        full = [cap.counter for cap in write.caps if self.caps[cap.counter] >= cap.limit]
        if full:
            raise CapReachedError(full)

    def _apply(self, write: Write) -> None:
        after, now = write.after, self._clock.now()
        self.items[after.id] = after
        for change in write.usage:
            self.days.setdefault((change.day, change.client), Counter()).update(change.counters)
        self.caps.update(cap.counter for cap in write.caps)
        self.caps.subtract(write.given_back)
        if write.delivery is not None:
            self.outbox.items[write.delivery.id] = write.delivery
        if write.person:
            self.people[after.id] = write.person
            self._people_until[after.id] = now + PERSON_TIME
        elif write.person is not None:
            self.people.pop(after.id, None)
        if write.take is not None:
            self.holders[write.take.subject] = after.id
            self._holders_until[write.take.subject] = now + HOLD_TIME
        if write.release is not None:
            self.holders.pop(write.release.subject, None)
        self.writes.append(write)

    def _day(self, day: date, client: str | None) -> DayUsage:
        found = DayUsage(day)
        for (when, owner), counters in self.days.items():
            if when == day and client in {None, owner}:
                found.add(counters)
        return found


def _revision(verification: Verification | None) -> int | None:
    return None if verification is None else verification.revision


def _due(verification: Verification) -> datetime:
    if verification.status is Status.PENDING and verification.due_at is not None:
        return verification.due_at
    if verification.status is Status.IN_PROGRESS and verification.lease_until is not None:
        return verification.lease_until
    return max(attempt.ended_at for attempt in verification.attempts if attempt.ended_at)
