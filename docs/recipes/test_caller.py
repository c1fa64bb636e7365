"""Tests of a caller. The caller itself would be imported from your code."""

import pytest
import requests


class UnclearError(Exception):
    """Nobody knows whether the call was charged."""


def is_match(upstream, name, id_number):
    """Ask once, never again: a second call is a second charge."""
    try:
        answer = requests.post(
            upstream.endpoint,
            data={"name": name, "idNo": id_number},
            headers={"Authorization": f"APPCODE {upstream.appcode}"},
            timeout=0.5,
        )
    except requests.RequestException as exc:
        raise UnclearError from exc
    if not answer.ok:
        raise UnclearError(answer.headers.get("X-Ca-Error-Message"))
    return {"0000": True, "0008": False}.get(answer.json()["respCode"])


@pytest.mark.parametrize(("answers", "expected"), [("0000", True), ("0008", False), ("0007", None)])
def test_answers(upstream, answers, expected):
    assert is_match(upstream, *upstream.identity(answers)) is expected


def test_somebody_of_ones_own(upstream):
    upstream.people({"11010519491231002X": "赵六"})
    assert is_match(upstream, "赵六", "11010519491231002X") is True
    assert is_match(upstream, "钱七", "11010519491231002X") is False
    assert upstream.count("11010519491231002X") == 2
    assert upstream.count("11010519491231002X", name="赵六") == 1


def test_a_lost_answer_is_not_asked_for_again(upstream):
    upstream.fault("hang", value=60_000, when="after_charge", times=1)
    with pytest.raises(UnclearError):
        is_match(upstream, "李秀英", "120101185304270249")
    assert upstream.paid_calls == 1
    upstream.verify(1, id_number="120101185304270249", fault="hang", charged=True)


def test_the_package_is_used_up(upstream):
    upstream.quota(total=10, used=10)
    with pytest.raises(UnclearError, match="quota exhausted"):
        is_match(upstream, "李秀英", "120101185304270249")
    upstream.verify(gateway_code="B403MQ", charged=False)
    assert upstream.paid_calls == 0
