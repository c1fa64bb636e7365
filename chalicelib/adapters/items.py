"""Verifications and the breaker as DynamoDB items and back, exactly, to the microsecond.

Attributes are named as the fields are. With one attempt a verification takes 0.6 kB while it is
claimed and 0.8 kB when it ended, with two 1.0 kB: write units are counted by begun kilobytes.
"""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from chalicelib.adapters.keys import BREAKER_KEY, places, verification_key
from chalicelib.adapters.notation import Item, epoch, fields_of, item_of, moment_of
from chalicelib.domain.breaker import Breaker
from chalicelib.domain.codes import Billed, Outcome
from chalicelib.domain.verification import Attempt, Failure, Status, Verification

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef


def verification_item(
    verification: Verification, *, shards: int, record_days: int
) -> "dict[str, AttributeValueTypeDef]":
    """The verification with its places in the two indexes and its end of retention."""
    fields = item_of(
        {
            **places(verification, shards),
            "ttl": _ttl(verification, record_days),
            "client": verification.client,
            "created_at": verification.created_at,
            "status": verification.status,
            "attempts": [_attempt_fields(attempt) for attempt in verification.attempts] or None,
            "revision": verification.revision,
            "lease_until": verification.lease_until,
            "fingerprint": verification.fingerprint,
            "subject": verification.subject,
            "name_masked": verification.name_masked,
            "id_number_masked": verification.id_number_masked,
            "reference": verification.reference,
            "warnings": verification.warnings,
            "outcome": verification.outcome,
            "resp_code": verification.resp_code,
            "resp_message": verification.resp_message,
            "upstream_request_id": verification.upstream_request_id,
            "problem": None if verification.problem is None else verification.problem._asdict(),
            "retryable": verification.retryable,
            "reused_from": verification.reused_from,
            "ended_at": verification.ended_at,
            "erased": verification.erased,
            "sealed": verification.sealed,
            "due_at": verification.due_at,
            "callback_url": verification.callback_url,
            "submission": verification.submission,
            "told": verification.told or None,
        }
    )
    return {**verification_key(verification.id), **fields}


def _ttl(verification: Verification, record_days: int) -> int | None:
    ended = verification.status in {Status.COMPLETED, Status.FAILED}
    if not ended or verification.open or verification.ended_at is None:
        return None
    return epoch(verification.ended_at + timedelta(days=record_days))


def _attempt_fields(attempt: Attempt) -> dict[str, object]:
    return {
        "token": attempt.token,
        "started_at": attempt.started_at,
        "ended_at": attempt.ended_at,
        "code": attempt.code,
        "upstream_request_id": attempt.upstream_request_id,
        "billed": attempt.billed,
        "counted": attempt.counted,
        "took": attempt.took,
    }


def verification_of(item: Item) -> Verification:
    """The verification that an item holds."""
    fields = fields_of(item)
    problem, outcome = fields.get("problem"), fields.get("outcome")
    return Verification(
        id=fields["PK"][2:],
        client=fields["client"],
        created_at=datetime.fromisoformat(fields["created_at"]),
        status=Status(fields["status"]),
        attempts=tuple(_attempt_of(attempt) for attempt in fields.get("attempts", ())),
        revision=fields["revision"],
        lease_until=moment_of(fields.get("lease_until")),
        fingerprint=fields.get("fingerprint"),
        subject=fields.get("subject"),
        name_masked=fields.get("name_masked"),
        id_number_masked=fields.get("id_number_masked"),
        reference=fields.get("reference"),
        warnings=tuple(fields.get("warnings", ())),
        outcome=None if outcome is None else Outcome(outcome),
        resp_code=fields.get("resp_code"),
        resp_message=fields.get("resp_message"),
        upstream_request_id=fields.get("upstream_request_id"),
        problem=None if problem is None else Failure(**problem),
        retryable=fields.get("retryable", False),
        reused_from=fields.get("reused_from"),
        ended_at=moment_of(fields.get("ended_at")),
        erased=fields.get("erased", False),
        sealed=fields.get("sealed"),
        due_at=moment_of(fields.get("due_at")),
        callback_url=fields.get("callback_url"),
        submission=fields.get("submission"),
        told=fields.get("told", 0),
    )


def _attempt_of(fields: Mapping[str, Any]) -> Attempt:
    counted = fields.get("counted")
    return Attempt(
        token=fields["token"],
        started_at=datetime.fromisoformat(fields["started_at"]),
        ended_at=moment_of(fields.get("ended_at")),
        code=fields.get("code"),
        upstream_request_id=fields.get("upstream_request_id"),
        billed=Billed(fields["billed"]),
        counted=None if counted is None else (counted[0], Billed(counted[1])),
        took=tuple(fields.get("took", ())),
    )


def breaker_item(breaker: Breaker) -> "dict[str, AttributeValueTypeDef]":
    """The breaker as its item."""
    return {**BREAKER_KEY, **item_of(asdict(breaker))}


def breaker_of(item: Item) -> Breaker:
    """The breaker that an item holds."""
    fields = fields_of(item)
    return Breaker(
        revision=fields["revision"],
        cause=fields.get("cause"),
        since=moment_of(fields.get("since")),
        until=moment_of(fields.get("until")),
        appcode_mark=fields.get("appcode_mark"),
        faults=fields["faults"],
        faults_since=moment_of(fields.get("faults_since")),
    )
