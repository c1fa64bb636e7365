"""Calls over the rate are throttled by the gateway, and nothing else counts or is refused."""

from collections.abc import Callable

import pytest
import requests

from mock_server.state import Throttle
from tests.mock_server.support import PERSON, Upstream, code


def throttled(upstream: Upstream) -> requests.Response:
    """Call until a second holds more than one call, however slow the machine is."""
    for _ in range(200):
        answer = upstream.ask(*PERSON)
        if answer.status_code != 200:
            return answer
    raise AssertionError("never throttled")


class TestCounting:
    def test_a_second_lets_through_so_many(self) -> None:
        throttle = Throttle(2)
        refused = []
        for now in (10.0, 10.4, 10.9, 10.99, 11.0):
            refused.append(throttle.refuses(now))
            throttle.count(now)
        assert refused == [False, False, True, True, False]

    def test_asking_counts_nothing(self) -> None:
        throttle = Throttle(1)
        assert not any(throttle.refuses(10.0) for _ in range(3))

    def test_without_a_rate_all_go_through(self) -> None:
        throttle = Throttle()
        for _ in range(5):
            throttle.count(10.0)
        assert not throttle.refuses(10.0)

    def test_a_rate_that_is_lowered_counts_what_was_before(self) -> None:
        throttle = Throttle(5)
        for _ in range(2):
            throttle.count(10.0)
        throttle.calls_per_second = 2
        assert throttle.refuses(10.5)


def test_the_new_generation(start: Callable[..., Upstream]) -> None:
    answer = throttled(start(calls_per_second=1))
    assert answer.status_code == 429
    assert answer.headers["X-Ca-Error-Code"] == "T429PA"
    assert answer.headers["X-Ca-Error-Message"] == "Throttled by API Flow Control"
    assert answer.content == b""


def test_the_old_generation(start: Callable[..., Upstream]) -> None:
    answer = throttled(start(calls_per_second=1, gateway="old"))
    assert answer.status_code == 403
    assert "X-Ca-Error-Code" not in answer.headers
    assert answer.headers["X-Ca-Error-Message"] == "Throttled by API Flow Control"


def test_a_throttled_call_costs_nothing_and_is_journalled(start: Callable[..., Upstream]) -> None:
    upstream = start(calls_per_second=1)
    throttled(upstream)
    *answered, refused = upstream.get("/requests")["requests"]
    assert refused["answer"] == {"status": 429, "resp_code": "", "gateway_code": "T429PA"}
    assert upstream.paid == len(answered)


def test_it_is_set_and_lifted_while_it_runs(upstream: Upstream) -> None:
    assert upstream.do("/throttle", {"calls_per_second": 1}) == {"calls_per_second": 1}
    throttled(upstream)
    assert upstream.do("/throttle", {"calls_per_second": None}) == {"calls_per_second": None}
    assert {code(upstream.ask(*PERSON)) for _ in range(5)} == {"0000"}


def test_a_reset_goes_back_to_the_rate_at_the_start(start: Callable[..., Upstream]) -> None:
    upstream = start(calls_per_second=1)
    throttled(upstream)
    upstream.do("/throttle", {"calls_per_second": 1_000_000})
    upstream.do("/reset")
    assert upstream.get("/throttle") == {"calls_per_second": 1}
    assert code(upstream.ask(*PERSON)) == "0000"


@pytest.mark.parametrize("appcode", ["", "APPCODE"])
def test_without_an_appcode_the_throttle_is_not_reached(
    start: Callable[..., Upstream], appcode: str
) -> None:
    upstream = start(calls_per_second=1)
    for _ in range(5):
        answer = upstream.send({"name": "x"}, Authorization=appcode)
        assert answer.headers["X-Ca-Error-Code"] == "A400MA"
    assert code(upstream.ask(*PERSON)) == "0000"


def test_it_comes_before_the_package(start: Callable[..., Upstream]) -> None:
    upstream = start(calls_per_second=1, quota=0)
    codes = set()
    while "T429PA" not in codes:
        codes.add(upstream.ask(*PERSON).headers["X-Ca-Error-Code"])
    assert codes == {"B403MQ", "T429PA"}
