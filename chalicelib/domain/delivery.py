"""A delivery: one result of a verification on its way to one endpoint (Standard Webhooks).

    pending ──▶ delivered      the endpoint answered 2xx
       ▲   ├──▶ failed         the last of the schedule failed, or the URL cannot be used
       │   └──▶ disabled       the endpoint answered 410 Gone: it wants nothing more
       └── replayed, from any of them

The body is made anew for each attempt from the verification as it stands then, so an old event
that comes late never tells what is no longer true. Delivery is at least once: the receiver
recognises a repetition by ``webhook-id``, which stays the same over attempts and replays.
"""

import hashlib
import json
import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from chalicelib.domain.verification import Status, Verification, utc

# The delay before each attempt, counted from the failure of the one before: the example of the
# Standard Webhooks specification, three days in all.
SCHEDULE = (
    timedelta(0),
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
JITTER = 0.2
MAX_RETRY_AFTER = SCHEDULE[-1]
ATTEMPTS_KEPT = 20

GONE = 410
_SECONDS = re.compile(r"[0-9]{1,9}")


class DeliveryStatus(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    DISABLED = "disabled"


class Fault(StrEnum):
    """Why there is no status code."""

    MALFORMED_URL = "malformed_url"
    NOT_HTTPS = "not_https"
    UNRESOLVABLE = "unresolvable"
    BLOCKED_ADDRESS = "blocked_address"
    REFUSED = "refused"
    TLS = "tls"
    TIMEOUT = "timeout"
    NOT_CONFIGURED = "not_configured"  # the secret names no key to sign with
    NO_ANSWER = "no_answer"  # the connection broke, or what came was not HTTP


# No attempt will ever mend these.
_HOPELESS = {Fault.MALFORMED_URL, Fault.NOT_HTTPS}


class CallbackResult(NamedTuple):
    """How one attempt ended: an HTTP status or a fault, and ``Retry-After`` as it came."""

    code: int | Fault
    duration_ms: int = 0
    retry_after: str | None = None


class DeliveryAttempt(NamedTuple):
    """One attempt that has ended at ``at``."""

    at: datetime
    code: int | Fault
    duration_ms: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """The ``number``-th result of a verification for one endpoint.

    ``client`` is the name of the client or source whose secret signs it. ``tries`` counts the
    attempts since it was made or replayed; ``attempts`` are the latest of all.
    """

    verification_id: str
    url: str = field(repr=False)
    number: int
    client: str
    created_at: datetime
    due_at: datetime | None
    status: DeliveryStatus = DeliveryStatus.PENDING
    attempts: tuple[DeliveryAttempt, ...] = ()
    tries: int = 0
    revision: int = 1

    @property
    def endpoint(self) -> str:
        """Tells a verification's endpoints apart, in 12 hex digits that do not show the URL."""
        return _endpoint(self.url)

    @property
    def id(self) -> str:
        """The ``webhook-id``: it also says where the delivery is kept."""
        return delivery_id(self.verification_id, self.url, self.number)


def delivery_id(verification_id: str, url: str, number: int) -> str:
    """The id of a verification's ``number``-th delivery to that URL."""
    return f"dlv_{verification_id.removeprefix('vrf_')}_{_endpoint(url)}_{number}"


_ID = re.compile(r"dlv_([0-9a-z]{26})_([0-9a-f]{12})_([1-9][0-9]{0,5})")


def parts_of(text: str) -> tuple[str, str, int] | None:
    """Verification, endpoint and number of a delivery's id; None if the text is none.

    >>> parts_of(delivery_id("vrf_" + "0" * 26, "https://hooks.example", 2))[2]
    2
    """
    found = _ID.fullmatch(text)
    return None if found is None else (f"vrf_{found[1]}", found[2], int(found[3]))


def _endpoint(url: str) -> str:
    return hashlib.sha256(url.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def new(
    verification: Verification,
    *,
    url: str,
    number: int,
    now: datetime,
) -> Delivery:
    """A delivery that is due at once."""
    return Delivery(
        verification_id=verification.id,
        url=url,
        number=number,
        client=verification.client,
        created_at=now,
        due_at=now + SCHEDULE[0],
    )


def taken(delivery: Delivery, now: datetime, lease: timedelta) -> Delivery:
    """The same, hidden from others while one attempt is made; due again if its maker dies."""
    return replace(delivery, due_at=now + lease, revision=delivery.revision + 1)


def attempted(delivery: Delivery, result: CallbackResult, now: datetime, jitter: float) -> Delivery:
    """The attempt written down; ``jitter`` is random, from 0 to 1.

    Only 2xx is success. A redirect is a failure like any other, and never followed.
    """
    attempt = DeliveryAttempt(now, result.code, result.duration_ms)
    tries = delivery.tries + 1
    status = _status(result.code, tries)
    return replace(
        delivery,
        status=status,
        due_at=_due(result, tries, now, jitter) if status is DeliveryStatus.PENDING else None,
        attempts=(*delivery.attempts, attempt)[-ATTEMPTS_KEPT:],
        tries=tries,
        revision=delivery.revision + 1,
    )


def _status(code: int | Fault, tries: int) -> DeliveryStatus:
    if isinstance(code, int) and 200 <= code <= 299:  # noqa: PLR2004
        return DeliveryStatus.DELIVERED
    if code == GONE:
        return DeliveryStatus.DISABLED
    if code in _HOPELESS or tries >= len(SCHEDULE):
        return DeliveryStatus.FAILED
    return DeliveryStatus.PENDING


def _due(result: CallbackResult, tries: int, now: datetime, jitter: float) -> datetime:
    """The schedule's next, or what the endpoint asks for if that is later; never before either."""
    asked = min(retry_after(result.retry_after, now), MAX_RETRY_AFTER)
    return now + max(SCHEDULE[tries], asked) * (1 + JITTER * jitter)


def retry_after(header: str | None, now: datetime) -> timedelta:
    """How long the header asks to wait, nothing if it cannot be read.

    >>> retry_after("120", datetime(2026, 11, 24, tzinfo=UTC))
    datetime.timedelta(seconds=120)
    >>> retry_after("Tue, 24 Nov 2026 00:01:00 GMT", datetime(2026, 11, 24, tzinfo=UTC))
    datetime.timedelta(seconds=60)
    """
    text = (header or "").strip()
    if _SECONDS.fullmatch(text):
        return timedelta(seconds=int(text))
    try:
        moment = datetime.strptime(text, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)
    except ValueError:
        return timedelta(0)
    return max(moment - now, timedelta(0))


def replayed(delivery: Delivery, now: datetime) -> Delivery:
    """The whole schedule once more, beginning now, under the same ``webhook-id``."""
    return replace(
        delivery,
        status=DeliveryStatus.PENDING,
        due_at=now,
        tries=0,
        revision=delivery.revision + 1,
    )


_REPORTED = {Status.COMPLETED, Status.FAILED, Status.UNKNOWN}


def event_type(verification: Verification) -> str | None:
    """What there is to tell, None while an attempt is under way."""
    if verification.status not in _REPORTED:
        return None
    return f"verification.{verification.status}"


def payload(verification: Verification) -> bytes:
    """The body: what came of it and where to read more; nothing of the person, not even masked.

    Raises ValueError where ``event_type`` is None.
    """
    event = event_type(verification)
    if event is None:
        raise ValueError("there is nothing to tell while an attempt is under way")
    happened = verification.ended_at or _last_answer(verification)
    body = {
        "type": event,
        "timestamp": utc(happened),
        "data": {
            "verification_id": verification.id,
            "status": verification.status,
            "outcome": verification.outcome,
            "resp_code": verification.resp_code,
            "billed": verification.billed,
            "reference": verification.reference,
            "submission_id": verification.submission,
        },
    }
    return json.dumps(body, separators=(",", ":")).encode("ascii")


def _last_answer(verification: Verification) -> datetime:
    ended = (attempt.ended_at for attempt in verification.attempts)
    return max((moment for moment in ended if moment), default=verification.created_at)
