"""The table's two indexes: what was made on a day, and what is open until a time."""

from collections.abc import Sequence
from datetime import date, datetime

from chalicelib.adapters import keys
from chalicelib.adapters.notation import Item, exact, plain
from chalicelib.adapters.table import Table

_AFTER_ALL = "~"


class Indexes:
    """Queries over all shards; verifications, deliveries and submissions are kept apart."""

    def __init__(self, table: Table, shards: int) -> None:
        self._table = table
        self._shards = shards

    def of_day(
        self, kind: str, day: date, limit: int, cursor: str | None
    ) -> tuple[Sequence[Item], str | None]:
        """Those of a day (UTC+8), newest first, and where the next part starts.

        Raises ValueError for a broken cursor.
        """
        found = self._table.first(
            limit + 1,
            [keys.day_shard(day, shard, kind) for shard in range(self._shards)],
            "day_shard = :shard AND day_sort < :bound",
            _AFTER_ALL if cursor is None else keys.day_sort_of(cursor, day),
            sort="day_sort",
            IndexName="by_day",
            ScanIndexForward=False,
        )
        more = len(found) > limit
        return (
            self._table.behind(found[:limit]),
            keys.cursor_of(plain(found[limit - 1]["day_sort"])) if more else None,
        )

    def open_until(self, kind: str, due: datetime, limit: int) -> Sequence[Item]:
        """Those that were open and due, earliest first: an index lags behind what is loaded."""
        found = self._table.first(
            limit,
            [keys.open_shard(shard, kind) for shard in range(self._shards)],
            "open_shard = :shard AND open_due <= :bound",
            exact(due),
            sort="open_due",
            IndexName="open",
        )
        return self._table.behind(found)
