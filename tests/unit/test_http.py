"""The HTTP edge over fakes: whatever comes in, a documented answer goes out."""

import base64
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app import app, sweep
from chalicelib import bootstrap
from chalicelib.domain.codes import PROBLEMS
from chalicelib.domain.errors import ServiceError
from chalicelib.entrypoints.errors import STATUSES
from local_stack.events import scheduled
from tests.examples import NAME, NUMBER
from tests.unit.conftest import World

JSON = {"content-type": "application/json", "authorization": "Bearer shop-key"}
FORM = {"content-type": "application/x-www-form-urlencoded", "authorization": "APPCODE shop-key"}


def event(
    method: str,
    path: str,
    *,
    body: bytes | str | None = None,
    headers: dict[str, str] | None = None,
    query: dict[str, list[str]] | None = None,
    **parameters: str,
) -> dict[str, Any]:
    """What API Gateway hands on; a body of bytes comes in base 64, as it does for binary types."""
    return {
        "requestContext": {"httpMethod": method, "resourcePath": path, "identity": {}},
        "headers": headers or {},
        "multiValueQueryStringParameters": query,
        "pathParameters": parameters,
        "stageVariables": None,
        "body": base64.b64encode(body).decode() if isinstance(body, bytes) else body,
        "isBase64Encoded": isinstance(body, bytes),
    }


@pytest.fixture
def served(world: World) -> Iterator[World]:
    """The fakes' world behind the app."""
    bootstrap.override(world.container())
    yield world
    bootstrap.override(None)


def call(one: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = app(one, None)
    return answer


def documented(answer: dict[str, Any]) -> dict[str, Any]:
    """A success, or a problem exactly as tabled; returns the body."""
    status = answer["statusCode"]
    body: dict[str, Any] = json.loads(answer["body"])
    if status != 200:
        assert answer["headers"]["Content-Type"] == "application/problem+json"
        assert STATUSES[body["code"]][0] == status
        assert body["billed"] in {"yes", "no", "unknown"}
        assert isinstance(body["retryable"], bool)
    return body


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
FIELD_NAMES = st.sampled_from(["name", "id_number", "reference", "max_age_seconds"])
BODIES = (
    st.binary(max_size=200)
    | VALUES.map(lambda value: json.dumps(value).encode())
    | st.dictionaries(
        FIELD_NAMES | st.text(max_size=5), VALUES | st.sampled_from([NAME, NUMBER]), max_size=5
    ).map(lambda value: json.dumps(value).encode())
)
HEADERS = st.dictionaries(
    st.sampled_from(["content-type", "authorization", "idempotency-key", "prefer"]),
    st.sampled_from([*JSON.values(), *FORM.values(), "Bearer", "Bearer \udcff"]) | st.text(),
)
RELAXED = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    max_examples=60,
)


@RELAXED
@given(body=BODIES, headers=HEADERS.map(lambda given: JSON | given) | HEADERS)
def test_any_post_is_answered_as_documented(
    served: World, body: bytes, headers: dict[str, str]
) -> None:
    documented(call(event("POST", "/v1/verifications", body=body, headers=headers)))


@RELAXED
@given(body=BODIES | st.text().map(lambda t: f"name={t}&idNo={NUMBER}".encode()), headers=HEADERS)
def test_any_post_to_the_drop_in_is_answered_its_way(
    served: World, body: bytes, headers: dict[str, str]
) -> None:
    answer = call(event("POST", "/idenAuthentication", body=body, headers=FORM | headers))
    assert {"X-Billed", "X-Ca-Request-Id"} <= answer["headers"].keys()
    if answer["statusCode"] == 200:
        fields = json.loads(answer["body"])
        assert len(fields) == 10
        assert all(isinstance(value, str) for value in fields.values())
    else:
        assert answer["body"] == ""
        assert answer["headers"]["X-Ca-Error-Code"]


@RELAXED
@given(
    query=st.dictionaries(
        st.sampled_from(["day", "status", "outcome", "limit", "cursor", "from", "to"]) | st.text(),
        st.lists(st.text() | st.sampled_from(["2026-11-24", "1", "match"]), min_size=1),
    ),
    path=st.sampled_from(["/v1/verifications", "/v1/usage"]),
)
def test_any_query_is_answered_as_documented(
    served: World, query: dict[str, list[str]], path: str
) -> None:
    documented(call(event("GET", path, query=query, headers=JSON)))


