import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from urllib.parse import quote, unquote

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from mock_server import Options, create_app
from mock_server.app import world_of
from mock_server.call import Fields
from mock_server.effects import KINDS
from mock_server.ledger import Entry
from tests.mock_server.support import APPCODE, OTHER, PERSON, SAMPLE, UNHELD, Json, Upstream, code


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
    ("/people", [{"name": "赵六"}], "[0].id_number"),
    ("/people", [{"name": "赵六", "age": 1}], "[0].age"),
    ("/people", [{"name": 6, "id_number": UNHELD}], "[0].name"),
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
    ("/appcodes", {}, "body"),
    ("/appcodes", "abc", "body"),
    ("/appcodes", ["a b"], "[0]"),
    ("/appcodes", ["a", 1], "[1]"),
    ("/appcodes", ["码"], "[0]"),
    ("/appcodes", [""], "[0]"),
    ("/appcodes", ["a" * 201], "[0]"),
    ("/throttle", {}, "calls_per_second"),
    ("/throttle", {"calls_per_second": 0}, "calls_per_second"),
    ("/throttle", {"calls_per_second": "1"}, "calls_per_second"),
    ("/throttle", {"rate": 1}, "rate"),
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


@pytest.mark.parametrize(
    ("path", "query", "allowed"),
    [
        ("/requests", "limit=0", "1 to 1000000000"),
        ("/requests", "limit=-1", "1 to 1000000000"),
        ("/requests", "limit=x", "1 to 1000000000"),
        ("/requests", "limit=99999999999", "1 to 1000000000"),
        ("/requests", "limit=", "1 to 1000000000"),
        ("/requests", "limit=%C2%B2", "1 to 1000000000"),
        ("/requests", "limit=1&limit=2", "once"),
        ("/requests", "since=now", "ISO 8601"),
        ("/requests", "resp_code=match!", "1 to 10 letters and digits"),
        ("/requests", "code=0000", ["resp_code", "since", "limit"]),
        ("/ledger", "limit=0", "1 to 1000000000"),
        ("/ledger", "since=2026-11-23", ["limit"]),
        ("/people", "limit=0", "1 to 1000000000"),
        ("/state", "limit=1", []),
        ("/identities", "%C3%BC=1", []),
    ],
)
def test_bad_queries(upstream: Upstream, path: str, query: str, allowed: Json) -> None:
    response = upstream.admin("GET", f"{path}?{query}")
    assert response.status_code == 422
    assert response.json()["field"] == unquote(query.partition("=")[0])
    assert response.json()["allowed"] == allowed


def test_a_query_is_refused_before_anything_is_done(upstream: Upstream) -> None:
    upstream.ask(*PERSON)
    assert upstream.admin("POST", "/reset?force=1").status_code == 422
    assert upstream.admin("DELETE", "/requests?id=1").status_code == 422
    assert upstream.paid == len(upstream.get("/requests")["requests"]) == 1


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
PATHS = [
    "/faults",
    "/people",
    "/quota",
    "/clock",
    "/maintenance",
    "/appcodes",
    "/throttle",
    "/requests/verify",
    "/ledger/count",
    "/reset",
]
GETS = [
    "/health",
    "/state",
    "/ledger",
    "/requests",
    "/faults",
    "/people",
    "/quota",
    "/clock",
    "/maintenance",
    "/appcodes",
    "/throttle",
    "/identities",
]
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
    st.sampled_from(GETS),
    st.binary(max_size=20),
    st.dictionaries(st.sampled_from(["limit", "since", "resp_code"]) | st.text(), st.text()),
)
def test_no_query_is_a_500(path: str, body: bytes, query: dict[str, str]) -> None:
    response = CLIENT.get(f"/__admin{path}", data=body, query_string=query)
    assert response.status_code in (200, 422)
    assert response.is_json


@settings(max_examples=50, deadline=None)
@given(st.datetimes(), st.timedeltas(timedelta(hours=-23), timedelta(hours=23)))
def test_no_moment_is_a_500(since: datetime, offset: timedelta) -> None:
    moment = since.replace(tzinfo=timezone(offset)).isoformat()
    response = CLIENT.get("/__admin/requests", query_string={"since": moment})
    assert response.status_code == 200


