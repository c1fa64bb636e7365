import json
from typing import Any

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from mock_server import Options, create_app
from mock_server.effects import KINDS
from tests.mock_server.support import OTHER, PERSON, SAMPLE, UNHELD, Json, Upstream, code


def test_health(upstream: Upstream) -> None:
    assert upstream.get("/health") == {"status": "ok", "version": "0.1.0"}


REFUSED: list[tuple[str, Any, str]] = [
    ("/faults", {}, "kind"),
    ("/faults", [], "body"),
    ("/faults", {"kind": "explode"}, "kind"),
    ("/faults", {"kind": "gateway:T429xx"}, "kind"),
    ("/faults", {"kind": "reset", "colour": 1}, "colour"),
    ("/faults", {"kind": "reset", "value": 1}, "value"),
    ("/faults", {"kind": "reset", "when": "later"}, "when"),
    ("/faults", {"kind": "reset", "times": 0}, "times"),
    ("/faults", {"kind": "reset", "times": True}, "times"),
    ("/faults", {"kind": "reset", "probability": 1.1}, "probability"),
    ("/faults", {"kind": "reset", "probability": float("nan")}, "probability"),
    ("/faults", {"kind": "reset", "seed": "x"}, "seed"),
    ("/faults", {"kind": "reset", "match": 1}, "match"),
    ("/faults", {"kind": "reset", "match": {"nth_call": 0}}, "nth_call"),
    ("/faults", {"kind": "reset", "match": {"id_number": 1}}, "id_number"),
    ("/faults", {"kind": "hang"}, "value (ms)"),
    ("/faults", {"kind": "hang", "value": -1}, "value (ms)"),
    ("/faults", {"kind": "oversize", "value": 0}, "value (bytes)"),
    ("/faults", {"kind": "slow_drip", "value": 1.5}, "value (ms a byte)"),
    ("/faults", {"kind": "unknown_code", "value": "0000"}, "value"),
    ("/faults", {"kind": "unknown_code", "value": 5}, "value"),
    ("/faults", {"kind": "resp_code:0000", "when": "before_charge"}, "when"),
    ("/faults", {"kind": "gateway:B403MQ", "when": "after_charge"}, "when"),
    ("/faults", {"kind": "gateway:D504CO", "when": "after_charge"}, "when"),
    ("/faults", {"kind": "gateway:B403MQ", "value": "Quota Exhausted"}, "value"),
    ("/people", {}, "body"),
    ("/people", [1], "[0]"),
    ("/people", [{"name": "赵六"}], "id_number"),
    ("/people", [{"name": "Zhao", "id_number": UNHELD}], "[0].name"),
    ("/people", [{"name": "赵六", "id_number": UNHELD[:-1] + "1"}], "[0].id_number"),
    ("/people", [{"name": "赵六", "id_number": SAMPLE}], "[0].id_number"),
    ("/people", [{"name": "赵六", "id_number": PERSON[1]}], "[0].id_number"),
    ("/quota", {"used": -1}, "used"),
    ("/quota", {"used": None}, "used"),
    ("/quota", {"total": "10"}, "total"),
    ("/quota", {"expires_at": "tomorrow"}, "expires_at"),
    ("/quota", {"left": 1}, "left"),
    ("/clock", {}, "today"),
    ("/clock", {"today": "2026-02-30"}, "today"),
    ("/clock", {"today": 20261123}, "today"),
    ("/clock", {"today": "20261123"}, "today"),
    ("/maintenance", {}, "on"),
    ("/maintenance", {"on": 1}, "on"),
    ("/ledger/count", {}, "id_number"),
    ("/ledger/count", {"id_number": "1", "name": 1}, "name"),
]


@pytest.mark.parametrize(
    ("path", "body", "field"), REFUSED, ids=[f"{p}-{f}-{i}" for i, (p, _, f) in enumerate(REFUSED)]
)
def test_bad_input_names_the_field(upstream: Upstream, path: str, body: Json, field: str) -> None:
    # Not json=, which refuses NaN.
    data = json.dumps(body)
    response = requests.post(f"{upstream.url}/__admin{path}", data, timeout=20)
    assert response.status_code == 422
    refused = response.json()
    assert (set(refused), refused["field"]) == ({"field", "message", "allowed"}, field)
    assert refused["message"]
    assert upstream.get("/faults") == {"faults": []}


def test_an_unknown_kind_is_told_the_kinds(upstream: Upstream) -> None:
    assert upstream.admin("POST", "/faults", {"kind": "x"}).json()["allowed"] == list(KINDS)


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "limit=99999999999", "since=now"])
def test_bad_queries(upstream: Upstream, query: str) -> None:
    response = upstream.admin("GET", f"/requests?{query}")
    assert (response.status_code, response.json()["field"]) == (422, query[:5])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
