"""What is told of the service's work: one event, one line; never a person, a key or a token.

``EVENTS`` lists every kind with its members, ``METRICS`` every number that is counted by the way.
Only names, codes, ids and times are told. What stands in ``result``, by which some of the numbers
are told apart, is a word of ``codes`` or of this service: there are never many of them.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal, NamedTuple

from chalicelib.domain.breaker import Breaker
from chalicelib.domain.codes import Acts, Billed, Row
from chalicelib.domain.delivery import Delivery, DeliveryStatus
from chalicelib.domain.errors import ServiceError
from chalicelib.domain.secret import Client
from chalicelib.domain.verification import Attempt, Status, Verification

Level = Literal["INFO", "WARNING", "ERROR"]
Value = str | int | float | bool | tuple[str, ...] | Mapping[str, float] | None
Steps = Mapping[str, float]
"""Seconds by step."""


class Metric(StrEnum):
    """What is counted, in CloudWatch's namespace ``eryaosu``."""

    VERIFICATIONS = "Verifications"
    BILLED = "Billed"
    UNKNOWNS = "Unknowns"
    ACCEPTED = "Accepted"
    QUEUED_AGAIN = "QueuedAgain"
    REFUSED_BEFORE_PAY = "RefusedBeforePay"
    BREAKER_OPEN = "BreakerOpen"
    PERSON_NOT_KEPT = "PersonNotKept"
    SUBMISSIONS_REJECTED = "SubmissionsRejected"
    DELIVERIES_FAILED = "DeliveriesFailed"


METRICS: Mapping[Metric, str] = {
    Metric.VERIFICATIONS: "questions that ended, or whose attempt did, by outcome or problem",
    Metric.BILLED: "of these, the ones that were charged",
    Metric.UNKNOWNS: "of these, the ones that may have been charged and have to be resolved",
    Metric.ACCEPTED: "questions and form entries that were queued",
    Metric.QUEUED_AGAIN: "questions that wait for another time",
    Metric.REFUSED_BEFORE_PAY: "questions that were refused for free, by reason or problem",
    Metric.BREAKER_OPEN: "1 when the breaker opens, and for whatever it holds up",
    Metric.PERSON_NOT_KEPT: "outcomes whose derived fields could not be sealed",
    Metric.SUBMISSIONS_REJECTED: "form entries that were kept but not queued, by reason",
    Metric.DELIVERIES_FAILED: "deliveries that were given up",
}
BY_RESULT = frozenset(
    {Metric.VERIFICATIONS, Metric.REFUSED_BEFORE_PAY, Metric.SUBMISSIONS_REJECTED}
)
"""Also counted by ``result``."""


class Trace(NamedTuple):
    """Where a piece of work comes from; ``cold`` for the first one of its container."""

    correlation_id: str | None = None
    cold: bool = False


NO_TRACE = Trace()


class Event(NamedTuple):
    """One thing that happened; members that are None are left out of its line."""

    name: str
    level: Level
    members: Mapping[str, Value]
    metrics: Mapping[Metric, int] = {}
    result: str | None = None
    trace: Trace = NO_TRACE


class Kind(NamedTuple):
    """What an event says, which members it may have, and what it may count."""

    says: str
    members: frozenset[str]
    metrics: frozenset[Metric] = frozenset()


def _kind(says: str, members: str, *metrics: Metric) -> Kind:
    return Kind(says, frozenset(members.split()), frozenset(metrics))


_OF_A_VERIFICATION = "verification_id client status"

