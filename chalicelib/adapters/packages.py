"""The port of packages over the one table in DynamoDB."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from chalicelib.adapters import faults, keys
from chalicelib.adapters.notation import Item, fields_of, item_of
from chalicelib.domain.packages import Package, by_expiry

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

    from chalicelib.adapters.table import Table


class DynamoPackages:
    """Packages stand together, each under its id; they are few."""

    def __init__(self, table: "Table") -> None:
        self._table = table

    def add(self, package: Package) -> Package | None:
        """Record it, and return None; or what stands under its id already."""
        try:
            self._table.client.put_item(
                TableName=self._table.name,
                Item=_package_item(package),
                ConditionExpression="attribute_not_exists(PK)",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except faults.ERRORS as exc:
            fault = faults.of(exc)
            standing = None if fault.refused is None else fault.refused[0]
            if standing is None:
                raise self._table.unavailable(fault) from exc
            return _package_of(standing)
        return None

    def all(self) -> Sequence[Package]:
        """Every one that is recorded, in order of expiry; strongly consistent."""
        found = self._table.query("PK = :all", {":all": keys.PACKAGES}, ConsistentRead=True)
        return by_expiry(map(_package_of, found))

    def remove(self, package_id: str) -> Package | None:
        """Remove it, and return it; None if it is not there (any more)."""
        try:
            reply = self._table.client.delete_item(
                TableName=self._table.name,
                Key=keys.package_key(package_id),
                ReturnValues="ALL_OLD",
            )
        except faults.ERRORS as exc:
            raise self._table.unavailable(faults.of(exc)) from exc
        standing = reply.get("Attributes")
        return None if standing is None else _package_of(standing)


def _package_item(package: Package) -> "dict[str, AttributeValueTypeDef]":
    fields = {
        "calls": package.calls,
        "price": str(package.price),
        "purchased_at": package.purchased_at,
        "expires_at": package.expires_at,
        "note": package.note,
    }
    return {**keys.package_key(package.id), **item_of(fields)}


def _package_of(item: Item) -> Package:
    fields = fields_of(item)
    return Package(
        id=fields["SK"],
        calls=fields["calls"],
        price=Decimal(fields["price"]),
        purchased_at=datetime.fromisoformat(fields["purchased_at"]),
        expires_at=datetime.fromisoformat(fields["expires_at"]),
        note=fields.get("note"),
    )
