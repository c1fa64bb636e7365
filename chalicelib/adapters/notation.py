"""Values in DynamoDB's notation and back.

Own lines instead of ``boto3.dynamodb.types``: an ended verification takes 15 µs out and 13 µs in
instead of 49 and 30, without Decimals, and about 1 ms less to import (Python 3.11).
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

Item = Mapping[str, "AttributeValueTypeDef"]


def marshalled(value: object) -> "AttributeValueTypeDef":
    """A value in DynamoDB's notation."""
    noted: AttributeValueTypeDef
    if isinstance(value, str):
        noted = {"S": str(value)}
    elif isinstance(value, bool):
        noted = {"BOOL": value}
    elif isinstance(value, int):
        noted = {"N": str(value)}
    elif isinstance(value, datetime):
        noted = {"S": exact(value)}
    elif isinstance(value, bytes):
        noted = {"B": value}
    elif isinstance(value, dict):
        noted = {"M": item_of(value)}
    elif isinstance(value, (list, tuple)):
        noted = {"L": [marshalled(element) for element in value]}
    else:
        raise TypeError(f"{type(value).__name__} has no place in an item")
    return noted


def item_of(fields: Mapping[str, object]) -> "dict[str, AttributeValueTypeDef]":
    """An item of these fields, without those that are None, false or empty."""
    return {
        name: marshalled(value)
        for name, value in fields.items()
        if value is not None and value is not False and value != ()
    }


def plain(value: "AttributeValueTypeDef") -> Any:  # noqa: ANN401 - the table decides
    """The value behind DynamoDB's notation."""
    ((kind, held),) = value.items()
    if kind == "N":
        return int(str(held))
    if kind == "L" and isinstance(held, list):
        return [plain(element) for element in held]
    if kind == "M" and isinstance(held, dict):
        return fields_of(held)
    return held


def fields_of(item: Item) -> dict[str, Any]:
    """The fields of an item."""
    return {name: plain(value) for name, value in item.items()}


def exact(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds: what was written is equal to what is read."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def moment_of(text: str | None) -> datetime | None:
    """The time that ``exact`` wrote."""
    return None if text is None else datetime.fromisoformat(text)


def epoch(moment: datetime) -> int:
    """Whole seconds, as the table's TTL wants them."""
    return int(moment.timestamp())
