"""What callers in the wild get wrong: refused as the upstream would, and told in the journal."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from mock_server import hints
from tests.mock_server.support import APPCODE, FORM, PERSON, Upstream

NAME, NUMBER = "张三", "11010519491231002X"
JSON = json.dumps({"name": NAME, "idNo": NUMBER}).encode()
FIELDS = {"name": NAME, "idNo": NUMBER}
RAW = f"name={NAME}&idNo={NUMBER}"

# What is sent, what the upstream answers, what the journal says.
MISTAKES: list[tuple[str, dict[str, Any], str, str]] = [
    ("raw UTF-8", {"body": RAW.encode()}, "0002", "not_percent_encoded"),
    ("JSON as a form", {"body": JSON}, "0001", "json_body"),
    ("JSON", {"body": JSON, "Content_Type": "application/json"}, "I400CT", "json_body"),
    ("no form", {"body": RAW.encode(), "Content_Type": "text/plain"}, "I400CT", "content_type"),
    ("swapped", {"body": {"name": NUMBER, "idNo": NAME}}, "0002", "fields_swapped"),
    ("other fields", {"body": {"realName": NAME, "idcard": NUMBER}}, "0001", "field_names"),
    ("lower case", {"body": {**FIELDS, "idNo": NUMBER.lower()}}, "0004", "lower_case_x"),
    ("a float", {"body": {**FIELDS, "idNo": "3.40421E+17"}}, "0004", "lost_digits"),
    ("blanks", {"body": {**FIELDS, "name": "张 三"}}, "0002", "blanks"),
    ("GBK", {"body": f"name={quote(NAME, encoding='gbk')}&idNo={NUMBER}"}, "0002", "not_utf8"),
    ("twice", {"body": {**FIELDS, "name": quote(NAME)}}, "0002", "encoded_twice"),
    ("query", {"body": FIELDS, "path": f"/idenAuthentication?{RAW}"}, "I400RU", "query_parameters"),
    ("slash", {"body": FIELDS, "path": "/idenAuthentication/"}, "I404NF", "wrong_path"),
    ("GET", {"body": None, "method": "GET"}, "I405UM", "wrong_method"),
    ("no code", {"body": FIELDS, "Authorization": None}, "A400MA", "appcode_header"),
    ("code alone", {"body": FIELDS, "Authorization": APPCODE}, "A400MA", "appcode_header"),
    ("two blanks", {"body": FIELDS, "Authorization": "APPCODE  x"}, "A400AC", "appcode_header"),
    ("lower", {"body": FIELDS, "Authorization": "appcode x"}, "A400MA", "appcode_header"),
]


@pytest.mark.parametrize(
    ("sent", "answers", "hint"), [m[1:] for m in MISTAKES], ids=[m[0] for m in MISTAKES]
)
def test_each_mistake(upstream: Upstream, sent: dict[str, Any], answers: str, hint: str) -> None:
    response = upstream.send(**{"Content_Type": FORM, **sent})
    found = response.headers.get("X-Ca-Error-Code") or response.json()["respCode"]
    assert found == answers
    (entry,) = upstream.get("/requests")["requests"]
    assert hint in entry["hints"]
    assert upstream.paid == 0


def test_every_hint_is_shown_by_a_mistake() -> None:
    assert {hint for _, _, _, hint in MISTAKES} == {hint.code for hint in hints.TABLE}


def test_none_for_a_call_that_was_answered_or_told_to_fail(upstream: Upstream) -> None:
    upstream.ask(*PERSON)
    upstream.ask("谁", NUMBER)
    upstream.arm("resp_code:0004", times=1)
    upstream.ask(PERSON[0] + " ", PERSON[1])
    assert [e["hints"] for e in upstream.get("/requests")["requests"]] == [[], [], []]


def test_an_accepted_lower_case_x_is_no_mistake(start: Callable[..., Upstream]) -> None:
    upstream = start(lower_x="accept")
    upstream.ask(NAME, NUMBER.lower())
    assert upstream.get("/requests")["requests"][0]["hints"] == []
