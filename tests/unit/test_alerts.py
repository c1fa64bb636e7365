"""The rules of alerts: what holds, what is told, and that no crossing is told twice."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain import alerts as rules
from chalicelib.domain.alerts import (
    LEASE,
    MAINTENANCE_GRACE,
    Alert,
    BalanceFact,
    CapFact,
    Change,
    Facts,
    Key,
    Kind,
    PackageFact,
    SourceFact,
    StopFact,
    Thresholds,
    WaitingFact,
)
from tests.alert_examples import example

NOW = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
PRICE = Decimal("0.03")
DEFAULTS = Thresholds()


def package(left: int, days: float, name: str = "pkg_1") -> PackageFact:
    return PackageFact(name, left, NOW + timedelta(days=days), PRICE)


def balance(left: int, total: int = 1000, *packages: PackageFact) -> Facts:
    return Facts(NOW, BalanceFact(total, left, PRICE, packages))


def held(facts: Facts, thresholds: Thresholds = DEFAULTS, *active: Key) -> list[Key]:
    found = rules.conditions(facts, thresholds, frozenset(active))
    return [(one.kind, one.about) for one in found]


def cap(taken: int, limit: int = 10, owner: str = "shop", of: str = "2026-11-24") -> CapFact:
    return CapFact("day", of, owner, limit, taken)


class TestConditions:
    @pytest.mark.parametrize(
        ("left", "total", "holds"),
        [(200, 1000, True), (201, 1000, False), (0, 1000, True), (0, 0, False), (1, 9, True)],
    )
    def test_low_is_the_threshold_and_below(self, left: int, total: int, holds: bool) -> None:
        assert held(balance(left, total)) == [(Kind.LOW_BALANCE, "20")] * holds

    def test_each_threshold_is_a_crossing_of_its_own(self) -> None:
        thresholds = Thresholds(low_balance_percent=(20, 5))
        assert held(balance(200), thresholds) == [(Kind.LOW_BALANCE, "20")]
        assert held(balance(50), thresholds) == [(Kind.LOW_BALANCE, "20"), (Kind.LOW_BALANCE, "5")]

    def test_money_is_exact(self) -> None:
        (low,) = rules.conditions(balance(199), DEFAULTS, frozenset())
        assert low.numbers == {"percent": 20, "left": 199, "total": 1000, "yuan": "5.97"}

    @pytest.mark.parametrize(
        ("left", "days", "holds"),
        [(1, 7, True), (1, 7.001, False), (0, 1, False), (1, 0, False), (1, -1, False)],
    )
    def test_an_expiry_is_near_while_there_is_something_to_lose(
        self, left: int, days: float, holds: bool
    ) -> None:
        found = held(balance(900, 1000, package(left, days)))
        assert found == [(Kind.PACKAGE_EXPIRING, "pkg_1#7")] * holds

    def test_every_package_is_told_of(self) -> None:
        found = held(balance(900, 1000, package(1, 2), package(5, 3, "pkg_2"), package(5, 9)))
        assert found == [(Kind.PACKAGE_EXPIRING, "pkg_1#7"), (Kind.PACKAGE_EXPIRING, "pkg_2#7")]

    def test_a_cap_is_reached_and_does_not_flicker(self) -> None:
        key = (Kind.CAP_REACHED, "2026-11-24#shop#100")
        for taken, active, holds in (
            (99, False, False),
            (100, False, True),
            (120, False, True),
            (99, True, True),
            (91, True, True),
            (90, True, False),
        ):
            facts = Facts(NOW, caps=[cap(taken, 100)])
            assert held(facts, DEFAULTS, *([key] if active else [])) == [key] * holds, taken

    def test_another_day_and_a_raised_cap_are_other_crossings(self) -> None:
        caps = [cap(10), cap(10, of="2026-11-25"), cap(20, 20), cap(10, owner="*")]
        assert len(set(held(Facts(NOW, caps=caps)))) == 4

    @pytest.mark.parametrize(
        "cause", ["quota_exhausted", "package_expired", "account_in_arrears", "appcode_invalid"]
    )
    def test_a_cause_that_holds_until_a_human_acts(self, cause: str) -> None:
        facts = Facts(NOW, stops=[StopFact(cause, NOW, None)])
        assert held(facts) == [(Kind(cause), NOW.isoformat())]

    def test_a_run_of_faults_is_the_alarms_business(self) -> None:
        assert held(Facts(NOW, stops=[StopFact("upstream_unreachable", NOW, NOW)])) == []

    def test_maintenance_is_over_once_calls_were_let_through_for_a_while(self) -> None:
        stop = StopFact("upstream_maintenance", NOW, NOW + timedelta(minutes=5))
        for later, holds in ((0.0, True), (9.9, True), (10.0, False)):
            facts = Facts(NOW + timedelta(minutes=later), stops=[stop])
            assert held(facts) == [(Kind.MAINTENANCE, "")] * holds
        assert timedelta(minutes=5) == MAINTENANCE_GRACE

    def test_one_unknown_is_enough(self) -> None:
        assert held(Facts(NOW, unknowns=WaitingFact(0, None))) == []
        (one,) = rules.conditions(
            Facts(NOW, unknowns=WaitingFact(100, NOW, more=True)), DEFAULTS, frozenset()
        )
        assert (one.kind, one.numbers["count"]) == (Kind.UNKNOWNS_WAITING, "100+")

    def test_each_queue_of_dead_letters(self) -> None:
        assert held(Facts(NOW, dead_letters={"a": 0, "b": 2})) == [(Kind.DEAD_LETTERS, "b")]

    def test_a_source_fails_until_an_hour_is_clean(self) -> None:
        key = (Kind.SOURCE_FAILING, "form")
        for rejected, refused, active, holds in (
            (9, 0, False, False),
            (10, 0, False, True),
            (4, 6, False, True),
            (0, 1, True, True),
            (0, 0, True, False),
        ):
            facts = Facts(NOW, sources=[SourceFact("form", rejected, refused)])
            assert held(facts, DEFAULTS, *([key] if active else [])) == [key] * holds


def moved(
    facts: Facts, *standing: Alert, receivers: Sequence[str] = ("topic", "robot")
) -> list[Change]:
    return [*rules.changes(facts, DEFAULTS, standing, receivers)]


LYING = Facts(NOW, dead_letters={"q": 1})
CLEAN = Facts(NOW, dead_letters={"q": 0})


class TestChanges:
    def test_it_begins_with_everybody_waiting_and_leased(self) -> None:
        ((before, after),) = moved(LYING)
        assert before is None
        assert after == Alert(
            Kind.DEAD_LETTERS,
            "q",
            NOW,
            {"queue": "q", "count": 1},
            waiting=("topic", "robot"),
            lease_until=NOW + LEASE,
        )

    def test_nothing_moves_while_somebody_is_about_it_or_all_are_told(self) -> None:
        ((_, begun),) = moved(LYING)
        assert moved(LYING, begun) == []
        told = rules.told(begun, begun, frozenset(("topic", "robot")), NOW)
        assert (told.waiting, told.lease_until, told.sent_at) == ((), None, NOW)
        assert moved(LYING, told) == []

    def test_who_could_not_be_told_is_told_the_next_time(self) -> None:
        ((_, begun),) = moved(LYING)
        half = rules.told(begun, begun, frozenset(["topic"]), NOW)
        ((before, again),) = moved(LYING, half)
        assert before == half
        assert (again.waiting, again.lease_until) == (("robot",), NOW + LEASE)

    def test_whose_watcher_died_is_told_when_the_lease_ends(self) -> None:
        ((_, begun),) = moved(LYING)
        later = replace(LYING, now=NOW + LEASE)
        ((_, again),) = moved(later, begun)
        assert again.waiting == ("topic", "robot")

    def test_a_receiver_that_is_gone_is_not_waited_for(self) -> None:
        ((_, begun),) = moved(LYING)
        later = replace(LYING, now=NOW + LEASE)
        ((_, again),) = moved(later, begun, receivers=["topic", "new"])
        assert again.waiting == ("topic",)

    def test_a_robot_whose_url_was_mended_is_told_after_all(self) -> None:
        ((_, begun),) = moved(LYING, receivers=["topic", "wecom-1", "feishu-1"])
        half = rules.told(begun, begun, frozenset(["topic", "wecom-1"]), NOW)
        ((_, again),) = moved(LYING, half, receivers=["topic", "wecom-1", "feishu-2"])
        assert again.waiting == ("feishu-2",)

    def test_it_ends_silently_and_is_gone(self) -> None:
        ((_, begun),) = moved(LYING)
        told = rules.told(begun, begun, frozenset(begun.waiting), NOW)
        ((_, ended),) = moved(CLEAN, told)
        assert ended.over

    def test_what_ended_before_all_were_told_waits_for_them(self) -> None:
        ((_, begun),) = moved(LYING)
        half = rules.told(begun, begun, frozenset(["topic"]), NOW)
        ((_, ended),) = moved(CLEAN, half)
        assert (ended.active, ended.waiting, ended.over) == (False, ("robot",), False)
        assert not ended.end_is_news
        told = rules.told(ended, ended, frozenset(["robot"]), NOW)
        assert told.over

    def test_it_recurs_for_everybody(self) -> None:
        ((_, begun),) = moved(LYING)
        half = rules.told(begun, begun, frozenset(["topic"]), NOW)
        ((_, ended),) = moved(CLEAN, half)
        later = NOW + timedelta(minutes=1)
        ((before, again),) = moved(replace(LYING, now=later), ended)
        assert before == ended
        assert (again.since, again.ended_at) == (later, None)
        assert again.waiting == ("topic", "robot")

    def test_the_end_of_maintenance_is_told(self) -> None:
        stop = StopFact("upstream_maintenance", NOW, NOW)
        ((_, begun),) = moved(Facts(NOW, stops=[stop]))
        told = rules.told(begun, begun, frozenset(begun.waiting), NOW)
        ((_, ended),) = moved(Facts(NOW, stops=[]), told)
        assert (ended.waiting, ended.end_is_news) == (("topic", "robot"), True)

    @pytest.mark.parametrize("kind", Kind)
    def test_what_could_not_be_looked_at_stays(self, kind: Kind) -> None:
        assert moved(Facts(NOW), example(kind)) == []

    @pytest.mark.parametrize("kind", Kind)
    def test_everything_ends_once_its_facts_are_there(self, kind: Kind) -> None:
        nothing = Facts(NOW, BalanceFact(0, 0, None, ()), [], [], WaitingFact(0, None), {}, [])
        ((_, after),) = moved(nothing, example(kind))
        assert not after.active

    def test_telling_counts_for_what_was_told_alone(self) -> None:
        """Someone is telling that it began; it ends meanwhile, or recurs."""
        stop = StopFact("upstream_maintenance", NOW, NOW)
        ((_, begun),) = moved(Facts(NOW, stops=[stop]))
        ((_, ended),) = moved(Facts(NOW, stops=[]), begun)
        assert rules.told(ended, begun, frozenset(["topic"]), NOW) is ended
        later = NOW + timedelta(minutes=9)
        ((_, again),) = moved(Facts(later, stops=[stop]), ended)
        assert rules.told(again, begun, frozenset(["topic"]), later) is again

    def test_a_silent_end_meanwhile_is_told_with_its_beginning(self) -> None:
        ((_, begun),) = moved(LYING)
        ((_, ended),) = moved(CLEAN, begun)
        told = rules.told(ended, begun, frozenset(["topic", "robot"]), NOW)
        assert told.over

    @given(
        kinds=st.sets(st.sampled_from(Kind)),
        receivers=st.lists(st.sampled_from(["topic", "a", "b"]), unique=True),
    )
    def test_a_change_always_carries_its_work(self, kinds: set[Kind], receivers: list[str]) -> None:
        """Leased exactly while somebody waits, and always newer than what it replaces."""
        standing = [replace(example(kind), waiting=("a", "gone")) for kind in kinds]
        for facts in (CLEAN, LYING, Facts(NOW)):
            for before, after in moved(facts, *standing, receivers=receivers):
                assert bool(after.waiting) == (after.lease_until is not None)
                assert after.revision == (before.revision if before else 0) + 1


def test_whose_it_is() -> None:
    assert example(Kind.SOURCE_FAILING).owner == "survey-2026"
    assert example(Kind.CAP_REACHED).owner == "shop"
    assert replace(example(Kind.CAP_REACHED), numbers={"owner": "*"}).owner is None
    assert example(Kind.LOW_BALANCE).owner is None
