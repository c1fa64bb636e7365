"""How domain objects look on the wire."""

from dataclasses import asdict
from datetime import datetime

from chalicelib.domain.breaker import Breaker
from chalicelib.domain.codes import Billed
from chalicelib.domain.usage import DayUsage
from chalicelib.domain.verification import DerivedFields, Verification, utc


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
        "person": asdict(person) if person else None,
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


def breaker(found: Breaker, now: datetime, appcode_mark: str) -> dict[str, object]:
    """Whether and why calls are stopped."""
    is_open = found.is_open(now, appcode_mark)
    return {
        "state": "open" if is_open else "closed",
        "cause": found.cause if is_open else None,
        "since": _utc(found.since) if is_open else None,
        "until": _utc(found.until) if is_open else None,
    }


def _utc(moment: datetime | None) -> str | None:
    return utc(moment) if moment else None
