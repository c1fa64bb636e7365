"""The seller's console against our count: what explains the difference, and what does not."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain import codes, reconcile
from chalicelib.domain.codes import Billed
from chalicelib.domain.errors import MalformedRequestError
from chalicelib.domain.price_list import PRICE_LIST
from chalicelib.domain.reconcile import Comparison, Reading
from chalicelib.domain.usage import DayUsage
from chalicelib.entrypoints import book_documents
from chalicelib.services import packages
from tests.fakes.clock import FakeClock
from tests.fakes.packages import FakePackages
from tests.fakes.repository import FakeRepository
from tests.unit.test_packages import DAY, NOON, TODAY, package

IN_DOUBT = ("0001", "0002", "0003", "0004", "0007", "0008", "0010")
LOST = codes.NO_ANSWER


def counted(
    calls: Mapping[str, int], *, resolved: Mapping[Billed, int] | None = None
) -> Counter[str]:
    """A day's counters as calls with these codes leave them; some unknowns were resolved."""
    found: Counter[str] = Counter()
    for code, number in calls.items():
        found.update(
            {
                "calls": number,
                f"code#{code}": number,
                f"billed#{codes.find(code).billed.value}": number,
            }
        )
    for billed, number in (resolved or {}).items():
        found.update({f"billed#{billed.value}": number, "billed#unknown": -number})
    return found


def used(calls: Mapping[str, int], day: Any = TODAY, **about: Any) -> DayUsage:
    found = DayUsage(day)
    found.add(counted(calls, **about))
    return found


def compared(
    usage: list[DayUsage],
    console: int,
    *,
    total: int = 1_000,
    at: datetime = NOON,
    fresh: bool = True,
    billed: Mapping[str, Billed] | None = None,
    bought: Any = None,
) -> Comparison:
    return reconcile.compare(
        bought or [package("a", 1_000)],
        usage,
        Reading(console, total, at, fresh=fresh),
        billed=billed or {},
    )


CALLS = st.dictionaries(
    st.sampled_from(["0000", *IN_DOUBT, LOST, "B403MQ", "0005"]), st.integers(1, 9), min_size=1
)