@settings(max_examples=50, deadline=None)
@given(
    st.text(st.characters(codec="utf-8", exclude_characters="/"), min_size=1)
    | st.integers().map(str)
)
def test_no_fault_id_is_a_500(fault_id: str) -> None:
    response = CLIENT.delete(f"/__admin/faults/{quote(fault_id, safe='')}")
    assert response.status_code in (200, 404)
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


def test_the_state_at_the_start(start: Callable[..., Upstream]) -> None:
    upstream = start(clock=date(2026, 11, 23), quota=10, charged_codes=frozenset({"0008", "0000"}))
    people = upstream.get("/people")["count"]
    assert upstream.get("/state") == {
        "paid_calls": 0,
        "requests": 0,
        "quota": {"used": 0, "total": 10, "expires_at": None},
        "clock": {"today": "2026-11-23", "fixed": True},
        "maintenance": {"on": False},
        "appcodes": {"any": True, "count": 0},
        "throttle": {"calls_per_second": None},
        "faults": 0,
        "people": people,
        "gateway": "new",
        "unknown": "no_record",
        "latency_ms": 0,
        "charged_codes": ["0000", "0008"],
        "journal_length": 1000,
        "reveal": False,
    }


def test_the_state_follows(upstream: Upstream) -> None:
    before = upstream.get("/state")
    upstream.ask(*PERSON)
    upstream.ask("谁", UNHELD)
    upstream.admin("DELETE", "/requests")
    upstream.do("/people", [{"name": "赵六", "id_number": UNHELD}])
    upstream.do("/people", [{"name": "赵七", "id_number": UNHELD}])
    settings = {
        path: upstream.do(f"/{path}", body)
        for path, body in (
            ("quota", {"used": 3, "total": 9, "expires_at": "2099-01-01"}),
            ("clock", {"today": "2026-11-23"}),
            ("maintenance", {"on": True}),
            ("appcodes", [APPCODE]),
            ("throttle", {"calls_per_second": 5}),
        )
    }
    after = upstream.get("/state")
    assert after == {
        **before,
        **settings,
        "paid_calls": 2,
        "requests": 2,
        "people": before["people"] + 1,
    }
    for path, shown in settings.items():
        assert upstream.get(f"/{path}") == shown


def test_requests_are_counted_that_are_no_longer_kept(start: Callable[..., Upstream]) -> None:
    upstream = start(journal_length=2)
    for _ in range(3):
        upstream.ask(*PERSON)
    assert len(upstream.get("/requests")["requests"]) == 2
    assert upstream.get("/state")["requests"] == 3


class TestSettings:
    def test_the_quota(self, upstream: Upstream) -> None:
        assert upstream.get("/quota") == {"used": 0, "total": None, "expires_at": None}
        assert upstream.do("/quota", {"total": 5}) == {"used": 0, "total": 5, "expires_at": None}
        upstream.ask(*PERSON)
        whole = {"used": 1, "total": 5, "expires_at": "2099-01-01"}
        assert upstream.do("/quota", {"expires_at": "2099-01-01"}) == whole
        assert upstream.do("/quota", {"total": 5}) == upstream.do("/quota", {}) == whole
        assert upstream.get("/quota") == whole

    def test_the_clock(self, upstream: Upstream) -> None:
        assert upstream.get("/clock")["fixed"] is False
        fixed = {"today": "1999-12-31", "fixed": True}
        assert upstream.do("/clock", {"today": "1999-12-31"}) == upstream.get("/clock") == fixed
        assert upstream.do("/clock", {"today": None})["fixed"] is False

    def test_maintenance(self, upstream: Upstream) -> None:
        assert upstream.do("/maintenance", {"on": True}) == upstream.get("/maintenance")
        assert code(upstream.ask(*PERSON)) == "0010"
        assert upstream.do("/maintenance", {"on": False}) == {"on": False}
        assert code(upstream.ask(*PERSON)) == "0000"

    def test_appcodes(self, upstream: Upstream) -> None:
        assert upstream.get("/appcodes") == {"any": True, "count": 0}
        assert upstream.do("/appcodes", ["other", "third", "other"]) == {"any": False, "count": 2}
        assert upstream.ask(*PERSON).headers["X-Ca-Error-Code"] == "A400AC"
        assert upstream.do("/appcodes", [APPCODE]) == {"any": False, "count": 1}
        assert code(upstream.ask(*PERSON)) == "0000"
        assert upstream.do("/appcodes", []) == upstream.get("/appcodes")

    def test_a_refused_appcode_is_not_repeated(self, upstream: Upstream) -> None:
        secret = APPCODE + " "
        assert APPCODE not in upstream.admin("POST", "/appcodes", [secret]).text
        assert APPCODE not in upstream.admin("POST", "/appcodes", secret).text


