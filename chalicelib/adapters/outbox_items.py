"""Deliveries and stored submissions as DynamoDB items and back."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from chalicelib.adapters.keys import (
    DELIVERIES,
    SUBMISSIONS,
    day_place,
    delivery_key,
    open_place,
    submission_key,
)
from chalicelib.adapters.notation import Item, epoch, fields_of, item_of, moment_of
from chalicelib.domain.delivery import Delivery, DeliveryAttempt, DeliveryStatus, Fault
from chalicelib.domain.stored_submission import StoredSubmission, SubmissionStatus

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef


def delivery_item(
    delivery: Delivery, *, shards: int, record_days: int
) -> "dict[str, AttributeValueTypeDef]":
    """The delivery with its places in the two indexes and its end of retention."""
    pending = delivery.due_at is not None
    fields = item_of(
        {
            **day_place(delivery.id, delivery.created_at, shards, DELIVERIES),
            **(
                open_place(delivery.id, delivery.due_at, shards, DELIVERIES)
                if delivery.due_at is not None
                else {}
            ),
            "ttl": None if pending else epoch(delivery.created_at + timedelta(days=record_days)),
            "verification_id": delivery.verification_id,
            "url": delivery.url,
            "number": delivery.number,
            "client": delivery.client,
            "created_at": delivery.created_at,
            "due_at": delivery.due_at,
            "status": delivery.status,
            "attempts": [_attempt_fields(attempt) for attempt in delivery.attempts] or None,
            "tries": delivery.tries,
            "revision": delivery.revision,
        }
    )
    return {**delivery_key(delivery), **fields}


def _attempt_fields(attempt: DeliveryAttempt) -> dict[str, object]:
    return {"at": attempt.at, "code": attempt.code, "duration_ms": attempt.duration_ms}


def delivery_of(item: Item) -> Delivery:
    """The delivery that an item holds."""
    fields = fields_of(item)
    return Delivery(
        verification_id=fields["verification_id"],
        url=fields["url"],
        number=fields["number"],
        client=fields["client"],
        created_at=datetime.fromisoformat(fields["created_at"]),
        due_at=moment_of(fields.get("due_at")),
        status=DeliveryStatus(fields["status"]),
        attempts=tuple(_attempt_of(attempt) for attempt in fields.get("attempts", ())),
        tries=fields["tries"],
        revision=fields["revision"],
    )


def _attempt_of(fields: Mapping[str, Any]) -> DeliveryAttempt:
    code = fields["code"]
    return DeliveryAttempt(
        datetime.fromisoformat(fields["at"]),
        code if isinstance(code, int) else Fault(code),
        fields["duration_ms"],
    )


def submission_item(
    submission: StoredSubmission, *, shards: int, days: int
) -> "dict[str, AttributeValueTypeDef]":
    """The entry with its place in the index by day and its end of retention."""
    fields = item_of(
        {
            **day_place(submission.id, submission.created_at, shards, SUBMISSIONS),
            "ttl": epoch(submission.created_at + timedelta(days=days)),
            "source": submission.source,
            "created_at": submission.created_at,
            "status": submission.status,
            "reason": submission.reason,
            "detail": submission.detail,
            "assurance": submission.assurance,
            "missing": submission.missing,
            "name_masked": submission.name_masked,
            "id_number_masked": submission.id_number_masked,
            "sealed": submission.sealed,
            "revision": submission.revision,
        }
    )
    return {**submission_key(submission.id), **fields}


def submission_of(item: Item) -> StoredSubmission:
    """The entry that an item holds."""
    fields = fields_of(item)
    return StoredSubmission(
        id=fields["PK"][2:],
        source=fields["source"],
        created_at=datetime.fromisoformat(fields["created_at"]),
        status=SubmissionStatus(fields["status"]),
        reason=fields["reason"],
        detail=fields["detail"],
        assurance=fields["assurance"],
        missing=tuple(fields.get("missing", ())),
        name_masked=fields.get("name_masked"),
        id_number_masked=fields.get("id_number_masked"),
        sealed=fields.get("sealed"),
        revision=fields["revision"],
    )
