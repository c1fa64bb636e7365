from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime

import requests
from flask import Flask

from mock_server import Options, create_app
from mock_server.call import Fields
from mock_server.ledger import KEPT_ENTRIES, Entry, Ledger
from mock_server.state import set_up
from mock_server.world import World
from tests.mock_server.support import FORM, OTHER, PATH, PERSON, SAMPLE, UNHELD, Upstream, code


def ask(app: Flask) -> str:
    with app.test_client() as client:
        response = client.post(
            PATH,
            data={"name": PERSON[0], "idNo": PERSON[1]},
            headers={"Authorization": "APPCODE x", "Content-Type": FORM},
        )
        return response.headers.get("X-Ca-Error-Code", "paid")


def test_a_thousand_parallel_calls_on_a_quota_of_ten_charge_exactly_ten() -> None:
    app = create_app(Options(quota=10))
    with ThreadPoolExecutor(32) as pool:
        answers = Counter(pool.map(lambda _: ask(app), range(1000)))
    assert answers == {"paid": 10, "B403MQ": 990}
    with app.test_client() as client:
        ledger = client.get("/__admin/ledger").get_json()
    assert (ledger["paid_calls"], ledger["used"], len(ledger["entries"])) == (10, 10, 10)


def test_parallel_calls_over_http(start: Callable[..., Upstream]) -> None:
    upstream = start(quota=10)
    with ThreadPoolExecutor(64) as pool:
        statuses = Counter(pool.map(lambda _: upstream.ask(*PERSON).status_code, range(1000)))
    assert statuses == {200: 10, 403: 990}
    assert upstream.paid == 10


def test_calls_get_through_while_64_others_hang(upstream: Upstream) -> None:
    upstream.arm("hang", value=60_000, match={"id_number": OTHER[1]})

    def give_up(_: int) -> bool:
        try:
            upstream.ask(*OTHER, timeout=0.5)
        except requests.ReadTimeout:
            return True
        return False

    with ThreadPoolExecutor(65) as pool:
        hung = [pool.submit(give_up, i) for i in range(64)]
        assert code(upstream.ask(*PERSON)) == "0000"
        assert all(future.result() for future in hung)
    assert upstream.paid == 1


def test_entries(upstream: Upstream) -> None:
    upstream.ask("张三", SAMPLE)
    answer = upstream.ask("张 三", SAMPLE)
    paid, free = upstream.get("/ledger")["entries"]
    assert paid.pop("at") <= free.pop("at")
    assert paid.pop("request_id")
    assert paid == {
        "id_number_masked": "340***********5412",
        "resp_code": "0000",
        "charged": True,
        "answered": True,
    }
    assert free["request_id"] == answer.headers["X-Ca-Request-Id"]
    assert (free["resp_code"], free["charged"]) == ("0002", False)


def test_paid_calls_of_one_person(upstream: Upstream) -> None:
    for name, number in (PERSON, PERSON, ("谁", PERSON[1]), OTHER, ("谁", UNHELD)):
        upstream.ask(name, number)

    def count(**who: str) -> int:
        found: int = upstream.do("/ledger/count", who)["paid_calls"]
        return found

    assert count(id_number=PERSON[1]) == 3
    assert count(id_number=PERSON[1], name=PERSON[0]) == 2
    assert count(id_number=UNHELD) == 1
    assert count(id_number=SAMPLE) == 0


def test_the_package_runs_out_and_is_topped_up(start: Callable[..., Upstream]) -> None:
    upstream = start(quota=1)
    assert code(upstream.ask("张 三", PERSON[1])) == "0002"  # free
    assert code(upstream.ask(*PERSON)) == "0000"
    assert upstream.ask(*PERSON).headers["X-Ca-Error-Code"] == "B403MQ"
    assert upstream.do("/quota", {"total": 2}) == {"used": 1, "total": 2, "expires_at": None}
    assert code(upstream.ask(*PERSON)) == "0000"
    assert upstream.do("/quota", {"used": 0})["total"] == 2
    assert upstream.do("/quota", {"total": None})["used"] == 0


def test_the_package_expires_by_the_mocks_clock(start: Callable[..., Upstream]) -> None:
    upstream = start(clock=date(2026, 11, 22))
    upstream.do("/quota", {"expires_at": "2026-11-23"})
    assert code(upstream.ask(*PERSON)) == "0000"
    upstream.do("/clock", {"today": "2026-11-23"})
    assert upstream.ask(*PERSON).headers["X-Ca-Error-Code"] == "B403ME"
    upstream.do("/quota", {"expires_at": None})
    assert code(upstream.ask(*PERSON)) == "0000"


def test_reset_forgets_everything(start: Callable[..., Upstream]) -> None:
    upstream = start(quota=5, clock=date(2026, 11, 23))
    before = upstream.get("/people")["count"]
    upstream.ask(*PERSON)
    upstream.arm("reset")
    upstream.do("/people", [{"name": "赵六", "id_number": UNHELD}])
    upstream.do("/quota", {"used": 4, "total": 9, "expires_at": "2020-01-01"})
    upstream.do("/clock", {"today": "1999-01-01"})
    upstream.do("/maintenance", {"on": True})
    assert upstream.do("/reset") == {"status": "reset"}
    assert upstream.get("/ledger") == {
        "paid_calls": 0,
        "used": 0,
        "total": 5,
        "expires_at": None,
        "entries": [],
    }
    assert upstream.get("/faults") == {"faults": []}
    assert upstream.get("/requests") == {"requests": []}
    assert upstream.get("/people")["count"] == before
    assert code(upstream.ask("谁", UNHELD)) == "0007"
    assert code(upstream.ask(*PERSON)) == "0000"


def test_reset_copies_nobody() -> None:
    world = World(set_up(Options()))
    people = world.setup.people
    world.reset()
    assert world.setup.people is people
    with world.state() as state:
        assert state.people == {}


def test_entries_are_bounded_and_counts_are_not() -> None:
    ledger = Ledger()
    for i in range(KEPT_ENTRIES + 5):
        ledger.add(Entry(datetime.now(UTC), Fields(*PERSON), "0000", True, True, str(i)))
    assert len(ledger.entries) == KEPT_ENTRIES
    assert ledger.paid_calls == ledger.count(PERSON[1]) == KEPT_ENTRIES + 5
