"""A verification: one question to the upstream, its attempts and how it ended.

    pending ──▶ in_progress ──▶ completed(outcome)
       ▲            ▲ ├──────▶ failed(retryable or not)   no outcome, the reason is known
       └─(due_at)───│─┤
                    │ └──────▶ unknown                    no usable answer; may have been charged
                    └── failed(retryable), the same key posted again: one more attempt
    unknown ── resolve ──▶ failed, or pending again      unknown ── late answer ──▶ completed

Only what came asynchronously is ever pending: it holds its person, sealed, until it ends.

Every transition here is a function from a verification to the next one. Each takes the time as
an argument and counts ``revision`` up, which is what a conditional write compares. Money is
spent by attempts, so *billed* belongs to them; a verification only sums up.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any, NamedTuple

from chalicelib.domain import codes
from chalicelib.domain.codes import Billed, Outcome
from chalicelib.domain.errors import (
    ErasedError,
    NotUnknownError,
    VerificationInProgressError,
)

CHINA = timezone(timedelta(hours=8))


class Status(StrEnum):
    """Where a verification stands."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Action(StrEnum):
    """How a human settles an unknown: give up, or allow one more attempt."""

    CLOSE = "close"
    RETRY = "retry"


@dataclass(frozen=True, slots=True)
class Person:
    """A name and a number, normalised, on their way to the upstream; never stored or printed."""

    name: str = field(repr=False)
    id_number: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class VerificationRequest:
    """A question as a caller put it: ``name`` and ``id_number`` as sent, nothing checked yet.

    ``max_age_seconds`` above 0 accepts an earlier outcome for the same person.
    """

    name: str = field(repr=False)
    id_number: str = field(repr=False)
    reference: str | None = None
    max_age_seconds: int = 0
    idempotency_key: str | None = field(default=None, repr=False)
    callback_url: str | None = None


class DerivedFields(NamedTuple):
    """What the upstream derives from a number: the place of first issue is for reference only."""

    province: str | None = None
    city: str | None = None
    county: str | None = None
    birthday: str | None = None
    sex: str | None = None
    age: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """How one call ended: ``code`` is a key of the table in ``codes``."""

    code: str
    message: str = ""
    upstream_request_id: str | None = None
    person: DerivedFields | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One paid call, made or about to be made; ``counted`` is how the day's usage has it.

    ``took`` marks the counters of caps on which it holds a place (``caps``).
    """

    token: str
    started_at: datetime
    ended_at: datetime | None = None
    code: str | None = None
    upstream_request_id: str | None = None
    billed: Billed = Billed.UNKNOWN
    counted: tuple[str, Billed] | None = None
    took: tuple[str, ...] = ()

    @property
    def sent(self) -> bool | None:
        """Whether the call left us; None when nobody can know."""
        if self.code in {None, codes.LEASE_EXPIRED}:
            return None
        return self.code not in {codes.NOT_SENT, codes.TOO_LATE}

    @property
    def day(self) -> date:
        """The day whose usage it belongs to (UTC+8, as the seller counts)."""
        return self.started_at.astimezone(CHINA).date()


class Failure(NamedTuple):
    """Why there is no outcome: ``code`` is a key of ``codes.PROBLEMS``."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Verification:
    """The idempotency record, the claim and the result in one; holds no person in plain text.

    ``subject`` is set where reuse was asked for; ``fingerprint`` where a key was sent. ``client``
    is the client or source that asks. ``sealed`` is the person of one that came asynchronously,
    until it ends; ``due_at`` when a pending one is queued (again); ``callback_url`` where its end
    is told, ``told`` how many ends were; ``submission`` what the source calls it.
    """

    id: str
    client: str
    created_at: datetime
    status: Status
    attempts: tuple[Attempt, ...] = ()
    revision: int = 1
    lease_until: datetime | None = None
    fingerprint: str | None = None
    subject: str | None = None
    name_masked: str | None = None
    id_number_masked: str | None = None
    reference: str | None = None
    warnings: tuple[str, ...] = ()
    outcome: Outcome | None = None
    resp_code: str | None = None
    resp_message: str | None = None
    upstream_request_id: str | None = None
    problem: Failure | None = None
    retryable: bool = False
    reused_from: str | None = None
    ended_at: datetime | None = None
    erased: bool = False
    sealed: bytes | None = field(default=None, repr=False)
    due_at: datetime | None = None
    callback_url: str | None = None
    submission: str | None = None
    told: int = 0

    @property
    def billed(self) -> Billed:
        """``yes`` if any attempt was charged, else ``unknown`` if any may have been."""
        seen = {attempt.billed for attempt in self.attempts}
        return next((b for b in (Billed.YES, Billed.UNKNOWN) if b in seen), Billed.NO)

    @property
    def token(self) -> str | None:
        """The latest attempt's token: whoever holds it owns the claim."""
        return self.attempts[-1].token if self.attempts else None

    @property
    def uncounted(self) -> bool:
        """Whether an ended attempt is missing from, or stands wrongly in, its day's usage."""
        return any(a.ended_at and a.counted != (a.code, a.billed) for a in self.attempts)

    @property
    def open(self) -> bool:
        """Whether the sweeper still has work with it."""
        return self.status in {Status.PENDING, Status.IN_PROGRESS} or self.uncounted

    def lease_expired(self, now: datetime) -> bool:
        """Whether the claim's owner must be taken for dead."""
        return (
            self.status is Status.IN_PROGRESS
            and self.lease_until is not None
            and self.lease_until <= now
        )


