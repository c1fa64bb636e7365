"""A ``Write`` as DynamoDB's actions: the verification's put first, then what goes with it."""

from collections import Counter
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple, NotRequired, TypedDict

from chalicelib.adapters.items import verification_item
from chalicelib.adapters.keys import cap_key, hold_key, person_key, usage_key, verification_key
from chalicelib.adapters.notation import epoch, item_of, marshalled
from chalicelib.adapters.outbox_items import delivery_item
from chalicelib.domain.caps import Cap, CapCounter
from chalicelib.domain.delivery import Delivery
from chalicelib.domain.verification import Verification
from chalicelib.services.ports import Hold, Write

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb.type_defs import (
        AttributeValueTypeDef,
        PutTypeDef,
        TransactWriteItemTypeDef,
    )

HOLD_TIME = timedelta(days=31)
"""A day longer than the longest ``max_age_seconds``."""


class Condition(TypedDict):
    """What must hold for an action to happen."""

    ConditionExpression: str
    ExpressionAttributeNames: NotRequired[dict[str, str]]
    ExpressionAttributeValues: "dict[str, AttributeValueTypeDef]"
    ReturnValuesOnConditionCheckFailure: Literal["ALL_OLD"]  # free, and saves the next read


def absent(now: datetime) -> Condition:
    """Nothing stands there, or its time is over: TTL deletes as late as days."""
    return {
        "ConditionExpression": "attribute_not_exists(PK) OR #ttl < :now",
        "ExpressionAttributeNames": {"#ttl": "ttl"},  # a reserved word
        "ExpressionAttributeValues": {":now": marshalled(epoch(now))},
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def unchanged(seen: Verification | None, now: datetime) -> Condition:
    """The verification is as it was seen."""
    return absent(now) if seen is None else same("revision", seen.revision)


def same(name: str, value: object) -> Condition:
    """The attribute has this value."""
    return {
        "ConditionExpression": f"{name} = :seen",
        "ExpressionAttributeValues": {":seen": marshalled(value)},
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


class Layout(NamedTuple):
    """How the table keeps things, and for how long."""

    table: str
    record_days: int
    person_days: int
    shards: int

    def put(self, write: Write, now: datetime) -> "PutTypeDef":
        """The verification's own put; a failed condition brings back what stands there."""
        return {
            "TableName": self.table,
            "Item": verification_item(
                write.after, shards=self.shards, record_days=self.record_days
            ),
            **unchanged(write.before, now),
        }

    def beside(
        self, write: Write, now: datetime, shard: int
    ) -> "Iterator[TransactWriteItemTypeDef]":
        """What has to change with the verification, caps first; ``shard`` is the usage's."""
        yield from (self._cap(cap) for cap in write.caps)
        yield from (self._given_back(*given) for given in write.given_back.items())
        yield from self._usage(write, shard)
        if write.delivery is not None:
            yield self._delivery(write.delivery)
        if write.person is not None:
            yield self._person(write.after, write.person, now)
        if write.take is not None:
            yield from self._take(write.take, write.after.id, now)
        if write.release is not None:
            yield self._release(write.release, write.after.id)

    def _cap(self, cap: Cap) -> "TransactWriteItemTypeDef":
        return {
            "Update": {
                "TableName": self.table,
                "Key": cap_key(cap.counter),
                "UpdateExpression": "ADD taken :one",
                "ConditionExpression": "attribute_not_exists(taken) OR taken < :cap",
                "ExpressionAttributeValues": item_of({":one": 1, ":cap": cap.limit}),
            }
        }

    def _given_back(self, counter: CapCounter, number: int) -> "TransactWriteItemTypeDef":
        return {
            "Update": {
                "TableName": self.table,
                "Key": cap_key(counter),
                "UpdateExpression": "ADD taken :given",
                "ExpressionAttributeValues": item_of({":given": -number}),
            }
        }

    def _usage(self, write: Write, shard: int) -> "Iterator[TransactWriteItemTypeDef]":
        """One ADD an item: a transaction takes no item twice."""
        sums: dict[tuple[date, str], Counter[str]] = {}
        for change in write.usage:
            sums.setdefault((change.day, change.client), Counter()).update(change.counters)
        for (day, client), counters in sums.items():
            moved = [(name, number) for name, number in counters.items() if number]
            if not moved:
                continue
            yield {
                "Update": {
                    "TableName": self.table,
                    "Key": usage_key(day, f"{client}#{shard}"),
                    "UpdateExpression": "ADD "
                    + ", ".join(f"#c{n} :c{n}" for n in range(len(moved))),
                    "ExpressionAttributeNames": {f"#c{n}": m[0] for n, m in enumerate(moved)},
                    "ExpressionAttributeValues": {
                        f":c{n}": marshalled(m[1]) for n, m in enumerate(moved)
                    },
                }
            }

    def _delivery(self, delivery: Delivery) -> "TransactWriteItemTypeDef":
        # Its number is new by the verification's own condition; what a verification of the same
        # id left behind, when its time was over, must not keep an end from being written.
        item = delivery_item(delivery, shards=self.shards, record_days=self.record_days)
        return {"Put": {"TableName": self.table, "Item": item}}

    def _person(
        self, verification: Verification, sealed: bytes, now: datetime
    ) -> "TransactWriteItemTypeDef":
        key = person_key(verification.id)
        if not sealed:
            return {"Delete": {"TableName": self.table, "Key": key}}
        # Not beyond the verification: the next one of its key may be about somebody else.
        ends = min(
            now + timedelta(days=self.person_days),
            (verification.ended_at or now) + timedelta(days=self.record_days),
        )
        kept = {**key, **item_of({"sealed": sealed, "ttl": epoch(ends)})}
        return {"Put": {"TableName": self.table, "Item": kept}}

    def _take(
        self, hold: Hold, verification_id: str, now: datetime
    ) -> "Iterator[TransactWriteItemTypeDef]":
        mine = item_of({"holder": verification_id, "ttl": epoch(now + HOLD_TIME)})
        seen = absent(now) if hold.holder_id is None else same("holder", hold.holder_id)
        yield {
            "Put": {
                "TableName": self.table,
                "Item": {**hold_key(hold.subject), **mine},
                **seen,
            }
        }
        if hold.holder_id not in {None, verification_id}:
            yield {
                "ConditionCheck": {
                    "TableName": self.table,
                    "Key": verification_key(hold.holder_id or ""),
                    **unchanged(hold.holder, now),
                }
            }

    def _release(self, hold: Hold, verification_id: str) -> "TransactWriteItemTypeDef":
        condition = same("holder", verification_id)
        condition["ConditionExpression"] += " OR attribute_not_exists(PK)"
        return {
            "Delete": {"TableName": self.table, "Key": hold_key(hold.subject), **condition},
        }
