"""The port of batches over the one table in DynamoDB."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from chalicelib.adapters import faults, keys
from chalicelib.adapters.batch_items import batch_item, batch_of, chunk_item, chunk_of
from chalicelib.adapters.indexes import Indexes
from chalicelib.adapters.notation import Item, epoch, item_of, marshalled, plain
from chalicelib.adapters.table import TRIES, Table
from chalicelib.adapters.writes import absent, same
from chalicelib.domain.batch import Batch, Chunk
from chalicelib.services.batch_ports import BatchPage
from chalicelib.services.ports import Clock

if TYPE_CHECKING:
    from chalicelib.adapters.faults import Fault

_LAST_ROW = 99_999_999


class DynamoBatches:
    """A batch, its counters and its chunks stand under one key."""

    def __init__(
        self,
        table: Table,
        clock: Clock,
        *,
        record_days: int = 730,
        shards: int = 4,
    ) -> None:
        self._table = table
        self._indexes = Indexes(table, shards)
        self._clock = clock
        self._record_days = record_days
        self._shards = shards

    def get(self, batch_id: str) -> Batch | None:
        """The batch with its progress, read at once, though not in one moment."""
        return next(iter(self._loaded([keys.batch_key(batch_id)])), None)

    def _loaded(self, found: Sequence[Item]) -> list[Batch]:
        """Batches by their keys, in their order."""
        wanted = [
            key for item in found for key in (item, keys.batch_counters_key(plain(item["PK"])[2:]))
        ]
        items = {(plain(i["PK"]), plain(i["SK"])): i for i in self._table.behind(wanted)}
        return [
            batch_of(item, items.get((place, "N")))
            for (place, sort), item in items.items()
            if sort == "B"
        ]

    def add(self, batch: Batch) -> bool:
        """Keep a new one; whether it was not there before."""
        return self._put(batch, absent(self._clock.now()))

    def replace(self, after: Batch, before: Batch) -> bool:
        """Put ``after`` in the place of ``before`` if it still stands; whether that was so."""
        return self._put(after, same("revision", before.revision))

    def _put(self, batch: Batch, condition: Any) -> bool:  # noqa: ANN401  # the client's own types
        item = batch_item(batch, shards=self._shards, record_days=self._record_days)
        return self._table.put_if(item, condition)

    def add_chunk(self, chunk: Chunk, counters: Mapping[str, int]) -> Chunk | None:
        """Write it and count it in one transaction; None, or what stands in its place.

        Where a reply was lost, a repetition meets its own chunk: that is as good as written.
        """
        seen: list[Fault] = []
        while len(seen) < TRIES:
            self._table.pause_before(len(seen))
            fault = self._sent(chunk, counters)
            if fault is None:
                return None
            if fault.refused is not None:
                standing = self.chunk(chunk.batch_id, chunk.row)
                if standing is not None:
                    return None if standing == chunk else standing
            seen.append(fault)
            if not (fault.contended or fault.unsure or fault.refused):
                break
        raise self._table.unavailable(seen[-1]) from seen[-1].error

    def _sent(self, chunk: Chunk, counters: Mapping[str, int]) -> "Fault | None":
        now = self._clock.now()
        ttl = epoch(now + timedelta(days=self._record_days))
        moved = [*counters.items()]
        put = {
            "TableName": self._table.name,
            "Item": chunk_item(chunk, ttl=ttl),
            "ConditionExpression": "attribute_not_exists(PK)",
        }
        added = ", ".join(f"#c{n} :c{n}" for n in range(len(moved)))
        update = {
            "TableName": self._table.name,
            "Key": keys.batch_counters_key(chunk.batch_id),
            "UpdateExpression": f"SET #at = :at, #ttl = :ttl ADD {added}",
            "ExpressionAttributeNames": {"#at": "at", "#ttl": "ttl"}
            | {f"#c{n}": name for n, (name, _) in enumerate(moved)},
            "ExpressionAttributeValues": item_of({":at": now, ":ttl": ttl})
            | {f":c{n}": marshalled(number) for n, (_, number) in enumerate(moved)},
        }
        request: Any = [{"Put": put}, {"Update": update}]
        try:
            self._table.client.transact_write_items(TransactItems=request)
        except faults.ERRORS as exc:
            return faults.of(exc)
        return None

    def chunk(self, batch_id: str, row: int) -> Chunk | None:
        """The chunk that begins with that row."""
        item = self._table.item(keys.chunk_key(batch_id, row))
        return None if item is None else chunk_of(item)

    def chunks(self, batch_id: str, from_row: int, to_row: int | None = None) -> Iterator[Chunk]:
        """Those that begin with these rows, or between them, in order."""
        last = _LAST_ROW if to_row is None else to_row
        return self._between(batch_id, from_row, last)

    def chunk_before(self, batch_id: str, row: int) -> Chunk | None:
        """The last one that begins with that row or before."""
        return next(self._between(batch_id, 0, row, ScanIndexForward=False, Limit=1), None)

    def _between(
        self,
        batch_id: str,
        first: int,
        last: int,
        **options: Any,  # noqa: ANN401  # the client's own
    ) -> Iterator[Chunk]:
        items = self._table.query(
            "PK = :batch AND SK BETWEEN :first AND :last",
            {
                ":batch": f"B#{batch_id}",
                ":first": keys.chunk_sort(first),
                ":last": keys.chunk_sort(last),
            },
            ConsistentRead=True,
            **options,
        )
        return map(chunk_of, items)

    def of_day(self, day: date, limit: int, cursor: str | None) -> BatchPage:
        """Batches created that day (UTC+8); raises ValueError for a broken cursor."""
        items, next_cursor = self._indexes.of_day(keys.BATCHES, day, limit, cursor)
        return BatchPage(self._loaded(items), next_cursor)

    def due(self, until: datetime, limit: int) -> Sequence[Batch]:
        """Those that have to be looked at before ``until``, earliest first."""
        found = self._loaded(self._indexes.open_until(keys.BATCHES, until, limit))
        return [one for one in found if one.due_at is not None and one.due_at <= until]
