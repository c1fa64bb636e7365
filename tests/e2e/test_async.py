"""What nobody waits for, over real HTTP: accepted, queued, asked by the worker, read later."""

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import urljoin

import pytest

from chalicelib.bootstrap import Container
from chalicelib.domain.verification import Status
from chalicelib.services.intake import RESEND_AFTER
from chalicelib.services.sweep import sweep
from tests.e2e.conftest import Ahead, Running, answered_in_vain, until, unused_number
from tests.examples import NAME, OTHER_NAME


def sweep_ahead(container: Container, seconds: float) -> int:
    """What the sweeper does so many seconds later; how many it queued again."""
    return sweep(tools=replace(container.tools, clock=Ahead(seconds))).queued


def usage(stack: Running) -> dict[str, int]:
    billed: dict[str, int] = stack.call("GET", "/v1/usage").json()["total"]["billed"]
    return billed


def test_accepted_at_once_asked_later_paid_once(stack: Running, key: str) -> None:
    one = next(e for e in stack.admin("GET", "identities") if e["answers"] == "0000")
    stack.admin("POST", "faults", {"kind": "latency_ms", "value": 500, "times": 1})
    accepted = stack.accept(one["name"], one["id_number"], key, reference="order-9")
    assert accepted.status_code == 202
    pending = accepted.json()
    assert pending["status"] in {"pending", "in_progress"}
    assert (pending["outcome"], pending["person"]) == (None, None)
    where = urljoin(accepted.url, accepted.headers["Location"])
    assert where == f"{stack.api}/v1/verifications/{pending['id']}"
    done = stack.ended(pending["id"])
    assert (done["status"], done["outcome"], done["billed"]) == ("completed", "match", "yes")
    assert done["reference"] == "order-9"
    assert done["person"]["province"]
    assert stack.paid(one["id_number"]) == 1
    # The key leads there, whether or not somebody waits.
    for again in (stack.accept, stack.verify):
        answer = again(one["name"], one["id_number"], key, reference="order-9")
        assert (answer.status_code, answer.json()) == (200, done)
    assert stack.paid(one["id_number"]) == 1


def test_fifty_posts_with_one_key_pay_once(stack: Running, key: str) -> None:
    number = unused_number(400)
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: stack.accept(NAME, number, key), range(50)))
    assert {answer.status_code for answer in answers} <= {200, 202}
    (one,) = {answer.json()["id"] for answer in answers}
    assert stack.ended(one)["status"] == "completed"
    assert stack.paid(number) == 1


def test_another_payload_and_hopeless_ones_are_refused_at_once(stack: Running, key: str) -> None:
    number = unused_number(401)
    assert stack.accept(NAME, number, key).status_code == 202
    other = stack.accept(OTHER_NAME, number, key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    hopeless = stack.accept(NAME, number[:-1] + ("1" if number[-1] == "0" else "0"))
    assert (hopeless.status_code, hopeless.json()["code"]) == (422, "id_number_invalid")


def test_maintenance_passes(stack: Running, container: Container, key: str) -> None:
    number = unused_number(402)
    stack.admin("POST", "maintenance", {"on": True})
    one = stack.accept(NAME, number, key).json()["id"]
    waiting = until(lambda: found if (found := stack.seen(one))["problem"] else None)
    assert (waiting["status"], waiting["problem"]["code"]) == ("pending", "upstream_maintenance")
    # Whoever comes while the breaker is open costs no attempt.
    other = stack.accept(NAME, unused_number(403)).json()["id"]
    stack.admin("POST", "maintenance", {"on": False})
    stack.close_breaker()
    assert sweep_ahead(container, 31) >= 1
    done = stack.ended(one)
    assert (done["status"], done["problem"], done["billed"]) == ("completed", None, "yes")

    def looked_after() -> Any:
        # It may be put off a moment after the breaker closed.
        sweep_ahead(container, RESEND_AFTER.total_seconds() + 31)
        return stack.seen(other)["status"] == "completed"

    assert until(looked_after)
    assert (stack.paid(number), stack.paid(unused_number(403))) == (1, 1)


def test_an_unknown_is_asked_again_once_a_human_says_so(
    stack: Running, container: Container, key: str
) -> None:
    number = unused_number(404)
    stack.admin("POST", "faults", {"kind": "reset", "when": "before_charge", "times": 1})
    one = stack.accept(NAME, number, key).json()["id"]
    unknown = stack.ended(one)
    assert (unknown["status"], unknown["problem"]["code"]) == ("unknown", "outcome_unknown")
    sweep_ahead(container, 1)
    assert stack.paid(number) == 0, "never by itself"
    path = f"/v1/verifications/{one}/resolve"
    assert stack.call("POST", path, {"billed": "no", "action": "retry"}).json()["status"] == (
        "pending"
    )
    assert sweep_ahead(container, 1) >= 1
    assert stack.ended(one)["status"] == "completed"
    assert stack.paid(number) == 1


@contextmanager
def without_queue(stack: Running) -> Iterator[None]:
    """The queue deleted for a while; made again as it was."""
    url = stack.env["QUEUE_URL"]
    names: Any = ["VisibilityTimeout", "MessageRetentionPeriod", "RedrivePolicy"]
    with stack.sqs() as sqs:
        attributes: Any = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        sqs.delete_queue(QueueUrl=url)
        yield
        sqs.create_queue(QueueName=url.rpartition("/")[2], Attributes=attributes)


def test_the_queue_is_down(stack: Running, container: Container, key: str) -> None:
    number = unused_number(405)
    with without_queue(stack):
        accepted = stack.accept(NAME, number, key)
        assert (accepted.status_code, accepted.json()["status"]) == (202, "pending")
    one = accepted.json()["id"]
    assert sweep_ahead(container, RESEND_AFTER.total_seconds() + 1) >= 1
    assert stack.ended(one)["status"] == "completed"
    assert stack.paid(number) == 1


def test_an_answer_that_the_table_did_not_take_is_repaired(
    stack: Running, container: Container, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, before = unused_number(406), usage(stack)
    told = answered_in_vain(container, monkeypatch, NAME, number, key)
    assert told.status is Status.COMPLETED
    assert "not_recorded" in told.warnings
    repaired = stack.ended(told.id)
    assert (repaired["status"], repaired["resp_code"]) == ("completed", told.resp_code)
    assert stack.verify(NAME, number, key).json() == repaired
    assert stack.paid(number) == 1
    after = usage(stack)
    assert (after["yes"] - before["yes"], after["unknown"]) == (1, before["unknown"])


def test_a_crowd_is_asked_once_each(stack: Running) -> None:
    numbers = [unused_number(serial) for serial in range(410, 440)]
    before = usage(stack)

    def post(number: str) -> str:
        key = uuid.uuid4().hex
        ids = {stack.accept(NAME, number, key).json()["id"] for _ in range(2)}
        (one,) = ids
        return str(one)

    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(post, numbers))
    assert {stack.ended(one)["status"] for one in ids} == {"completed"}
    assert {stack.paid(number) for number in numbers} == {1}
    assert usage(stack)["yes"] - before["yes"] == len(numbers)
