"""Caps over real HTTP: two hundred callers at once pay for ten calls."""

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

import pytest
import requests

from local_stack import dynoxide
from local_stack.stack import local_secret
from tests.e2e.conftest import KEY, Running, start_stack, stop_stack, until, unused_number
from tests.examples import NAME

CALLERS, CAP = 200, 10


@pytest.fixture(scope="module")
def capped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A stack of its own; the table is in dynoxide where that is installed."""
    folder = tmp_path_factory.mktemp("capped")
    secret = json.loads(local_secret())
    secret["caps"] = {"day": CAP}
    secret["clients"][0]["caps"] = {"month": 1_000}
    file = folder / "secret.json"
    file.write_text(json.dumps(secret), "utf-8")
    durable = ["--dynoxide"] if dynoxide.find() else []
    # Time enough for the last of them on a machine that others use as well.
    running = start_stack(folder, "--secret", str(file), *durable, DEADLINE_SECONDS="25")
    yield running
    stop_stack(running)


def taken(running: Running) -> dict[str, int]:
    found = running.call("GET", "/v1/caps")
    assert found.status_code == 200, found.text
    return {one["kind"]: one["taken"] for one in found.json()["caps"]}


def test_a_crowd_pays_as_often_as_the_cap_says(capped: Running) -> None:
    # Free calls do not count.
    capped.admin("POST", "faults", {"kind": "gateway:T429GR", "times": 1})
    assert capped.verify(NAME, unused_number(999)).json()["code"] == "upstream_throttled"
    assert taken(capped) == {"day": 0, "month": 0}

    capped.admin("POST", "faults", {"kind": "latency_ms", "value": 200})
    with ThreadPoolExecutor(CALLERS) as pool:
        answers = [
            *pool.map(lambda n: capped.verify(NAME, unused_number(n), f"k{n}"), range(CALLERS))
        ]
    statuses = Counter(answer.status_code for answer in answers)
    assert statuses == {200: CAP, 429: CALLERS - CAP}, [a.text for a in answers][:20]
    for answer in answers:
        if answer.status_code != 200:
            assert answer.json()["code"] == "budget_exhausted"
            assert 0 < int(answer.headers["Retry-After"]) <= 86_400
    assert capped.admin("GET", "ledger")["paid_calls"] == CAP
    assert taken(capped) == {"day": CAP, "month": CAP}

    # What was paid for is replayed; the drop-in speaks its own language; what can wait does.
    paid = next(n for n, answer in enumerate(answers) if answer.status_code == 200)
    assert capped.verify(NAME, unused_number(paid), f"k{paid}").json() == answers[paid].json()
    drop_in = requests.post(
        f"{capped.api}/idenAuthentication",
        data=urlencode({"name": NAME, "idNo": unused_number(500)}),
        headers={
            "Authorization": f"APPCODE {KEY}",
            "Content-Type": "application/x-www-form-urlencoded",
        },
        timeout=40,
    )
    assert (drop_in.status_code, drop_in.headers["X-Ca-Error-Code"]) == (403, "B403MQ")
    accepted = capped.accept(NAME, unused_number(501))
    assert accepted.status_code == 202

    def postponed() -> bool:
        found = capped.seen(accepted.json()["id"])
        assert found["status"] == "pending"
        return found["problem"] is not None and found["problem"]["code"] == "budget_exhausted"

    assert until(postponed)
    assert capped.admin("GET", "ledger")["paid_calls"] == CAP
