"""The description is complete and true: what it says is what the code does."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from openapi_spec_validator import validate

from app import app
from chalicelib import bootstrap
from chalicelib.bootstrap import Container
from chalicelib.domain import breaker, codes, errors, person_name, resident_id, stored_submission
from chalicelib.domain import delivery as deliveries
from chalicelib.domain import verification as rules
from chalicelib.domain.caps import Limits, in_force
from chalicelib.domain.codes import PROBLEMS, Billed, Outcome
from chalicelib.domain.delivery import CallbackResult, Delivery, DeliveryStatus, Fault
from chalicelib.domain.messages import Ask
from chalicelib.domain.secret import SCOPES
from chalicelib.domain.secret_fields import SecretError, read_name
from chalicelib.domain.source import Assurance
from chalicelib.domain.stored_submission import StoredSubmission, SubmissionStatus
from chalicelib.domain.usage import DayUsage
from chalicelib.domain.verification import (
    Action,
    Answer,
    DerivedFields,
    Failure,
    Status,
    Verification,
)
from chalicelib.entrypoints import compat, documents, openapi, schemas
from chalicelib.entrypoints.errors import STATUSES, problem
from chalicelib.entrypoints.forms import registry
from chalicelib.entrypoints.forms.profile import CANONICAL
from chalicelib.entrypoints.hook import MAX_BODY as MAX_HOOK_BODY
from chalicelib.entrypoints.http import MAX_BODY, idempotency_key, respond_async
from chalicelib.services.caps import CapState
from chalicelib.services.verify import Policy
from mock_server.version import VERSION
from tests.examples import NAME, NUMBER
from tests.hook_payloads import Hook, build, secrets_of
from tests.hook_sources import source_of
from tests.unit.conftest import SHOP, World, make_client
from tests.unit.test_webhooks import VENDORS, configure, post, run, source_id

DOCUMENT = openapi.document()
PAGE = openapi.page()
NOW = datetime(2026, 11, 24, 1, 2, 3, tzinfo=UTC)
PERSON = DerivedFields("北京市", "北京市", "朝阳区", "19491231", "F", 76)
ID = "vrf_" + "0" * 26


def operations() -> Iterator[tuple[str, str, Any]]:
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                yield path, method.upper(), operation


OPERATIONS = {operation["operationId"]: operation for _, _, operation in operations()}
HOOKS = {"hook", "hook_with_token"}
RESULT = DOCUMENT["webhooks"]["result"]["post"]


def found(part: Any) -> Any:
    """The part itself, whatever it refers to."""
    if "$ref" not in part:
        return part
    target: Any = DOCUMENT
    for name in part["$ref"].removeprefix("#/").split("/"):
        target = target[name]
    return found(target)


def fits(schema: Any, value: object) -> bool:
    whole = {**schema, "components": DOCUMENT["components"]}
    checker = Draft202012Validator.FORMAT_CHECKER
    return bool(Draft202012Validator(whole, format_checker=checker).is_valid(value))


def is_a(name: str, value: object) -> bool:
    return fits({"$ref": f"#/components/schemas/{name}"}, value)


def schema(name: str) -> Any:
    return DOCUMENT["components"]["schemas"][name]


def named_problems(operation: Any) -> set[str]:
    return {
        code
        for response in operation["responses"].values()
        for code in response.get("content", {})
        .get("application/problem+json", {})
        .get("schema", {})
        .get("properties", {})
        .get("code", {})
        .get("enum", ())
    }


class TestDocument:
    def test_it_is_openapi(self) -> None:
        validate(DOCUMENT)
        json.dumps(DOCUMENT)

    def test_it_names_the_version_of_the_project(self) -> None:
        assert DOCUMENT["info"]["version"] == VERSION

    def test_it_has_every_route_and_no_other(self) -> None:
        routes = {
            (path, method): entry.view_function.__name__
            for path, entries in app.routes.items()
            for method, entry in entries.items()
        }
        described = {(path, method): o["operationId"] for path, method, o in operations()}
        assert described == routes

    def test_the_page_on_the_api_names_every_call(self) -> None:
        page = (Path(__file__).parents[2] / "docs/api.md").read_text("utf-8")
        for path, method, _ in operations():
            written = re.sub(r"{\w+_id}", "{id}", path)
            assert re.search(rf"`{method} {re.escape(written)}[`?]", page), (method, path)
        queries = re.findall(r"`GET (/v1/\w+)\?([\w=&]+)`", page)
        for path, query in queries:
            parameters = DOCUMENT["paths"][path]["get"]["parameters"]
            assert query.split("&") == [f"{one['name']}=" for one in parameters], path
        assert len(queries) == 4

    def test_every_reference_leads_somewhere(self) -> None:
        for target in re.findall(r'"\$ref": "([^"]+)"', json.dumps(DOCUMENT)):
            assert found({"$ref": target})

    def test_queries_are_what_is_validated(self) -> None:
        for name, fields in (
            ("list_verifications", schemas.LIST_QUERY),
            ("list_deliveries", schemas.DELIVERY_QUERY),
            ("list_submissions", schemas.SUBMISSION_QUERY),
            ("get_usage", schemas.USAGE_QUERY),
        ):
            parameters = OPERATIONS[name]["parameters"]
            assert [p["name"] for p in parameters] == [item.name for item in fields.items]
            for parameter, item in zip(parameters, fields.items, strict=True):
                merged = {**parameter["schema"], "description": parameter["description"]}
                assert merged == {"description": "", **item.schema}

    def test_bodies_are_what_is_validated(self) -> None:
        assert schema("VerificationRequest") == schemas.VERIFICATION_REQUEST.json_schema()
        assert schema("Resolution") == schemas.RESOLUTION.json_schema()

    @pytest.mark.parametrize(
        "key", ["a", "~", "a b", "x" * 255, "", "x" * 256, " a", "a ", "a\tb", "a\n", "é", "张"]
    )
    def test_the_idempotency_key_is_described_as_it_is_read(self, key: str) -> None:
        class Request:
            headers = {"idempotency-key": key}  # noqa: RUF012  # nobody changes it

        try:
            accepted = idempotency_key(Request()) == key  # type: ignore[arg-type]
        except errors.MalformedRequestError:
            accepted = False
        described = DOCUMENT["components"]["parameters"]["IdempotencyKey"]["schema"]
        # "$" of Python's re stops before a last line feed; that of JSON Schema's dialect does not.
        assert (fits(described, key) and not key.endswith("\n")) == accepted

    def test_enumerations_are_those_of_the_domain(self) -> None:
        verification = schema("Verification")["properties"]
        assert verification["status"]["enum"] == list(Status)
        assert verification["outcome"]["enum"] == [*Outcome, None]
        assert schema("Billed")["enum"] == list(Billed)
        assert set(DOCUMENT["x-outcomes"]) == set(Outcome)
        assert schema("Failure")["properties"]["code"]["enum"] == list(PROBLEMS)
        assert schema("Delivery")["properties"]["status"]["enum"] == list(DeliveryStatus)
        assert schema("Delivery")["properties"]["attempts"]["maxItems"] == deliveries.ATTEMPTS_KEPT
        _, faults = schema("DeliveryAttempt")["properties"]["code"]["anyOf"]
        assert faults["enum"] == list(Fault)
        submission = schema("Submission")["properties"]
        assert submission["status"]["enum"] == list(SubmissionStatus)
        assert submission["assurance"]["enum"] == list(Assurance)
        events = [deliveries.event_type(replace(draft(), status=status)) for status in Status]
        assert schema("ResultEvent")["properties"]["type"]["enum"] == [*filter(None, events)]
        scopes = {
            scope
            for operation in OPERATIONS.values()
            for one in operation["security"]
            for scope in one.get("bearer", ())
        }
        assert scopes == set(SCOPES)

    def test_warnings_are_those_of_the_code(self) -> None:
        today = NOW.date()
        given = {
            *resident_id.warnings("932682198501010017", today=today),
            *resident_id.warnings("999999185001019999", today=today),
            *resident_id.warnings("129999185001010010", today=today),
            *person_name.warnings("张"),
            *person_name.warnings("A" * 26),
            "person_not_kept",
            "not_recorded",
        }
        described = schema("Verification")["properties"]["warnings"]["items"]["enum"]
        assert given == set(described)

    def test_the_advice_on_large_bodies_is_right(self) -> None:
        advice = DOCUMENT["x-problems"]["payload_too_large"]["advice"]
        assert f"{MAX_BODY // 1024} KiB" in advice
        assert f"{MAX_HOOK_BODY // 1024} KiB" in advice
        for body in (OPERATIONS[hook]["requestBody"] for hook in HOOKS):
            assert f"{MAX_HOOK_BODY // 1024} KiB" in body["description"]

    def test_the_schedule_is_told(self) -> None:
        said = RESULT["responses"]["default"]["description"]
        found = re.findall(r"(\d+) (s|min|h)\b", said)
        seconds = {"s": 1, "min": 60, "h": 3600}
        told = [timedelta(seconds=int(number) * seconds[unit]) for number, unit in found]
        assert [timedelta(0), *told] == [*deliveries.SCHEDULE]
        assert "ten times within four days" in RESULT["description"]
        assert len(deliveries.SCHEDULE) == 10
        longest = sum(deliveries.SCHEDULE, timedelta()) * (1 + deliveries.JITTER)
        assert timedelta(days=3) < longest < timedelta(days=4)

    @pytest.mark.parametrize("vendor", VENDORS)
    def test_who_gets_202_is_told(self, vendor: str) -> None:
        said = OPERATIONS["hook"]["responses"]["202"]["description"]
        assert (f"`{vendor}`" in said) == (registry.vendor(vendor).PROFILE is CANONICAL)

    @pytest.mark.parametrize("name", ["a", "0-9", "x" * 32, "", "x" * 33, "-a", "A", "a_b", "张"])
    def test_sources_are_described_as_they_are_read(self, name: str) -> None:
        try:
            accepted = read_name(name, "name") == name
        except SecretError:
            accepted = False
        described = DOCUMENT["components"]["parameters"]["Source"]["schema"]
        assert fits(described, name) == accepted

    def test_tokens_are_described_as_they_are_read(self) -> None:
        described = DOCUMENT["components"]["parameters"]["Token"]["schema"]
        for token in ("a" * 21, "a" * 22, "Az09_-" * 42, "a" * 257, "a/" * 12):
            try:
                accepted = bool(source_of("url_token", secrets=[token]))
            except SecretError:
                accepted = False
            assert fits(described, token) == accepted, token

    @pytest.mark.parametrize(
        ("header", "applies"),
        [("respond-async", True), ("Respond-Async; wait=5, x", True), ("wait=5", False)],
    )
    def test_the_preference_is_the_one_that_is_read(self, header: str, *, applies: bool) -> None:
        class Request:
            headers = {"prefer": header}  # noqa: RUF012  # nobody changes it

        assert respond_async(Request()) == applies  # type: ignore[arg-type]
        (example,) = DOCUMENT["components"]["parameters"]["Prefer"]["schema"]["examples"]
        assert example == "respond-async"

    def test_only_test_identities_are_shown(self) -> None:
        for text in (json.dumps(DOCUMENT, ensure_ascii=False), PAGE):
            for number in re.findall(r"(?<![0-9A-F])[0-9]{17}[0-9X](?![0-9A-F])", text):
                assert number == NUMBER or resident_id.is_test_identity(number)


class TestProblems:
    def test_every_code_has_its_place(self) -> None:
        components = DOCUMENT["components"]["responses"]
        named = named_problems({"responses": components})
        for operation in OPERATIONS.values():
            named |= named_problems(operation)
        assert named == set(STATUSES) == set(DOCUMENT["x-problems"])
        assert set(STATUSES) == set(PROBLEMS)

    def test_each_stands_under_its_status(self) -> None:
        for operation in OPERATIONS.values():
            for status, response in operation["responses"].items():
                for code in named_problems({"responses": {status: response}}):
                    assert str(STATUSES[code][0]) == status

    def test_asking_can_end_in_whatever_the_table_has(self) -> None:
        rows = [*codes.ROWS.values(), codes.find("T429GR"), codes.find("I400RB")]
        ends = {row.problem for row in rows if row.problem}
        assert ends <= named_problems(OPERATIONS["post_verification"])

    def test_every_error_fits(self) -> None:
        seen = set()
        for kind in error_classes(errors.ServiceError):
            for error in made(kind):
                seen.add(error.code)
                assert is_a("Problem", problem(error)), kind
                assert "code" not in problem(error) or error.code in STATUSES
        assert seen == set(STATUSES)

    def test_the_schema_is_strict(self) -> None:
        document = problem(errors.NotFoundError("gone"))
        assert is_a("Problem", document)
        assert not is_a("Problem", {**document, "more": 1})
        assert not is_a("Problem", {**document, "code": "made_up"})
        assert not is_a("Problem", {k: v for k, v in document.items() if k != "billed"})

    def test_a_wait_is_documented_where_there_is_one(self) -> None:
        for kind in error_classes(errors.ServiceError):
            for error in made(kind):
                if error.retry_after is not None:
                    responses = OPERATIONS["post_verification"]["responses"]
                    response = responses[str(STATUSES[error.code][0])]
                    assert "Retry-After" in response["headers"]


def error_classes(kind: type[errors.ServiceError]) -> Iterator[type[errors.ServiceError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from error_classes(below)


def made(kind: type[errors.ServiceError]) -> Iterator[errors.ServiceError]:
    """One of a class, or one of each code that it can have; none of a class without a code."""
    if kind is errors.VerificationEndedError:
        yield from (errors.VerificationEndedError(one) for one in verifications() if one.problem)
    elif kind is errors.BreakerOpenError:
        for row in codes.ROWS.values():
            if row.trip in {codes.Trip.HOLD, codes.Trip.PAUSE}:
                yield errors.BreakerOpenError(row.problem or "", retry_after=30)
                yield errors.BreakerOpenError(row.problem or "", retry_after=None)
    elif kind is errors.BudgetExhaustedError:
        yield kind("d", retry_after=86_400)
    elif kind is errors.VerificationInProgressError:
        yield errors.VerificationInProgressError("d", verification_id=ID)
    elif hasattr(kind, "code"):
        yield kind("d")
        yield kind("d", verification_id=ID)


def draft() -> Verification:
    return Verification(
        ID,
        "shop",
        NOW,
        Status.IN_PROGRESS,
        name_masked=person_name.mask(NAME),
        id_number_masked=resident_id.mask(NUMBER),
        reference="order-9",
        warnings=("age_over_120",),
    )


def ended(code: str) -> Verification:
    return answered(rules.claim(draft(), token="t", now=NOW, lease=timedelta(seconds=90)), code)


def answered(claimed: Verification, code: str) -> Verification:
    answer = Answer(code, codes.find(code).message, "req-1")
    return rules.record(claimed, "t", answer, codes.find(code), NOW)


def verifications() -> Iterator[Verification]:
    """One in each state, by each way that leads there."""
    claimed = rules.claim(draft(), token="t", now=NOW, lease=timedelta(seconds=90))
    yield claimed
    pending = rules.accept(draft(), b"sealed", NOW)
    yield pending
    yield rules.postpone(pending, NOW)
    yield rules.give_up(pending, Failure("quota_exhausted", "d"), NOW)
    yield rules.erase(pending, NOW)
    asked = rules.claim(pending, token="t", now=NOW, lease=timedelta(seconds=90))
    yield from (answered(asked, code) for code in codes.ROWS)
    yield rules.resolve(
        answered(asked, codes.NO_ANSWER), billed=Billed.NO, action=Action.RETRY, now=NOW
    )
    yield from (ended(code) for code in (*codes.ROWS, "0005", "T429GR", "I400XX", "Z999ZZ"))
    again = rules.claim(ended("0010"), token="u", now=NOW, lease=timedelta(seconds=90))
    yield again
    yield rules.expire(claimed, NOW)
    lost = ended(codes.NO_ANSWER)
    for action in Action:
        yield rules.resolve(lost, billed=Billed.NO, action=action, now=NOW)
    closed = rules.resolve(lost, billed=Billed.YES, action=Action.CLOSE, now=NOW)
    yield rules.record(closed, "t", Answer("0000", "m"), codes.find("0000"), NOW)
    yield rules.reuse(replace(draft(), id="vrf_" + "1" * 26), ended("0000"), NOW)
    yield from (rules.erase(ended(code), NOW) for code in ("0000", "0010", codes.NO_ANSWER))


class TestAnswers:
    def test_every_state_fits(self) -> None:
        states = set()
        for one in verifications():
            states.add(one.status)
            assert is_a("Verification", documents.verification(one, None)), one
            if one.outcome:
                for person in (PERSON, DerivedFields(), DerivedFields(city="北京市")):
                    assert is_a("Verification", documents.verification(one, person))
        assert states == set(Status)

    def test_the_schema_tells_states_apart(self) -> None:
        match = documents.verification(ended("0000"), PERSON)
        lost = documents.verification(ended(codes.NO_ANSWER), None)
        assert is_a("CompletedVerification", match)
        assert not is_a("CompletedVerification", lost)
        for wrong in (
            {**match, "outcome": None},
            {**match, "completed_at": None},
            {**match, "completed_at": "yesterday"},
            {**match, "problem": lost["problem"]},
            {**match, "retryable": True},
            {**match, "name": 1},
            {**match, "id_number": NUMBER},
            {**match, "warnings": ["made_up"]},
            {**match, "client": "shop"},
            {**lost, "outcome": "match"},
            {**lost, "person": match["person"]},
            {**lost, "problem": None},
            {**lost, "retryable": True},
            {**lost, "status": "in_progress"},
            {**lost, "status": "pending", "problem": None, "retryable": True},
            {k: v for k, v in match.items() if k != "reused_from"},
        ):
            assert not is_a("Verification", wrong), wrong

    def test_a_settled_one_fits(self) -> None:
        lost = ended(codes.NO_ANSWER)
        for action in Action:
            settled = rules.resolve(lost, billed=Billed.NO, action=action, now=NOW)
            assert is_a("SettledVerification", documents.verification(settled, None))
        assert not is_a("SettledVerification", documents.verification(ended("0001"), None))
        queued = rules.accept(replace(lost, sealed=b"sealed"), b"sealed", NOW)
        assert is_a("SettledVerification", documents.verification(queued, None))

    def test_deliveries_fit(self) -> None:
        states = set()
        for one in made_deliveries():
            states.add(one.status)
            assert is_a("Delivery", documents.delivery(one)), one
            assert is_a("PendingDelivery", documents.delivery(one)) == (
                one.status is DeliveryStatus.PENDING
            )
        assert states == set(DeliveryStatus)
        document = documents.delivery(one)
        for wrong in (
            {**document, "status": "delivered"},
            {**document, "due_at": None},
            {**document, "url": "https://shop.example/"},
            {**document, "attempts": [{"at": rules.utc(NOW), "code": "made_up", "duration_ms": 1}]},
        ):
            assert not is_a("Delivery", wrong), wrong

    def test_submissions_fit(self) -> None:
        stored = StoredSubmission(
            ID, "form", NOW, SubmissionStatus.REJECTED, "length", "d", Assurance.SIGNED
        )
        kept = replace(stored, sealed=b"sealed", name_masked="张*", missing=("dedupe",))
        shadow = stored_submission.refused_again(
            kept, SubmissionStatus.SHADOW, reason="would_be_verified", detail="", missing=()
        )
        for one in (stored, kept, shadow, stored_submission.replayed(kept)):
            assert is_a("Submission", documents.submission(one)), one
        document = documents.submission(kept)
        assert not is_a("Submission", {**document, "status": "replayed"})
        assert not is_a("Submission", {**document, "scalars": {}})

    def test_what_is_sent_fits(self) -> None:
        told = 0
        for one in verifications():
            if deliveries.event_type(one) is None:
                continue
            told += 1
            body = json.loads(deliveries.payload(replace(one, submission="entry-1")))
            assert is_a("ResultEvent", body), body
            for wrong in ({**body, "type": "verification.made_up"}, {**body, "data": {}}):
                assert not is_a("ResultEvent", wrong)
            name = {**body["data"], "name": NAME}
            assert not is_a("ResultEvent", {**body, "data": name})
        assert told

    def test_the_breaker_fits(self) -> None:
        for row in codes.ROWS.values():
            one = breaker.Breaker()
            for _ in range(breaker.BACKEND_RUN):
                one = breaker.after(one, row, NOW, "mark")
            for now in (NOW, NOW + timedelta(days=1)):
                assert is_a("Breaker", documents.breaker(one, now, "mark")), row

    def test_caps_fit(self) -> None:
        for cap in in_force([("*", Limits(1, 2)), ("shop", Limits(3))], NOW):
            for taken in (0, 1, 9):
                shown = documents.cap(CapState(cap, taken))
                assert is_a("Caps", {"caps": [shown]})
                assert not is_a("Cap", {**shown, "taken": -1})
        assert is_a("Caps", {"caps": []})

    def test_usage_fits(self) -> None:
        day = DayUsage(NOW.date())
        assert is_a("UsageDay", documents.usage_day(day))
        for code in codes.ROWS:
            day.add({"calls": 1, "billed#no": 1, f"code#{code}": 1})
        assert is_a("UsageDay", documents.usage_day(day))
        assert is_a("Counters", documents.counters(day))


def made_deliveries() -> Iterator[Delivery]:
    """One in each state, by each way that leads there; the last is pending."""
    made = deliveries.new(ended("0000"), url="https://shop.example:8443/x?y", number=1, now=NOW)
    for code in (200, 299, 301, 410, 500, *Fault):
        yield deliveries.attempted(made, CallbackResult(code, 9), NOW, 0.5)
    failing = made
    while failing.due_at is not None:
        yield failing
        failing = deliveries.attempted(failing, CallbackResult(999), NOW, 0)
    yield failing
    yield deliveries.replayed(failing, NOW)


def examples() -> Iterator[tuple[Any, Any]]:
    """Every example with its schema."""
    for operation in (*OPERATIONS.values(), RESULT):
        for holder in (operation.get("requestBody", {}), *operation["responses"].values()):
            for content in holder.get("content", {}).values():
                for example in content.get("examples", {}).values():
                    yield content["schema"], found(example)["value"]


class TestExamples:
    def test_they_fit_their_schemas(self) -> None:
        given = list(examples())
        assert len(given) > len(STATUSES)
        for described, value in given:
            assert fits(described, value), value

    def test_those_of_requests_pass_the_validators(self) -> None:
        for name, fields in (
            ("post_verification", schemas.VERIFICATION_REQUEST),
            ("resolve_verification", schemas.RESOLUTION),
        ):
            content = OPERATIONS[name]["requestBody"]["content"]["application/json"]
            for example in content["examples"].values():
                value = found(example)["value"]
                assert value.items() <= fields.read(value).items()
                if "id_number" in value:
                    assert resident_id.validate(value["id_number"], today=NOW.date())
                    assert person_name.validate(value["name"])

    def test_every_json_answer_has_one(self) -> None:
        for name, operation in OPERATIONS.items():
            content = operation["responses"].get("200", {}).get("content", {})
            if "application/json" in content and name != "openapi_json":
                assert content["application/json"]["examples"]


class TestDropIn:
    def test_every_gateway_code_stands_under_its_status(self) -> None:
        received = [row.code for row in codes.ROWS.values() if openapi._is_gateway_code(row)]
        responses = OPERATIONS["iden_authentication"]["responses"]
        for code in (*compat._GATEWAY_CODES.values(), *received, "A400MA", "T429GR", "I400PL"):
            headers = responses[str(codes.find(code).status)]["headers"]
            assert fits(headers["X-Ca-Error-Code"]["schema"], code), code

    def test_every_problem_becomes_a_resp_code_or_a_gateway_code(self) -> None:
        mapped = {*compat._RESP_CODES, *compat._GATEWAY_CODES}
        assert named_problems(OPERATIONS["post_verification"]) <= mapped
        described = schema("DropInAnswer")["properties"]["respCode"]["enum"]
        assert set(compat._RESP_CODES.values()) < set(described)


AT = {
    "verification_id": ID,
    "submission_id": ID,
    "delivery_id": f"dlv_{'0' * 26}_{'0' * 12}_1",
    "source": "nobodys",
    "token": "t" * 22,
}
Answered = tuple[int, dict[str, str], str]


def call(
    path: str,
    method: str,
    key: str,
    body: str = "",
    scheme: str = "Bearer",
    at: str = "",
    query: str = "",
    **sent: str,
) -> Answered:
    """One request as API Gateway would hand it on; ``at`` is the id in the path."""
    headers = {"authorization": f"{scheme} {key}"}
    headers |= {name.replace("_", "-"): value for name, value in sent.items()}
    event = {
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "multiValueQueryStringParameters": parse_qs(query) or None,
        "pathParameters": {name: at or AT[name] for name in re.findall(r"{(\w+)}", path)},
        "requestContext": {"resourcePath": path, "httpMethod": method, "path": path},
        "body": body,
        "isBase64Encoded": False,
        "stageVariables": None,
    }
    answer = app(event, None)
    return answer["statusCode"], answer["headers"], answer["body"]


def conforms(path: str, method: str, answer: Answered) -> None:
    """The answer is one that the document describes."""
    status, headers, body = answer
    response = DOCUMENT["paths"][path][method.lower()]["responses"][str(status)]
    assert "X-Correlation-Id" in response["headers"]
    for name, header in response.get("headers", {}).items():
        if name in headers:
            raw = headers[name]
            described = found(header)["schema"]
            is_number = found(described).get("type") == "integer"
            assert fits(described, int(raw) if is_number else raw), name
        else:
            assert not found(header).get("required"), name
    if "content" not in response:
        assert body == ""
        return
    media_type = headers["Content-Type"].partition(";")[0]
    described = response["content"][media_type]["schema"]
    assert fits(described, json.loads(body) if media_type.endswith("json") else body), body


@pytest.fixture
def container(world: World) -> Iterator[World]:
    clients = tuple(replace(make_client(scope, scope), callback=SHOP.callback) for scope in SCOPES)
    world.secrets.now = replace(world.secrets.now, clients=clients)
    bootstrap.override(Container(world.tools, Policy(duplicate_wait=0)))
    yield world
    bootstrap.override(None)


class TestTruth:
    BODIES = {  # noqa: RUF012  # nobody changes it
        "post_verification": json.dumps({"name": NAME, "id_number": NUMBER}),
        "resolve_verification": json.dumps({"billed": "no", "action": "close"}),
        "iden_authentication": f"name=%E5%BC%A0%E4%B8%89&idNo={NUMBER}",
    }

    def ask(self, operation: Any, path: str, method: str, key: str) -> Any:
        drop_in = operation["operationId"] == "iden_authentication"
        form = "application/x-www-form-urlencoded"
        return call(
            path,
            method,
            key,
            self.BODIES.get(operation["operationId"], ""),
            scheme="APPCODE" if drop_in else "Bearer",
            content_type=form if drop_in else "application/json",
        )

    @pytest.mark.parametrize("down", [False, True])
    @pytest.mark.parametrize("scope", [*SCOPES, "nobody"])
    def test_scopes_and_answers(self, container: World, scope: str, down: bool) -> None:
        container.repository.down = container.outbox.down = container.submissions.down = down
        for path, method, operation in operations():
            answer = self.ask(operation, path, method, f"{scope}-key")
            conforms(path, method, answer)
            if operation["operationId"] in HOOKS:
                assert answer[0] == 401  # no client's key opens them
                continue
            wanted = [one.get("bearer", ["verify"])[0] for one in operation["security"]]
            if scope == "nobody":
                assert (answer[0] == 401) == bool(wanted)
            else:
                assert (answer[0] == 403) == (bool(wanted) and scope not in wanted)

    @pytest.mark.parametrize("code", [*codes.ROWS, "0005", "T429GR", "I400PL", "Z999ZZ"])
    def test_whatever_the_upstream_says(self, container: World, code: str) -> None:
        for name in ("post_verification", "iden_authentication"):
            container.repository.breaker_now = breaker.Breaker()
            container.provider.answers.extend([Answer(code, codes.find(code).message)] * 3)
            operation = OPERATIONS[name]
            path = next(p for p, _, o in operations() if o is operation)
            for _ in range(3):  # the third meets the breaker, if it opened
                conforms(path, "POST", self.ask(operation, path, "POST", "verify-key"))

    @pytest.mark.parametrize(
        "body",
        [
            "",
            "[]",
            "{",
            '{"name": "张三"}',
            '{"name": "张三", "id_number": 11010519491231002}',
            '{"name": "", "id_number": "11010519491231002X"}',
            '{"name": "张3", "id_number": "11010519491231002X"}',
            '{"name": "张三", "id_number": ""}',
            '{"name": "张三", "id_number": "110105194912310021"}',
            '{"name": "张三", "id_number": "11010519491231002X", "more": 1}',
            " " * (MAX_BODY + 1),
        ],
    )
    def test_whatever_the_caller_sends(self, container: World, body: str) -> None:
        path = "/v1/verifications"
        for media_type in ("application/json", "text/plain"):
            answer = call(path, "POST", "verify-key", body, content_type=media_type)
            assert 400 <= answer[0] < 500
            conforms(path, "POST", answer)
        assert not container.provider.asked

    def test_a_cap_that_is_reached(self, container: World) -> None:
        clients = container.secrets.now.clients
        container.secrets.now = replace(container.secrets.now, caps=Limits(1, 1))
        container.verify(client=clients[0])
        for name, status in (("post_verification", 429), ("iden_authentication", 403)):
            path = next(p for p, _, o in operations() if o is OPERATIONS[name])
            answer = self.ask(OPERATIONS[name], path, "POST", "verify-key")
            assert answer[0] == status
            conforms(path, "POST", answer)
        answer = call("/v1/caps", "GET", "admin-key")
        assert json.loads(answer[2])["caps"]
        conforms("/v1/caps", "GET", answer)

    def test_one_life(self, container: World) -> None:
        path, key = (
            "/v1/verifications",
            {"idempotency_key": "k", "content_type": "application/json"},
        )
        container.provider.answers.append(codes.NO_ANSWER)
        body = self.BODIES["post_verification"]
        lost = call(path, "POST", "verify-key", body, **key)
        assert lost[0] == 504
        conforms(path, "POST", lost)
        (one,) = container.repository.items.values()
        container.repository.items[ID] = replace(one, id=ID)
        item = path + "/{verification_id}"
        steps = [
            (item, "GET", "", 200),
            (item + "/resolve", "POST", self.BODIES["resolve_verification"], 200),
            (item + "/resolve", "POST", self.BODIES["resolve_verification"], 409),
            (path, "GET", "", 200),
            ("/v1/usage", "GET", "", 200),
            (item, "DELETE", "", 204),
            (item, "GET", "", 200),
        ]
        for where, method, sent, status in steps:
            who = "read-key" if where == "/v1/usage" else "admin-key"
            answer = call(where, method, who, sent, content_type="application/json")
            assert answer[0] == status
            conforms(where, method, answer)

    def test_one_life_without_waiting(self, container: World) -> None:
        path = "/v1/verifications"
        question = {"name": NAME, "id_number": NUMBER, "callback_url": "https://shop.example/v"}
        body = json.dumps(question)
        sent = {"content_type": "application/json", "idempotency_key": "k"}

        def asked(*, status: int, prefer: str = "respond-async") -> Any:
            answer = call(path, "POST", "verify-key", body, prefer=prefer, **sent)
            assert answer[0] == status
            conforms(path, "POST", answer)
            return json.loads(answer[2])

        def read(status: str) -> None:
            answer = call(item, "GET", "verify-key", at=one)
            conforms(item, "GET", answer)
            assert json.loads(answer[2])["status"] == status

        one, item = asked(status=202)["id"], path + "/{verification_id}"
        assert asked(status=202, prefer="wait=5")["id"] == one
        read("pending")
        container.script(["0010", codes.NO_ANSWER])
        run(container)
        read("pending")
        container.repository.breaker_now = breaker.Breaker()
        container.clock.advance(3600)
        container.queue.send(Ask(one))
        run(container)
        read("unknown")
        asked(status=504)
        settle = json.dumps({"billed": "no", "action": "retry"})
        answer = call(item + "/resolve", "POST", "admin-key", settle, at=one, **sent)
        conforms(item + "/resolve", "POST", answer)
        assert json.loads(answer[2])["status"] == "pending"
        container.queue.send(Ask(one))
        run(container)
        read("completed")
        asked(status=200)

    def test_what_is_told_and_how_it_went(self, container: World) -> None:
        body = json.dumps(
            {"name": NAME, "id_number": NUMBER, "callback_url": "https://shop.example/v"}
        )
        call("/v1/verifications", "POST", "verify-key", body, content_type="application/json")
        listed, replay = "/v1/deliveries", "/v1/deliveries/{delivery_id}/replay"
        (one,) = container.outbox.items
        for result in (Fault.TIMEOUT, 500, 410, 200):
            container.callbacks.results.append(result)
            run(container)
            answer = call(listed, "GET", "admin-key")
            conforms(listed, "GET", answer)
            (shown,) = json.loads(answer[2])["items"]
            assert shown["attempts"][-1]["code"] == result
            answer = call(replay, "POST", "admin-key", at=one)
            assert answer[0] == 200
            conforms(replay, "POST", answer)
        assert len(container.callbacks.posted) == 4
        for posted in container.callbacks.posted:
            for parameter in RESULT["parameters"]:
                assert fits(parameter["schema"], posted.headers[parameter["name"]])
            assert posted.headers.keys() == {one["name"] for one in RESULT["parameters"]}
            assert is_a("ResultEvent", json.loads(posted.body))

    def test_broken_queries(self, container: World) -> None:
        for path in ("/v1/verifications", "/v1/deliveries", "/v1/submissions", "/v1/usage"):
            for query in ("more=1", "limit=0", "cursor=x", "day=today"):
                answer = call(path, "GET", "admin-key", query=query)
                assert answer[0] == 400, (path, query)
                conforms(path, "GET", answer)

    def test_another_method(self, container: World) -> None:
        status, headers, body = call("/v1/usage", "PUT", "read-key")
        assert (status, headers["Allow"]) == (405, "GET")
        described = DOCUMENT["components"]["responses"]["MethodNotAllowed"]["content"]
        assert fits(described["application/problem+json"]["schema"], json.loads(body))


def hooked(hook: Hook, source: str) -> Answered:
    answer = post(hook, source)
    return answer["statusCode"], answer["headers"], answer["body"]


@pytest.mark.parametrize("vendor", VENDORS)
class TestTruthOfHooks:
    """Every vendor's answers are described."""

    def answered(self, world: World, vendor: str, status: set[int], **changes: Any) -> str:
        hook = build(vendor, now=world.clock.now(), **changes)
        path = "/hooks/{source}" + ("/{token}" if hook.token else "")
        answer = hooked(hook, source_id(vendor))
        assert answer[0] in status
        conforms(path, "POST", answer)
        return answer[2]

    def test_whatever_comes(self, container: World, vendor: str) -> None:
        configure(container, source_of(vendor))
        self.answered(container, vendor, {200, 202})
        self.answered(container, vendor, {200})
        self.answered(container, vendor, {200}, number="1", dedupe="2")
        self.answered(container, vendor, {401}, secret="whsec_" + "B" * 32)
        configure(container, source_of(vendor, mode="shadow"))
        self.answered(container, vendor, {200}, dedupe="3")
        assert len(container.repository.items) == 1
        assert len(container.submissions.items) == 2

    def test_our_own_trouble(self, container: World, vendor: str) -> None:
        configure(container, source_of(vendor))
        container.repository.down = True
        self.answered(container, vendor, {503})

    def test_bodies_that_are_too_large(self, container: World, vendor: str) -> None:
        configure(container, source_of(vendor))
        self.answered(container, vendor, {413}, name="x" * (MAX_HOOK_BODY + 1))

    def test_a_body_fits(self, container: World, vendor: str) -> None:
        hook = build(vendor, now=container.clock.now())
        content = OPERATIONS["hook"]["requestBody"]["content"]
        media_type = hook.headers["content-type"].partition(";")[0]
        assert media_type in content
        if media_type == "application/json":
            assert fits(content[media_type]["schema"], json.loads(hook.body))