EVENTS: Mapping[str, Kind] = {
    "verification_ended": _kind(
        "a call ended, an outcome was reused, a claim ran out, or a question was given up",
        f"{_OF_A_VERIFICATION} outcome code problem billed retryable upstream_request_id attempt "
        "reused_from lacks ms",
        Metric.VERIFICATIONS,
        Metric.BILLED,
        Metric.UNKNOWNS,
        Metric.QUEUED_AGAIN,
    ),
    "replayed": _kind(
        "a key, or an entry of a form, came again and got what stands under it",
        f"{_OF_A_VERIFICATION} outcome problem billed ms",
    ),
    "accepted": _kind(
        "a question was written down and queued",
        f"{_OF_A_VERIFICATION} ms",
        Metric.ACCEPTED,
    ),
    "queued_again": _kind(
        "a question waits for another time, or its message was sent once more",
        f"{_OF_A_VERIFICATION} problem wait_seconds",
        Metric.QUEUED_AGAIN,
        Metric.BREAKER_OPEN,
    ),
    "repaired": _kind(
        "an answer was written down that the table did not take at its time",
        f"{_OF_A_VERIFICATION} outcome code billed upstream_request_id",
    ),
    "refused": _kind(
        "a request was refused; nothing was sent and nothing is charged",
        "client problem reason verification_id error",
        Metric.REFUSED_BEFORE_PAY,
        Metric.BREAKER_OPEN,
    ),
    "breaker_opened": _kind(
        "an answer stopped the calls that follow",
        "problem code until_human",
        Metric.BREAKER_OPEN,
    ),
    "breaker_closed": _kind("a human said that the cause is mended", "by"),
    "resolved": _kind("a human settled an unknown", f"{_OF_A_VERIFICATION} problem billed by"),
    "erased": _kind("a person was erased", f"{_OF_A_VERIFICATION} by"),
    "person_not_kept": _kind(
        "the key service was out of reach, so the derived fields are not kept",
        "verification_id client error",
        Metric.PERSON_NOT_KEPT,
    ),
    "submission_rejected": _kind(
        "a form entry is kept with the reason why it was not queued",
        "submission_id client reason ms",
        Metric.SUBMISSIONS_REJECTED,
    ),
    "submission_shadowed": _kind(
        "a form entry would be verified, were its source not in shadow mode",
        "submission_id client ms",
    ),
    "submission_ignored": _kind(
        "a form sent what is no entry, or not one of the form that is configured",
        "client reason",
    ),
    "delivery_attempted": _kind(
        "a result was sent on, or was not",
        "delivery_id verification_id client status code attempt ms",
        Metric.DELIVERIES_FAILED,
    ),
    "message_given_back": _kind("a message of the queue comes again", "error"),
    "fault": _kind("a fault of ours: its type and its place, never its text", "error at"),
    "trouble": _kind("a setting, the secret or something else is amiss", "message"),
}


# Of a verification's warnings those that are about the service; the others are about the person.
_LACKS = {"not_recorded": "record", "person_not_kept": "person"}


def milliseconds(steps: Steps) -> Mapping[str, float]:
    """As they are told."""
    return {step: round(seconds * 1000, 1) for step, seconds in steps.items()}


def verification_ended(
    found: Verification, attempt: Attempt | None, steps: Steps | None = None
) -> Event:
    """Its attempt has ended; without one an outcome was reused, or the question given up."""
    billed = Billed.NO if attempt is None else attempt.billed
    metrics = {Metric.VERIFICATIONS: 1}
    if billed is Billed.YES:
        metrics[Metric.BILLED] = 1
    if found.status is Status.UNKNOWN:
        metrics[Metric.UNKNOWNS] = 1
    if found.status is Status.PENDING:
        metrics[Metric.QUEUED_AGAIN] = 1
    given_up = found.status is Status.FAILED and attempt is None
    amiss = found.status is Status.UNKNOWN or given_up or "not_recorded" in found.warnings
    members: dict[str, Value] = {
        **_of(found),
        "outcome": found.outcome,
        "code": None if attempt is None else attempt.code,
        "problem": _problem(found),
        "billed": billed,
        "retryable": found.retryable,
        "upstream_request_id": (attempt or found).upstream_request_id,
        "attempt": len(found.attempts),
        "reused_from": found.reused_from,
        "lacks": tuple(_LACKS[one] for one in found.warnings if one in _LACKS) or None,
        "ms": None if steps is None else milliseconds(steps),
    }
    level: Level = "WARNING" if amiss else "INFO"
    return Event("verification_ended", level, members, metrics, _result(found))


def replayed(found: Verification, steps: Steps) -> Event:
    """What stands there was answered once more."""
    members: dict[str, Value] = {
        **_of(found),
        "outcome": found.outcome,
        "problem": _problem(found),
        "billed": found.billed,
        "ms": milliseconds(steps),
    }
    return Event("replayed", "INFO", members)


def accepted(found: Verification, steps: Steps) -> Event:
    """It is written down; whether its message is sent does not matter."""
    members = {**_of(found), "ms": milliseconds(steps)}
    return Event("accepted", "INFO", members, {Metric.ACCEPTED: 1})


def queued_again(
    found: Verification, *, wait_seconds: float, why: str | None = None, breaker: bool = False
) -> Event:
    """``why`` is a problem's code; ``breaker`` if calls are stopped."""
    metrics = {Metric.QUEUED_AGAIN: 1}
    if breaker:
        metrics[Metric.BREAKER_OPEN] = 1
    members = {**_of(found), "problem": why, "wait_seconds": round(wait_seconds)}
    return Event("queued_again", "INFO", members, metrics)


