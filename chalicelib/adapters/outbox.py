"""The ports of deliveries and of stored submissions over the one table in DynamoDB."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from chalicelib.adapters import faults, keys
from chalicelib.adapters.indexes import Indexes
from chalicelib.adapters.notation import item_of
from chalicelib.adapters.outbox_items import (
    delivery_item,
    delivery_of,
    submission_item,
    submission_of,
)
from chalicelib.adapters.writes import absent, same
from chalicelib.domain.delivery import Delivery, parts_of
from chalicelib.domain.stored_submission import StoredSubmission
from chalicelib.services.ports import Clock, DeliveryPage, SubmissionPage

if TYPE_CHECKING:
    from chalicelib.adapters.table import Table


class _Shelf:
    """What both have in common: items with an id, by day, replaced by revision."""

    def __init__(self, table: "Table", clock: Clock, *, shards: int = 4) -> None:
        self._table = table
        self._indexes = Indexes(table, shards)
        self._clock = clock
        self._shards = shards


class DynamoOutbox(_Shelf):
    """Deliveries stand beside their verification."""

    def __init__(
        self, table: "Table", clock: Clock, *, record_days: int = 730, shards: int = 4
    ) -> None:
        super().__init__(table, clock, shards=shards)
        self._record_days = record_days

    def get(self, delivery_id: str) -> Delivery | None:
        """The delivery, None if there is none; raises UnavailableError, as all of these."""
        parts = parts_of(delivery_id)
        item = None if parts is None else self._table.item(keys.delivery_key_of(*parts))
        return None if item is None else delivery_of(item)

    def replace(self, after: Delivery, before: Delivery) -> bool:
        """Put ``after`` in the place of ``before`` if it still stands; whether that was so."""
        item = delivery_item(after, shards=self._shards, record_days=self._record_days)
        return self._table.put_if(item, same("revision", before.revision))

    def due(self, until: datetime, limit: int) -> Sequence[Delivery]:
        """Pending ones that are due before ``until``, earliest first."""
        found = self._indexes.open_until(keys.DELIVERIES, until, limit)
        loaded = map(delivery_of, found)
        return [one for one in loaded if one.due_at is not None and one.due_at <= until]

    def of_day(self, day: date, limit: int, cursor: str | None) -> DeliveryPage:
        """Those made that day (UTC+8), newest first; raises ValueError for a broken cursor."""
        items, next_cursor = self._indexes.of_day(keys.DELIVERIES, day, limit, cursor)
        return DeliveryPage([delivery_of(item) for item in items], next_cursor)

    def set_disabled(self, client: str, endpoint: str, *, disabled: bool) -> None:
        """Note that an endpoint wants nothing more, or that it does again."""
        key, name = keys.endpoint_key(client, endpoint), self._table.name
        try:
            if disabled:
                item = {**key, **item_of({"disabled_at": self._clock.now()})}
                self._table.client.put_item(TableName=name, Item=item)
            else:
                self._table.client.delete_item(TableName=name, Key=key)
        except faults.ERRORS as exc:
            raise self._table.unavailable(faults.of(exc)) from exc

    def is_disabled(self, client: str, endpoint: str) -> bool:
        """Whether it wants nothing more."""
        return self._table.item(keys.endpoint_key(client, endpoint)) is not None


class DynamoSubmissions(_Shelf):
    """Entries that were not verified; ``days`` is how long they are kept."""

    def __init__(self, table: "Table", clock: Clock, *, days: int = 30, shards: int = 4) -> None:
        super().__init__(table, clock, shards=shards)
        self._days = days

    def get(self, submission_id: str) -> StoredSubmission | None:
        """The entry, None if there is none (any more); raises UnavailableError, as all of these."""
        item = self._table.item(keys.submission_key(submission_id))
        return None if item is None else submission_of(item)

    def add(self, submission: StoredSubmission) -> bool:
        """Keep a new one; whether it was not there before."""
        return self._table.put_if(self._item(submission), absent(self._clock.now()))

    def replace(self, after: StoredSubmission, before: StoredSubmission) -> bool:
        """Put ``after`` in the place of ``before`` if it still stands; whether that was so."""
        return self._table.put_if(self._item(after), same("revision", before.revision))

    def of_day(self, day: date, limit: int, cursor: str | None) -> SubmissionPage:
        """Those of a day (UTC+8), newest first; raises ValueError for a broken cursor."""
        items, next_cursor = self._indexes.of_day(keys.SUBMISSIONS, day, limit, cursor)
        return SubmissionPage([submission_of(item) for item in items], next_cursor)

    def _item(self, submission: StoredSubmission) -> Any:  # noqa: ANN401  # the client's own type
        return submission_item(submission, shards=self._shards, days=self._days)
