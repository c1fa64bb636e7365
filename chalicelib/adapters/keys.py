"""Where things stand in the one table, and in its two indexes.

    verification           V#<id>          V
    its sealed fields      V#<id>          PERSON
    subject                S#<subject>     S
    its deliveries         V#<id>          DLV#<endpoint>#<number>
    stored submission      F#<id>          F
    disabled endpoint      E#<client>      <endpoint>
    usage of a day         U#<day>         <client>#<shard>
    cap of a day or month  CAP#<period>    <client>, * for all
    breaker                BREAKER         B

The indexes hold keys only: by day, newest first, and what is open by due time; verifications,
deliveries and submissions each in shards of their own. An index shard is told by the id, so that
it never moves; the number of shards may be raised later, never lowered.
"""

from base64 import b64decode, urlsafe_b64encode
from datetime import date, datetime
from typing import TYPE_CHECKING
from zlib import crc32

from chalicelib.adapters.notation import exact, item_of
from chalicelib.domain.caps import CapCounter
from chalicelib.domain.delivery import Delivery
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


def delivery_key(delivery: Delivery) -> Key:
    """Where a delivery stands."""
    return delivery_key_of(delivery.verification_id, delivery.endpoint, delivery.number)


def delivery_key_of(verification_id: str, endpoint: str, number: int) -> Key:
    """Where the delivery with that id's parts stands."""
    return item_of({"PK": f"V#{verification_id}", "SK": f"DLV#{endpoint}#{number}"})


def submission_key(submission_id: str) -> Key:
    """Where a stored submission stands."""
    return item_of({"PK": f"F#{submission_id}", "SK": "F"})


def endpoint_key(client: str, endpoint: str) -> Key:
    """Where it is written that an endpoint wants nothing more."""
    return item_of({"PK": f"E#{client}", "SK": endpoint})


def hold_key(subject: str) -> Key:
    """Where a subject's hold stands."""
    return item_of({"PK": f"S#{subject}", "SK": "S"})


def usage_key(day: date, sort: str) -> Key:
    """Where a client's counters of a day stand, a part of them in each shard."""
    return item_of({"PK": usage_day(day), "SK": sort})


def usage_day(day: date) -> str:
    """What all counters of a day stand under."""
    return f"U#{day.isoformat()}"


def cap_key(counter: CapCounter) -> Key:
    """Where a cap's counter stands."""
    return item_of({"PK": f"CAP#{counter.period}", "SK": counter.owner})


BREAKER_KEY = item_of({"PK": "BREAKER", "SK": "B"})


def shard_of(item_id: str, shards: int) -> int:
    """The index shard of what has this id."""
    return crc32(item_id.encode()) % shards


VERIFICATIONS, DELIVERIES, SUBMISSIONS = "", "D", "F"
"""What the indexes keep apart."""


def day_shard(day: date, shard: int, kind: str = VERIFICATIONS) -> str:
    """Hash key of the index by day."""
    return f"{kind}D#{day.isoformat()}#{shard}"


def open_shard(shard: int, kind: str = VERIFICATIONS) -> str:
    """Hash key of the index of what is open."""
    return f"{kind}O#{shard}"


def day_place(
    item_id: str, created_at: datetime, shards: int, kind: str = VERIFICATIONS
) -> dict[str, str]:
    """An item's attributes for the index by day (UTC+8)."""
    day = created_at.astimezone(CHINA).date()
    return {
        "day_shard": day_shard(day, shard_of(item_id, shards), kind),
        "day_sort": f"{utc(created_at)}#{item_id}",
    }


def open_place(
    item_id: str, due_at: datetime, shards: int, kind: str = VERIFICATIONS
) -> dict[str, str]:
    """An item's attributes for the index of what is open."""
    return {"open_shard": open_shard(shard_of(item_id, shards), kind), "open_due": exact(due_at)}


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
    found = day_place(verification.id, verification.created_at, shards)
    if verification.open:
        found |= open_place(verification.id, due(verification), shards)
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
