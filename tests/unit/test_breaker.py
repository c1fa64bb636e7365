"""When calls are stopped, and when they go on."""

from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.domain import breaker, codes
from chalicelib.domain.breaker import BACKEND_PAUSE, BACKEND_RUN, PAUSE, Breaker

NOW = datetime(2026, 11, 24, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def after(code: str, one: Breaker | None = None, now: datetime = NOW, mark: str = "m") -> Breaker:
    return breaker.after(one or Breaker(), codes.find(code), now, mark)


@pytest.mark.parametrize("code", ["B403MQ", "B403ME", "B403OD", "A401AC"])
def test_what_a_human_must_mend_holds_it_open_until_the_appcode_changes(code: str) -> None:
    one = after(code)
    assert one.is_open(NOW + timedelta(days=30), "m")
    assert not one.is_open(NOW, "another AppCode")
    assert one.cause == codes.find(code).problem
    assert not breaker.closed(one).is_open(NOW, "m")


def test_maintenance_pauses_and_ends_by_time() -> None:
    one = after("0010")
    assert one.is_open(NOW + PAUSE - SECOND, "m")
    assert one.is_open(NOW, "another AppCode")
    assert not one.is_open(NOW + PAUSE, "m")


def test_a_run_of_backend_faults_pauses_for_seconds_and_single_ones_do_not() -> None:
    one = Breaker()
    for n in range(BACKEND_RUN):
        assert not one.is_open(NOW, "m")
        one = after("D504TO", one, NOW + n * SECOND)
    opened = NOW + (BACKEND_RUN - 1) * SECOND
    assert one.is_open(opened, "m")
    assert one.cause == "upstream_unreachable"
    assert not one.is_open(opened + BACKEND_PAUSE, "m")


def test_faults_far_apart_or_parted_by_an_outcome_are_no_run() -> None:
    one = Breaker()
    for n in range(3 * BACKEND_RUN):
        one = after("not_sent", one, NOW + n * timedelta(seconds=61))
        assert not one.is_open(NOW + n * timedelta(seconds=61), "m")
    for _ in range(3 * BACKEND_RUN):
        one = after("0008", after("not_sent", one))
        assert one.faults == 0


def test_an_outcome_changes_nothing_and_costs_no_write() -> None:
    one = Breaker()
    for code in ("0000", "0007", "0008", "0004", "T429XX"):
        assert after(code, one) is one


def test_a_pause_never_shortens_a_hold() -> None:
    held = after("B403MQ")
    assert after("0010", held) is held
    assert after("B403MQ", held) is held
