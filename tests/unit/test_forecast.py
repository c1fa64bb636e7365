"""When packages run out, and the cheapest way on, against counting it out."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import product
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain import forecast
from chalicelib.domain import packages as rules
from chalicelib.domain.forecast import Basis
from chalicelib.domain.packages import Package
from chalicelib.domain.price_list import (
    PRICE_LIST,
    Line,
    Offer,
    cheapest,
    cheapest_single,
)
from chalicelib.domain.verification import CHINA
from tests.fakes.clock import FakeClock
from tests.fakes.packages import FakePackages
from tests.fakes.repository import FakeRepository
from tests.unit.test_packages import DAY, NOON, TODAY, package, used

UNIT = 100
FREE_OF_ORDER = st.lists(
    st.builds(Offer, st.integers(1, 30), st.integers(1, 400).map(lambda fen: Decimal(fen) / 100)),
    min_size=1,
    max_size=5,
)


def prices(most: int, offers: tuple[Offer, ...] = PRICE_LIST, unit: int = UNIT) -> list[Decimal]:
    """The lowest price of at least 0, 1, 2 … units of calls, by all that came before."""
    found = [Decimal(0)]
    for units in range(1, most // unit + 1):
        found.append(
            min(one.price + found[max(0, units - -(-one.calls // unit))] for one in offers)
        )
    return found


class TestPriceList:
    LOWEST = prices(40_000)

    @given(st.integers(1, 40_000))
    def test_nothing_is_cheaper(self, calls: int) -> None:
        found = cheapest(calls)
        assert found.price == self.LOWEST[-(-calls // UNIT)]
        assert found.calls >= calls

    @given(FREE_OF_ORDER, st.integers(0, 120))
    def test_nothing_is_cheaper_whatever_the_list(self, offers: list[Offer], calls: int) -> None:
        found = cheapest(calls, offers)
        assert found.price == prices(calls, tuple(offers), 1)[calls]
        assert found.calls >= calls

    @given(FREE_OF_ORDER, st.integers(1, 40))
    def test_the_best_single_one(self, offers: list[Offer], calls: int) -> None:
        found = cheapest_single(calls, offers)
        large = [one.price for one in offers if one.calls >= calls]
        assert (found and found.price) == (min(large) if large else None)

    def test_sums(self) -> None:
        found = cheapest(6_050)
        assert found.lines == (
            Line(PRICE_LIST[2], 1),
            Line(PRICE_LIST[1], 1),
            Line(PRICE_LIST[0], 1),
        )
        assert (found.calls, str(found.price)) == (6_100, "182.10")

    def test_none_is_large_enough(self) -> None:
        assert cheapest_single(5_000_001) is None
        assert cheapest(5_000_001).price == Decimal("85002.10")

    def test_far_more_than_anybody_needs_is_found_as_well(self) -> None:
        assert cheapest(10**9).lines == (Line(PRICE_LIST[-1], 200),)

    def test_money_is_exact(self) -> None:
        assert all(type(one.price) is Decimal for one in PRICE_LIST)
        assert all(one.price == round(one.price, 2) for one in PRICE_LIST)

    def test_larger_packages_are_cheaper_a_call(self) -> None:
        unit_prices = [one.price / one.calls for one in PRICE_LIST]
        assert unit_prices == sorted(unit_prices, reverse=True)


class TestBasis:
    def test_the_day_that_is_not_over_does_not_count(self) -> None:
        usage = [used(TODAY - 2 * DAY, 10, 2), used(TODAY - DAY, 12), used(TODAY, 1, 1)]
        assert forecast.basis(usage, TODAY) == Basis(TODAY - 2 * DAY, 2, 24, 2)

    def test_days_before_the_first_call_do_not_count_but_later_ones_do(self) -> None:
        usage = [used(TODAY - n * DAY, 9 if n == 3 else 0) for n in range(28, -1, -1)]
        assert forecast.basis(usage, TODAY) == Basis(TODAY - 3 * DAY, 3, 9, 0)

    def test_the_first_day_of_all(self) -> None:
        assert forecast.basis([used(TODAY, 7)], TODAY) == Basis(TODAY, 1, 7, 7)
        assert forecast.basis([used(TODAY)], TODAY) == Basis(TODAY, 1, 0, 0)

    @given(st.integers(0, 10**6), st.integers(1, 28), st.integers(1, 730))
    def test_expected(self, calls: int, days: int, horizon: int) -> None:
        found = Basis(TODAY, days, calls, 0).expected(horizon)
        assert found == ceil(Fraction(calls, days) * horizon)


STOCK = st.lists(
    st.tuples(st.integers(1, 300), st.integers(1, 40), st.integers(0, 20)), max_size=4
).map(
    lambda parts: [
        package(str(n), calls, bought=-bought, expires=expires)
        for n, (calls, expires, bought) in enumerate(parts)
    ]
)
BASES = st.builds(
    Basis, st.just(TODAY), st.integers(1, 28), st.integers(0, 300), st.integers(0, 12)
)


def counted_out(
    stock: list[Package], basis: Basis, days: int
) -> tuple[dict[date, Fraction], Fraction]:
    """What each day lacks, and what is wanted in all."""
    left = {one.id: Fraction(one.calls) for one in stock}
    rate, lacks, wanted = Fraction(basis.calls, basis.days), dict[date, Fraction](), Fraction(0)
    for n in range(days + 1):
        day = TODAY + n * DAY
        today = max(Fraction(0), rate - basis.today) if n == 0 else rate
        wanted += today
        for one in sorted(stock, key=lambda one: (one.expires_at, one.purchased_at, one.id)):
            if one.pays_on(day):
                taken = min(today, left[one.id])
                left[one.id] -= taken
                today -= taken
        lacks[day] = today
    return lacks, wanted


class TestAdvice:
    @given(STOCK, BASES, st.integers(1, 90))
    def test_against_counting_it_out(self, stock: list[Package], basis: Basis, days: int) -> None:
        balance = rules.balance(stock, [], NOON)
        found = forecast.advice(balance, basis, TODAY, days)
        lacks, wanted = counted_out(stock, basis, days)
        missing = sum(lacks.values(), Fraction(0))
        assert found.expected == ceil(wanted)
        assert found.expected - found.covered == ceil(missing)
        short = [day for day, number in lacks.items() if number]
        assert [one.day for one in found.purchases] == short[:1]
        assert [one.calls for one in found.purchases] == ([ceil(missing)] if short else [])
        if basis.calls:
            lacks, _ = counted_out(stock, basis, 1_300)
            assert found.runs_out_on == next(day for day, number in lacks.items() if number)
        else:
            assert found.runs_out_on is None

    def test_a_purchase_lasts_a_year_and_then_comes_the_next(self) -> None:
        basis = Basis(TODAY - 28 * DAY, 28, 280, 0)
        found = forecast.advice(rules.balance([], [], NOON), basis, TODAY, 730)
        assert [(one.day, one.until, one.calls) for one in found.purchases] == [
            (TODAY, date(2027, 11, 24), 3_650),
            (date(2027, 11, 24), date(2028, 11, 24), 3_660),  # 2028 is a leap year
        ]
        assert sum(one.calls for one in found.purchases) == found.expected == 7_310
        assert found.covered == 0

    def test_it_names_the_cheapest_and_the_best_single_one(self) -> None:
        basis = Basis(TODAY - DAY, 1, 60, 60)
        found = forecast.advice(rules.balance([], [], NOON), basis, TODAY, 100)
        (one,) = found.purchases
        assert (one.day, one.calls) == (TODAY + DAY, 6_000)
        assert str(one.cheapest.price) == "179.00"
        assert one.single is not None
        assert (one.single.calls, str(one.single.price)) == (10_000, "289.00")

    def test_what_is_left_at_its_expiry_is_no_help_later(self) -> None:
        basis = Basis(TODAY - DAY, 1, 10, 10)
        stock = [package("a", 100_000, expires=5)]
        found = forecast.advice(rules.balance(stock, [], NOON), basis, TODAY, 30)
        assert found.runs_out_on == TODAY + 6 * DAY
        assert (found.expected, found.covered) == (300, 50)

    def test_without_recent_use_there_is_nothing_to_say(self) -> None:
        basis = forecast.basis([], TODAY)
        found = forecast.advice(rules.balance([], [], NOON), basis, TODAY, 365)
        assert (found.expected, found.purchases, found.runs_out_on) == (0, (), None)


@pytest.mark.parametrize("quiet", [0, 40])
def test_the_service_looks_at_the_last_weeks_whenever_the_package_was_bought(quiet: int) -> None:
    from collections import Counter

    from chalicelib.services import packages

    clock = FakeClock()
    repository = FakeRepository(clock)
    for n in range(1, 15):
        day = TODAY - (n + quiet) * DAY
        repository.days[day, "shop"] = Counter({"calls": 4, "billed#yes": 3, "billed#unknown": 1})
    shelf = FakePackages(package("a", 1_000, bought=-2))
    seen = packages.outlook(packages=shelf, repository=repository, clock=clock)
    found = packages.advice(365, packages=shelf, repository=repository, clock=clock)
    if quiet:
        assert (seen.runs_out_on, found[1].expected) == (None, 0)
        return
    assert seen.basis == Basis(TODAY - 14 * DAY, 14, 56, 0)
    assert (seen.balance.used, seen.balance.left) == (6, 994)
    assert seen.runs_out_on == TODAY + 248 * DAY  # 4 today and 4 on each of 247 days, then 2
    assert found[1].expected == 4 * 366


def test_a_year_is_a_year() -> None:
    leap = datetime(2028, 2, 29, 8, tzinfo=CHINA)
    assert rules.a_year_after(leap) == datetime(2029, 2, 28, 8, tzinfo=CHINA)
    assert rules.a_year_after(NOON) - NOON == timedelta(days=365)


def test_the_search_is_not_the_brute_force_in_disguise() -> None:
    """Every way to combine three offers, against the search."""
    offers = PRICE_LIST[:3]
    for calls in (1, 99, 101, 3_200, 4_900, 4_968, 9_990, 12_345):
        ways = product(range(124), range(14), range(4))
        lowest = min(
            sum((n * one.price for n, one in zip(way, offers, strict=True)), Decimal(0))
            for way in ways
            if sum(n * one.calls for n, one in zip(way, offers, strict=True)) >= calls
        )
        assert cheapest(calls, offers).price == lowest
