"""Reading a DynamoDB table: items, queries page by page, batches, indexes in shards."""

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING, Any

from chalicelib.adapters import faults
from chalicelib.adapters.notation import Item, epoch, item_of, plain
from chalicelib.services.ports import Clock, UnavailableError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from chalicelib.adapters.faults import Fault
    from chalicelib.adapters.keys import Key

TRIES = 6

# The system's randomness: a generator's state would be the same in all copies of a SnapStart
# snapshot, and what they repeat would meet again and again.
RANDOM = random.SystemRandom()

_PAUSE = 0.025
_BATCH = 100


class Table:
    """One table; every read but those of indexes is strongly consistent.

    All methods raise UnavailableError. Items whose ``ttl`` has passed are not there: DynamoDB
    deletes them as late as days after.
    """

    def __init__(
        self, client: "DynamoDBClient", name: str, clock: Clock, rng: random.Random = RANDOM
    ) -> None:
        self.client = client
        self.name = name
        self._clock = clock
        self._rng = rng

    def item(self, key: "Key") -> Item | None:
        """The item under a key."""
        with self._translated():
            reply = self.client.get_item(TableName=self.name, Key=key, ConsistentRead=True)
        return self.alive(reply.get("Item"))

    def alive(self, item: Item | None) -> Item | None:
        """The item unless its time is over."""
        if item is not None and "ttl" in item and plain(item["ttl"]) < epoch(self._clock.now()):
            return None
        return item

    def query(
        self,
        condition: str,
        values: Mapping[str, object],
        **options: Any,  # noqa: ANN401 - the client's own
    ) -> Iterator[Item]:
        """What meets a key condition, page by page as it is asked for."""
        while True:
            with self._translated():
                reply = self.client.query(
                    TableName=self.name,
                    KeyConditionExpression=condition,
                    ExpressionAttributeValues=item_of(values),
                    **options,
                )
            yield from reply["Items"]
            if "LastEvaluatedKey" not in reply:
                return
            options["ExclusiveStartKey"] = reply["LastEvaluatedKey"]

    def first(
        self,
        limit: int,
        shards: Iterable[str],
        condition: str,
        bound: str,
        *,
        sort: str,
        **options: Any,  # noqa: ANN401 - the client's own
    ) -> list[Item]:
        """The first of an index over all its shards, in the order of ``sort``.

        The condition names ``:shard`` and ``:bound``.
        """
        queries = [
            self.query(condition, {":shard": shard, ":bound": bound}, Limit=limit, **options)
            for shard in shards
        ]
        backward = options.get("ScanIndexForward") is False
        merged = merge(*queries, key=lambda item: str(plain(item[sort])), reverse=backward)
        return [*islice(merged, limit)]

    def behind(self, found: Sequence[Item]) -> list[Item]:
        """The items behind an index's keys, in their order; some may be gone by now."""
        keys = {_where(item): {"PK": item["PK"], "SK": item["SK"]} for item in found}
        wanted, items = [*keys.values()], dict[tuple[str, str], Item | None]()
        for start in range(0, len(wanted), _BATCH):
            for item in self._batch(wanted[start : start + _BATCH]):
                items[_where(item)] = self.alive(item)
        return [item for item in map(items.get, keys) if item is not None]

    def _batch(self, keys: "Sequence[Key]") -> Iterator[Item]:
        request: Mapping[str, Any] = {self.name: {"Keys": keys, "ConsistentRead": True}}
        for tried in range(TRIES):
            self.pause_before(tried)
            with self._translated():
                reply = self.client.batch_get_item(RequestItems=request)
            yield from reply["Responses"].get(self.name, ())
            request = reply.get("UnprocessedKeys", {})
            if not request:
                return
        raise UnavailableError(f"table {self.name}: keys of a BatchGetItem stay unprocessed")

    def put_if(self, item: Any, condition: Any) -> bool:  # noqa: ANN401  # the client's own types
        """Put it, and tell whether the condition held.

        botocore's repetition of a call may meet what the first one did: that counts as done.
        """
        try:
            self.client.put_item(TableName=self.name, Item=item, **condition)
        except faults.ERRORS as exc:
            fault = faults.of(exc)
            if fault.refused is None:
                raise self.unavailable(fault) from exc
            return bool(fault.refused.get(0) == item)
        return True

    def pause_before(self, tried: int) -> None:
        """Nothing, then 25 ms, doubled each time, give or take half: 1.2 s at most in all."""
        if tried:
            self._clock.sleep(_PAUSE * 2 ** (tried - 1) * (0.5 + self._rng.random()))

    def unavailable(self, fault: "Fault") -> UnavailableError:
        """The port's error for a fault; says the table and what DynamoDB calls it, no more."""
        why = faults.with_mend(fault.name, "TABLE_NAME", self.client)
        return UnavailableError(f"table {self.name}: {why}")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except faults.ERRORS as exc:
            raise self.unavailable(faults.of(exc)) from exc


def _where(item: Item) -> tuple[str, str]:
    return plain(item["PK"]), plain(item["SK"])