PENDING_TIME = timedelta(hours=24)
"""How long a pending verification is tried before it fails."""

_FIRST_PAUSE = timedelta(seconds=30)
_LONGEST_PAUSE = timedelta(hours=1)


def accept(verification: Verification, sealed: bytes, due_at: datetime) -> Verification:
    """To be asked later: ``due_at`` is when it is queued again should its message get lost."""
    return replace(
        verification,
        status=Status.PENDING,
        revision=verification.revision + 1,
        sealed=sealed,
        due_at=due_at,
        problem=None,
        retryable=False,
        ended_at=None,
    )


def postpone(
    verification: Verification, due_at: datetime, why: Failure | None = None
) -> Verification:
    """A pending one, to be queued (again) at another time; ``why`` it has to wait, if known."""
    return replace(
        verification,
        revision=verification.revision + 1,
        due_at=due_at,
        problem=why or verification.problem,
    )


def give_up(verification: Verification, problem: Failure, now: datetime) -> Verification:
    """A pending one that nobody can ask, or that has waited for too long."""
    return replace(
        verification,
        status=Status.FAILED,
        revision=verification.revision + 1,
        problem=problem,
        retryable=codes.PROBLEMS[problem.code].retryable,
        sealed=None,
        due_at=None,
        ended_at=now,
    )


def pause_before(attempts: int) -> timedelta:
    """How long a queued verification rests after so many attempts: 30 s, doubled, 1 h at most."""
    return min(_FIRST_PAUSE * (1 << min(attempts - 1, 10)), _LONGEST_PAUSE)


def claim(
    verification: Verification,
    *,
    token: str,
    now: datetime,
    lease: timedelta,
    took: tuple[str, ...] = (),
) -> Verification:
    """One more attempt, owned by ``token`` until the lease ends: the call may now be happening."""
    attempt = Attempt(token=token, started_at=now, took=took)
    return replace(
        verification,
        status=Status.IN_PROGRESS,
        attempts=(*verification.attempts, attempt),
        revision=verification.revision + 1,
        lease_until=now + lease,
        due_at=None,
        resp_code=None,
        resp_message=None,
        upstream_request_id=None,
        problem=None,
        retryable=False,
        ended_at=None,
    )


def record(
    verification: Verification, token: str, answer: Answer, row: codes.Row, now: datetime
) -> Verification:
    """The attempt's answer written down, in time or late.

    An outcome completes the verification unless it is completed already. Anything else ends it
    only when it belongs to the latest attempt and nobody settled it in the meantime.
    """
    ended = replace(
        _with_attempt(verification, token, answer, row, now), revision=verification.revision + 1
    )
    if verification.status is Status.COMPLETED:
        return ended
    if row.outcome is not None:
        return _completed(ended, answer, row, now)
    if verification.token == token and verification.status in {Status.IN_PROGRESS, Status.UNKNOWN}:
        return _without_outcome(ended, answer, row, now)
    return ended


