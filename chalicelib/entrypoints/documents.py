"""How domain objects look on the wire."""

from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from chalicelib.domain.breaker import Breaker
from chalicelib.domain.caps import ALL
from chalicelib.domain.codes import Billed
from chalicelib.domain.delivery import Delivery
from chalicelib.domain.stored_submission import StoredSubmission
from chalicelib.domain.usage import DayUsage
from chalicelib.domain.verification import DerivedFields, Verification, utc

if TYPE_CHECKING:  # not for a cold start
    from chalicelib.domain.alerts import Alert
    from chalicelib.services.caps import CapState
    from chalicelib.services.watch import Tried


def verification(found: Verification, person: DerivedFields | None) -> dict[str, object]:
    """A verification in any state."""
    completed = found.outcome is not None
    return {
        "id": found.id,
        "status": found.status.value,
        "outcome": found.outcome.value if found.outcome else None,
        "resp_code": found.resp_code,
        "resp_message": found.resp_message,
        "billed": found.billed.value,
        "retryable": found.retryable,
        "name": found.name_masked,
        "id_number": found.id_number_masked,
        "person": person._asdict() if person else None,
        "warnings": list(found.warnings),
        "reference": found.reference,
        "reused_from": found.reused_from,
        "upstream_request_id": found.upstream_request_id,
        "created_at": utc(found.created_at),
        "completed_at": _utc(found.ended_at) if completed else None,
        "problem": {"code": found.problem.code, "detail": found.problem.detail}
        if found.problem
        else None,
    }


def delivery(found: Delivery) -> dict[str, object]:
    """A result on its way to whoever wants to know; ``host`` is where it goes."""
    return {
        "id": found.id,
        "verification_id": found.verification_id,
        "number": found.number,
        "host": urlsplit(found.url).hostname,
        "status": found.status.value,
        "due_at": _utc(found.due_at),
        "created_at": utc(found.created_at),
        "attempts": [
            {"at": utc(one.at), "code": one.code, "duration_ms": one.duration_ms}
            for one in found.attempts
        ],
    }


def submission(found: StoredSubmission) -> dict[str, object]:
    """An entry that was not verified; ``replayable`` while the entry itself is kept."""
    return {
        "id": found.id,
        "source": found.source,
        "status": found.status.value,
        "reason": found.reason,
        "detail": found.detail,
        "missing": list(found.missing),
        "assurance": found.assurance,
        "name": found.name_masked,
        "id_number": found.id_number_masked,
        "replayable": found.sealed is not None,
        "created_at": utc(found.created_at),
    }


def usage_day(day: DayUsage) -> dict[str, object]:
    """One day's counters."""
    return {"date": day.day.isoformat(), **counters(day)}


def counters(day: DayUsage) -> dict[str, object]:
    """Calls, by whether they were billed and by code."""
    return {
        "calls": day.calls,
        "billed": {billed.value: day.billed[billed.value] for billed in Billed},
        "codes": {code: number for code, number in sorted(day.codes.items()) if number},
    }


def cap(found: "CapState") -> dict[str, object]:
    """One cap in force; ``owner`` is null for one on all calls."""
    counter = found.cap.counter
    return {
        "owner": None if counter.owner == ALL else counter.owner,
        "kind": counter.kind,
        "period": counter.period,
        "limit": found.cap.limit,
        "taken": found.taken,
        "left": found.left,
        "until": utc(counter.until),
    }


def breaker(found: Breaker, now: datetime, appcode_mark: str) -> dict[str, object]:
    """Whether and why calls are stopped."""
    is_open = found.is_open(now, appcode_mark)
    return {
        "state": "open" if is_open else "closed",
        "cause": found.cause if is_open else None,
        "since": _utc(found.since) if is_open else None,
        "until": _utc(found.until) if is_open else None,
    }


def alert(found: "Alert") -> dict[str, object]:
    """An alert that is active; ``waiting`` are the receivers that could not be told yet."""
    return {
        "kind": found.kind.value,
        "about": found.about,
        "since": utc(found.since),
        "sent_at": _utc(found.sent_at),
        "waiting": list(found.waiting),
    }


def tried(found: "Tried") -> dict[str, object]:
    """What came back from a receiver; never its URL."""
    return {
        "receiver": found.receiver,
        "host": found.host,
        "ok": found.answer.ok,
        "code": found.answer.code,
        "said": found.answer.said,
    }


def _utc(moment: datetime | None) -> str | None:
    return utc(moment) if moment else None
