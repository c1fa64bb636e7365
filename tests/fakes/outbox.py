"""Deliveries and stored submissions in memory; they pass the DynamoDB adapters' contract suites."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from threading import RLock

from chalicelib.domain.delivery import Delivery
from chalicelib.domain.stored_submission import StoredSubmission
from chalicelib.services.ports import Clock, DeliveryPage, SubmissionPage, UnavailableError
from tests.fakes.cursor import page

RECORD_TIME = timedelta(days=730)
SUBMISSION_TIME = timedelta(days=30)


class FakeOutbox:
    """What stands there is in ``items`` and ``disabled``; ``down`` makes every call fail."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.items: dict[str, Delivery] = {}
        self.disabled: set[tuple[str, str]] = set()
        self.down = False
        self._lock = RLock()

    def get(self, delivery_id: str) -> Delivery | None:
        self._reach()
        return self._standing(delivery_id)

    def replace(self, after: Delivery, before: Delivery) -> bool:
        with self._lock:
            self._reach()
            if self.items.get(after.id) == before:
                self.items[after.id] = after
            return self.items.get(after.id) == after

    def due(self, until: datetime, limit: int) -> Sequence[Delivery]:
        self._reach()
        pending = [(one.due_at, one.id, one) for one in self.items.values() if one.due_at]
        return [one for due_at, _, one in sorted(pending) if due_at <= until][:limit]

    def of_day(self, day: date, limit: int, cursor: str | None) -> DeliveryPage:
        self._reach()
        standing = (found for found in map(self._standing, self.items) if found is not None)
        return DeliveryPage(*page(standing, day, limit, cursor))

    def set_disabled(self, client: str, endpoint: str, *, disabled: bool) -> None:
        self._reach()
        (self.disabled.add if disabled else self.disabled.discard)((client, endpoint))

    def is_disabled(self, client: str, endpoint: str) -> bool:
        self._reach()
        return (client, endpoint) in self.disabled

    def _standing(self, delivery_id: str) -> Delivery | None:
        found = self.items.get(delivery_id)
        if found is None or found.due_at is not None:
            return found
        return None if found.created_at + RECORD_TIME < self._clock.now() else found

    def _reach(self) -> None:
        if self.down:
            raise UnavailableError("the table is out of reach")


class FakeSubmissions:
    """What stands there is in ``items``; ``down`` makes every call fail."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.items: dict[str, StoredSubmission] = {}
        self.down = False
        self._lock = RLock()

    def get(self, submission_id: str) -> StoredSubmission | None:
        self._reach()
        return self._standing(submission_id)

    def add(self, submission: StoredSubmission) -> bool:
        with self._lock:
            self._reach()
            if self._standing(submission.id) is None:
                self.items[submission.id] = submission
            return self.items[submission.id] == submission

    def replace(self, after: StoredSubmission, before: StoredSubmission) -> bool:
        with self._lock:
            self._reach()
            if self.items.get(after.id) == before:
                self.items[after.id] = after
            return self.items.get(after.id) == after

    def of_day(self, day: date, limit: int, cursor: str | None) -> SubmissionPage:
        self._reach()
        standing = (found for found in map(self._standing, self.items) if found is not None)
        return SubmissionPage(*page(standing, day, limit, cursor))

    def _standing(self, submission_id: str) -> StoredSubmission | None:
        found = self.items.get(submission_id)
        if found is None or found.created_at + SUBMISSION_TIME < self._clock.now():
            return None
        return found

    def _reach(self) -> None:
        if self.down:
            raise UnavailableError("the table is out of reach")
