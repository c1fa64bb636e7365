"""The transitions: every path through the states keeps the money's story straight."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain import codes, usage, verification
from chalicelib.domain.codes import Billed, Outcome
from chalicelib.domain.errors import ErasedError, NotUnknownError, VerificationInProgressError
from chalicelib.domain.verification import Action, Answer, Status, Verification

NOW = datetime(2026, 11, 24, 1, 2, 3, tzinfo=UTC)
LEASE = timedelta(seconds=90)


def draft() -> Verification:
    return Verification(
        id="vrf_" + "0" * 26,
        client="shop",
        created_at=NOW,
        status=Status.IN_PROGRESS,
        revision=0,
        fingerprint="f",
        subject="s",
        name_masked="张*",
        id_number_masked="110***********002X",
        reference="order-9",
    )


def claimed(token: str = "t1", base: Verification | None = None) -> Verification:
    return verification.claim(base or draft(), token=token, now=NOW, lease=LEASE)


def answered(code: str, base: Verification | None = None, token: str = "t1") -> Verification:
    answer = Answer(code, upstream_request_id="r1")
    return verification.record(base or claimed(), token, answer, codes.find(code), NOW + LEASE / 2)


def test_a_claim_may_be_charged_until_it_ends() -> None:
    one = claimed()
    assert one.status is Status.IN_PROGRESS
    assert one.billed is Billed.UNKNOWN
    assert one.attempts[0].sent is None
    assert one.revision == 1
    assert not one.lease_expired(NOW + LEASE - timedelta(seconds=1))
    assert one.lease_expired(NOW + LEASE)


@pytest.mark.parametrize(
    ("code", "outcome"),
    [("0000", Outcome.MATCH), ("0007", Outcome.NO_RECORD), ("0008", Outcome.MISMATCH)],
)
def test_an_outcome_completes(code: str, outcome: Outcome) -> None:
    one = answered(code)
    assert (one.status, one.outcome, one.billed) == (Status.COMPLETED, outcome, Billed.YES)
    assert one.resp_code == code
    assert one.attempts[0].sent is True
    assert one.problem is None
    assert one.lease_until is None


@pytest.mark.parametrize("code", sorted(codes.ROWS))
def test_every_row_of_the_table_ends_an_attempt_as_it_says(code: str) -> None:
    one, row = answered(code), codes.find(code)
    assert one.billed is row.billed
    assert one.outcome is row.outcome
    if row.outcome is None:
        assert one.problem is not None
        assert one.problem.code == row.problem
        assert one.problem.detail
        assert one.status is (Status.FAILED if row.settled else Status.UNKNOWN)
        assert one.retryable is codes.retryable(row)
        assert (one.resp_code == code) is (code in codes.RESP_CODES)


def test_an_unknown_is_never_retryable_and_maintenance_is_not_once_it_is_billed() -> None:
    assert not answered(codes.NO_ANSWER).retryable
    assert answered("0010").retryable
    billed = codes.find("0010", {"0010": Billed.YES})
    one = verification.record(claimed(), "t1", Answer("0010"), billed, NOW)
    assert one.billed is Billed.YES
    assert not one.retryable


def test_an_unrecognised_code_is_kept_and_unknown() -> None:
    one = answered("0005")
    assert (one.status, one.resp_code, one.billed) == (Status.UNKNOWN, "0005", Billed.UNKNOWN)


def test_an_expired_lease_is_unknown_and_a_late_answer_completes_it() -> None:
    lost = verification.expire(claimed(), NOW + LEASE)
    assert (lost.status, lost.billed, lost.retryable) == (Status.UNKNOWN, Billed.UNKNOWN, False)
    assert lost.attempts[0].sent is None
    late = answered("0008", lost)
    assert (late.status, late.billed) == (Status.COMPLETED, Billed.YES)
    assert late.problem is None


def test_a_late_answer_completes_what_a_human_closed_and_corrects_what_it_said() -> None:
    lost = verification.expire(claimed(), NOW + LEASE)
    shut = verification.resolve(lost, billed=Billed.NO, action=Action.CLOSE, now=NOW)
    assert (shut.status, shut.billed, shut.retryable) == (Status.FAILED, Billed.NO, False)
    late = answered("0000", shut)
    assert (late.status, late.billed) == (Status.COMPLETED, Billed.YES)


def test_a_late_failure_corrects_the_money_only() -> None:
    lost = verification.expire(claimed(), NOW + LEASE)
    shut = verification.resolve(lost, billed=Billed.YES, action=Action.CLOSE, now=NOW)
    late = answered("B403MQ", shut)
    assert (late.status, late.problem, late.billed) == (Status.FAILED, shut.problem, Billed.NO)


def test_a_late_answer_to_an_earlier_attempt_ends_the_later_ones_wait() -> None:
    lost = verification.expire(claimed("t1"), NOW + LEASE)
    again = verification.resolve(lost, billed=Billed.NO, action=Action.RETRY, now=NOW)
    assert again.retryable
    second = claimed("t2", again)
    late = answered("0000", second, "t1")
    assert late.status is Status.COMPLETED
    both = answered("0000", late, "t2")
    assert [attempt.billed for attempt in both.attempts] == [Billed.YES, Billed.YES]
    failing = answered("B403MQ", second, "t1")
    assert failing.status is Status.IN_PROGRESS


def test_resolving_settles_earlier_doubts_only_with_a_no() -> None:
    first = answered("0010")
    second = verification.expire(claimed("t2", first), NOW + LEASE)
    no = verification.resolve(second, billed=Billed.NO, action=Action.CLOSE, now=NOW)
    assert [a.billed for a in no.attempts] == [Billed.NO, Billed.NO]
    yes = verification.resolve(second, billed=Billed.YES, action=Action.CLOSE, now=NOW)
    assert [a.billed for a in yes.attempts] == [Billed.UNKNOWN, Billed.YES]


@pytest.mark.parametrize("code", ["0000", "0004", "B403MQ"])
def test_only_an_unknown_can_be_resolved(code: str) -> None:
    with pytest.raises(NotUnknownError):
        verification.resolve(answered(code), billed=Billed.NO, action=Action.CLOSE, now=NOW)


def test_erasing_leaves_what_was_paid_for_and_nothing_else() -> None:
    one = verification.erase(answered("0000"), NOW)
    assert one.erased
    assert (one.outcome, one.billed, one.upstream_request_id) == (Outcome.MATCH, Billed.YES, "r1")
    gone = (one.fingerprint, one.subject, one.name_masked, one.id_number_masked, one.reference)
    assert gone == (None,) * 5
    with pytest.raises(VerificationInProgressError):
        verification.erase(claimed(), NOW)


def test_an_erased_unknown_can_be_closed_but_not_retried() -> None:
    lost = verification.erase(verification.expire(claimed(), NOW + LEASE), NOW)
    with pytest.raises(ErasedError):
        verification.resolve(lost, billed=Billed.NO, action=Action.RETRY, now=NOW)
    assert not verification.resolve(lost, billed=Billed.NO, action=Action.CLOSE, now=NOW).retryable


def test_reuse_costs_nothing_and_names_its_source() -> None:
    source = answered("0008")
    one = verification.reuse(draft(), source, NOW)
    assert (one.status, one.outcome, one.billed) == (
        Status.COMPLETED,
        Outcome.MISMATCH,
        Billed.NO,
    )
    assert one.reused_from == source.id
    assert not one.attempts


STEPS = st.lists(
    st.sampled_from(
        [
            "0000",
            "0010",
            "B403MQ",
            "late",
            "not_sent",
            "no_answer",
            "expire",
            "close",
            "retry",
            "erase",
            "count",
        ]
    ),
    max_size=12,
)


@given(STEPS)
def test_usage_always_ends_up_as_the_attempts_say(steps: list[str]) -> None:
    """Whatever happens in whatever order, counting the changes gives the attempts' own sum."""
    one = claimed("t0")
    totals: dict[str, int] = {}
    for number, step in enumerate(steps):
        before = one
        one = _step(one, step, number)
        assert one is before or one.revision == before.revision + 1
        if step == "count":
            one = _counted(one, totals)
    one = _counted(one, totals)
    ended = [attempt for attempt in one.attempts if attempt.ended_at]
    assert totals.get("calls", 0) == len(ended)
    for billed in Billed:
        expected = sum(attempt.billed is billed for attempt in ended)
        assert totals.get(f"billed#{billed.value}", 0) == expected
    assert not one.uncounted
    assert not usage.changes(one)


