"""The main job over real HTTP: service, AWS stand-in and mock upstream."""

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from tests.e2e.conftest import KEY, Running, unused_number
from tests.examples import NAME, OTHER_NAME

JSON = "application/problem+json"


def people(stack: Running) -> dict[str, str]:
    return {entry["answers"]: entry["id_number"] for entry in stack.admin("GET", "identities")}


@pytest.fixture
def known(stack: Running) -> dict[str, str]:
    """answers → id_number of the test identities."""
    return people(stack)


@pytest.mark.parametrize(
    ("code", "outcome"), [("0000", "match"), ("0007", "no_record"), ("0008", "mismatch")]
)
def test_an_outcome(
    stack: Running, known: dict[str, str], key: str, code: str, outcome: str
) -> None:
    one = next(e for e in stack.admin("GET", "identities") if e["answers"] == code)
    answer = stack.verify(one["name"], one["id_number"], key, reference="order-9")
    assert answer.status_code == 200
    body = answer.json()
    assert (body["outcome"], body["resp_code"], body["billed"]) == (outcome, code, "yes")
    assert body["id_number"] == one["id_number"][:3] + "*" * 11 + one["id_number"][-4:]
    assert body["name"] == one["name"][0] + "*" * (len(one["name"]) - 1)
    assert body["reference"] == "order-9"
    assert body["upstream_request_id"]
    assert body["problem"] is None
    again = stack.verify(one["name"], one["id_number"], key, reference="order-9")
    assert again.json() == body
    assert stack.paid(one["id_number"]) == 1
    assert stack.call("GET", f"/v1/verifications/{body['id']}").json() == body


def test_the_derived_fields_come_with_the_answer(
    stack: Running, known: dict[str, str], key: str
) -> None:
    one = next(e for e in stack.admin("GET", "identities") if e["answers"] == "0000")
    person = stack.verify(one["name"], one["id_number"], key).json()["person"]
    assert person["province"]
    assert person["birthday"] == one["id_number"][6:14]
    assert person["sex"] == ("M" if int(one["id_number"][16]) % 2 else "F")
    assert isinstance(person["age"], int)


def test_fifty_posts_with_one_key_pay_once(stack: Running, key: str) -> None:
    number = unused_number(1)
    stack.admin("POST", "faults", {"kind": "latency_ms", "value": 300})
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: stack.verify(NAME, number, key), range(50)))
    assert not [answer.text for answer in answers if answer.status_code != 200]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert stack.paid(number) == 1


def test_fifty_keys_for_one_subject_pay_once_with_max_age(stack: Running) -> None:
    number = unused_number(2)
    stack.admin("POST", "faults", {"kind": "latency_ms", "value": 300})
    keys = [uuid.uuid4().hex for _ in range(50)]
    with ThreadPoolExecutor(50) as pool:
        answers = list(
            pool.map(lambda key: stack.verify(NAME, number, key, max_age_seconds=60), keys)
        )
    assert not [answer.text for answer in answers if answer.status_code != 200]
    bodies = [answer.json() for answer in answers]
    assert len({body["id"] for body in bodies}) == 50
    assert sorted(body["billed"] for body in bodies) == ["no"] * 49 + ["yes"]
    assert len({body["reused_from"] for body in bodies}) == 2
    assert stack.paid(number) == 1


def test_the_price_of_a_repeat_without_key_or_age_is_a_second_call(stack: Running) -> None:
    number = unused_number(3)
    for _ in range(2):
        assert stack.verify(NAME, number).json()["billed"] == "yes"
    assert stack.paid(number) == 2


