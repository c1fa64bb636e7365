"""The repository port over the one table in DynamoDB."""

import random
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING

from chalicelib.adapters import faults, keys
from chalicelib.adapters.indexes import Indexes
from chalicelib.adapters.items import breaker_item, breaker_of, verification_of
from chalicelib.adapters.notation import fields_of, plain
from chalicelib.adapters.table import RANDOM, TRIES, Table
from chalicelib.adapters.writes import Layout, absent, same
from chalicelib.domain.breaker import Breaker
from chalicelib.domain.caps import CapCounter
from chalicelib.domain.usage import DayUsage
from chalicelib.domain.verification import Verification
from chalicelib.services.ports import (
    CapReachedError,
    Clock,
    ConflictError,
    ContendedError,
    Hold,
    HoldConflictError,
    Page,
    Write,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from chalicelib.adapters.faults import Fault

_LOST_REPLIES = 2


class DynamoRepository:
    """Verifications, persons, holds, usage and the breaker, laid out as ``keys`` shows.

    ``client`` is a low-level DynamoDB client; its timeouts and repetitions bound each call, and
    a write whose reply stays away costs up to two calls and two reads. ``shards`` spreads the
    indexes and each client's usage of a day.
    """

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        clock: Clock,
        *,
        record_days: int = 730,
        person_days: int = 30,
        shards: int = 4,
        rng: random.Random = RANDOM,
    ) -> None:
        self._client = client
        self._table = Table(client, table, clock, rng)
        self._indexes = Indexes(self._table, shards)
        self._layout = Layout(table, record_days, person_days, shards)
        self._clock = clock
        self._rng = rng

    def get(self, verification_id: str) -> Verification | None:
        """The verification, None if there is none or its retention ended."""
        item = self._table.item(keys.verification_key(verification_id))
        return None if item is None else verification_of(item)

    def person(self, verification_id: str) -> bytes | None:
        """The sealed derived fields, None if they are not (or no longer) kept."""
        item = self._table.item(keys.person_key(verification_id))
        return None if item is None else bytes(plain(item["sealed"]))

    def holder(self, subject: str) -> Hold:
        """Who answers for the subject."""
        item = self._table.item(keys.hold_key(subject))
        if item is None:
            return Hold(subject, None, None)
        holder_id: str = plain(item["holder"])
        return Hold(subject, holder_id, self.get(holder_id))

    def write(self, write: Write) -> None:
        """Do it; raises the port's errors, and UnavailableError.

        Every try is conditional on ``before``, so at most one takes effect. Where its condition
        fails or its reply stays away, the item tells whether an earlier one did: the attempts'
        tokens make ``after`` its writer's own.
        """
        seen: list[Fault] = []
        shards = self._rng.sample(range(self._layout.shards), self._layout.shards)
        while _worth_a_try(seen):
            self._table.pause_before(len(seen))
            fault = self._sent(write, shards[len(seen) % len(shards)])
            if fault is None or self._found_done(write, fault):
                return
            if fault.contended and self._found_full(write):
                return
            seen.append(fault)
        error = self._table.unavailable(seen[-1])
        only_contended = all(fault.contended for fault in seen)
        raise (ContendedError(*error.args) if only_contended else error) from seen[-1].error

    def _sent(self, write: Write, shard: int) -> "Fault | None":
        """One try. botocore gives a transaction its ClientRequestToken, one for all repetitions."""
        now = self._clock.now()
        put = self._layout.put(write, now)
        beside = [*self._layout.beside(write, now, shard)]
        try:
            if beside:
                self._client.transact_write_items(TransactItems=[{"Put": put}, *beside])
            else:
                self._client.put_item(**put)
        except faults.ERRORS as exc:
            return faults.of(exc)
        return None

    def _found_done(self, write: Write, fault: "Fault") -> bool:
        """Whether the write was done in spite of the fault; raises if it never can be."""
        if fault.refused is not None and 0 not in fault.refused:
            full = [cap.counter for n, cap in enumerate(write.caps, 1) if n in fault.refused]
            if len(full) < len(fault.refused):
                raise HoldConflictError from fault.error
            raise CapReachedError(full) from fault.error
        if fault.refused is None and not fault.unsure:
            return False
        current = self._standing(write.after.id, fault)
        if current == write.after:
            return True
        if fault.refused is not None:
            raise ConflictError(current) from fault.error
        return False

    def _found_full(self, write: Write) -> bool:
        """As ``_found_done``, where others are at the same counters: a read ends the crowd."""
        held = self.taken([cap.counter for cap in write.caps])
        full = [cap.counter for cap in write.caps if held[cap.counter] >= cap.limit]
        if not full:
            return False
        # An earlier try may have taken the last one itself, and a replay never needs any.
        current = self.get(write.after.id)
        if current == write.after:
            return True
        if _revision(current) != _revision(write.before):
            raise ConflictError(current)
        if write.take is not None and self.holder(write.take.subject) != write.take:
            raise HoldConflictError
        raise CapReachedError(full)

    def _standing(self, verification_id: str, fault: "Fault") -> Verification | None:
        """What stands there now: a failed condition says it, or else it is read."""
        named = fault.refused[0] if fault.refused else None
        if named is None:
            return self.get(verification_id)
        item = self._table.alive(named)
        return None if item is None else verification_of(item)

    def of_day(self, day: date, limit: int, cursor: str | None) -> Page:
        """Verifications created that day (UTC+8); raises ValueError for a broken cursor."""
        items, next_cursor = self._indexes.of_day(keys.VERIFICATIONS, day, limit, cursor)
        return Page([verification_of(item) for item in items], next_cursor)

    def open_until(self, due: datetime, limit: int) -> Sequence[Verification]:
        """Open ones whose lease ends, or that are uncounted since, before ``due``."""
        found = self._indexes.open_until(keys.VERIFICATIONS, due, limit)
        loaded = map(verification_of, found)
        return [one for one in loaded if one.open and keys.due(one) <= due]

    def usage(self, days: Iterable[date], client: str | None) -> Sequence[DayUsage]:
        """One entry a day, in the order asked; of all clients if ``client`` is None."""
        return [self._usage(day, client) for day in days]

    def _usage(self, day: date, client: str | None) -> DayUsage:
        usage = DayUsage(day)
        condition, values = "PK = :day", {":day": keys.usage_day(day)}
        if client is not None:
            condition += " AND begins_with(SK, :client)"
            values[":client"] = f"{client}#"
        for item in self._table.query(condition, values, ConsistentRead=True):
            counters = fields_of(item)
            usage.add({name: counters[name] for name in counters.keys() - {"PK", "SK"}})
        return usage

    def taken(self, counters: Sequence[CapCounter]) -> Mapping[CapCounter, int]:
        """How many hold a place on each of these."""
        items = {counter: self._table.item(keys.cap_key(counter)) for counter in counters}
        return {counter: plain(item["taken"]) if item else 0 for counter, item in items.items()}

    def breaker(self) -> Breaker:
        """The breaker as it stands."""
        item = self._table.item(keys.BREAKER_KEY)
        return Breaker() if item is None else breaker_of(item)

    def set_breaker(self, breaker: Breaker, *, before: Breaker) -> bool:
        """Replace it if it still is as it was read; whether that was so."""
        now = self._clock.now()
        unchanged = same("revision", before.revision) if before.revision else absent(now)
        try:
            self._client.put_item(
                TableName=self._table.name, Item=breaker_item(breaker), **unchanged
            )
        except faults.ERRORS as exc:
            fault = faults.of(exc)
            if fault.refused is None:
                raise self._table.unavailable(fault) from exc
            # botocore's repetition of a call may meet what the first one did.
            standing = fault.refused[0]
            return standing is not None and breaker_of(standing) == breaker
        return True


def _revision(verification: Verification | None) -> int | None:
    return None if verification is None else verification.revision


def _worth_a_try(seen: "Sequence[Fault]") -> bool:
    if not seen:
        return True
    lost_replies = sum(not fault.contended for fault in seen)
    return len(seen) < TRIES and (
        seen[-1].contended or (seen[-1].unsure and lost_replies < _LOST_REPLIES)
    )
