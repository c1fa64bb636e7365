"""The one table in DynamoDB."""

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING, Any

from chalicelib.adapters import faults, keys
from chalicelib.adapters.items import breaker_item, breaker_of, verification_of
from chalicelib.adapters.notation import epoch, exact, fields_of, item_of, plain
from chalicelib.adapters.writes import Layout, absent, same
from chalicelib.domain.breaker import Breaker
from chalicelib.domain.usage import DayUsage
from chalicelib.domain.verification import Verification
from chalicelib.services.ports import (
    Clock,
    ConflictError,
    ContendedError,
    Hold,
    HoldConflictError,
    Page,
    UnavailableError,
    Write,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from chalicelib.adapters.faults import Fault
    from chalicelib.adapters.notation import Item

_TRIES = 6
_LOST_REPLIES = 2
_PAUSE = 0.025
_BATCH = 100
_AFTER_ALL = "~"

# The system's randomness: a generator's state would be the same in all copies of a SnapStart
# snapshot, and their repetitions would meet again and again.
_RANDOM = random.SystemRandom()


class DynamoRepository:
    """The repository port over one table, laid out as ``keys`` shows.

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
        rng: random.Random = _RANDOM,
    ) -> None:
        self._client = client
        self._table = table
        self._clock = clock
        self._layout = Layout(table, record_days, person_days, shards)
        self._rng = rng

    def get(self, verification_id: str) -> Verification | None:
        """The verification, None if there is none or its retention ended."""
        return self._verification(self._item(keys.verification_key(verification_id)))

    def person(self, verification_id: str) -> bytes | None:
        """The sealed derived fields, None if they are not (or no longer) kept."""
        item = self._alive(self._item(keys.person_key(verification_id)))
        return None if item is None else bytes(plain(item["sealed"]))

    def holder(self, subject: str) -> Hold:
        """Who answers for the subject."""
        item = self._alive(self._item(keys.hold_key(subject)))
        if item is None:
            return Hold(subject, None, None)
        holder_id: str = plain(item["holder"])
        return Hold(subject, holder_id, self.get(holder_id))

    def write(self, write: Write) -> None:
        """Do it; raises ConflictError, HoldConflictError, ContendedError, UnavailableError.

        Every try is conditional on ``before``, so at most one takes effect. Where its condition
        fails or its reply stays away, the item tells whether an earlier one did: the attempts'
        tokens make ``after`` its writer's own.
        """
        lost = 0
        shards = self._rng.sample(range(self._layout.shards), self._layout.shards)
        for tried in range(_TRIES):
            self._pause_before(tried)
            fault = self._sent(write, shards[tried % len(shards)])
            if fault is None or self._found_done(write, fault):
                return
            lost += not fault.contended
            if not fault.contended and (lost == _LOST_REPLIES or not fault.unsure):
                raise self._unavailable(fault) from fault.error
        if lost:
            raise self._unavailable(fault) from fault.error
        raise ContendedError(f"table {self._table}: {fault.name}") from fault.error

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
            raise HoldConflictError from fault.error
        if fault.refused is None and not fault.unsure:
            return False
        standing = fault.refused and fault.refused[0]
        current = self._verification(standing) if standing else self.get(write.after.id)
        if current == write.after:
            return True
        if fault.refused or _revision(current) != _revision(write.before):
            raise ConflictError(current) from fault.error
        return False

    def of_day(self, day: date, limit: int, cursor: str | None) -> Page:
        """Verifications created that day (UTC+8); raises ValueError for a broken cursor."""
        found = self._first(
            limit + 1,
            index="by_day",
            shards=[keys.day_shard(day, shard) for shard in range(self._layout.shards)],
            condition="day_shard = :shard AND day_sort < :bound",
            bound=_AFTER_ALL if cursor is None else keys.day_sort_of(cursor, day),
            sort="day_sort",
            newest_first=True,
        )
        more = len(found) > limit
        return Page(
            self._loaded(found[:limit]),
            keys.cursor_of(plain(found[limit - 1]["day_sort"])) if more else None,
        )

    def open_until(self, due: datetime, limit: int) -> Sequence[Verification]:
        """Open ones whose lease ends, or that are uncounted since, before ``due``."""
        found = self._first(
            limit,
            index="open",
            shards=[keys.open_shard(shard) for shard in range(self._layout.shards)],
            condition="open_shard = :shard AND open_due <= :bound",
            bound=exact(due),
            sort="open_due",
            newest_first=False,
        )
        # The index lags behind: look again at what was loaded.
        return [item for item in self._loaded(found) if item.open and keys.due(item) <= due]

    def usage(self, days: Iterable[date], client: str | None) -> Sequence[DayUsage]:
        """One entry a day, in the order asked; of all clients if ``client`` is None."""
        return [self._usage(day, client) for day in days]

    def breaker(self) -> Breaker:
        """The breaker as it stands."""
        item = self._item(keys.BREAKER_KEY)
        return Breaker() if item is None else breaker_of(item)

    def set_breaker(self, breaker: Breaker, *, before: Breaker) -> bool:
        """Replace it if it still is as it was read; whether that was so."""
        unchanged = (
            same("revision", before.revision) if before.revision else absent(self._clock.now())
        )
        try:
            self._client.put_item(TableName=self._table, Item=breaker_item(breaker), **unchanged)
        except faults.ERRORS as exc:
            fault = faults.of(exc)
            if fault.refused is None:
                raise self._unavailable(fault) from exc
            # A repetition by botocore meets its own first call.
            standing = fault.refused[0]
            return standing is not None and breaker_of(standing) == breaker
        return True

    def _usage(self, day: date, client: str | None) -> DayUsage:
        usage = DayUsage(day)
        for item in self._query(
            "PK = :day" if client is None else "PK = :day AND begins_with(SK, :client)",
            {
                ":day": plain(keys.usage_key(day, "")["PK"]),
                ":client": None if client is None else f"{client}#",
            },
            ConsistentRead=True,
        ):
            counters = fields_of(item)
            usage.add({name: counters[name] for name in counters.keys() - {"PK", "SK"}})
        return usage

    def _item(self, key: "keys.Key") -> "Item | None":
        with self._translated():
            return self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get(
                "Item"
            )

    def _first(
        self,
        limit: int,
        *,
        index: str,
        shards: Iterable[str],
        condition: str,
        bound: str,
        sort: str,
        newest_first: bool,
    ) -> "list[Item]":
        """The first keys of an index, all its shards merged."""
        queries = [
            self._query(
                condition,
                {":shard": shard, ":bound": bound},
                IndexName=index,
                ScanIndexForward=not newest_first,
                Limit=limit,
            )
            for shard in shards
        ]
        merged = merge(*queries, key=lambda item: str(plain(item[sort])), reverse=newest_first)
        return [*islice(merged, limit)]

    def _query(
        self,
        condition: str,
        values: Mapping[str, object],
        **options: Any,  # noqa: ANN401
    ) -> "Iterator[Item]":
        while True:
            with self._translated():
                reply = self._client.query(
                    TableName=self._table,
                    KeyConditionExpression=condition,
                    ExpressionAttributeValues=item_of(values),
                    **options,
                )
            yield from reply["Items"]
            if "LastEvaluatedKey" not in reply:
                return
            options["ExclusiveStartKey"] = reply["LastEvaluatedKey"]

    def _loaded(self, found: "Sequence[Item]") -> list[Verification]:
        """The verifications behind an index's keys, in their order; some may be gone by now."""
        wanted = {plain(item["PK"]): {"PK": item["PK"], "SK": item["SK"]} for item in found}
        keys_, items = [*wanted.values()], dict[str, Verification | None]()
        for start in range(0, len(keys_), _BATCH):
            for item in self._batch(keys_[start : start + _BATCH]):
                items[plain(item["PK"])] = self._verification(item)
        return [item for name in wanted if (item := items.get(name)) is not None]

    def _batch(self, batch: "Sequence[keys.Key]") -> "Iterator[Item]":
        request: Mapping[str, Any] = {self._table: {"Keys": batch, "ConsistentRead": True}}
        for tried in range(_TRIES):
            self._pause_before(tried)
            with self._translated():
                reply = self._client.batch_get_item(RequestItems=request)
            yield from reply["Responses"].get(self._table, ())
            request = reply.get("UnprocessedKeys", {})
            if not request:
                return
        raise UnavailableError(f"table {self._table}: keys of a BatchGetItem stay unprocessed")

    def _verification(self, item: "Item | None") -> Verification | None:
        standing = self._alive(item)
        return None if standing is None else verification_of(standing)

    def _alive(self, item: "Item | None") -> "Item | None":
        """The item unless its time is over: TTL deletes as late as days."""
        if item is not None and "ttl" in item and plain(item["ttl"]) < epoch(self._clock.now()):
            return None
        return item

    def _pause_before(self, tried: int) -> None:
        """0 s, then 25 to 400 ms, doubling, give or take a half: 1.2 s at most in all."""
        if tried:
            self._clock.sleep(_PAUSE * 2 ** (tried - 1) * (0.5 + self._rng.random()))

    @contextmanager
    def _translated(self) -> "Iterator[None]":
        try:
            yield
        except faults.ERRORS as exc:
            raise self._unavailable(faults.of(exc)) from exc

    def _unavailable(self, fault: "Fault") -> UnavailableError:
        return UnavailableError(f"table {self._table}: {fault.name}")


def _revision(verification: Verification | None) -> int | None:
    return None if verification is None else verification.revision
