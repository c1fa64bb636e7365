"""What the use cases need from outside, as protocols; ``adapters`` and ``tests/fakes`` fit them.

Each port has one contract suite in ``tests/integration`` that the fake and the real adapter pass
alike.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple, Protocol

from chalicelib.domain.breaker import Breaker
from chalicelib.domain.caps import Cap, CapCounter
from chalicelib.domain.delivery import CallbackResult, Delivery
from chalicelib.domain.events import Event
from chalicelib.domain.messages import Message
from chalicelib.domain.secret import Secret
from chalicelib.domain.stored_submission import StoredSubmission
from chalicelib.domain.usage import DayUsage, UsageChange
from chalicelib.domain.verification import Answer, Person, Verification


class PortError(Exception):
    """What an adapter turns its library's errors into; never holds a person or a secret."""


class UnavailableError(PortError):
    """The other side cannot be reached or refuses us now; nothing can be said of a write."""


class ContendedError(PortError):
    """A transaction lost against others, again and again; nothing was written."""


class ConflictError(PortError):
    """The item is not as it was read; ``current`` is what stands there now (None: nothing)."""

    def __init__(self, current: Verification | None) -> None:
        super().__init__("the item changed since it was read")
        self.current = current


class HoldConflictError(PortError):
    """The subject's holder changed since it was read; nothing was written."""


class CapReachedError(PortError):
    """A cap's counter is full; nothing was written. ``full`` are those that are known to be."""

    def __init__(self, full: Sequence[CapCounter]) -> None:
        super().__init__("a cap is reached")
        self.full = full


class Hold(NamedTuple):
    """Who answers for a subject: taken with a claim, given back with an erasure.

    ``seen`` is the holder as it was read (None: there was none); the write fails with
    HoldConflictError if anything about it changed.
    """

    subject: str
    holder_id: str | None
    holder: Verification | None


@dataclass(frozen=True, slots=True)
class Write:
    """One change of a verification and of what has to change with it, all or nothing.

    ``before`` is the verification as it was read, None if it must not exist. ``person`` is
    sealed; b"" removes what is kept. ``take`` makes the verification the holder of its subject,
    ``release`` ends that. ``delivery`` is a new one, of the result that is written. Of each of
    ``caps`` one is taken, ``given_back`` says how many are returned.
    """

    after: Verification
    before: Verification | None
    usage: Sequence[UsageChange] = ()
    person: bytes | None = None
    take: Hold | None = None
    release: Hold | None = None
    delivery: Delivery | None = None
    caps: Sequence[Cap] = ()
    given_back: Mapping[CapCounter, int] = field(default_factory=dict)


class Page(NamedTuple):
    """Some of a list, newest first, and where the next part starts (None: that was all)."""

    items: Sequence[Verification]
    next_cursor: str | None


class DeliveryPage(NamedTuple):
    """Some of a list of deliveries, as ``Page``."""

    items: Sequence[Delivery]
    next_cursor: str | None


class SubmissionPage(NamedTuple):
    """Some of a list of stored submissions, as ``Page``."""

    items: Sequence[StoredSubmission]
    next_cursor: str | None


class Provider(Protocol):
    """The paid upstream."""

    def ask(self, person: Person, appcode: str, timeout: float) -> Answer:
        """One paid call, at most ``timeout`` seconds long; never raises, never repeats itself."""