@given(found=st.text())
@RELAXED
def test_any_id_is_answered_as_documented(served: World, found: str) -> None:
    path = "/v1/verifications/{verification_id}"
    answer = call(event("GET", path, headers=JSON, verification_id=found))
    assert documented(answer)["code"] == "not_found"


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("GET", "/v1/verifications/{verification_id}", "verification_id"),
        ("DELETE", "/v1/packages/{package_id}", "package_id"),
        ("POST", "/v1/submissions/{submission_id}/replay", "submission_id"),
    ],
)
def test_an_id_that_no_table_takes_is_not_looked_for(
    served: World, method: str, path: str, name: str
) -> None:
    served.repository.down = served.packages.down = served.submissions.down = True
    headers = JSON | {"authorization": "Bearer ops-key"}
    asked = event(method, path, headers=headers) | {"pathParameters": {name: "x" * 1025}}
    assert documented(call(asked))["code"] == "not_found"


def test_a_fault_of_ours_is_a_problem_that_shows_and_logs_no_person(
    served: World, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: object) -> Any:
        raise RuntimeError(f"{NAME} {NUMBER}")

    served.script([broken, broken])
    caplog.set_level(logging.DEBUG)
    served.observer.taken()
    body = json.dumps({"name": NAME, "id_number": NUMBER})
    answer = call(event("POST", "/v1/verifications", body=body, headers=JSON))
    problem = documented(answer)
    assert (problem["code"], problem["billed"]) == ("outcome_unknown", "unknown")
    form = f"name={NAME}&idNo={NUMBER}"
    answer = call(event("POST", "/idenAuthentication", body=form, headers=FORM))
    assert (answer["statusCode"], answer["headers"]["X-Billed"]) == (504, "unknown")
    assert NUMBER not in caplog.text
    assert NAME not in caplog.text
    told = served.observer.taken()
    assert [event.members["error"] for event in told if event.name == "fault"] == [
        "RuntimeError",
        "RuntimeError",
    ]
    assert NUMBER not in str(told)
    assert NAME not in str(told)


def test_what_is_out_of_reach_is_told_and_logged_once(served: World) -> None:
    served.repository.down = True
    for one in (
        event("GET", "/v1/usage", headers=JSON),
        event("GET", "/healthz"),
        event(
            "POST",
            "/v1/verifications",
            headers=JSON,
            body=json.dumps({"name": NAME, "id_number": NUMBER}),
        ),
    ):
        served.clock.advance(10)
        assert documented(call(one))["code"] == "service_unavailable"
        (told,) = served.observer.taken()
        assert (told.name, told.level) == ("refused", "ERROR")
        assert "out of reach" in str(told.members["error"])


def test_a_broken_setting_is_a_503_and_a_log_line_that_names_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bootstrap.override(None)
    for name in ("UPSTREAM_URL", "SECRET_ID", "TABLE_NAME", "KMS_KEY_ID", "QUEUE_URL"):
        monkeypatch.delenv(name, raising=False)
    answer = documented(call(event("GET", "/healthz")))
    assert answer["code"] == "service_unavailable"
    assert "UPSTREAM_URL: is not set" in caplog.text


def test_an_appcode_is_never_sent_in_the_clear(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bootstrap.override(None)
    for name in (
        *("SECRET_ID", "TABLE_NAME", "KMS_KEY_ID"),
        *("QUEUE_URL", "ROWS_QUEUE_URL", "BUCKET_NAME"),
    ):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "cn-north-1")
    monkeypatch.setenv("UPSTREAM_URL", "http://idenauthen.market.alicloudapi.com/x")
    assert documented(call(event("GET", "/healthz")))["code"] == "service_unavailable"
    assert "UPSTREAM_URL: the upstream's URL must be https" in caplog.text


def test_the_schedule_sweeps(served: World) -> None:
    assert sweep(scheduled(), None) == {
        "expired": 0,
        "counted": 0,
        "queued": 0,
        "sent": 0,
        "ended": 0,
        "deleted": 0,
    }


def leaves(root: type[ServiceError]) -> Iterator[type[ServiceError]]:
    for child in root.__subclasses__():
        yield child
        yield from leaves(child)


def test_every_error_has_its_row_in_both_tables() -> None:
    assert STATUSES.keys() == PROBLEMS.keys()
    for error in leaves(ServiceError):
        code = getattr(error, "code", None)
        assert code is None or code in STATUSES, error