def _step(one: Verification, step: str, number: int) -> Verification:
    if step in {"close", "retry"}:
        if one.status is not Status.UNKNOWN or (step == "retry" and one.erased):
            return one
        one = verification.resolve(one, billed=Billed.NO, action=Action(step), now=NOW)
    elif step == "erase":
        return one if one.status is Status.IN_PROGRESS else verification.erase(one, NOW)
    elif step == "count":
        return one
    elif step == "late":
        return answered("0008", one, one.attempts[0].token)
    elif one.status is Status.FAILED and one.retryable:
        return claimed(f"t{number}", one)
    elif one.status is not Status.IN_PROGRESS:
        return one
    elif step == "expire":
        return verification.expire(one, NOW + LEASE)
    else:
        return answered(step, one, one.attempts[-1].token)
    return one


def _counted(one: Verification, totals: dict[str, int]) -> Verification:
    for change in usage.changes(one):
        assert change.client == "shop"
        for name, number in change.counters.items():
            totals[name] = totals.get(name, 0) + number
    return verification.counted(one)


def test_an_attempt_belongs_to_its_day_in_china() -> None:
    late = datetime(2026, 11, 23, 16, 30, tzinfo=UTC)
    one = verification.claim(draft(), token="t", now=late, lease=LEASE)
    assert one.attempts[0].day.isoformat() == "2026-11-24"
