"""Packages: who pays for which call, what is left, and what is recorded."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain import packages as rules
from chalicelib.domain.breaker import Breaker
from chalicelib.domain.errors import IdempotencyKeyReusedError, MalformedRequestError
from chalicelib.domain.packages import NewPackage, Package, allocate, by_expiry
from chalicelib.domain.usage import DayUsage
from chalicelib.domain.verification import CHINA
from chalicelib.services import packages
from chalicelib.services.packages import Recorded
from chalicelib.services.ports import UnavailableError
from tests.fakes.clock import START, FakeClock
from tests.fakes.packages import FakePackages
from tests.fakes.repository import FakeRepository
from tests.unit.conftest import OPS, SECRET, World

NOON = START.astimezone(CHINA)  # 2026-11-24 12:00
TODAY = NOON.date()
DAY = timedelta(days=1)


def package(
    name: str,
    calls: int = 100,
    *,
    bought: int = -10,
    expires: int = 355,
    price: str = "3.10",
) -> Package:
    """One that was bought and expires so many days from now."""
    return Package(f"pkg_{name}", calls, Decimal(price), NOON + bought * DAY, NOON + expires * DAY)


def used(day: date, yes: int = 0, unknown: int = 0) -> DayUsage:
    found = DayUsage(day)
    found.add({"calls": yes + unknown, "billed#yes": yes, "billed#unknown": unknown})
    return found


def days(*numbers: int, until: date = TODAY) -> list[DayUsage]:
    """Charged calls of consecutive days, the last one ``until``."""
    first = until - (len(numbers) - 1) * DAY
    return [used(first + n * DAY, number) for n, number in enumerate(numbers)]


PACKAGES = st.lists(
    st.builds(
        lambda calls, bought, length: (calls, bought, length),
        st.integers(1, 30),
        st.integers(0, 20),
        st.integers(1, 12),
    ),
    max_size=6,
).map(
    lambda parts: [
        Package(
            f"pkg_{n}",
            calls,
            Decimal(1),
            NOON + bought * DAY,
            NOON + (bought + length) * DAY,
        )
        for n, (calls, bought, length) in enumerate(parts)
    ]
)
CALLS = st.dictionaries(
    st.integers(-2, 36).map(lambda n: TODAY + n * DAY), st.integers(-3, 25), max_size=30
)


class TestAllocation:
    @given(PACKAGES, CALLS)
    def test_no_call_is_lost_and_no_package_gives_more_than_it_has(
        self, bought: list[Package], calls: dict[date, int]
    ) -> None:
        found = allocate(bought, calls)
        wanted = sum(number for number in calls.values() if number > 0)
        assert sum(found.used.values()) + found.uncovered == wanted
        assert all(0 <= found.used[one.id] <= one.calls for one in bought)
        assert found.uncovered >= 0

    @given(PACKAGES, CALLS)
    def test_it_is_what_paying_call_by_call_comes_to(
        self, bought: list[Package], calls: dict[date, int]
    ) -> None:
        left, uncovered = {one.id: one.calls for one in bought}, 0
        for day in sorted(calls):
            for _ in range(calls[day]):
                payers = [one for one in bought if one.pays_on(day) and left[one.id]]
                if payers:
                    left[
                        min(payers, key=lambda one: (one.expires_at, one.purchased_at, one.id)).id
                    ] -= 1
                else:
                    uncovered += 1
        found = allocate(bought, calls)
        assert found.uncovered == uncovered
        assert found.used == {one.id: one.calls - left[one.id] for one in bought}

    @given(PACKAGES, CALLS, st.randoms())
    def test_the_order_of_recording_is_of_no_matter(
        self, bought: list[Package], calls: dict[date, int], random: object
    ) -> None:
        shuffled = list(bought)
        random.shuffle(shuffled)  # type: ignore[attr-defined]
        assert allocate(shuffled, calls) == allocate(bought, calls)

    def test_what_expires_first_is_used_first(self) -> None:
        late, early = package("late", expires=300), package("early", expires=30)
        found = allocate([late, early], {TODAY: 130})
        assert found == ({"pkg_early": 100, "pkg_late": 30}, 0)

    def test_a_package_pays_from_its_first_to_its_last_day(self) -> None:
        one = package("a", bought=-1, expires=1)
        for shift, covered in ((-2, 0), (-1, 1), (0, 1), (1, 1), (2, 0)):
            found = allocate([one], {TODAY + shift * DAY: 1})
            assert (found.used["pkg_a"], found.uncovered) == (covered, 1 - covered)

    def test_an_expiry_at_midnight_does_not_open_the_next_day(self) -> None:
        midnight = datetime(2026, 11, 25, tzinfo=CHINA)
        one = replace(package("a"), expires_at=midnight)
        assert (one.pays_on(TODAY), one.pays_on(TODAY + DAY)) == (True, False)

    def test_days_are_chinas(self) -> None:
        one = replace(package("a"), purchased_at=datetime(2026, 11, 23, 16, 0, tzinfo=UTC))
        assert one.first_day == TODAY


class TestBalance:
    def test_it_shows_what_the_console_shows(self) -> None:
        bought = [package("a", 5_000, bought=-40, expires=20), package("b", 4_115)]
        found = rules.balance(bought, days(6_000, 700), NOON)
        assert (found.used, found.total, found.left) == (6_700, 9_115, 2_415)
        assert [(one.package.id, one.used, one.left) for one in found.packages] == [
            ("pkg_a", 5_000, 0),
            ("pkg_b", 1_700, 2_415),
        ]

    def test_an_expired_package_is_not_in_the_sum(self) -> None:
        bought = [package("old", bought=-400, expires=-35), package("new", 200, bought=-40)]
        found = rules.balance(bought, days(60, 0, 50, until=TODAY - 33 * DAY), NOON)
        assert (found.used, found.total) == (50, 200)
        assert [one.live for one in found.packages] == [False, True]

    def test_an_unknown_stands_beside(self) -> None:
        usage = [used(TODAY - 20 * DAY, 0, 5), used(TODAY, 3, 2)]
        found = rules.balance([package("a")], usage, NOON)
        assert (found.used, found.left, found.unknown, found.uncovered) == (3, 97, 2, 0)

    def test_what_nobody_paid_for_is_named(self) -> None:
        found = rules.balance([package("a")], [used(TODAY, 130)], NOON)
        assert (found.used, found.left, found.uncovered) == (100, 0, 30)
        assert found.unit_price is None

    def test_the_unit_price_is_of_the_package_in_use(self) -> None:
        bought = [package("a", 1_000, price="30.00", expires=5), package("b", 5_000, price="149")]
        price = rules.balance(bought, [], NOON).unit_price
        assert (price, type(price)) == (Decimal("0.03"), Decimal)
        price = rules.balance(bought, [used(TODAY, 1_000)], NOON).unit_price
        assert price == Decimal("0.0298")

    def test_nothing_recorded(self) -> None:
        assert rules.balance([], [], NOON) == (rules.Balance(0, 0, 0, 0, 0, (), None))

    @given(PACKAGES, st.integers(0, 40))
    def test_days_before_those_that_matter_change_nothing_that_is_valid(
        self, bought: list[Package], shift: int
    ) -> None:
        now = NOON + shift * DAY
        everything = [used(TODAY + n * DAY, 7) for n in range(shift + 1)]
        wanted = rules.days_that_matter(bought, now)
        some = [day for day in everything if day.day in wanted]
        assert wanted == [one.day for one in some]
        seen = (rules.balance(bought, usage, now) for usage in (everything, some))
        first, second = ([one for one in found.packages if one.live] for found in seen)
        assert first == second

    def test_history_is_bounded(self) -> None:
        bought = [package(str(n), bought=-n * 300, expires=-n * 300 + 365) for n in range(1, 9)]
        wanted = rules.days_that_matter(bought, NOON)
        assert wanted[0] == TODAY - rules.HISTORY
        assert wanted[-1] == TODAY

    def test_a_package_of_before_a_gap_does_not_matter(self) -> None:
        bought = [package("old", bought=-500, expires=-135), package("new", bought=-10)]
        assert rules.days_that_matter(bought, NOON)[0] == TODAY - 10 * DAY

    def test_without_a_package_no_day_matters(self) -> None:
        assert rules.days_that_matter([], NOON) == []

    @pytest.mark.parametrize("bought", [-3, -100])
    def test_the_service_reads_the_days_that_it_needs(self, bought: int) -> None:
        clock = FakeClock()
        repository = FakeRepository(clock)
        for n in range(120):
            repository.days[TODAY - n * DAY, "shop"] = _counted(2)
        found = packages.balance(
            packages=FakePackages(package("a", 1_000, bought=bought)),
            repository=repository,
            clock=clock,
        )
        assert found.used == 2 * (1 - bought)
        assert found.since == TODAY + bought * DAY


def _counted(yes: int) -> Counter[str]:
    return Counter({"calls": yes, "billed#yes": yes})


class TestNew:
    def test_a_package_lasts_a_year(self) -> None:
        found = NewPackage(100, Decimal("3.10")).made("pkg_a", NOON)
        assert found.purchased_at == NOON
        assert found.expires_at == datetime(2027, 11, 24, 12, tzinfo=CHINA)

    @pytest.mark.parametrize(
        ("about", "field"),
        [
            ({"purchased_at": NOON + timedelta.resolution}, "purchased_at: "),
            ({"expires_at": NOON}, "expires_at: "),
            ({"expires_at": NOON + 4_000 * DAY}, "expires_at: "),
            ({"purchased_at": NOON - DAY, "expires_at": NOON - 2 * DAY}, "expires_at: "),
        ],
    )
    def test_times_that_cannot_be(self, about: dict[str, datetime], field: str) -> None:
        with pytest.raises(MalformedRequestError, match=field):
            NewPackage(1, Decimal(1), **about).made("pkg_a", NOON)  # type: ignore[arg-type]

    def test_order_of_expiry(self) -> None:
        bought = [package(name, expires=expires) for name, expires in (("b", 5), ("a", 9))]
        assert [one.id for one in by_expiry(reversed(bought))] == ["pkg_b", "pkg_a"]


class TestRecord:
    @staticmethod
    def record(
        world: World, shelf: FakePackages, wanted: NewPackage, key: str | None = "k"
    ) -> Recorded:
        return packages.record(
            wanted,
            key=key,
            client=OPS,
            secret=SECRET,
            packages=shelf,
            breaker=world.tools.breaker,
            clock=world.clock,
            tell=world.tools.tell,
        )

    WANTED = NewPackage(5_000, Decimal("149.00"), note="order 1")

    def test_a_key_records_once(self, world: World) -> None:
        shelf = FakePackages()
        first = self.record(world, shelf, self.WANTED)
        world.clock.advance(days=3)
        again = self.record(world, shelf, self.WANTED)
        assert (first.new, again.new) == (True, False)
        assert first.package == again.package
        assert [*shelf.items.values()] == [first.package]
        assert first.package.id.startswith("pkg_")

    def test_without_a_key_each_is_new(self, world: World) -> None:
        shelf = FakePackages()
        found = {self.record(world, shelf, self.WANTED, None).package.id for _ in range(2)}
        assert found == shelf.items.keys()
        assert len(found) == 2

    @pytest.mark.parametrize(
        "about",
        [
            {"calls": 1_000},
            {"price": Decimal("149.01")},
            {"note": None},
            {"purchased_at": NOON - DAY},
            {"expires_at": NOON + 5 * DAY},
        ],
    )
    def test_another_package_under_the_key(self, world: World, about: dict[str, object]) -> None:
        shelf = FakePackages()
        self.record(world, shelf, self.WANTED)
        with pytest.raises(IdempotencyKeyReusedError):
            self.record(world, shelf, self.WANTED._replace(**about))  # type: ignore[arg-type]
        assert len(shelf.items) == 1

    @pytest.mark.parametrize(
        ("cause", "closes"),
        [
            ("quota_exhausted", True),
            ("package_expired", True),
            ("account_in_arrears", True),
            ("appcode_invalid", False),
            ("upstream_maintenance", False),
        ],
    )
    def test_it_closes_the_breaker_where_it_mends_the_cause(
        self, world: World, cause: str, closes: bool
    ) -> None:
        world.repository.breaker_now = Breaker(1, cause, NOON, None, SECRET.appcode_mark)
        self.record(world, FakePackages(), self.WANTED)
        assert (world.repository.breaker_now.cause is None) is closes
        assert (world.tools.breaker.current().cause is None) is closes

    def test_one_that_is_over_mends_nothing(self, world: World) -> None:
        world.repository.breaker_now = Breaker(1, "quota_exhausted", NOON, None, "m")
        wanted = self.WANTED._replace(purchased_at=NOON - 400 * DAY)
        assert self.record(world, FakePackages(), wanted).new
        assert world.repository.breaker_now.cause == "quota_exhausted"

    def test_a_repetition_closes_what_the_first_one_did_not_come_to(self, world: World) -> None:
        shelf = FakePackages()
        world.repository.down = True
        with pytest.raises(UnavailableError):
            self.record(world, shelf, self.WANTED)
        world.repository.down = False
        world.repository.breaker_now = Breaker(1, "quota_exhausted", NOON, None, "m")
        assert not self.record(world, shelf, self.WANTED).new
        assert world.repository.breaker_now.cause is None