class TestTruthOfSubmissions:
    def test_a_challenge_is_given_back(self, container: World) -> None:
        configure(container, source_of("feishu"))
        hook = build("feishu", now=container.clock.now())
        asked = {"type": "url_verification", "challenge": "c", "token": secrets_of("feishu")[0]}
        answer = hooked(replace(hook, body=json.dumps(asked).encode()), "feishu-form")
        assert (answer[0], json.loads(answer[2])) == (200, {"challenge": "c"})
        conforms("/hooks/{source}", "POST", answer)

    def test_another_form_is_ignored(self, container: World) -> None:
        configure(container, source_of("typeform"))
        hook = build("typeform", now=container.clock.now(), form="another")
        answer = hooked(hook, "typeform-form")
        assert json.loads(answer[2]) == {"status": "ignored", "reason": "other_form"}
        conforms("/hooks/{source}", "POST", answer)

    def test_kept_shown_and_replayed(self, container: World) -> None:
        clients = container.secrets.now.clients
        hook = build("typeform", now=container.clock.now())
        wrong = source_of("typeform", fields={"name": "nom", "id_number": "number"})
        shadow, right = source_of("typeform", mode="shadow"), source_of("typeform")
        for step, (source, status) in enumerate(
            [(wrong, "rejected"), (shadow, "shadow"), (right, "replayed")]
        ):
            sources = {source.id: source}
            container.secrets.now = replace(container.secrets.now, clients=clients, sources=sources)
            if step == 0:
                hooked(hook, source.id)
            (one,) = container.submissions.items
            path = "/v1/submissions/{submission_id}/replay"
            answer = call(path, "POST", "admin-key", at=one)
            conforms(path, "POST", answer)
            shown = json.loads(answer[2])
            assert (shown["status"], shown["missing"]) == (
                status,
                ["name"] if status == "rejected" else [],
            )
            answer = call("/v1/submissions", "GET", "admin-key")
            conforms("/v1/submissions", "GET", answer)
            assert json.loads(answer[2])["items"] == [shown]