class Repository(Protocol):
    """The one table. Reads of single items are strongly consistent; all raise UnavailableError."""

    def get(self, verification_id: str) -> Verification | None:
        """The verification, None if there is none or its retention ended."""

    def person(self, verification_id: str) -> bytes | None:
        """The sealed derived fields, None if they are not (or no longer) kept."""

    def holder(self, subject: str) -> Hold:
        """Who answers for the subject."""

    def write(self, write: Write) -> None:
        """Do it; raises ConflictError, HoldConflictError, CapReachedError, ContendedError.

        Where several could be raised, the first of these is. A write whose first reply was lost
        and that finds itself done succeeds.
        """

    def of_day(self, day: date, limit: int, cursor: str | None) -> Page:
        """Verifications created that day (UTC+8); raises ValueError for a broken cursor."""

    def open_until(self, due: datetime, limit: int) -> Sequence[Verification]:
        """Open ones whose lease ends, or that are uncounted since, before ``due``."""

    def usage(self, days: Iterable[date], client: str | None) -> Sequence[DayUsage]:
        """One entry a day, in the order asked; of all clients if ``client`` is None."""

    def taken(self, counters: Sequence[CapCounter]) -> Mapping[CapCounter, int]:
        """How many hold a place on each of these."""

    def breaker(self) -> Breaker:
        """The breaker as it stands."""

    def set_breaker(self, breaker: Breaker, *, before: Breaker) -> bool:
        """Replace it if it still is as it was read; whether that was so."""


class Outbox(Protocol):
    """Deliveries, in the same table; they are made by ``Repository.write``."""

    def get(self, delivery_id: str) -> Delivery | None:
        """The delivery, None if there is none; raises UnavailableError, as all of these."""

    def replace(self, after: Delivery, before: Delivery) -> bool:
        """Put ``after`` in the place of ``before`` if it still stands; whether that was so."""

    def due(self, until: datetime, limit: int) -> Sequence[Delivery]:
        """Pending ones that are due before ``until``, earliest first."""

    def of_day(self, day: date, limit: int, cursor: str | None) -> DeliveryPage:
        """Those made that day (UTC+8), newest first; raises ValueError for a broken cursor."""

    def set_disabled(self, client: str, endpoint: str, *, disabled: bool) -> None:
        """Note that an endpoint wants nothing more, or that it does again."""

    def is_disabled(self, client: str, endpoint: str) -> bool:
        """Whether it wants nothing more."""


class Submissions(Protocol):
    """Entries that were not verified, in the same table."""

    def get(self, submission_id: str) -> StoredSubmission | None:
        """The entry, None if there is none (any more); raises UnavailableError, as all of these."""

    def add(self, submission: StoredSubmission) -> bool:
        """Keep a new one; whether it was not there before."""

    def replace(self, after: StoredSubmission, before: StoredSubmission) -> bool:
        """Put ``after`` in the place of ``before`` if it still stands; whether that was so."""

    def of_day(self, day: date, limit: int, cursor: str | None) -> SubmissionPage:
        """Those of a day (UTC+8), newest first; raises ValueError for a broken cursor."""


class Secrets(Protocol):
    """The AppCode, our keys and the clients."""

    def current(self) -> Secret:
        """The secret, at most a few minutes old; raises UnavailableError."""

    def refresh(self) -> Secret:
        """The secret as it stands right now; raises UnavailableError."""


class Sealer(Protocol):
    """Encryption under the key service, bound to what it belongs to."""

    def seal(self, plain: bytes, verification_id: str) -> bytes:
        """At most 4,096 bytes; raises UnavailableError."""

    def unseal(self, sealed: bytes, verification_id: str) -> bytes:
        """Raises UnavailableError, also when it was sealed for something else."""


class Queue(Protocol):
    """At least once, in any order, to the worker."""

    def send(self, message: Message, delay: int = 0) -> None:
        """Hand it over, to arrive after ``delay`` seconds (900 at most); UnavailableError."""


class Callbacks(Protocol):
    """Whoever wants to be told of results, at URLs that are not ours."""

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> CallbackResult:
        """One attempt to send this JSON; takes seconds at most, never raises or repeats itself."""


Observe = Callable[[Event], None]
"""Whoever wants to know what happens; never raises."""


class Clock(Protocol):
    """Time, so that tests never wait."""

    def now(self) -> datetime:
        """The time, aware."""

    def monotonic(self) -> float:
        """Seconds that never go back."""

    def sleep(self, seconds: float) -> None:
        """Wait."""
