"""What a day's usage has to change by, read off the attempts alone.

An attempt says how it was counted last (``Attempt.counted``). The difference to how it ended is
what the day still misses, so that counting late, correcting and resolving are one rule, and no
sequence of them counts anything twice.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from chalicelib.domain.codes import Billed
from chalicelib.domain.verification import Verification


class UsageChange(NamedTuple):
    """Counters of one client's day to add to; a number can be negative."""

    day: date
    client: str
    counters: Mapping[str, int]


@dataclass(slots=True)
class DayUsage:
    """One day: attempts, by whether they were billed and by code."""

    day: date
    calls: int = 0
    billed: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)

    def add(self, counters: Mapping[str, int]) -> None:
        """Add counters named as in ``UsageChange``."""
        for name, number in counters.items():
            kind, _, key = name.partition("#")
            if kind == "calls":
                self.calls += number
            elif kind == "billed":
                self.billed[key] += number
            elif kind == "code":
                self.codes[key] += number


def changes(verification: Verification) -> tuple[UsageChange, ...]:
    """What the usage of each day still misses of this verification."""
    days: dict[date, Counter[str]] = {}
    for attempt in verification.attempts:
        if attempt.ended_at is None or attempt.code is None:
            continue
        counters = days.setdefault(attempt.day, Counter())
        if attempt.counted is None:
            counters["calls"] += 1
        else:
            counters.subtract(_names(*attempt.counted))
        counters.update(_names(attempt.code, attempt.billed))
    return tuple(
        UsageChange(day, verification.client, moved)
        for day, counters in days.items()
        if (moved := {name: number for name, number in counters.items() if number})
    )


def _names(code: str, billed: Billed) -> tuple[str, str]:
    return f"billed#{billed.value}", f"code#{code}"
