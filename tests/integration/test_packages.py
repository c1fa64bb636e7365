"""Packages: one contract for the fake and for DynamoDB's stand-ins, and what a network adds."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from chalicelib.adapters.packages import DynamoPackages
from chalicelib.adapters.repository import DynamoRepository
from chalicelib.adapters.table import Table
from chalicelib.domain.packages import Package
from chalicelib.domain.verification import CHINA
from chalicelib.services import packages as use_cases
from chalicelib.services.ports import Packages, UnavailableError
from tests.fakes.clock import FakeClock
from tests.fakes.packages import FakePackages
from tests.integration.conftest import Dynamodb
from tests.integration.test_repository import answered, at_once, by_store, new
from tests.integration.wire import Wire, lost, refused, undone

THREADS = 20
DAY = timedelta(days=1)
NOON = datetime(2026, 11, 24, 12, 0, 0, 123_456, tzinfo=CHINA)
PACKAGE = Package(
    "pkg_" + "0" * 26, 5_000, Decimal("149.00"), NOON, NOON + 365 * DAY, "order 2026-11"
)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


class Contract:
    """What every shelf of packages does."""

    def test_every_field_is_read_back(self, packages: Packages) -> None:
        assert packages.add(PACKAGE) is None
        (found,) = packages.all()
        assert found == PACKAGE
        assert (str(found.price), type(found.price)) == ("149.00", Decimal)

    def test_a_package_without_a_note(self, packages: Packages) -> None:
        bare = replace(PACKAGE, note=None, price=Decimal("0.00"))
        packages.add(bare)
        assert packages.all() == (bare,)

    def test_none(self, packages: Packages) -> None:
        assert packages.all() == ()

    def test_an_id_stands_for_one_package(self, packages: Packages) -> None:
        assert packages.add(PACKAGE) is None
        other = replace(PACKAGE, calls=1, expires_at=NOON + DAY)
        assert packages.add(other) == PACKAGE
        assert packages.add(PACKAGE) == PACKAGE
        assert packages.all() == (PACKAGE,)

    def test_one_is_removed(self, packages: Packages) -> None:
        other = replace(PACKAGE, id=f"pkg_{1:026}")
        packages.add(PACKAGE)
        packages.add(other)
        assert packages.remove(PACKAGE.id) == PACKAGE
        assert packages.all() == (other,)
        assert packages.remove(PACKAGE.id) is None
        assert packages.add(PACKAGE) is None

    def test_of_many_at_once_one_is_recorded(self, packages: Packages) -> None:
        each = [replace(PACKAGE, calls=n + 1) for n in range(THREADS)]
        results = at_once(lambda n: packages.add(each[n]), THREADS)
        assert results.count(None) == 1
        (winner,) = packages.all()
        assert winner == each[results.index(None)]
        assert {one for one in results if one is not None} == {winner}

    def test_they_come_in_order_of_expiry(self, packages: Packages) -> None:
        each = [
            replace(PACKAGE, id=f"pkg_{n:026}", expires_at=NOON + days * DAY)
            for n, days in enumerate((9, 3, 300, 4))
        ]
        for one in each:
            packages.add(one)
        assert packages.all() == (each[1], each[3], each[0], each[2])


class TestFake(Contract):
    @pytest.fixture
    def packages(self) -> FakePackages:
        return FakePackages()

    def test_down(self) -> None:
        packages = FakePackages()
        packages.down = True
        for act in (packages.all, lambda: packages.add(PACKAGE)):
            with pytest.raises(UnavailableError):
                act()


@pytest.fixture
def packages(dynamodb: Dynamodb, wire: Any, clock: FakeClock) -> DynamoPackages:
    return DynamoPackages(Table(wire, dynamodb.table, clock))


class TestDynamo(Contract):
    def test_a_lost_reply_is_an_error_and_the_repetition_finds_what_stands(
        self, packages: DynamoPackages, wire: Wire
    ) -> None:
        wire.script["put_item"].append(lost())
        with pytest.raises(UnavailableError):
            packages.add(PACKAGE)
        assert packages.add(PACKAGE) == PACKAGE

    def test_what_the_table_refuses(self, packages: DynamoPackages, wire: Wire) -> None:
        wire.script["put_item"].append(undone(refused("ThrottlingException")))
        with pytest.raises(UnavailableError, match="ThrottlingException") as error:
            packages.add(PACKAGE)
        assert "张三" not in str(error.value)
        wire.script["query"].append(undone())
        with pytest.raises(UnavailableError):
            packages.all()
        assert packages.all() == ()

    def test_more_than_a_page(self, packages: DynamoPackages) -> None:
        """DynamoDB answers a query with 1 MB at a time."""
        each = [replace(PACKAGE, id=f"pkg_{n:026}", note="n" * 200_000) for n in range(7)]
        for one in each:
            packages.add(one)
        assert len(packages.all()) == 7

    def test_the_balance_of_a_year(
        self, packages: DynamoPackages, dynamodb: Dynamodb, wire: Any, clock: FakeClock
    ) -> None:
        """Each day is read once, by threads."""
        repository = DynamoRepository(wire, dynamodb.table, clock)
        packages.add(replace(PACKAGE, purchased_at=clock.now() - 60 * DAY))
        clock.advance(days=-40)
        for n in range(3):
            for _ in range(n + 1):
                claimed = new(repository, clock)
                repository.write(_ended(claimed, clock))
            clock.advance(days=20)
        clock.advance(days=-20)
        asked = sum(name == "query" for name, _ in wire.calls)
        found = use_cases.balance(packages=packages, repository=repository, clock=clock)
        assert (found.used, found.left, found.uncovered) == (6, 4_994, 0)
        assert sum(name == "query" for name, _ in wire.calls) - asked == 1 + 61


def _ended(claimed: Any, clock: FakeClock) -> Any:
    return by_store(answered(claimed, clock), claimed)