class TestWhatItFinds:
    @given(
        CALLS,
        CALLS,
        st.sets(st.sampled_from([*IN_DOUBT, "0005"])),
        st.integers(0, 9),
    )
    def test_the_truth_is_always_among_what_fits(
        self,
        yesterdays: dict[str, int],
        todays: dict[str, int],
        sellers: set[str],
        charged_unknowns: int,
    ) -> None:
        usage = [used(yesterdays, TODAY - DAY), used(todays)]
        calls = Counter(yesterdays)
        calls.update(todays)
        lost = min(charged_unknowns, calls[LOST])
        console = calls["0000"] + sum(calls[code] for code in sellers) + lost
        found = compared(usage, console)
        truth = {code: code in sellers for code in [*IN_DOUBT, "0005"] if calls[code]}
        assert found.doubtful == {code: calls[code] for code in truth}
        assert found.unknowns == calls[LOST]
        assert found.explanations
        if found.found <= reconcile.MAX_EXPLANATIONS:
            assert (truth, lost) in [(one.billed, one.unknowns) for one in found.explanations]

    @given(CALLS, st.integers(0, 80))
    def test_whatever_fits_adds_up(self, calls: dict[str, int], console: int) -> None:
        found = compared([used(calls)], console)
        for one in found.explanations:
            charged = calls.get("0000", 0) + one.unknowns
            charged += sum(calls[code] for code, billed in one.billed.items() if billed)
            assert charged == console
            assert 0 <= one.unknowns <= found.unknowns
            assert one.later == 0
        ways = 2 ** len(found.doubtful)
        assert found.found <= ways

    def test_no_record_is_not_billed(self) -> None:
        found = compared([used({"0000": 50, "0008": 20, "0007": 7})], 70)
        assert found.used_difference == -7
        (one,) = found.explanations
        assert one.billed == {"0008": True, "0007": False}
        assert one.changed == ("0007",)

    def test_maintenance_is_billed(self) -> None:
        found = compared([used({"0000": 50, "0010": 3})], 53)
        (one,) = found.explanations
        assert (one.billed, one.changed) == ({"0010": True}, ())

    def test_nothing_explains_it(self) -> None:
        found = compared([used({"0000": 50, "0007": 7, LOST: 2})], 60)
        assert (found.used_difference, found.explanations, found.found) == (3, (), 0)

    def test_the_fewest_changes_come_first(self) -> None:
        found = compared([used({"0000": 5, "0007": 2, "0008": 2, "0010": 2})], 9)
        assert found.explanations[0].changed == ()
        assert found.explanations[0].billed == {"0007": True, "0008": True, "0010": False}
        assert found.found == 3

    def test_the_table_is_the_settings(self) -> None:
        settled = {"0007": Billed.NO}
        usage = [used({"0000": 50, "0008": 1})]
        usage[0].add({"calls": 7, "code#0007": 7, "billed#no": 7})
        (one,) = compared(usage, 58, billed=settled).explanations
        assert (one.billed, one.changed) == ({"0007": True, "0008": True}, ("0007",))

    def test_what_the_gateway_refused_is_never_in_doubt(self) -> None:
        found = compared([used({"0000": 5, "B403MQ": 3, "T429GR": 4, codes.NOT_SENT: 2})], 8)
        assert (found.doubtful, found.explanations) == ({}, ())

    def test_of_resolved_unknowns_only_the_open_ones_are_in_doubt(self) -> None:
        usage = [used({"0000": 5, "0005": 3, LOST: 4}, resolved={Billed.YES: 2, Billed.NO: 1})]
        found = compared(usage, 9)
        assert (found.ours.used, found.unknowns, found.doubtful) == (7, 4, {})
        assert [one.unknowns for one in found.explanations] == [2]

    def test_a_code_moves_what_its_package_had_left(self) -> None:
        """Not charging 0007 leaves more in the first package, which has expired since."""
        bought = [package("old", 10, bought=-40, expires=-5), package("new", 1_000, bought=-30)]
        usage = [
            used({"0000": 8, "0007": 4}, TODAY - 20 * DAY),
            used({"0000": 9}, TODAY - DAY),
        ]
        found = compared(usage, 9, bought=bought)
        assert found.ours.used == 11  # 2 of the first day, 9 of the second
        (one,) = found.explanations
        assert one.billed == {"0007": False}

    def test_so_many_codes_are_tried_and_no_more(self) -> None:
        usage = [used({"0000": 1, **{f"90{n}": n for n in range(10, 30)}})]
        found = compared(usage, 1)
        assert len(found.doubtful) == reconcile.MAX_CODES
        assert min(found.doubtful.values()) == 20
        assert found.unknowns == sum(range(10, 20))


class TestTheReadingsMoment:
    def test_calls_of_later_days_do_not_count(self) -> None:
        clock = FakeClock()
        repository = FakeRepository(clock)
        for day, number in ((TODAY - 2 * DAY, 5), (TODAY - DAY, 3), (TODAY, 80)):
            repository.days[day, "shop"] = counted({"0000": number})
        found = packages.compare(
            8,
            1_000,
            NOON - DAY,
            packages=FakePackages(package("a", 1_000), package("b", 5_000, bought=0)),
            repository=repository,
            clock=clock,
            billed={},
        )
        assert (found.used_difference, found.total_difference, found.tolerance) == (0, 0, 3)

    def test_that_days_calls_may_have_come_after_it(self) -> None:
        usage = [used({"0000": 5}, TODAY - DAY), used({"0000": 3})]
        found = compared(usage, 6, fresh=False)
        assert (found.used_difference, found.tolerance) == (-2, 3)
        (one,) = found.explanations
        assert (one.later, one.unknowns) == (2, 0)
        assert compared(usage, 4, fresh=False).explanations == ()
        assert compared(usage, 6, fresh=True).explanations == ()

    def test_a_package_that_is_over_since_still_counts(self) -> None:
        bought = [package("a", 100, bought=-100, expires=-1)]
        usage = [used({"0000": 5}, TODAY - 3 * DAY)]
        at = NOON - 3 * DAY
        found = compared(usage, 5, total=100, at=at, bought=bought)
        assert (found.used_difference, found.total_difference) == (0, 0)

    def test_a_package_of_later_that_day_paid_for_nothing_then(self) -> None:
        later = replace(package("b", 500, expires=5), purchased_at=NOON + timedelta(hours=1))
        found = compared([used({"0000": 5})], 5, bought=[package("a", 1_000), later])
        assert (found.used_difference, found.total_difference) == (0, 0)

    @pytest.mark.parametrize(
        ("used_calls", "at", "field"), [(11, None, "used: "), (1, NOON + DAY, "at: ")]
    )
    def test_what_no_console_shows(self, used_calls: int, at: datetime | None, field: str) -> None:
        clock = FakeClock()
        with pytest.raises(MalformedRequestError, match=field):
            packages.compare(
                used_calls,
                10,
                at,
                packages=FakePackages(),
                repository=FakeRepository(clock),
                clock=clock,
                billed={},
            )


