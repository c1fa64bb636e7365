"""What recent use says of the days to come: when the packages run out, and what to buy then.

All of it is counted in whole calls; a day's share of the recent ones need not be whole, so sums
are kept ``Basis.days`` times as large until they are shown.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import NamedTuple

from chalicelib.domain.packages import Balance, Package, a_year_after
from chalicelib.domain.price_list import (
    PRICE_LIST,
    Combination,
    Offer,
    cheapest,
    cheapest_single,
)
from chalicelib.domain.usage import DayUsage
from chalicelib.domain.verification import CHINA

RECENT_DAYS = 28
_DAY = timedelta(days=1)


class Basis(NamedTuple):
    """Recent use: ``calls`` that were, or may have been, charged in ``days`` days from ``first``.

    ``today`` are those of the day that is not over yet.
    """

    first: date
    days: int
    calls: int
    today: int

    def expected(self, days: int) -> int:
        """Calls in so many days, rounded up."""
        return -(-self.calls * days // self.days)


class Purchase(NamedTuple):
    """To buy on ``day``, for ``calls`` expected before ``until``, when a year is over.

    ``cheapest`` may be several packages; ``single`` is the best one alone, None if none is that
    large.
    """

    day: date
    until: date
    calls: int
    cheapest: Combination
    single: Combination | None


class Advice(NamedTuple):
    """``expected`` calls from now until the end of the day ``until``, and how to come by them.

    ``covered`` of them are paid for already; ``runs_out_on`` is the first day whose calls are
    not, None if that cannot be foreseen: without recent use nothing runs out.
    """

    until: date
    basis: Basis
    runs_out_on: date | None
    expected: int
    covered: int
    purchases: tuple[Purchase, ...]


def recent_days(today: date) -> list[date]:
    """The days whose usage tells what is to come: the last complete ones, and today."""
    return [today - timedelta(days=n) for n in range(RECENT_DAYS, -1, -1)]


def basis(usage: Sequence[DayUsage], today: date) -> Basis:
    """Recent use from the usage of the ``recent_days``.

    Days before the first call do not count, and today counts only if there is no other day.
    """
    calls = {day.day: max(0, day.billed["yes"] + day.billed["unknown"]) for day in usage}
    so_far = calls.get(today, 0)
    used = [day for day in calls if day < today and calls[day]]
    if not used:
        return Basis(today, 1, so_far, so_far)
    first = min(used)
    return Basis(first, (today - first).days, sum(calls[day] for day in used), so_far)


def runs_out_on(balance: Balance, basis: Basis, today: date) -> date | None:
    """The first day whose calls the packages do not pay for, None without recent use."""
    if not basis.calls:
        return None
    missing = (day for day, lacks in _missing(balance, basis, today) if lacks)
    return next(missing)


def advice(
    balance: Balance,
    basis: Basis,
    today: date,
    days: int,
    offers: Sequence[Offer] = PRICE_LIST,
) -> Advice:
    """What to buy for the rest of today and so many days after it.

    A package lasts a year, so what is missing is bought when the first day lacks it, and again
    a year later.
    """
    lacks = _first_days(_missing(balance, basis, today), days + 1)
    demand = _rest_of_today(basis) + basis.calls * days
    missing = sum(lacks.values())
    expected = -(-demand // basis.days)
    return Advice(
        today + timedelta(days=days),
        basis,
        runs_out_on(balance, basis, today),
        expected,
        expected - -(-missing // basis.days),
        tuple(_purchases(lacks, basis.days, offers)),
    )


def _first_days(lacks: Iterator[tuple[date, int]], days: int) -> dict[date, int]:
    return dict(next(lacks) for _ in range(days))


def _rest_of_today(basis: Basis) -> int:
    return max(0, basis.calls - basis.today * basis.days)


def _missing(balance: Balance, basis: Basis, today: date) -> Iterator[tuple[date, int]]:
    """Day after day from today, for ever: what of its expected calls no package pays for."""
    stock: list[tuple[Package, int]] = [
        (state.package, state.left * basis.days) for state in balance.packages if state.live
    ]
    day, wanted = today, _rest_of_today(basis)
    while True:
        rest: list[tuple[Package, int]] = []
        for package, left in stock:
            taken = min(left, wanted) if package.pays_on(day) else 0
            wanted -= taken
            if left > taken:
                rest.append((package, left - taken))
        yield day, wanted
        stock, day, wanted = rest, day + _DAY, basis.calls


def _purchases(lacks: dict[date, int], scale: int, offers: Sequence[Offer]) -> Iterator[Purchase]:
    left = {day: number for day, number in lacks.items() if number}
    while left:
        first = min(left)
        until = a_year_after(datetime.combine(first, time(), CHINA)).date()
        calls = -(-sum(left[day] for day in left if day < until) // scale)
        yield Purchase(first, until, calls, cheapest(calls, offers), cheapest_single(calls, offers))
        left = {day: number for day, number in left.items() if day >= until}