class TestProblems:
    """Each refusal says what, why and how to mend it, and costs nothing."""

    @pytest.mark.parametrize(
        ("body", "status", "code", "says"),
        [
            ({"name": NAME}, 400, "malformed_request", "id_number: is missing"),
            ({"id_number": "1"}, 400, "malformed_request", "name: is missing"),
            ({"name": 1, "id_number": "1"}, 400, "malformed_request", "name: must be a text"),
            ({"name": NAME, "id_number": ["1"]}, 400, "malformed_request", "id_number: must be"),
            ({"name": NAME, "id_number": True}, 400, "malformed_request", "id_number: must be"),
            (
                {"name": NAME, "id_number": 110105194912310021},
                422,
                "id_number_not_text",
                "last digits are lost",
            ),
            (
                {"name": NAME, "id_number": "1.10105E+17"},
                422,
                "id_number_not_text",
                "",
            ),
            (
                {"name": NAME, "id_number": "1", "phone": "x"},
                400,
                "malformed_request",
                "allowed are name, id_number, reference, max_age_seconds",
            ),
            ({"name": NAME, "id_number": "110105"}, 422, "id_number_invalid", ""),
            ({"name": "", "id_number": "11010519491231002X"}, 422, "name_empty", ""),
            ({"name": "a", "id_number": "11010519491231002X"}, 422, "name_invalid", ""),
            ({"name": NAME, "id_number": ""}, 422, "id_number_empty", ""),
            (
                {"name": NAME, "id_number": "1", "reference": "11010519491231002X"},
                400,
                "malformed_request",
                "reference: must not contain an identity number",
            ),
            (
                {"name": NAME, "id_number": "1", "reference": "张三"},
                400,
                "malformed_request",
                "reference: must be 1 to 64",
            ),
            (
                {"name": NAME, "id_number": "1", "max_age_seconds": "60"},
                400,
                "malformed_request",
                "max_age_seconds: must be a whole number",
            ),
            ([], 400, "malformed_request", "must be a JSON object"),
        ],
    )
    def test_a_bad_body(
        self, stack: Running, body: object, status: int, code: str, says: str
    ) -> None:
        answer = stack.call("POST", "/v1/verifications", body)
        _is_problem(answer, status, code)
        assert says in answer.json()["detail"]
        assert answer.json()["billed"] == "no"
        assert stack.admin("GET", "ledger")["paid_calls"] == 0

    @pytest.mark.parametrize(
        ("data", "content_type", "status", "code"),
        [
            (b"{", "application/json", 400, "malformed_request"),
            (b"\xff\xfe", "application/json", 400, "malformed_request"),
            (b"[" * 60_000, "application/json", 400, "malformed_request"),
            (b'{"name":' + b"1" * 5_000 + b"}", "application/json", 400, "malformed_request"),
            (b"", "application/json", 400, "malformed_request"),
            (b'"' + b"x" * 65_536 + b'"', "application/json", 413, "payload_too_large"),
            (b"name=x", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
            (b"{}", "text/plain", 415, "unsupported_media_type"),
            (b"{}", None, 415, "unsupported_media_type"),
        ],
    )
    def test_a_body_that_cannot_be_read(
        self, stack: Running, data: bytes, content_type: str | None, status: int, code: str
    ) -> None:
        headers = {"Authorization": f"Bearer {KEY}"}
        if content_type:
            headers["Content-Type"] = content_type
        answer = requests.post(
            f"{stack.api}/v1/verifications", data=data, headers=headers, timeout=10
        )
        _is_problem(answer, status, code)

    @pytest.mark.parametrize(
        ("headers", "code"),
        [
            ({}, "unauthenticated"),
            ({"Authorization": "Bearer wrong"}, "unauthenticated"),
            ({"Authorization": f"Basic {KEY}"}, "unauthenticated"),
            ({"Authorization": "Bearer"}, "unauthenticated"),
        ],
    )
    def test_no_key_no_answer(self, stack: Running, headers: dict[str, str], code: str) -> None:
        for method, path in (("POST", "/v1/verifications"), ("GET", "/v1/usage")):
            answer = requests.request(
                method, stack.api + path, json={}, headers=headers, timeout=10
            )
            _is_problem(answer, 401, code)
            assert answer.headers["WWW-Authenticate"] == "Bearer"

    def test_paths_and_methods(self, stack: Running) -> None:
        _is_problem(stack.call("GET", "/nowhere"), 404, "not_found")
        _is_problem(stack.call("GET", "/v1/verifications/vrf_unknown"), 404, "not_found")
        _is_problem(stack.call("DELETE", "/v1/verifications/vrf_unknown"), 404, "not_found")
        answer = stack.call("PUT", "/v1/verifications")
        _is_problem(answer, 405, "method_not_allowed")
        assert answer.headers["Allow"] == "POST, GET"
        for code in ("x" * 256, "ключ".encode().decode("latin-1"), "a\tb"):
            answer = stack.verify(NAME, unused_number(4), code)
            _is_problem(answer, 400, "malformed_request")

    def test_what_http_itself_does_not_allow(self, stack: Running) -> None:
        url = f"{stack.api}/v1/verifications"
        answer = requests.request("BREW", url, timeout=10)
        _is_problem(answer, 405, "method_not_allowed")
        for length, status in (("x", 400), ("99999999", 413)):
            request = requests.Request("POST", url).prepare()
            request.headers["Content-Length"] = length
            with requests.Session() as session:
                _is_problem(session.send(request, timeout=10), status)

    def test_a_chunked_body_is_put_together(self, stack: Running, key: str) -> None:
        body = json.dumps({"name": NAME, "id_number": unused_number(11)}).encode()
        headers = {
            "Authorization": f"Bearer {KEY}",
            "Content-Type": "application/json",
            "Idempotency-Key": key,
        }
        url = f"{stack.api}/v1/verifications"
        answer = requests.post(url, data=iter([body[:7], body[7:]]), headers=headers, timeout=10)
        assert answer.status_code == 200

    def test_another_payload_under_the_key(self, stack: Running, key: str) -> None:
        number = unused_number(5)
        first = stack.verify(NAME, number, key)
        answer = stack.verify(OTHER_NAME, number, key)
        _is_problem(answer, 422, "idempotency_key_reused")
        assert answer.json()["verification_id"] == first.json()["id"]

    @pytest.mark.parametrize(
        ("query", "says"),
        [
            ("?day=yesterday", "day: must be a day"),
            ("?day=2026-02-30", "day: must be a day"),
            ("?status=waiting", "status: must be one of"),
            ("?limit=0", "limit: must be a whole number from 1 to 100"),
            ("?limit=x", "limit: must be a whole number"),
            ("?cursor=!!", "cursor: must be the next_cursor"),
            ("?page=2", "allowed are day, status"),
        ],
    )
    def test_a_bad_query(self, stack: Running, query: str, says: str) -> None:
        answer = stack.call("GET", f"/v1/verifications{query}")
        _is_problem(answer, 400, "malformed_request")
        assert says in answer.json()["detail"]

    def test_a_usage_range_that_makes_no_sense(self, stack: Running) -> None:
        for query in ("?from=2026-02-01&to=2026-01-01", "?from=2025-01-01&to=2026-01-01"):
            _is_problem(stack.call("GET", f"/v1/usage{query}"), 400, "malformed_request")


def _is_problem(answer: Any, status: int, code: str | None = None) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == JSON
    body = answer.json()
    assert body["status"] == status
    assert code in {None, body["code"]}
    assert body["type"] == f"urn:eryaosu:problem:{body['code']}"
    assert {"title", "detail", "billed", "retryable"} <= body.keys()


class TestUpstreamProblems:
    @pytest.mark.parametrize(
        ("answers", "status", "code", "billed"),
        [
            ("0010", 503, "upstream_maintenance", "unknown"),
            ("B403MQ", 503, "quota_exhausted", "no"),
            ("B403ME", 503, "package_expired", "no"),
            ("B403OD", 503, "account_in_arrears", "no"),
            ("A401AC", 503, "appcode_invalid", "no"),
            ("T429GR", 503, "upstream_throttled", "no"),
            ("I400PA", 502, "upstream_rejected", "no"),
            ("D504CO", 503, "upstream_unreachable", "no"),
            ("X500ER", 504, "outcome_unknown", "unknown"),
        ],
    )
    def test_each_kind_of_failure(
        self,
        stack: Running,
        known: dict[str, str],
        key: str,
        answers: str,
        status: int,
        code: str,
        billed: str,
    ) -> None:
        answer = stack.verify(NAME, known[answers], key)
        _is_problem(answer, status, code)
        assert answer.json()["billed"] == billed
        found = stack.call("GET", f"/v1/verifications/{answer.json()['verification_id']}").json()
        assert found["problem"]["code"] == code
        assert found["status"] == ("unknown" if code == "outcome_unknown" else "failed")

    def test_quota_stops_calls_until_someone_says_that_it_is_mended(self, stack: Running) -> None:
        stack.admin("POST", "quota", {"used": 10, "total": 10})
        number = unused_number(6)
        _is_problem(stack.verify(NAME, number), 503, "quota_exhausted")
        stack.admin("POST", "quota", {"used": 0, "total": 10})
        _is_problem(stack.verify(NAME, number), 503, "quota_exhausted")
        assert stack.call("GET", "/v1/breaker").json()["cause"] == "quota_exhausted"
        assert stack.call("POST", "/v1/breaker/close").json()["state"] == "closed"
        assert stack.verify(NAME, number).status_code == 200

    def test_maintenance_pauses_and_says_for_how_long(self, stack: Running, key: str) -> None:
        stack.admin("POST", "maintenance", {"on": True})
        number = unused_number(7)
        answer = stack.verify(NAME, number, key)
        _is_problem(answer, 503, "upstream_maintenance")
        assert answer.headers["Retry-After"] == "300"
        assert answer.json()["retryable"]
        stack.admin("POST", "maintenance", {"on": False})
        stack.close_breaker()
        assert stack.verify(NAME, number, key).status_code == 200
        assert stack.paid(number) == 1


class TestResolveAndErase:
    def unknown(self, stack: Running, number: str, key: str) -> str:
        stack.admin("POST", "faults", {"kind": "close", "when": "before_charge", "times": 1})
        answer = stack.verify(NAME, number, key)
        _is_problem(answer, 504, "outcome_unknown")
        return str(answer.json()["verification_id"])

    def test_retry_pays_for_one_more_attempt(self, stack: Running, key: str) -> None:
        number = unused_number(8)
        one = self.unknown(stack, number, key)
        _is_problem(stack.verify(NAME, number, key), 504, "outcome_unknown")
        path = f"/v1/verifications/{one}/resolve"
        settled = stack.call("POST", path, {"billed": "no", "action": "retry"})
        assert (settled.json()["status"], settled.json()["billed"]) == ("failed", "no")
        answer = stack.verify(NAME, number, key)
        assert (answer.status_code, answer.json()["id"]) == (200, one)
        assert stack.paid(number) == 1
        _is_problem(
            stack.call("POST", path, {"billed": "no", "action": "retry"}), 409, "not_unknown"
        )

    def test_close_ends_it(self, stack: Running, key: str) -> None:
        one = self.unknown(stack, unused_number(9), key)
        path = f"/v1/verifications/{one}/resolve"
        answer = stack.call("POST", path, {"billed": "maybe", "action": "close"})
        _is_problem(answer, 400, "malformed_request")
        assert stack.call("POST", path, {"billed": "yes", "action": "close"}).ok
        answer = stack.verify(NAME, unused_number(9), key)
        _is_problem(answer, 409, "closed_without_outcome")
        assert answer.json()["billed"] == "yes"

    def test_erasing_leaves_no_person(self, stack: Running, key: str) -> None:
        number = unused_number(10)
        one = stack.verify(NAME, number, key, reference="r", max_age_seconds=60).json()["id"]
        answer = stack.call("DELETE", f"/v1/verifications/{one}")
        assert (answer.status_code, answer.content) == (204, b"")
        found = stack.call("GET", f"/v1/verifications/{one}").json()
        gone = ("name", "id_number", "reference", "person")
        assert {found[member] for member in gone} == {None}
        assert (found["outcome"], found["billed"]) == ("no_record", "yes")
        _is_problem(
            stack.verify(NAME, number, key, reference="r", max_age_seconds=60), 410, "erased"
        )
        assert stack.paid(number) == 1


class TestLists:
    def test_of_a_day_newest_first_and_filtered(self, stack: Running) -> None:
        ids = [stack.verify(NAME, unused_number(20 + n)).json()["id"] for n in range(5)]
        page = stack.call("GET", "/v1/verifications?limit=3").json()
        assert [item["id"] for item in page["items"]] == ids[:1:-1]
        rest = stack.call("GET", f"/v1/verifications?limit=3&cursor={page['next_cursor']}").json()
        assert [item["id"] for item in rest["items"]][:2] == ids[1::-1]
        none = stack.call("GET", "/v1/verifications?day=2020-01-01").json()
        assert none == {"items": [], "next_cursor": None}

    def test_usage_is_the_ledger(self, stack: Running) -> None:
        before = stack.call("GET", "/v1/usage").json()["total"]
        for n in range(3):
            stack.verify(NAME, unused_number(30 + n))
        after = stack.call("GET", "/v1/usage").json()
        assert after["total"]["billed"]["yes"] - before["billed"]["yes"] == 3
        assert stack.admin("GET", "ledger")["paid_calls"] == 3
        today = (datetime.now(UTC) + timedelta(hours=8)).date().isoformat()
        assert [day["date"] for day in after["days"]] == [today]
        week = stack.call("GET", f"/v1/usage?from=2026-11-01&to={today}").json()
        assert week["total"] == after["total"]


class TestDropIn:
    """An existing caller changes the host, and its AppCode for our key."""

    def post(self, stack: Running, data: dict[str, str], key: str = KEY, **headers: str) -> Any:
        sent = {"Authorization": f"APPCODE {key}"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return requests.post(f"{stack.api}/idenAuthentication", data=data, headers=sent, timeout=20)

    def test_it_answers_as_the_upstream_does(self, stack: Running) -> None:
        one = next(e for e in stack.admin("GET", "identities") if e["answers"] == "0000")
        form = {"idNo": one["id_number"], "name": one["name"]}
        ours = self.post(stack, form)
        appcode = {"Authorization": f"APPCODE {stack.env['APPCODE']}"}
        theirs = requests.post(
            f"{stack.mock}/idenAuthentication", data=form, headers=appcode, timeout=10
        )
        assert ours.status_code == 200
        assert all(isinstance(value, str) for value in ours.json().values())
        assert ours.json() == theirs.json()
        assert (ours.json()["name"], ours.json()["idNo"]) == (one["name"], one["id_number"])
        assert ours.headers["X-Billed"] == "yes"
        assert ours.headers["X-Verification-Id"].startswith("vrf_")
        assert ours.headers["X-Ca-Request-Id"]

    def test_a_blind_retry_is_free(self, stack: Running) -> None:
        form = {"idNo": unused_number(40), "name": NAME}
        billed = [self.post(stack, form).headers["X-Billed"] for _ in range(3)]
        assert billed == ["yes", "no", "no"]
        assert stack.paid(form["idNo"]) == 1

    @pytest.mark.parametrize(
        ("form", "resp_code"),
        [
            ({"idNo": "11010519491231002X"}, "0001"),
            ({"idNo": "11010519491231002X", "name": "a"}, "0002"),
            ({"name": NAME}, "0003"),
            ({"name": NAME, "idNo": "1"}, "0004"),
        ],
    )
    def test_hopeless_input_gets_the_upstreams_code_for_free(
        self, stack: Running, form: dict[str, str], resp_code: str
    ) -> None:
        answer = self.post(stack, form)
        assert (answer.status_code, answer.json()["respCode"]) == (200, resp_code)
        assert len(answer.json()) == 10
        assert answer.headers["X-Billed"] == "no"
        assert stack.admin("GET", "ledger")["paid_calls"] == 0

    @pytest.mark.parametrize(
        ("answers", "status", "code"),
        [
            ("B403MQ", 403, "B403MQ"),
            ("T429GR", 429, "T429GR"),
            ("D504TO", 504, "D504TO"),
            ("D504CO", 504, "D504CO"),
            ("A401AC", 401, "A401AC"),
            ("close", 504, "D504TO"),
            ("not_json", 504, "D504TO"),
        ],
    )
    def test_the_gateways_words_come_through(
        self, stack: Running, known: dict[str, str], answers: str, status: int, code: str
    ) -> None:
        answer = self.post(
            stack, {"idNo": known[answers], "name": NAME}, Idempotency_Key=str(uuid.uuid4())
        )
        assert (answer.status_code, answer.content) == (status, b"")
        assert answer.headers["X-Ca-Error-Code"] == code
        assert answer.headers["X-Ca-Error-Message"]
        assert answer.headers["X-Verification-Id"]

    def test_keys(self, stack: Running) -> None:
        form = {"idNo": unused_number(41), "name": NAME}
        wrong = self.post(stack, form, key="wrong")
        assert (wrong.status_code, wrong.headers["X-Ca-Error-Code"]) == (401, "A401AC")
        none = requests.post(f"{stack.api}/idenAuthentication", data=form, timeout=10)
        assert (none.status_code, none.headers["X-Ca-Error-Code"]) == (400, "A400MA")

    def test_a_person_in_the_query_is_refused(self, stack: Running) -> None:
        answer = requests.post(
            f"{stack.api}/idenAuthentication?idNo=1",
            headers={"Authorization": f"APPCODE {KEY}"},
            timeout=10,
        )
        assert (answer.status_code, answer.headers["X-Ca-Error-Code"]) == (400, "I400RB")

    def test_maintenance(self, stack: Running) -> None:
        stack.admin("POST", "maintenance", {"on": True})
        for _ in range(2):
            answer = self.post(stack, {"idNo": unused_number(42), "name": NAME})
            assert (answer.status_code, answer.json()["respCode"]) == (200, "0010")