def test_the_last_of_the_ledger(upstream: Upstream) -> None:
    for name in (PERSON[0], "谁", "张 三"):
        upstream.ask(name, PERSON[1])
    whole = upstream.get("/ledger")
    assert [entry["resp_code"] for entry in whole["entries"]] == ["0000", "0008", "0002"]
    last = upstream.get("/ledger?limit=2")
    assert last == {**whole, "entries": whole["entries"][1:]}


def test_a_thousand_of_the_ledger_are_shown() -> None:
    app = create_app()
    with world_of(app).state() as state:
        for i in range(1_005):
            state.ledger.add(Entry(datetime.now(UTC), Fields(*PERSON), "0002", False, True, str(i)))
    entries = app.test_client().get("/__admin/ledger").get_json()["entries"]
    assert (len(entries), entries[0]["request_id"]) == (1_000, "5")


class TestFaults:
    def test_what_is_armed(self, upstream: Upstream) -> None:
        sent = {
            "kind": "hang",
            "value": 5,
            "when": "after_charge",
            "times": 2,
            "probability": 0.5,
            "seed": 7,
            "match": {"id_number": PERSON[1], "name": PERSON[0], "nth_call": 3},
        }
        armed = upstream.do("/faults", sent)
        match = {"id_number": "120***********0249", "name": "李**", "nth_call": 3}
        assert armed == {**sent, "id": 1, "match": match, "seen": 0, "fired": 0}
        assert upstream.get("/faults") == {"faults": [armed]}

    def test_null_is_the_default(self, upstream: Upstream) -> None:
        sent = {"kind": "reset", "value": None, "when": None, "times": None, "match": None}
        armed = upstream.do("/faults", sent)
        assert armed == {
            "id": 1,
            "kind": "reset",
            "value": None,
            "when": "before_charge",
            "times": None,
            "probability": 1.0,
            "seed": 0,
            "match": {"id_number": "", "name": "", "nth_call": None},
            "seen": 0,
            "fired": 0,
        }

    def test_an_id_is_used_once(self, upstream: Upstream) -> None:
        def arm() -> int:
            armed: int = upstream.do("/faults", {"kind": "reset"})["id"]
            return armed

        assert [arm(), arm(), arm()] == [1, 2, 3]
        assert upstream.admin("DELETE", "/faults/3").json() == {"cleared": 1}
        assert arm() == 4
        assert upstream.admin("DELETE", "/faults").json() == {"cleared": 3}
        assert arm() == 5
        upstream.do("/reset")
        assert arm() == 1

    def test_one_of_many_is_cleared(self, upstream: Upstream) -> None:
        upstream.arm("resp_code:0010")
        upstream.arm("resp_code:0007")
        assert code(upstream.ask(*PERSON)) == "0010"
        assert upstream.admin("DELETE", "/faults/1").json() == {"cleared": 1}
        assert code(upstream.ask(*PERSON)) == "0007"
        assert [fault["id"] for fault in upstream.get("/faults")["faults"]] == [2]

    @pytest.mark.parametrize("fault_id", ["0", "2", "-1", "01", "x", "1.0", "9" * 5_000])
    def test_an_unknown_id(self, upstream: Upstream, fault_id: str) -> None:
        upstream.arm("reset")
        response = upstream.admin("DELETE", f"/faults/{fault_id}")
        assert (response.status_code, set(response.json())) == (404, {"message"})
        assert len(upstream.get("/faults")["faults"]) == 1

    @pytest.mark.parametrize("limit", [{"times": 1}, {"match": {"nth_call": 1}}])
    def test_the_state_counts_those_that_can_still_fire(
        self, upstream: Upstream, limit: Json
    ) -> None:
        upstream.arm("resp_code:0010", **limit)
        upstream.arm("resp_code:0007", match={"name": "谁"})
        assert upstream.get("/state")["faults"] == 2
        upstream.ask(*PERSON)
        assert upstream.get("/state")["faults"] == 1
        assert len(upstream.get("/faults")["faults"]) == 2


