"""Deliveries: the schedule, what an endpoint's answer means, and what the body tells."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain import codes, delivery, verification
from chalicelib.domain.codes import Billed, Outcome
from chalicelib.domain.delivery import (
    ATTEMPTS_KEPT,
    JITTER,
    MAX_RETRY_AFTER,
    SCHEDULE,
    CallbackResult,
    Delivery,
    DeliveryAttempt,
    DeliveryStatus,
    Fault,
)
from chalicelib.domain.verification import Answer, Status, Verification
from tests.examples import NAME, NUMBER

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
VRF = "vrf_7q3xk9d2m5t8w1y4b6c0e3f5g7"
URL = "https://hooks.example.com/t0ken"


def a_verification(answer: Answer | None = None) -> Verification:
    asked = verification.claim(
        Verification(
            VRF,
            "shop",
            NOW,
            Status.IN_PROGRESS,
            name_masked="张*",
            id_number_masked="110***********002X",
            subject="a" * 64,
            fingerprint="b" * 64,
            reference="order-9",
        ),
        token="t",
        now=NOW,
        lease=timedelta(seconds=90),
    )
    if answer is None:
        return asked
    at = NOW + timedelta(seconds=1)
    return verification.record(asked, "t", answer, codes.find(answer.code), at)


def a_delivery() -> Delivery:
    done = a_verification(Answer("0000"))
    return delivery.new(done, url=URL, number=1, now=NOW)


def after(
    code: int | Fault, retry_after: str | None = None, jitter: float = 0.0, tries: int = 0
) -> Delivery:
    result = CallbackResult(code, 12, retry_after)
    return delivery.attempted(replace(a_delivery(), tries=tries), result, NOW, jitter)


def test_a_new_one_is_due_at_once() -> None:
    made = a_delivery()
    assert (made.status, made.due_at, made.tries) == (DeliveryStatus.PENDING, NOW, 0)
    assert (made.verification_id, made.client) == (VRF, "shop")


def test_the_id_says_where_it_is_kept_and_not_where_it_goes() -> None:
    made = a_delivery()
    assert made.id == f"dlv_{VRF[4:]}_{made.endpoint}_1"
    assert len({made.id, replace(made, number=2).id, replace(made, url=URL + "/").id}) == 3
    assert "t0ken" not in made.id + repr(made)


def test_the_id_stays_over_attempts_and_replays() -> None:
    made = a_delivery()
    later = delivery.attempted(made, CallbackResult(500), NOW, 0.5)
    again = delivery.replayed(delivery.taken(later, NOW, timedelta(minutes=1)), NOW)
    assert made.id == later.id == again.id


@pytest.mark.parametrize("code", [200, 201, 202, 204, 299])
def test_2xx_is_delivered(code: int) -> None:
    done = after(code)
    assert (done.status, done.due_at) == (DeliveryStatus.DELIVERED, None)
    assert done.attempts == (DeliveryAttempt(NOW, code, 12),)


def test_gone_disables() -> None:
    assert (after(410).status, after(410, "5").due_at) == (DeliveryStatus.DISABLED, None)


TRANSIENT = [101, 301, 302, 307, 308, 400, 401, 404, 408, 429, 500, 503, 504, 999]
TRANSIENT_FAULTS = [
    Fault.UNRESOLVABLE,
    Fault.BLOCKED_ADDRESS,
    Fault.REFUSED,
    Fault.TLS,
    Fault.TIMEOUT,
    Fault.NO_ANSWER,
    Fault.NOT_CONFIGURED,
]


@pytest.mark.parametrize("code", [*TRANSIENT, *TRANSIENT_FAULTS])
def test_anything_else_is_tried_again_until_the_schedule_ends(code: int | Fault) -> None:
    assert after(code).status is DeliveryStatus.PENDING
    assert after(code).due_at == NOW + timedelta(seconds=5)
    assert after(code, tries=len(SCHEDULE) - 2).due_at == NOW + timedelta(hours=24)
    last = after(code, "5", tries=len(SCHEDULE) - 1)
    assert (last.status, last.due_at) == (DeliveryStatus.FAILED, None)


@pytest.mark.parametrize("fault", [Fault.MALFORMED_URL, Fault.NOT_HTTPS])
def test_a_url_that_never_works_is_not_tried_again(fault: Fault) -> None:
    assert (after(fault).status, after(fault).due_at) == (DeliveryStatus.FAILED, None)


def test_no_fault_is_left_out() -> None:
    assert set(Fault) == {*TRANSIENT_FAULTS, Fault.MALFORMED_URL, Fault.NOT_HTTPS}


def test_the_schedule_is_the_documented_one() -> None:
    seconds = [0, 5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400]
    assert [step.total_seconds() for step in SCHEDULE] == seconds


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 5),
        ("", 5),
        ("0", 5),
        ("3", 5),
        ("120", 120),
        (" 120 ", 120),
        ("999999999", 86_400),
        ("Tue, 24 Nov 2026 08:02:00 GMT", 120),
        ("Tue, 24 Nov 2026 07:00:00 GMT", 5),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400),
        ("-5", 5),
        ("1.5", 5),
        ("1" * 5000, 5),
        ("٣", 5),
        ("soon", 5),
        ("2026-11-24T08:02:00Z", 5),
        ("120, 240", 5),
    ],
)
def test_retry_after_makes_it_later_within_reason(header: str | None, seconds: int) -> None:
    assert after(503, header).due_at == NOW + timedelta(seconds=seconds)


def test_jitter_only_makes_it_later() -> None:
    assert after(503, jitter=1).due_at == NOW + timedelta(seconds=6)
    assert after(503, "100", jitter=0.5).due_at == NOW + timedelta(seconds=110)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([*TRANSIENT, *TRANSIENT_FAULTS]),
            st.none() | st.text(max_size=30) | st.integers(0, 10**9).map(str),
            st.floats(0, 1),
            st.integers(0, 15_000),
        ),
        min_size=len(SCHEDULE),
        max_size=len(SCHEDULE),
    )
)
def test_the_schedule_moves_on_and_ends(
    endings: list[tuple[int | Fault, str | None, float, int]],
) -> None:
    current, moments = a_delivery(), []
    for step, (code, header, jitter, took) in enumerate(endings, start=1):
        assert current.due_at is not None
        moments.append(current.due_at)
        now = current.due_at + timedelta(milliseconds=took)
        before = current
        current = delivery.attempted(current, CallbackResult(code, took, header), now, jitter)
        assert current.revision == before.revision + 1
        if step < len(SCHEDULE):
            assert current.status is DeliveryStatus.PENDING
            assert current.due_at is not None
            wait = current.due_at - now
            assert SCHEDULE[step] <= wait <= MAX_RETRY_AFTER * (1 + JITTER)
    assert (current.status, current.due_at) == (DeliveryStatus.FAILED, None)
    assert moments == sorted(moments)
    assert [attempt.code for attempt in current.attempts] == [code for code, *_ in endings]


def test_while_one_attempt_is_made_it_is_due_to_nobody_else() -> None:
    held = delivery.taken(a_delivery(), NOW, timedelta(minutes=1))
    assert held.due_at == NOW + timedelta(minutes=1)
    assert (held.tries, held.status, held.revision) == (0, DeliveryStatus.PENDING, 2)


@pytest.mark.parametrize("code", [200, 410, 500, Fault.NOT_HTTPS])
def test_a_replay_begins_the_schedule_anew_and_forgets_nothing(code: int | Fault) -> None:
    ended, later = after(code, tries=len(SCHEDULE) - 1), NOW + timedelta(days=4)
    again = delivery.replayed(ended, later)
    assert (again.status, again.due_at, again.tries) == (DeliveryStatus.PENDING, later, 0)
    assert again.attempts == ended.attempts
    failed = delivery.attempted(again, CallbackResult(500), later, 0)
    assert failed.due_at == later + SCHEDULE[1]
    assert len(failed.attempts) == 2


def test_only_the_latest_attempts_are_kept() -> None:
    current = a_delivery()
    for code in range(500, 500 + ATTEMPTS_KEPT + 3):
        current = delivery.attempted(delivery.replayed(current, NOW), CallbackResult(code), NOW, 0)
    kept = [attempt.code for attempt in current.attempts]
    assert kept == list(range(503, 503 + ATTEMPTS_KEPT))


# The body.


def told(one: Verification, submission_id: str | None = "sub-1") -> dict[str, object]:
    body: dict[str, object] = json.loads(delivery.payload(replace(one, submission=submission_id)))
    return body


def test_a_completed_one() -> None:
    assert told(a_verification(Answer("0008"))) == {
        "type": "verification.completed",
        "timestamp": "2026-11-24T08:00:01.000Z",
        "data": {
            "verification_id": VRF,
            "status": "completed",
            "outcome": Outcome.MISMATCH,
            "resp_code": "0008",
            "billed": Billed.YES,
            "reference": "order-9",
            "submission_id": "sub-1",
        },
    }


@pytest.mark.parametrize(
    ("code", "event", "billed"),
    [
        ("0002", "verification.failed", "unknown"),
        (codes.NOT_SENT, "verification.failed", "no"),
        (codes.NO_ANSWER, "verification.unknown", "unknown"),
    ],
)
def test_one_without_an_outcome(code: str, event: str, billed: str) -> None:
    body = told(a_verification(Answer(code)), None)
    assert body["type"] == event
    assert body["timestamp"] == "2026-11-24T08:00:01.000Z"
    data = body["data"]
    assert isinstance(data, dict)
    assert (data["outcome"], data["billed"], data["submission_id"]) == (None, billed, None)


def test_nothing_is_told_while_a_call_is_under_way() -> None:
    assert delivery.event_type(a_verification()) is None
    with pytest.raises(ValueError, match="under way"):
        delivery.payload(a_verification())


def test_the_body_holds_nothing_of_the_person() -> None:
    one = a_verification(Answer("0000", f"{NAME} {NUMBER}"))
    body = delivery.payload(replace(one, submission="sub-1")).decode("ascii")
    for leak in ("张", "\\u", "110", "002X", "a" * 64, "b" * 64, "shop"):
        assert leak not in body
