"""Caps: at most so many calls a day and a month, for all and for each client or source.

A claim takes one from every counter that is capped. When its attempt ends without a charge, what
it took is given back, once and for good. The attempt itself says what it took (``Attempt.took``),
so that a changed configuration never gives back what was not taken, and every counter is the
number of attempts that still hold a place on it. Days and months are those of UTC+8.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

from chalicelib.domain.codes import Billed
from chalicelib.domain.errors import BudgetExhaustedError
from chalicelib.domain.verification import CHINA, Attempt, Verification

ALL = "*"
"""Whom the caps on all calls belong to; no client or source can have this name."""

DAY, MONTH = "day", "month"


class Limits(NamedTuple):
    """What the secret allows somebody; None is no cap."""

    day: int | None = None
    month: int | None = None


NO_LIMITS = Limits()


class CapCounter(NamedTuple):
    """Calls of ``owner`` in a period: 2026-11-24 is a day, 2026-11 a month."""

    period: str
    owner: str

    @property
    def kind(self) -> str:
        """``day`` or ``month``."""
        return DAY if len(self.period) == len("2026-11-24") else MONTH

    @property
    def until(self) -> datetime:
        """When the period is over."""
        if self.kind == DAY:
            after = date.fromisoformat(self.period) + timedelta(days=1)
        else:
            first = date.fromisoformat(f"{self.period}-01")
            after = (first + timedelta(days=31)).replace(day=1)
        return datetime(after.year, after.month, after.day, tzinfo=CHINA)


class Cap(NamedTuple):
    """At most ``limit`` on a counter; ``mark`` is how an attempt notes that it took one."""

    mark: str
    counter: CapCounter
    limit: int


def in_force(limits: Iterable[tuple[str, Limits]], now: datetime) -> tuple[Cap, ...]:
    """The caps of these owners at this time."""
    today = now.astimezone(CHINA).date()
    return tuple(
        Cap(mark, _counter(mark, today, owner), limit)
        for owner, allowed in limits
        for kind, limit in ((MONTH, allowed.month), (DAY, allowed.day))
        if limit is not None
        for mark in (ALL + kind if owner == ALL else kind,)
    )


def _counter(mark: str, day: date, owner: str) -> CapCounter:
    text = day.isoformat()
    return CapCounter(
        text if mark.endswith(DAY) else text[: len("2026-11")],
        ALL if mark.startswith(ALL) else owner,
    )


def given_back(verification: Verification) -> Mapping[CapCounter, int]:
    """What its attempts took and were not charged for; ``verification.counted`` notes it."""
    return Counter(
        _counter(mark, attempt.day, verification.client)
        for attempt in verification.attempts
        if _free(attempt)
        for mark in attempt.took
    )


def _free(attempt: Attempt) -> bool:
    return attempt.ended_at is not None and attempt.billed is Billed.NO


def exhausted(full: Sequence[CapCounter], now: datetime) -> BudgetExhaustedError:
    """The refusal while these counters are full: until the last of their periods is over."""
    last = max(full, key=lambda counter: counter.until)
    whose = "all callers" if last.owner == ALL else "this client or source"
    return BudgetExhaustedError(
        f"The cap on paid calls a {last.kind} of {whose} is reached. Nothing was sent; post again "
        f"once the {last.kind} is over (UTC+8), or when the cap was raised.",
        retry_after=max(1, math.ceil((last.until - now).total_seconds())),
    )