class TestThePage:
    def test_the_page_and_its_parts(self, upstream: Upstream) -> None:
        page = upstream.admin("GET", "/ui")
        assert page.headers["Content-Type"] == "text/html; charset=utf-8"
        parts = re.findall(r'(?:src|href)="(ui/[^"]+)"', page.text)
        assert "ui/main.js" in parts
        types = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
        for path in parts:
            part = upstream.admin("GET", f"/{path}")
            kind = part.headers["Content-Type"].partition(";")[0]
            assert (part.status_code, kind) == (200, types[path.rsplit(".", 1)[1]])

    def test_nothing_from_elsewhere_runs_in_it(self, upstream: Upstream) -> None:
        page = upstream.admin("GET", "/ui")
        assert page.headers["Cache-Control"] == "no-store"
        policy = dict(
            rule.split(" ", 1) for rule in page.headers["Content-Security-Policy"].split("; ")
        )
        assert policy["default-src"] == "'none'"
        assert set(policy.values()) == {"'none'", "'self'"}
        # What such a policy keeps from running.
        assert not re.search(r"<style|<script(?![^>]*src=)| style=| on[a-z]+=", page.text)

    @pytest.mark.parametrize(
        "name",
        ["none.js", "__init__.py", "index.html.bak", "..%2Fadmin.py", "..%2Fui%2Fmain.js", "x"],
    )
    def test_nothing_else_is_given(self, upstream: Upstream, name: str) -> None:
        response = upstream.admin("GET", f"/ui/{name}")
        assert (response.status_code, response.json()) == (404, {"message": "Not Found"})

    def test_the_document(self, upstream: Upstream) -> None:
        assert upstream.get("/openapi.json")["openapi"].startswith("3.1")

    @pytest.mark.parametrize("path", ["/ui", "/ui/main.js", "/openapi.json"])
    def test_they_need_no_token(self, path: str) -> None:
        client = create_app(Options(admin_token="sesame")).test_client()
        response = client.get(f"/__admin{path}")
        assert response.status_code == 200
        response.close()
        assert client.post(f"/__admin{path}").status_code == 405

    @pytest.mark.parametrize("path", ["", "/uix", "/openapi.json/", "/state", "/nothing"])
    def test_all_else_does(self, path: str) -> None:
        client = create_app(Options(admin_token="sesame")).test_client()
        assert client.get(f"/__admin{path}").status_code == 401


@pytest.mark.parametrize("path", GETS)
def test_head_and_options(upstream: Upstream, path: str) -> None:
    head = upstream.admin("HEAD", path)
    assert (head.status_code, head.content) == (200, b"")
    options = upstream.admin("OPTIONS", path)
    assert options.status_code == 200
    assert {"GET", "HEAD", "OPTIONS"} <= set(options.headers["Allow"].split(", "))


class TestWhoMayCall:
    def test_the_token(self) -> None:
        client = create_app(Options(admin_token="sesame")).test_client()
        assert client.post("/__admin/reset").status_code == 401
        wrong = {"Authorization": "Bearer open"}
        assert client.post("/__admin/reset", headers=wrong).status_code == 401
        right = {"Authorization": "Bearer sesame"}
        assert client.post("/__admin/reset", headers=right).status_code == 200

    @pytest.mark.parametrize(
        ("host", "status"),
        [
            ("localhost:8001", 200),
            ("mock.localhost", 200),
            ("127.0.0.9", 200),
            ("[::1]:8001", 200),
            ("idenauthen.market.alicloudapi.com", 200),
            ("rebound.example", 403),
            ("127.0.0.1.rebound.example", 403),
            ("10.0.0.7", 403),
        ],
    )
    def test_a_name_that_a_page_had_lead_here(
        self, upstream: Upstream, host: str, status: int
    ) -> None:
        response = upstream.admin("POST", "/reset", Host=host, Origin=f"http://{host}")
        assert response.status_code == status

    def test_the_token_is_enough_elsewhere(self) -> None:
        app = create_app(Options(admin_token="t"))
        headers = {"Host": "mock.test", "Authorization": "Bearer t"}
        assert app.test_client().get("/__admin/state", headers=headers).status_code == 200

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
            "hints": [],
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