def _with_attempt(
    verification: Verification, token: str, answer: Answer, row: codes.Row, now: datetime
) -> Verification:
    attempts = tuple(
        replace(
            attempt,
            ended_at=now,
            code=answer.code,
            upstream_request_id=answer.upstream_request_id,
            billed=row.billed,
        )
        if attempt.token == token
        else attempt
        for attempt in verification.attempts
    )
    return replace(verification, attempts=attempts)


def _completed(
    verification: Verification, answer: Answer, row: codes.Row, now: datetime
) -> Verification:
    return replace(
        verification,
        status=Status.COMPLETED,
        outcome=row.outcome,
        resp_code=answer.code,
        resp_message=answer.message or row.message,
        upstream_request_id=answer.upstream_request_id,
        problem=None,
        retryable=False,
        lease_until=None,
        sealed=None,
        due_at=None,
        ended_at=now,
    )


def _without_outcome(
    verification: Verification, answer: Answer, row: codes.Row, now: datetime
) -> Verification:
    status = _status_after(verification, row, now)
    return replace(
        verification,
        status=status,
        resp_code=answer.code if _is_resp_code(answer.code) else None,
        resp_message=answer.message or None,
        upstream_request_id=answer.upstream_request_id,
        problem=Failure(row.problem or "outcome_unknown", detail(row)),
        retryable=codes.retryable(row),
        lease_until=None,
        sealed=None if status is Status.FAILED else verification.sealed,
        due_at=now + pause_before(len(verification.attempts)) if status is Status.PENDING else None,
        ended_at=now if status is Status.FAILED else None,
    )


def _status_after(verification: Verification, row: codes.Row, now: datetime) -> Status:
    """Nobody waits for what came asynchronously, so it is asked again by itself, for a day."""
    if not row.settled:
        return Status.UNKNOWN
    again = verification.sealed is not None and codes.retryable(row)
    return Status.PENDING if again and not waited_too_long(verification, now) else Status.FAILED


def waited_too_long(verification: Verification, now: datetime) -> bool:
    """Whether a queued verification is not to be tried any more."""
    return now - verification.created_at >= PENDING_TIME


def _is_resp_code(code: str) -> bool:
    return code.isascii() and code.isdigit()


def detail(row: codes.Row) -> str:
    """What happened and who can mend it, for a row without an outcome."""
    return _DETAILS.get(row.code) or _DETAILS_BY_PROBLEM[row.problem or "outcome_unknown"]


_DETAILS = {
    codes.TOO_LATE: "More than the allowed time passed between claiming the call and sending it, "
    "so it was not sent. Post again with the same Idempotency-Key.",
    codes.LEASE_EXPIRED: "The process that made the call ended before it wrote the answer. "
    "Compare with the seller's console, then resolve it.",
}

_DETAILS_BY_PROBLEM = {
    "name_empty": "The upstream says that the name is empty.",
    "name_invalid": "The upstream says that the name holds special characters.",
    "id_number_empty": "The upstream says that the number is empty.",
    "id_number_invalid": "The upstream says that the number is malformed.",
    "upstream_maintenance": "The upstream is under maintenance. Post again later with the same "
    "Idempotency-Key.",
    "upstream_throttled": "The upstream throttled the call. Post again later with the same "
    "Idempotency-Key.",
    "upstream_unreachable": "The upstream could not be reached and nothing was sent. Post again "
    "later with the same Idempotency-Key.",
    "quota_exhausted": "The package at the upstream is used up. Its owner has to buy another one.",
    "package_expired": "The package at the upstream has expired. Its owner has to buy another one.",
    "account_in_arrears": "The upstream account is in arrears. Its owner has to settle it.",
    "appcode_invalid": "The upstream refuses our AppCode. The owner has to correct the secret.",
    "upstream_rejected": "The gateway in front of the upstream refused the form of our request; "
    "this is a fault of the service, not of the caller.",
    "outcome_unknown": "No usable answer came back, and the call may have been charged. It is "
    "never repeated by itself: compare with the seller's console, then resolve it.",
    "service_unavailable": "The service could not make the call.",
}


