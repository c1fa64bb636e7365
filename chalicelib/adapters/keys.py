"""Where things stand in the one table, and in its two indexes.

    verification           V#<id>          V
    its sealed fields      V#<id>          PERSON
    subject                S#<subject>     S
    usage of a day         U#<day>         <client>#<shard>
    breaker                BREAKER         B

The indexes hold keys only: verifications by day, newest first, and the open ones by due time. A
verification's index shard is told by its id, so that it never moves; the number of shards may be
raised later, never lowered.
"""

from base64 import b64decode, urlsafe_b64encode
from datetime import date, datetime
from typing import TYPE_CHECKING
from zlib import crc32

from chalicelib.adapters.notation import exact, item_of
from chalicelib.domain.verification import CHINA, Status, Verification, utc

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

Key = dict[str, "AttributeValueTypeDef"]


def verification_key(verification_id: str) -> Key:
    """Where a verification stands."""
    return item_of({"PK": f"V#{verification_id}", "SK": "V"})


def person_key(verification_id: str) -> Key:
    """Where its sealed derived fields stand."""
    return item_of({"PK": f"V#{verification_id}", "SK": "PERSON"})


def hold_key(subject: str) -> Key:
    """Where a subject's hold stands."""
    return item_of({"PK": f"S#{subject}", "SK": "S"})


def usage_key(day: date, sort: str) -> Key:
    """Where a client's counters of a day stand, a part of them in each shard."""
    return item_of({"PK": usage_day(day), "SK": sort})


def usage_day(day: date) -> str:
    """What all counters of a day stand under."""
    return f"U#{day.isoformat()}"


BREAKER_KEY = item_of({"PK": "BREAKER", "SK": "B"})


def shard_of(verification_id: str, shards: int) -> int:
    """The index shard of a verification."""
    return crc32(verification_id.encode()) % shards


def day_shard(day: date, shard: int) -> str:
    """Hash key of the index by day."""
    return f"D#{day.isoformat()}#{shard}"


def open_shard(shard: int) -> str:
    """Hash key of the index of what is open."""
    return f"O#{shard}"


def due(verification: Verification) -> datetime:
    """When the sweeper has to look at an open one: when it is due, its lease or last call ended."""
    if verification.status is Status.PENDING and verification.due_at is not None:
        return verification.due_at
    if verification.status is Status.IN_PROGRESS and verification.lease_until is not None:
        return verification.lease_until
    ends = [attempt.ended_at for attempt in verification.attempts if attempt.ended_at]
    return max(ends, default=verification.created_at)


def places(verification: Verification, shards: int) -> dict[str, str]:
    """A verification's attributes for the two indexes."""
    shard = shard_of(verification.id, shards)
    found = {
        "day_shard": day_shard(verification.created_at.astimezone(CHINA).date(), shard),
        "day_sort": f"{utc(verification.created_at)}#{verification.id}",
    }
    if verification.open:
        found |= {"open_shard": open_shard(shard), "open_due": exact(due(verification))}
    return found


def cursor_of(day_sort: str) -> str:
    """Where a list goes on, to be handed out."""
    return urlsafe_b64encode(day_sort.encode()).decode().rstrip("=")


def day_sort_of(cursor: str, day: date) -> str:
    """The sort key behind a cursor; raises ValueError for anything but one of that day."""
    try:
        key = b64decode(cursor + "=" * (-len(cursor) % 4), "-_", validate=True).decode()
        when, mark, _ = key.partition("#")
        if mark and datetime.fromisoformat(when).astimezone(CHINA).date() == day:
            return key
    except (ValueError, OverflowError) as exc:
        raise ValueError("the cursor is broken") from exc
    raise ValueError("the cursor is broken")
