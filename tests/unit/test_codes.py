"""The table of codes, walked."""

import pytest

from chalicelib.domain import codes
from chalicelib.domain.codes import PROBLEMS, ROWS, Acts, Billed, Trip


@pytest.mark.parametrize("row", ROWS.values(), ids=lambda row: row.code)
def test_a_row_is_either_an_outcome_or_a_problem_that_exists(row: codes.Row) -> None:
    assert (row.outcome is None) is not (row.problem is None)
    if row.problem:
        assert row.problem in PROBLEMS
        assert row.acts is not Acts.NOBODY, "somebody, or time, has to mend it"
    if row.outcome:
        assert row.acts is Acts.NOBODY
        assert row.billed is Billed.YES


def test_nothing_that_may_have_been_charged_is_ever_retried_by_itself() -> None:
    for row in ROWS.values():
        if codes.retryable(row):
            assert row.billed is Billed.NO or row.code == "0010"
        if not row.settled:
            assert row.billed is Billed.UNKNOWN


def test_the_default_row_is_unknown_for_every_code_that_nobody_listed() -> None:
    for code in ("0005", "0006", "0009", "", "00010", "RATE_LIMIT", "D599ZZ", "0000 "):
        row = codes.find(code)
        assert (row.problem, row.billed, row.settled) == ("outcome_unknown", Billed.UNKNOWN, False)
        assert not codes.is_listed(code)


def test_configuration_overrides_what_is_billed_and_nothing_else() -> None:
    row = codes.find("0007", {"0007": Billed.NO})
    assert row.billed is Billed.NO
    assert row.outcome is ROWS["0007"].outcome
    assert codes.find("0000", {"0007": Billed.NO}) is ROWS["0000"]


@pytest.mark.parametrize(
    ("status", "message", "code"),
    [
        (400, "Invalid AppCode", "A400AC"),
        (400, "Invalid AppCode `not exists`", "A400AC"),
        (404, "Empty Signature", "A400MA"),
        (403, "Unauthorized", "I403AA"),
        (403, "Expiry of Authorization", "I403AA"),
        (403, "Quota Exhausted", "B403MQ"),
        (403, "Quota Expired", "B403ME"),
        (403, "User Arrears", "B403OD"),
        (403, "Throttled by USER Flow Control", "T429XX"),
        (403, "TThrottled by GROUP Flow Control", "T429XX"),
        (400, "Invalid Url", "I400UR"),
        (400, "Unsupported Multipart", "I400MP"),
        (500, "Failed To Invoke Backend Service", "D502FC"),
        (500, "Internal Error", "X500ER"),
        (503, "Service Unavailable", "X503BZ"),
        (504, "Async Service", "X504TO"),
    ],
)
def test_the_older_generation_is_read_by_status_and_prefix(
    status: int, message: str, code: str
) -> None:
    assert codes.from_old_gateway(status, message) == code
    assert codes.is_listed(code)


def test_a_status_alone_says_nothing() -> None:
    for status in (400, 401, 403, 404, 429, 500, 502, 503, 504):
        assert codes.from_old_gateway(status, "something else") is None


def test_only_what_a_human_must_mend_holds_the_breaker() -> None:
    held = {row.problem for row in ROWS.values() if row.trip is Trip.HOLD}
    assert held == {"appcode_invalid", "quota_exhausted", "package_expired", "account_in_arrears"}