def expire(verification: Verification, now: datetime) -> Verification:
    """A claim past its lease: its outcome is unknown, and it is never sent again by itself."""
    answer = Answer(codes.LEASE_EXPIRED)
    return record(
        verification, verification.attempts[-1].token, answer, codes.find(answer.code), now
    )


def resolve(
    verification: Verification, *, billed: Billed, action: Action, now: datetime
) -> Verification:
    """A human settles an unknown, having compared with the seller's console.

    Raises NotUnknownError for any other status, ErasedError where the person is gone and
    ``retry`` could never be answered.
    """
    if verification.status is not Status.UNKNOWN:
        raise NotUnknownError(
            "Only a verification whose status is unknown can be resolved; read it again.",
            verification_id=verification.id,
        )
    again = action is Action.RETRY
    if again and verification.sealed is not None:
        return _queued_again(verification, billed, now)
    if again and verification.erased:
        raise ErasedError(
            "The person's data were erased, so there is nothing to ask again; use close.",
            verification_id=verification.id,
        )
    return replace(
        verification,
        status=Status.FAILED,
        attempts=_settled(verification.attempts, billed),
        revision=verification.revision + 1,
        problem=Failure(
            "closed_without_outcome",
            "An operator settled it for one more attempt: post again with the same Idempotency-Key."
            if again
            else "An operator closed it without an outcome.",
        ),
        retryable=again,
        sealed=None,
        ended_at=now,
    )


def _queued_again(verification: Verification, billed: Billed, now: datetime) -> Verification:
    return replace(
        accept(verification, verification.sealed or b"", now),
        attempts=_settled(verification.attempts, billed),
    )


def _settled(attempts: tuple[Attempt, ...], billed: Billed) -> tuple[Attempt, ...]:
    """The latest attempt as the human says; a ``no`` settles earlier doubts as well."""
    return tuple(
        replace(attempt, billed=billed)
        if attempt.billed is Billed.UNKNOWN and (attempt is attempts[-1] or billed is Billed.NO)
        else attempt
        for attempt in attempts
    )


def erase(verification: Verification, now: datetime) -> Verification:
    """Everything that could lead back to the person removed; what was paid for stays.

    What was still pending fails. Raises VerificationInProgressError while a call is under way.
    """
    if verification.status is Status.IN_PROGRESS:
        raise VerificationInProgressError(
            "The call is under way; erase it once it has ended.", verification_id=verification.id
        )
    ended: dict[str, Any] = {}
    if verification.status is Status.PENDING:
        ended = {
            "status": Status.FAILED,
            "problem": Failure("erased", "The person was erased before the question was asked."),
            "due_at": None,
            "ended_at": now,
        }
    return replace(
        verification,
        revision=verification.revision + 1,
        fingerprint=None,
        subject=None,
        name_masked=None,
        id_number_masked=None,
        reference=None,
        submission=None,
        sealed=None,
        erased=True,
        **ended,
    )


def reuse(verification: Verification, source: Verification, now: datetime) -> Verification:
    """The same subject's earlier outcome, taken over without a call."""
    return replace(
        verification,
        status=Status.COMPLETED,
        revision=verification.revision + 1,
        outcome=source.outcome,
        resp_code=source.resp_code,
        resp_message=source.resp_message,
        upstream_request_id=source.upstream_request_id,
        reused_from=source.reused_from or source.id,
        problem=None,
        retryable=False,
        lease_until=None,
        sealed=None,
        due_at=None,
        ended_at=now,
    )


def counted(verification: Verification) -> Verification:
    """The same, every ended attempt marked as standing in its day's usage.

    One that was not charged holds no place on a cap's counter any more.
    """
    attempts = tuple(
        replace(a, counted=(a.code, a.billed), took=() if a.billed is Billed.NO else a.took)
        if a.ended_at and a.code
        else a
        for a in verification.attempts
    )
    return replace(verification, attempts=attempts)


def last_change(verification: Verification) -> datetime:
    """When it ended, or its latest call did."""
    calls = [attempt.ended_at for attempt in verification.attempts if attempt.ended_at]
    return verification.ended_at or max(calls, default=verification.created_at)


def utc(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds.

    >>> utc(datetime(2026, 11, 24, 8, 0, tzinfo=CHINA))
    '2026-11-24T00:00:00.000Z'
    """
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