class TestPage:
    def test_it_fetches_nothing(self) -> None:
        # What the document holds is data: text nodes, and the trials' inputs.
        code = re.sub(r'(<script type="application/json" id="api">).*?</script>', r"\1", PAGE)
        assert not re.search(r"https?://|//[a-z]+\.[a-z]", code)
        assert not re.search(r"<(?:link|script|img|iframe)[^>]+(?:src|href)=(?!\"data:,\")", PAGE)
        assert not re.search(r"@import|\burl\(|localStorage|sessionStorage|document\.cookie", PAGE)

    def test_its_policy_lets_in_its_own_blocks_only(self) -> None:
        (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]+)"', PAGE)
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert "script-src 'sha256-" in policy
        assert "connect-src 'self'" in policy
        assert "unsafe" not in policy
        assert not re.search(r' (?:style|on\w+)="', PAGE)

    def test_it_holds_the_document(self) -> None:
        (inline,) = re.findall(
            r'<script type="application/json" id="api">(.*?)</script>', PAGE, re.DOTALL
        )
        assert json.loads(inline) == json.loads(json.dumps(DOCUMENT))
        assert "<" not in inline
        for name in OPERATIONS:
            assert f'"operationId": "{name}"' in inline

    def test_it_speaks_chinese_as_well(self) -> None:
        translations = PAGE[PAGE.index("const ZH = {") : PAGE.index("// Small tools")]
        keys = set(re.findall(r'(?:[{,]|^) *"?([\w.-]+)"?: "', translations, re.MULTILINE))
        introduction = DOCUMENT["info"]["description"].split("\n\n")
        wanted = {
            *(f"intro.{n}" for n in range(len(introduction))),
            *(f"op.{name}" for name in OPERATIONS),
            *(f"text.{name}" for name, o in OPERATIONS.items() if "description" in o),
            "op.result",
            "text.result",
            *(f"problem.{code}" for code in STATUSES),
            *(f"outcome.{outcome}" for outcome in Outcome),
            *(f"tag.{tag['name']}" for tag in DOCUMENT["tags"]),
            *re.findall(r'\bsay\("(\w+)"', PAGE),
        }
        assert wanted <= keys

    def test_both_are_made_once(self) -> None:
        assert openapi.document() is DOCUMENT
        assert openapi.page() is PAGE
