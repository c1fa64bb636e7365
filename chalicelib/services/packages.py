"""Packages: recording what was bought, and what is left of it."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date

from chalicelib.domain import packages as rules
from chalicelib.domain.packages import Balance
from chalicelib.domain.usage import DayUsage
from chalicelib.services.ports import Clock, Packages, Repository

_THREADS = 16
_FEW_DAYS = 8


def balance(*, packages: Packages, repository: Repository, clock: Clock) -> Balance:
    """What is used and left right now; raises UnavailableError.

    Costs one query, and one more for each day since the purchase of the package in use: a
    second or so in the worst case, so keep it where it is asked for often.
    """
    now, bought = clock.now(), packages.all()
    return rules.balance(bought, usage_of(rules.days_that_matter(bought, now), repository), now)


def usage_of(days: Sequence[date], repository: Repository) -> list[DayUsage]:
    """Everybody's usage of these days, in their order; raises UnavailableError."""
    if len(days) <= _FEW_DAYS:
        return [*repository.usage(days, None)]
    with ThreadPoolExecutor(_THREADS) as threads:
        return [
            found
            for part in threads.map(lambda day: repository.usage([day], None), days)
            for found in part
        ]
