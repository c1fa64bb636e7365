"""Verifications for the books, a stretch of days at a time."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

from chalicelib.domain.secret import Client
from chalicelib.domain.verification import Verification
from chalicelib.services.lookup import Filter
from chalicelib.services.ports import Repository

MAX_LINES = 2_000
_PAGE = 500
_MAX_PAGES = 100  # days without any are one each
_MAX_READ = 6_000
"""So many are looked at, whosever they are: an answer takes seconds at most."""


class Part(NamedTuple):
    """Some of the list, and where the next part starts (None: that was all)."""

    items: Sequence[Verification]
    next_cursor: str | None


def export(
    first: date, last: date, *, cursor: str | None, client: Client, repository: Repository
) -> Part:
    """Those created on these days, the oldest day first and the newest of a day first.

    A client sees its own, an admin everybody's. A part can be short, or empty, before the last.
    Raises ValueError for a broken cursor, UnavailableError.
    """
    day, inside = (first, None) if cursor is None else _read(cursor)
    if not first <= day <= last:
        raise ValueError("the cursor is of another day")
    items: list[Verification] = []
    read = 0
    for _ in range(_MAX_PAGES):
        page = repository.of_day(day, min(_PAGE, MAX_LINES - len(items)), inside)
        items += (found for found in page.items if Filter(day).passes(found, client))
        read += len(page.items)
        inside = page.next_cursor
        if inside is None:
            if day == last:
                return Part(items, None)
            day += timedelta(days=1)
        if len(items) >= MAX_LINES or read >= _MAX_READ:
            break
    return Part(items, f"{day.isoformat()}.{inside or ''}")


def _read(cursor: str) -> tuple[date, str | None]:
    day, _, inside = cursor.partition(".")
    return date.fromisoformat(day), inside or None
