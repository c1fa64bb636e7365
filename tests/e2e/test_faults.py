"""Every fault, before and after the charge: what the caller is told agrees with the ledger."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.e2e.conftest import Running, unused_number
from tests.examples import NAME

# Kind and value; every kind of the mock's but those that only speak a code.
TRANSPORT: dict[str, int | None] = {
    "latency_ms": 100,
    "slow_drip": 200,
    "hang": 30_000,
    "oversize": 1_000_000,
    "reset": None,
    "close": None,
    "truncated_json": None,
    "not_json": None,
    "empty_200": None,
    "http_500": None,
    "wrong_types": None,
    "wrong_charset": None,
    "unknown_code": None,
}
CASES = [(kind, when) for kind in TRANSPORT for when in ("before_charge", "after_charge")]


def post(stack: Running, number: str, key: str) -> Any:
    """One post; a breaker that other faults opened meanwhile is closed and the post repeated."""
    while True:
        answer = stack.verify(NAME, number, key)
        stopped = answer.status_code == 503 and "verification_id" not in answer.json()
        if not stopped:
            return answer
        stack.close_breaker()


def billed_of(answer: Any) -> str:
    return str(answer.json()["billed"])


def agrees(billed: str, paid: int) -> bool:
    return billed == "unknown" or paid == (1 if billed == "yes" else 0)


def test_the_list_is_the_mocks_own(stack: Running) -> None:
    """A kind that the mock learns has to be tried here as well."""
    answer = stack.call("GET", "/healthz")
    assert answer.ok
    import requests

    refused = requests.post(f"{stack.mock}/__admin/faults", json={"kind": "?"}, timeout=10)
    spoken = ("gateway:", "resp_code:")
    kinds = {kind for kind in refused.json()["allowed"] if not kind.startswith(spoken)}
    assert kinds == set(TRANSPORT)


def test_every_transport_fault_before_and_after_the_charge(stack: Running) -> None:
    def one(case: tuple[int, tuple[str, str]]) -> tuple[str, str, str, int, int]:
        serial, (kind, when) = case
        number, key = unused_number(100 + serial), uuid.uuid4().hex
        fault: dict[str, object] = {"kind": kind, "when": when, "times": 1}
        fault["match"] = {"id_number": number}
        if TRANSPORT[kind] is not None:
            fault["value"] = TRANSPORT[kind]
        stack.admin("POST", "faults", fault)
        billed = billed_of(post(stack, number, key))
        paid = stack.paid(number)
        again = post(stack, number, key)
        assert agrees(billed_of(again), stack.paid(number)), (kind, when)
        return kind, when, billed, paid, stack.paid(number)

    with ThreadPoolExecutor(len(CASES)) as pool:
        rows = list(pool.map(one, enumerate(CASES)))
    wrong = [row for row in rows if not agrees(row[2], row[3]) or row[4] > 1]
    assert not wrong
    told = {(kind, when): billed for kind, when, billed, _, _ in rows}
    # What is not ambiguous must not be called so.
    assert told["latency_ms", "after_charge"] == "yes"
    assert told["reset", "after_charge"] == told["hang", "after_charge"] == "unknown"


def spoken_kinds(stack: Running) -> list[str]:
    import requests

    refused = requests.post(f"{stack.mock}/__admin/faults", json={"kind": "?"}, timeout=10)
    spoken = ("gateway:", "resp_code:")
    return [kind for kind in refused.json()["allowed"] if kind.startswith(spoken)]


def test_every_code_of_the_gateway_and_the_vendor(stack: Running) -> None:
    kinds = spoken_kinds(stack)
    assert len(kinds) > 30

    def one(case: tuple[int, str]) -> tuple[str, str, int, int]:
        serial, kind = case
        number, key = unused_number(200 + serial), uuid.uuid4().hex
        fault = {"kind": kind, "times": 1, "match": {"id_number": number}}
        stack.admin("POST", "faults", fault)
        billed = billed_of(post(stack, number, key))
        paid = stack.paid(number)
        post(stack, number, key)
        return kind, billed, paid, stack.paid(number)

    # One after the other: half of these open the breaker for everybody.
    rows = [one(case) for case in enumerate(kinds)]
    assert not [row for row in rows if not agrees(row[1], row[2]) or row[3] > 1]


@pytest.mark.parametrize("when", ["before_charge", "after_charge"])
def test_an_unknown_is_resolved_with_the_console_and_the_usage_is_the_ledger(
    stack: Running, key: str, when: str
) -> None:
    number = unused_number(300 + (when == "after_charge"))
    before = stack.call("GET", "/v1/usage").json()["total"]["billed"]
    stack.admin("POST", "faults", {"kind": "reset", "when": when, "times": 1})
    answer = stack.verify(NAME, number, key)
    assert billed_of(answer) == "unknown"
    truth = "yes" if stack.paid(number) else "no"
    path = f"/v1/verifications/{answer.json()['verification_id']}/resolve"
    assert stack.call("POST", path, {"billed": truth, "action": "close"}).ok
    after = stack.call("GET", "/v1/usage").json()["total"]["billed"]
    assert after["yes"] - before["yes"] == stack.paid(number)
    assert after["unknown"] == before["unknown"]
