from collections.abc import Callable
from urllib.parse import quote

import pytest

from tests.mock_server.support import OTHER, PERSON, SAMPLE, UNHELD, Upstream, code

NAME, NUMBER = PERSON


@pytest.mark.parametrize(
    ("name", "id_number", "expected"),
    [
        (NAME, NUMBER, "0000"),
        (OTHER[0], NUMBER, "0008"),
        ("王五", SAMPLE, "0008"),
        (NAME, UNHELD, "0007"),
        ("买买提·吐尔逊", UNHELD, "0007"),
        ("", NUMBER, "0001"),
        ("  ", NUMBER, "0001"),
        ("", "", "0001"),
        (NAME, "", "0003"),
        ("张 三", "", "0003"),
        ("张 三", NUMBER, "0002"),
        ("Zhang", NUMBER, "0002"),
        ("张•三", NUMBER, "0002"),
        ("张\ue863", NUMBER, "0002"),
        ("Zhang", "1", "0002"),
        (NAME, "1", "0004"),
        (NAME, NUMBER[:-1] + "0", "0004"),
        (NAME, "120101530427024", "0004"),
        (NAME, "11010519490231002X", "0004"),
        (NAME, "１１010519491231002X", "0004"),
        (NAME, UNHELD.lower(), "0004"),
    ],
)
def test_the_rules_in_their_order(
    upstream: Upstream, name: str, id_number: str, expected: str
) -> None:
    assert code(upstream.ask(name, id_number)) == expected


def test_a_refused_form_is_echoed_without_derived_fields(upstream: Upstream) -> None:
    assert upstream.ask("张 三", "12").json() == {
        "name": "张 三",
        "idNo": "12",
        "respMessage": "开户名不能包含特殊字符",
        "respCode": "0002",
        "province": "",
        "city": "",
        "county": "",
        "birthday": "",
        "sex": "",
        "age": "",
    }


def test_maintenance(upstream: Upstream) -> None:
    upstream.do("/maintenance", {"on": True})
    assert code(upstream.ask(*PERSON)) == "0010"
    assert code(upstream.ask("张三", SAMPLE)) == "0010"
    assert code(upstream.ask(NAME, "1")) == "0004"
    upstream.do("/maintenance", {"on": False})
    assert code(upstream.ask(*PERSON)) == "0000"


@pytest.mark.parametrize(("unknown", "expected"), [("match", "0000"), ("mismatch", "0008")])
def test_unknown_numbers(start: Callable[..., Upstream], unknown: str, expected: str) -> None:
    upstream = start(unknown=unknown)
    assert code(upstream.ask("谁", UNHELD)) == expected
    assert code(upstream.ask(OTHER[0], NUMBER)) == "0008"


def test_lower_case_x_where_it_is_accepted(start: Callable[..., Upstream]) -> None:
    upstream = start(lower_x="accept")
    upstream.do("/people", [{"name": "赵六", "id_number": UNHELD}])
    response = upstream.ask("赵六", UNHELD.lower())
    assert code(response) == "0000"
    assert response.json()["idNo"] == UNHELD.lower()
    assert response.json()["birthday"] == "19491231"
    assert upstream.do("/ledger/count", {"id_number": UNHELD}) == {"paid_calls": 1}


@pytest.mark.parametrize(
    ("today", "age"), [("2026-11-23", "76"), ("2026-12-31", "77"), ("2049-12-30", "99")]
)
def test_age_and_expiry_follow_the_clock(upstream: Upstream, today: str, age: str) -> None:
    upstream.do("/people", [{"name": "赵六", "id_number": UNHELD}])
    upstream.do("/clock", {"today": today})
    assert upstream.ask("赵六", UNHELD).json()["age"] == age


def test_born_after_the_clock_is_malformed(upstream: Upstream) -> None:
    upstream.do("/clock", {"today": "1949-12-30"})
    assert code(upstream.ask("赵六", UNHELD)) == "0004"


def test_a_clock_set_to_null_is_the_real_one(start: Callable[..., Upstream]) -> None:
    upstream = start(unknown="match")
    upstream.do("/clock", {"today": "1949-12-30"})
    assert upstream.do("/clock", {"today": None})["today"] > "2026"
    assert code(upstream.ask("赵六", UNHELD)) == "0000"


def test_derived_fields(upstream: Upstream) -> None:
    upstream.do("/clock", {"today": "1900-01-01"})
    assert upstream.ask(OTHER[0], NUMBER).json() == {
        "name": OTHER[0],
        "idNo": NUMBER,
        "respMessage": "身份证信息不匹配",
        "respCode": "0008",
        "province": "天津市",
        "city": "天津市",
        "county": "和平区",
        "birthday": "18530427",
        "sex": "F",
        "age": "46",
    }


class TestBugsThatCallersHave:
    def test_name_and_number_swapped(self, upstream: Upstream) -> None:
        assert code(upstream.ask(NUMBER, NAME)) == "0002"

    def test_name_not_percent_encoded(self, upstream: Upstream) -> None:
        body = f"idNo={NUMBER}&name={NAME}".encode()
        assert code(upstream.send(body)) == "0002"

    def test_name_in_gbk(self, upstream: Upstream) -> None:
        body = f"idNo={NUMBER}&name={quote(NAME, encoding='gbk')}"
        assert code(upstream.send(body)) == "0002"

    def test_json_under_a_form_content_type(self, upstream: Upstream) -> None:
        body = f'{{"idNo":"{NUMBER}","name":"{NAME}"}}'.encode()
        assert code(upstream.send(body)) == "0001"

    def test_fields_misspelt(self, upstream: Upstream) -> None:
        assert code(upstream.send({"Name": NAME, "idNo": NUMBER})) == "0001"
        assert code(upstream.send({"name": NAME, "idno": NUMBER})) == "0003"

    def test_a_field_sent_twice_counts_once(self, upstream: Upstream) -> None:
        body = [("name", NAME), ("name", OTHER[0]), ("idNo", NUMBER)]
        assert code(upstream.send(body)) == "0000"
