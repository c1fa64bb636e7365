"""The port of alerts over the one table in DynamoDB."""

import json
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from chalicelib.adapters import faults, keys
from chalicelib.adapters.notation import Item, epoch, fields_of, item_of, moment_of, plain
from chalicelib.adapters.writes import absent, same
from chalicelib.domain.alerts import Alert, BalanceFact, Key, Kind, PackageFact
from chalicelib.services.ports import Board, Clock

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

    from chalicelib.adapters.table import Table

FLOOD = 100
"""Whoever may send anything must not make us write without end: enough for any threshold."""

_REFUSALS_KEPT = timedelta(days=1)
_KINDS = frozenset(kind.value for kind in Kind)


class DynamoAlerts:
    """They stand together, the balance beside them: one query reads all; there are never many."""

    def __init__(self, table: "Table", clock: Clock) -> None:
        self._table = table
        self._clock = clock
        self._full: set[str] = set()

    def board(self) -> Board:
        """Everything that stands; strongly consistent."""
        alerts, balance = [], None
        values = {":all": keys.ALERTS}
        for item in self._table.query("PK = :all", values, ConsistentRead=True):
            if plain(item["SK"]) == keys.BALANCE:
                balance = _balance_of(item)
            elif plain(item["kind"]) in _KINDS:  # a newer release may know more of them
                alerts.append(_alert_of(item))
        return Board(alerts, balance)

    def get(self, key: Key) -> Alert | None:
        """One alert as it stands, None if there is none."""
        item = self._table.item(keys.alert_key(*key))
        return None if item is None else _alert_of(item)

    def replace(self, after: Alert, before: Alert | None) -> bool:
        """Put ``after`` in the place of ``before`` if that still stands; whether that was so.

        One that is over is removed.
        """
        client, name = self._table.client, self._table.name
        unchanged = (
            absent(self._clock.now()) if before is None else same("revision", before.revision)
        )
        try:
            if after.over:
                client.delete_item(TableName=name, Key=keys.alert_key(*after.key), **unchanged)
            else:
                client.put_item(TableName=name, Item=_alert_item(after), **unchanged)
        except faults.ERRORS as exc:
            fault = faults.of(exc)
            if fault.refused is None:
                raise self._table.unavailable(fault) from exc
            # Botocore's repetition may have met what its first call did. But another watcher's
            # write can look the same, and only one may tell; so it is left until the lease ends.
            return False
        return True

    def keep_balance(self, balance: BalanceFact, counted_at: datetime) -> None:
        """Keep it for the next rounds."""
        self._put({"PK": keys.ALERTS, "SK": keys.BALANCE, **_balance_fields(balance, counted_at)})

    def _put(self, fields: Mapping[str, object]) -> None:
        try:
            self._table.client.put_item(TableName=self._table.name, Item=item_of(fields))
        except faults.ERRORS as exc:
            raise self._table.unavailable(faults.of(exc)) from exc

    def count_refusal(self, source: str) -> None:
        """A request for this source was not let in; a flood of them is not counted to its end."""
        now = self._clock.now()
        where = f"{_ten_minutes(now)}#{source}"
        if where in self._full:
            return
        try:
            reply = self._table.client.update_item(
                TableName=self._table.name,
                Key=keys.refusals_key(_ten_minutes(now), source),
                UpdateExpression="SET #ttl = :ends ADD refused :one",
                ExpressionAttributeNames={"#ttl": "ttl"},  # a reserved word
                ExpressionAttributeValues=item_of(
                    {":one": 1, ":ends": epoch(now + _REFUSALS_KEPT)}
                ),
                ReturnValues="UPDATED_NEW",
            )
        except faults.ERRORS as exc:
            raise self._table.unavailable(faults.of(exc)) from exc
        if plain(reply["Attributes"]["refused"]) >= FLOOD:
            self._full = {*(one for one in self._full if one[:15] == where[:15]), where}

    def refusals(self, since: datetime) -> Mapping[str, int]:
        """How many since then, to ten minutes, by source."""
        found: Counter[str] = Counter()
        values = {":all": keys.REFUSALS, ":since": _ten_minutes(since)}
        for item in self._table.query("PK = :all AND SK >= :since", values, ConsistentRead=True):
            fields = fields_of(item)
            found[fields["SK"].partition("#")[2]] += fields["refused"]
        return found


def _ten_minutes(moment: datetime) -> str:
    """The ten minutes that it lies in: 2026-11-24T04:1."""
    return moment.astimezone(UTC).isoformat()[:15]


def _alert_item(alert: Alert) -> "dict[str, AttributeValueTypeDef]":
    fields = {
        "kind": alert.kind,
        "about": alert.about,
        "since": alert.since,
        "numbers": dict(alert.numbers) or None,
        "ended_at": alert.ended_at,
        "waiting": alert.waiting,
        "sent_at": alert.sent_at,
        "lease_until": alert.lease_until,
        "revision": alert.revision,
    }
    return {**keys.alert_key(*alert.key), **item_of(fields)}


def _alert_of(item: Item) -> Alert:
    fields = fields_of(item)
    return Alert(
        Kind(fields["kind"]),
        fields.get("about", ""),
        datetime.fromisoformat(fields["since"]),
        fields.get("numbers", {}),
        ended_at=moment_of(fields.get("ended_at")),
        waiting=tuple(fields.get("waiting", ())),
        sent_at=moment_of(fields.get("sent_at")),
        lease_until=moment_of(fields.get("lease_until")),
        revision=fields["revision"],
    )


def _balance_fields(balance: BalanceFact, counted_at: datetime) -> dict[str, object]:
    packages = [
        [one.id, one.left, one.expires_at.isoformat(), _text(one.unit_price)]
        for one in balance.packages
    ]
    return {
        "total": balance.total,
        "left": balance.left,
        "unit_price": _text(balance.unit_price),
        "packages": json.dumps(packages),
        "counted_at": counted_at,
    }


def _balance_of(item: Item) -> tuple[BalanceFact, datetime]:
    fields = fields_of(item)
    packages = tuple(
        PackageFact(id_, left, datetime.fromisoformat(expires_at), _decimal(unit_price))
        for id_, left, expires_at, unit_price in json.loads(fields["packages"])
    )
    balance = BalanceFact(
        fields["total"], fields["left"], _decimal(fields.get("unit_price")), packages
    )
    return balance, datetime.fromisoformat(fields["counted_at"])


def _text(number: Decimal | None) -> str | None:
    return None if number is None else str(number)


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