class TestInWords:
    @staticmethod
    def said(found: Comparison) -> tuple[Any, str]:
        document = book_documents.comparison(found)
        return document, "\n".join(document["notes"])  # type: ignore[arg-type]

    def test_all_is_well(self) -> None:
        document, words = self.said(compared([used({"0000": 5})], 5))
        assert document["verdict"] == "agrees"
        assert words == "The console and this service count the same number of used calls."

    def test_the_code_and_the_setting_are_named(self) -> None:
        usage = [used({"0000": 50, "0007": 7, "0010": 2})]
        document, words = self.said(compared(usage, 52))
        assert document["verdict"] == "explained"
        assert document["explanations"][0]["billed_codes"] == "0007=no,0010=yes"
        assert "seems not to charge 0007 (7 calls). That is not what" in words
        assert "seems to charge 0010 (2 calls)." in words

    def test_a_code_that_no_table_lists_is_no_setting(self) -> None:
        usage = [used({"0000": 50, "0005": 3, "0010": 2})]
        document, words = self.said(compared(usage, 53))
        (one,) = document["explanations"]
        assert one["codes"] == {"0005": "yes", "0010": "no"}
        assert one["billed_codes"] == "0010=no"
        assert "seems to charge 0005 (3 calls)" in words

    def test_nothing_explains_it(self) -> None:
        document, words = self.said(compared([used({"0000": 5, LOST: 2})], 900))
        assert document["verdict"] == "unexplained"
        assert words.startswith("Nothing explains")
        assert "2 attempts" in words

    @pytest.mark.parametrize(
        ("total", "says"),
        [
            (6_000, "A package of 5000 is on the price list"),
            (1_007, "7 calls more than are recorded. Record what is missing"),
            (900, "100 calls fewer than are recorded"),
        ],
    )
    def test_the_total_differs(self, total: int, says: str) -> None:
        document, words = self.said(compared([used({"0000": 5})], 5, total=total))
        assert document["verdict"] == "explained"
        assert says in words

    def test_several_explanations(self) -> None:
        _, words = self.said(compared([used({"0000": 5, "0007": 2, "0008": 2})], 7))
        assert "2 explanations fit" in words

    def test_what_may_be_later_is_said(self) -> None:
        _, words = self.said(compared([used({"0000": 5})], 3, fresh=False))
        assert "2 of that day's calls seem to come after the reading." in words
        assert "up to 5 of the calls" in words

    def test_what_no_package_paid_for_is_said(self) -> None:
        usage = [used({"0000": 12})]
        _, words = self.said(compared(usage, 10, total=10, bought=[package("a", 10)]))
        assert "2 charged calls came when no recorded package" in words

    def test_unknowns_are_said(self) -> None:
        _, words = self.said(compared([used({"0000": 5, LOST: 4})], 7))
        assert "2 of the 4 attempts whose billing is open seem to be charged" in words


def test_a_missing_package_is_one_of_the_price_list() -> None:
    found = compared([used({"0000": 1})], 1, total=1_100)
    assert found.missing == PRICE_LIST[0]