FAULT = st.fixed_dictionaries(
    {"kind": st.sampled_from(KINDS) | JSON},
    optional={
        "value": JSON,
        "when": st.sampled_from(["before_charge", "after_charge"]) | JSON,
        "times": JSON,
        "probability": JSON,
        "seed": JSON,
        "match": JSON | st.dictionaries(st.sampled_from(["id_number", "name", "nth_call"]), JSON),
    },
)
PATHS = ["/faults", "/people", "/quota", "/clock", "/maintenance", "/ledger/count", "/reset"]
CLIENT = create_app().test_client()


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(PATHS), JSON | FAULT | st.lists(JSON))
def test_no_json_is_a_500(path: str, body: Json) -> None:
    response = CLIENT.post(f"/__admin{path}", json=body)
    assert response.status_code in (200, 422)
    assert response.is_json


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(PATHS), st.binary())
def test_no_bytes_are_a_500(path: str, body: bytes) -> None:
    response = CLIENT.post(f"/__admin{path}", data=body)
    assert response.status_code in (200, 422)
    assert response.is_json


@settings(max_examples=50, deadline=None)
@given(
    st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0")),
    st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0")),
)
def test_no_header_is_a_500(origin: str, token: str) -> None:
    headers = {"Origin": origin, "Authorization": token}
    assert CLIENT.get("/__admin/health", headers=headers).status_code == 403


def test_deep_json(upstream: Upstream) -> None:
    body = "[" * 100_000
    assert requests.post(f"{upstream.url}/__admin/faults", body, timeout=20).status_code == 422


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "", 404),
        ("GET", "/", 404),
        ("GET", "/nothing", 404),
        ("GET", "//health", 404),
        ("DELETE", "/ledger", 405),
        ("PURGE", "/ledger", 405),
    ],
)
def test_unknown_calls_are_json_too(
    upstream: Upstream, method: str, path: str, status: int
) -> None:
    response = upstream.admin(method, path)
    assert response.status_code == status
    assert response.json()["message"]


def test_people_can_be_added(upstream: Upstream) -> None:
    before = upstream.get("/people")
    assert upstream.do("/people", [{"name": "赵六", "id_number": UNHELD}]) == {"added": 1}
    assert code(upstream.ask("赵六", UNHELD)) == "0000"
    assert code(upstream.ask("谁", UNHELD)) == "0008"
    after = upstream.get("/people?limit=1")
    assert after["count"] == before["count"] + 1
    assert after["people"] == [{"name": "赵*", "id_number": "110***********002X"}]


class TestWhoMayCall:
    def test_the_token(self) -> None:
        client = create_app(Options(admin_token="sesame")).test_client()
        assert client.post("/__admin/reset").status_code == 401
        wrong = {"Authorization": "Bearer open"}
        assert client.post("/__admin/reset", headers=wrong).status_code == 401
        right = {"Authorization": "Bearer sesame"}
        assert client.post("/__admin/reset", headers=right).status_code == 200

    @pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://[", "x"])
    def test_foreign_pages(self, upstream: Upstream, origin: str) -> None:
        response = upstream.admin("POST", "/reset", Origin=origin)
        assert response.status_code == 403

    def test_its_own_page(self, upstream: Upstream) -> None:
        assert upstream.admin("POST", "/reset", Origin=upstream.url).status_code == 200


class TestJournal:
    def test_an_entry(self, upstream: Upstream) -> None:
        answer = upstream.ask(*PERSON)
        (entry,) = upstream.get("/requests")["requests"]
        assert entry.pop("at")
        assert entry.pop("duration_ms") >= 0
        headers = entry.pop("headers")
        assert headers["authorization"] == "APPCODE ***"
        assert headers["host"] in upstream.url
        assert entry == {
            "request_id": answer.headers["X-Ca-Request-Id"],
            "method": "POST",
            "path": "/idenAuthentication",
            "fields": {"name": "李**", "idNo": "120***********0249"},
            "answer": {"status": 200, "resp_code": "0000", "gateway_code": ""},
            "fault": None,
            "charged": True,
        }

    def test_a_refused_call_and_a_broken_one(self, upstream: Upstream) -> None:
        upstream.send(b"", path="/x?y=z")
        upstream.arm("close")
        with pytest.raises(requests.ConnectionError):
            upstream.ask(*PERSON)
        refused, broken = upstream.get("/requests")["requests"]
        assert refused["path"] == "/x?***"
        assert refused["answer"] == {"status": 404, "resp_code": "", "gateway_code": "I404NF"}
        assert broken["answer"]["status"] is None

    def test_selecting(self, upstream: Upstream) -> None:
        upstream.ask(*PERSON)
        upstream.ask("谁", PERSON[1])
        upstream.ask("谁", OTHER[1])
        everything = upstream.get("/requests")["requests"]
        assert upstream.get("/requests?resp_code=0008")["requests"] == everything[1:]
        assert upstream.get("/requests?resp_code=0008&limit=1")["requests"] == everything[2:]
        since = everything[1]["at"].replace("+00:00", "")
        assert upstream.get(f"/requests?since={since}")["requests"] == everything[1:]

    def test_forgetting_leaves_the_ledger(self, upstream: Upstream) -> None:
        upstream.ask(*PERSON)
        assert upstream.admin("DELETE", "/requests").json() == {"forgotten": 1}
        assert upstream.get("/requests") == {"requests": []}
        assert upstream.paid == 1
