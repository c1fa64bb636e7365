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
        lost, unsure = 0, False
        shards = self._rng.sample(range(self._layout.shards), self._layout.shards)
        for tried in range(_TRIES):
            self._pause_before(tried)
            fault = self._sent(write, shards[tried % len(shards)])
            if fault is None or self._found_done(write, fault):
                return
            unsure = unsure or fault.unsure
            lost += not fault.contended
            if lost and (lost == _LOST_REPLIES or not fault.unsure):
                raise self._unavailable(fault) from fault.error
        ...

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