def repaired(found: Verification, token: str) -> Event:
    """It is not counted anew: the call was told when it ended."""
    attempt = attempt_of(found, token)
    members: dict[str, Value] = {
        **_of(found),
        "outcome": found.outcome,
        "code": attempt.code,
        "billed": attempt.billed,
        "upstream_request_id": attempt.upstream_request_id,
    }
    return Event("repaired", "WARNING", members)


def refused(
    error: ServiceError, *, client: Client | None, paid: bool, cause: str | None, breaker: bool
) -> Event:
    """``paid``: it asked for a paid call. ``cause`` is what of ours was out of reach."""
    metrics = {Metric.REFUSED_BEFORE_PAY: 1} if paid else {}
    if breaker:
        metrics[Metric.BREAKER_OPEN] = 1
    members: dict[str, Value] = {
        "client": None if client is None else client.name,
        "problem": error.code,
        "reason": error.reason,
        "verification_id": error.verification_id,
        "error": cause,
    }
    level: Level = "INFO" if cause is None else "ERROR"
    return Event("refused", level, members, metrics, error.reason or error.code)


def breaker_opened(breaker: Breaker, row: Row) -> Event:
    """By the answer of that row."""
    members: dict[str, Value] = {
        "problem": breaker.cause,
        "code": row.code,
        "until_human": breaker.until is None,
    }
    level: Level = "ERROR" if row.acts is Acts.OWNER else "WARNING"
    return Event("breaker_opened", level, members, {Metric.BREAKER_OPEN: 1})


def breaker_closed(by: Client) -> Event:
    """Calls may be made again."""
    return Event("breaker_closed", "INFO", {"by": by.name})


def resolved(found: Verification, by: Client) -> Event:
    """As it stands now; ``billed`` is what the human said."""
    members = {**_of(found), "problem": _problem(found), "billed": found.billed, "by": by.name}
    return Event("resolved", "INFO", members)


def erased(found: Verification, by: Client) -> Event:
    """Nothing of the person is left."""
    return Event("erased", "INFO", {**_of(found), "by": by.name})


def person_not_kept(found: Verification, error: str) -> Event:
    """``error`` is a port's, which holds no person."""
    members = {"verification_id": found.id, "client": found.client, "error": error}
    return Event("person_not_kept", "WARNING", members, {Metric.PERSON_NOT_KEPT: 1})


def submission_rejected(submission_id: str, source: str, reason: str, steps: Steps) -> Event:
    """``reason`` is a word of ours."""
    members: dict[str, Value] = {
        "submission_id": submission_id,
        "client": source,
        "reason": reason,
        "ms": milliseconds(steps),
    }
    metrics = {Metric.SUBMISSIONS_REJECTED: 1}
    return Event("submission_rejected", "INFO", members, metrics, reason)


def submission_shadowed(submission_id: str, source: str, steps: Steps) -> Event:
    """Nothing is asked."""
    members: dict[str, Value] = {
        "submission_id": submission_id,
        "client": source,
        "ms": milliseconds(steps),
    }
    return Event("submission_shadowed", "INFO", members)


def submission_ignored(source: str, reason: str) -> Event:
    """``reason`` is a word of ours."""
    return Event("submission_ignored", "INFO", {"client": source, "reason": reason})


def delivery_attempted(after: Delivery) -> Event:
    """The latest attempt; the URL is not told."""
    latest = after.attempts[-1]
    lost = after.status in {DeliveryStatus.FAILED, DeliveryStatus.DISABLED}
    members: dict[str, Value] = {
        "delivery_id": after.id,
        "verification_id": after.verification_id,
        "client": after.client,
        "status": after.status,
        "code": latest.code,
        "attempt": after.tries,
        "ms": {"total": latest.duration_ms},
    }
    good = after.status is DeliveryStatus.DELIVERED
    metrics = {Metric.DELIVERIES_FAILED: 1} if lost else {}
    return Event("delivery_attempted", "INFO" if good else "WARNING", members, metrics)


def message_given_back(error: str) -> Event:
    """``error`` is a port's or a refusal's, which hold no person."""
    return Event("message_given_back", "ERROR", {"error": error})


def fault(error: str, at: str) -> Event:
    """``error`` is an exception's type."""
    return Event("fault", "ERROR", {"error": error, "at": at})


def attempt_of(found: Verification, token: str) -> Attempt:
    """Raises StopIteration if it has none of that token."""
    return next(attempt for attempt in found.attempts if attempt.token == token)


def _of(found: Verification) -> dict[str, Value]:
    return {"verification_id": found.id, "client": found.client, "status": found.status}


def _result(found: Verification) -> str:
    if found.outcome is not None:
        return found.outcome.value
    return _problem(found) or found.status.value


def _problem(found: Verification) -> str | None:
    return None if found.problem is None else found.problem.code
