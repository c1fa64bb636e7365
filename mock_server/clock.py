"""Dates: the real one where the vendor is, and those that callers give."""

import re
from datetime import UTC, date, datetime, timedelta, timezone

_CHINA = timezone(timedelta(hours=8))
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def today() -> date:
    """Give the real date in UTC+8."""
    return datetime.now(UTC).astimezone(_CHINA).date()


def parse_day(text: str) -> date:
    """Read YYYY-MM-DD, and no other of ISO 8601's spellings.

    Raises:
        ValueError: another spelling, or no such day.
    """
    if not _DAY.fullmatch(text):
        raise ValueError("must be YYYY-MM-DD")
    return date.fromisoformat(text)
