from collections.abc import Callable
from typing import Any

import pytest
import requests

from mock_server.gateway_errors import TABLE, Form, Generation
from tests.mock_server.support import OTHER, PERSON, Upstream, code

GENERATIONS: tuple[Generation, ...] = ("new", "old")


def assert_refused(
    response: requests.Response, generation: str, error_code: str, form: Form
) -> None:
    assert (response.status_code, response.headers["X-Ca-Error-Message"]) == form
    assert response.content == b""
    assert response.headers["Content-Length"] == "0"
    assert response.headers["Content-Type"] == "application/oct-stream"
    assert response.headers["X-Ca-Request-Id"]
    sent_code = response.headers.get("X-Ca-Error-Code")
    assert sent_code == (error_code if generation == "new" else None)


@pytest.mark.parametrize("generation", GENERATIONS)
def test_every_row_by_identity(start: Callable[..., Upstream], generation: Generation) -> None:
    upstream = start(gateway=generation)
    rows = [r for r in upstream.get("/identities") if r["answers"] in TABLE]
    assert {r["answers"] for r in rows} == set(TABLE)
    for row in rows:
        upstream.do("/reset")
        form = TABLE[row["answers"]].forms(generation)[0]
        response = upstream.ask("谁", row["id_number"])
        assert_refused(response, generation, row["answers"], form)
        assert upstream.paid == row["charged"], row


@pytest.mark.parametrize("generation", GENERATIONS)
def test_every_row_and_message_by_fault(
    start: Callable[..., Upstream], generation: Generation
) -> None:
    upstream = start(gateway=generation)
    for error in TABLE.values():
        for form in error.forms(generation):
            upstream.arm(f"gateway:{error.code}", times=1, value=form.message)
            assert_refused(upstream.ask(*PERSON), generation, error.code, form)
    assert upstream.get("/ledger")["entries"] == []


@pytest.mark.parametrize("error_code", [e.code for e in TABLE.values() if e.maybe_charged])
def test_the_vendor_may_have_charged_before_the_gateway_gave_up(
    upstream: Upstream, error_code: str
) -> None:
    upstream.arm(f"gateway:{error_code}", times=1, when="after_charge")
    response = upstream.ask(*PERSON)
    assert response.headers["X-Ca-Error-Code"] == error_code
    (entry,) = upstream.get("/ledger")["entries"]
    assert (entry["resp_code"], entry["charged"], entry["answered"]) == ("0000", True, False)


def test_the_exhausted_package_as_seen(start: Callable[..., Upstream]) -> None:
    response = start(quota=0).ask(*PERSON)
    headers = {k: v for k, v in response.headers.items() if k not in ("Date", "X-Ca-Request-Id")}
    assert response.status_code == 403
    assert headers == {
        "Content-Length": "0",
        "Content-Type": "application/oct-stream",
        "Server": "Kaede/3.5.3.523",
        "X-Ca-Error-Code": "B403MQ",
        "X-Ca-Error-Message": "Api Market Subscription quota exhausted",
    }


GOOD = {"name": PERSON[0], "idNo": PERSON[1]}
BAD_REQUESTS: list[tuple[dict[str, Any], str, str]] = [
    ({"path": "/"}, "I404NF", "Invalid Url"),
    ({"path": "/idenAuthentication/"}, "I404NF", "Invalid Url"),
    ({"path": "/__administration"}, "I404NF", "Invalid Url"),
    ({"method": "GET"}, "I405UM", "Invalid HttpMethod"),
    ({"method": "OPTIONS"}, "I405UM", "Invalid HttpMethod"),
    ({"method": "PURGE"}, "I405UM", "Invalid HttpMethod"),
    ({"Authorization": None}, "A400MA", "Empty Signature"),
    ({"Authorization": "Bearer x"}, "A400MA", "Empty Signature"),
    ({"Authorization": "APPCODE  x"}, "A400AC", "Invalid AppCode"),
    ({"path": "/idenAuthentication?name=x"}, "I400RU", "Invalid Param Location"),
    ({"Content_Type": "application/json"}, "I400CT", "Invalid Param Location"),
    ({"Content_Type": None, "body": b"x"}, "I400CT", "Invalid Param Location"),
    ({"Content_Type": "multipart/form-data; boundary=x"}, "I400CT", "Unsupported Multipart"),
    ({"body": b""}, "I400BD", "Empty Request Body"),
    ({"body": b"&a=" * 2000}, "I400BD", "Invalid Request Body"),
    ({"body": b"x" * (8 * 1024 * 1024 + 1)}, "I413RL", "Invalid Request Body"),
    ({"body": iter([b"x" * 65_536] * 129)}, "I413RL", "Invalid Request Body"),
    ({"path": "/" + "x" * (128 * 1024 + 1)}, "I413UL", "Invalid Url"),
]


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize(
    ("request_", "error_code", "old"),
    BAD_REQUESTS,
    ids=[f"{c}-{i}" for i, (_, c, _) in enumerate(BAD_REQUESTS)],
)
def test_bad_requests_get_the_gateways_answer(
    start: Callable[..., Upstream],
    generation: Generation,
    request_: dict[str, Any],
    error_code: str,
    old: str,
) -> None:
    upstream = start(gateway=generation)
    sent = dict(request_)
    body = sent.pop("body", GOOD)
    if hasattr(body, "__next__"):
        body = iter([b"x" * 65_536] * 129)  # sent in chunks; each test needs its own
    response = upstream.send(body, **sent)
    form = TABLE[error_code].form(generation, old)
    assert_refused(response, generation, error_code, form)
    if generation == "old":
        assert form.message == old
    assert upstream.get("/ledger")["entries"] == []


def test_a_body_sent_in_chunks(upstream: Upstream) -> None:
    body = iter([b"name=%E6%9D%8E%E7%A7%80%E8%8B%B1", b"&idNo=" + PERSON[1].encode()])
    assert code(upstream.send(body)) == "0000"


def test_head_is_refused_too(upstream: Upstream) -> None:
    assert upstream.send(None, method="HEAD").headers["X-Ca-Error-Code"] == "I405UM"


def test_configured_appcodes(start: Callable[..., Upstream]) -> None:
    upstream = start(appcodes=("one", "two"))
    assert upstream.ask(*PERSON).headers["X-Ca-Error-Code"] == "A400AC"
    assert code(upstream.send(GOOD, Authorization="APPCODE two")) == "0000"


def test_the_appcode_counts_before_package_and_body(start: Callable[..., Upstream]) -> None:
    upstream = start(quota=0)
    refused = upstream.send(b"", Authorization=None)
    assert refused.headers["X-Ca-Error-Code"] == "A400MA"
    assert upstream.send(b"").headers["X-Ca-Error-Code"] == "B403MQ"


def test_faults_are_for_calls_that_reach_the_vendor(upstream: Upstream) -> None:
    upstream.arm("resp_code:0010", times=1)
    assert upstream.send(b"").headers["X-Ca-Error-Code"] == "I400BD"
    assert code(upstream.ask(*OTHER)) == "0010"
