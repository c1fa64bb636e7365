"""Lists page by page, as the table gives them."""

import base64
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Protocol, TypeVar

from chalicelib.domain.verification import CHINA, utc


class Dated(Protocol):
    @property
    def id(self) -> str: ...

    @property
    def created_at(self) -> datetime: ...


T = TypeVar("T", bound=Dated)


def page(
    items: Iterable[T], day: date, limit: int, cursor: str | None
) -> tuple[Sequence[T], str | None]:
    """Those of a day, newest first, and where the next part starts."""
    start = None if cursor is None else _uncursored(cursor, day)
    found = sorted(
        (
            (f"{utc(item.created_at)}#{item.id}", item)
            for item in items
            if item.created_at.astimezone(CHINA).date() == day
        ),
        key=lambda pair: pair[0],
        reverse=True,
    )
    rest = [pair for pair in found if start is None or pair[0] < start]
    more = len(rest) > limit
    return [item for _, item in rest[:limit]], _cursored(rest[limit - 1][0]) if more else None


def _cursored(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def _uncursored(cursor: str, day: date) -> str:
    """Raises ValueError for anything but a cursor of that day."""
    try:
        key = base64.b64decode(cursor + "=" * (-len(cursor) % 4), "-_", validate=True).decode()
        when, hash_sign, _ = key.partition("#")
        if hash_sign and datetime.fromisoformat(when).astimezone(CHINA).date() == day:
            return key
    except (ValueError, OverflowError) as exc:
        raise ValueError("the cursor is broken") from exc
    raise ValueError("the cursor is broken")
