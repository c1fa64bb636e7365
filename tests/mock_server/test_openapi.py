"""The document is complete and true: what it says is what a running mock does."""

import json
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, TypeAlias, get_args

import pytest
import requests
from jsonschema_rs import Draft202012Validator
from openapi_spec_validator import validate
from werkzeug.test import TestResponse

from mock_server import Options, admin, admin_input, admin_page, create_app, near_misses, openapi
from mock_server import openapi_examples as story
from mock_server.app import world_of
from mock_server.call import API_PATH
from mock_server.effects import KINDS, PLAIN, TRANSPORT, VALUED
from mock_server.gateway_errors import TABLE, Generation
from mock_server.identities import load
from mock_server.resp_codes import MESSAGES, UNLISTED_MESSAGE
from mock_server.samples import SAMPLE_NUMBER
from mock_server.version import VERSION
from tests.mock_server.support import PERSON, UNHELD, Json, Upstream

DOCUMENT: Json = openapi.document()
TEXT = json.dumps(DOCUMENT, ensure_ascii=False)
SCHEMAS: Json = DOCUMENT["components"]["schemas"]
APP = create_app()


def operations() -> Iterator[tuple[str, str, Json]]:
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path, operation


OPERATIONS = {operation["operationId"]: operation for _, _, operation in operations()}
ASKED: Json = OPERATIONS["iden_authentication"]


def found(part: Json) -> Json:
    """The part itself, whatever it refers to."""
    while "$ref" in part:
        target = DOCUMENT
        for name in part["$ref"].removeprefix("#/").split("/"):
            target = target[name]
        part = target
    return part


def fits(schema: Json, value: object) -> bool:
    return validator(json.dumps(schema)).is_valid(value)


@lru_cache
def validator(schema: str) -> Draft202012Validator:
    whole = {**json.loads(schema), "components": DOCUMENT["components"]}
    return Draft202012Validator(whole, validate_formats=True)


def is_a(name: str, value: object) -> bool:
    return fits({"$ref": f"#/components/schemas/{name}"}, value)


Response: TypeAlias = requests.Response | TestResponse


def conforms(response: Response, described: Json) -> None:
    """The response is the one that is described."""
    described = found(described)
    headers = described.get("headers", {})
    for name, header in zip(headers, map(found, headers.values()), strict=True):
        if name in response.headers:
            assert fits(header["schema"], response.headers[name]), (name, response.headers[name])
        else:
            assert not header.get("required"), name
    media_type = response.headers["Content-Type"].partition(";")[0]
    schema = described["content"][media_type]["schema"]
    value = json.loads(response.text) if media_type.endswith("json") else response.text
    assert fits(schema, value), (schema, value)


def documented(response: Response, operation: Json) -> None:
    conforms(response, operation["responses"][str(response.status_code)])


class TestDocument:
    def test_it_is_openapi(self) -> None:
        validate(DOCUMENT)
        assert DOCUMENT["openapi"] == "3.1.0"
        assert DOCUMENT["info"]["version"] == VERSION
        assert DOCUMENT["servers"] == [{"url": "/"}]

    def test_it_is_served(self, upstream: Upstream) -> None:
        assert upstream.get("/openapi.json") == json.loads(TEXT)

    def test_it_has_every_route_and_no_other(self) -> None:
        # Flask adds HEAD and OPTIONS by itself, and the document says so once.
        routes = {
            (method, re.sub(r"<(\w+)>", r"{\1}", rule.rule))
            for rule in APP.url_map.iter_rules()
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        }
        described = {(method, path) for method, path, _ in operations()}
        assert described == {*routes, ("POST", API_PATH)}

    def test_it_has_every_query_parameter(self) -> None:
        calls = {(c.method, admin.PREFIX + c.path): c.query for c in admin._calls(world_of(APP))}
        for method, path, operation in operations():
            parameters = operation.get("parameters", ())
            query = {p["name"] for p in parameters if p["in"] == "query"}
            key = (method, re.sub(r"{(\w+)}", r"<\1>", path))
            assert query == set(calls.get(key, ())), path

    def test_every_reference_leads_somewhere_and_every_component_is_used(self) -> None:
        targets = set(re.findall(r'"\$ref": "([^"]+)"', TEXT))
        assert all(found({"$ref": target}) for target in targets)
        kinds = ("headers", "responses", "schemas")
        named = {f"#/components/{k}/{n}" for k in kinds for n in DOCUMENT["components"][k]}
        # What answers where nothing is described can be referred to by nothing.
        assert named - targets == {"#/components/responses/NoSuchMethod"}

    def test_every_object_is_strict(self) -> None:
        def objects(part: Json) -> Iterator[Json]:
            if isinstance(part, list):
                for inner in part:
                    yield from objects(inner)
            elif isinstance(part, dict):
                if part.get("type") == "object":
                    yield part
                for inner in part.values():
                    yield from objects(inner)

        seen = list(objects(SCHEMAS))
        assert len(seen) > len(SCHEMAS) / 2
        for part in seen:
            if "properties" in part:
                assert part["additionalProperties"] is False
                assert set(part["required"]) <= set(part["properties"])
            else:
                assert part["additionalProperties"] == {"type": "string"}

    def test_kinds_and_codes_are_those_of_the_tables(self) -> None:
        assert SCHEMAS["FaultKind"]["enum"] == list(KINDS)
        assert SCHEMAS["GatewayCode"]["enum"] == ["", *TABLE]
        assert set(SCHEMAS["Identity"]["properties"]["answers"]["enum"]) == {
            *MESSAGES,
            *TABLE,
            *TRANSPORT,
        }
        assert set(SCHEMAS["RequestMatch"]["properties"]) == set(near_misses.KEYS)
        said = SCHEMAS["VendorAnswer"]["properties"]["respMessage"]["enum"]
        assert set(said) == {*MESSAGES.values(), UNLISTED_MESSAGE}
        for kind in TRANSPORT:
            assert f"`{kind}`" in SCHEMAS["FaultKind"]["description"]

    def test_every_code_stands_under_its_status(self) -> None:
        for error in TABLE.values():
            for generation in get_args(Generation):
                for form in error.forms(generation):
                    response = ASKED["responses"][str(form.status)]
                    headers = response["headers"]
                    assert form.message in headers["X-Ca-Error-Message"]["schema"]["enum"]
                    assert form.message in response["description"]
                    assert error.code in response["description"]
                    if generation == "new":
                        assert error.code in headers["X-Ca-Error-Code"]["schema"]["enum"]
        for code, message in MESSAGES.items():
            assert f"- `{code}` {message}: " in ASKED["responses"]["200"]["description"]

    def test_the_page_has_the_types_that_are_described(self) -> None:
        described = set(OPERATIONS["get_page_part"]["responses"]["200"]["content"])
        assert described == set(admin_page._TYPES.values())

    def test_only_test_identities_are_shown(self) -> None:
        for number in re.findall(r"(?<![0-9A-F])[0-9]{17}[0-9X](?![0-9A-F])", TEXT):
            assert number in {*load(), SAMPLE_NUMBER, UNHELD}


class TestTheUpstream:
    @pytest.mark.parametrize("generation", get_args(Generation))
    def test_every_refusal(self, start: Callable[..., Upstream], generation: Generation) -> None:
        upstream = start(gateway=generation)
        for error in TABLE.values():
            for form in error.forms(generation):
                upstream.arm(f"gateway:{error.code}", value=form.message, times=1)
                response = upstream.ask(*PERSON)
                assert response.headers["X-Ca-Error-Message"] == form.message
                documented(response, ASKED)

    @pytest.mark.parametrize("kind", [*PLAIN, *VALUED])
    def test_every_other_fault(self, upstream: Upstream, kind: str) -> None:
        broken = {"reset", "close", "truncated_json"}
        wrong = {"empty_200", "wrong_types", "wrong_charset"}
        value = {"value": 500 if kind == "oversize" else 0} if kind in VALUED else {}
        upstream.arm(kind, **value)
        if kind in broken:
            with pytest.raises(requests.RequestException):
                documented(upstream.ask(*PERSON), ASKED)
            return
        response = upstream.ask(*PERSON)
        if kind in wrong:
            with pytest.raises((AssertionError, ValueError)):
                documented(response, ASKED)
        else:
            documented(response, ASKED)

    def test_what_callers_get_wrong(self, upstream: Upstream) -> None:
        upstream.do("/appcodes", ["other"])
        documented(upstream.ask(*PERSON), ASKED)
        upstream.do("/appcodes", [])
        upstream.do("/quota", {"total": 0})
        documented(upstream.ask(*PERSON), ASKED)
        upstream.do("/reset")
        for sent in (
            upstream.send(b"name=a", Authorization=None),
            upstream.send(b"", path=API_PATH + "/"),
            upstream.send(b"", method="PUT"),
            upstream.send(b"name=a", path=API_PATH + "?name=a"),
            upstream.send(b"{}", Content_Type="application/json"),
            upstream.send(b""),
            upstream.send(b"name=a&" * 2_000),
            upstream.send(b" " * (8 * 1024 * 1024 + 1)),
        ):
            assert 400 <= sent.status_code < 500
            documented(sent, ASKED)

    @pytest.mark.parametrize("today", ["0001-01-01", "9999-12-31"])
    def test_any_day(self, upstream: Upstream, today: str) -> None:
        upstream.do("/clock", {"today": today})
        for identity in load().values():
            if identity.answers in MESSAGES:
                documented(upstream.ask("谁", identity.id_number), ASKED)

    def test_the_schema_tells_answers_apart(self, upstream: Upstream) -> None:
        right = upstream.ask(*PERSON).json()
        assert is_a("VendorAnswer", right)
        for wrong in (
            {**right, "age": 1},
            {**right, "birthday": None},
            {**right, "sex": "F."},
            {**right, "respMessage": "ok"},
            {**right, "respCode": "00-0"},
            {**right, "more": ""},
            {name: right[name] for name in right if name != "city"},
        ):
            assert not is_a("VendorAnswer", wrong), wrong


@pytest.fixture
def scene(start: Callable[..., Upstream]) -> Callable[[], Upstream]:
    """A mock in the state that the examples show."""
    upstream = start(quota=story.QUOTA, expires_at=story.EXPIRES, clock=story.TODAY)

    def setting() -> Upstream:
        upstream.do("/reset")
        upstream.ask(*story.ASKED)
        upstream.do("/faults", story.ARMED)
        return upstream

    return setting


# Each call has its own.
CHANGING = {"at", "request_id", "duration_ms"}


def shows(example: Json, real: Json) -> bool:
    """The example is the real thing, but for what changes, and what it leaves out of lists."""
    if isinstance(example, list):
        return isinstance(real, list) and all(any(shows(e, r) for r in real) for e in example)
    if isinstance(example, dict):
        if not isinstance(real, dict):
            return False
        return all(name in CHANGING or shows(example[name], real.get(name)) for name in example)
    return bool(example == real)


def send(upstream: Upstream, method: str, path: str, operation: Json, body: Json) -> Any:
    """Send a body, or none, with the examples of the parameters."""
    if path == API_PATH:
        return upstream.send(body)
    query = {}
    for parameter in operation.get("parameters", ()):
        if "example" in parameter:
            if parameter["in"] == "path":
                path = path.replace(f"{{{parameter['name']}}}", parameter["example"])
            else:
                query[parameter["name"]] = parameter["example"]
    return upstream.session.request(
        method, upstream.url + path, json=body, params=query, timeout=20
    )


def examples(operation: Json, status: str) -> Iterator[tuple[str, Json]]:
    for content in found(operation["responses"][status]).get("content", {}).values():
        for name, example in content.get("examples", {}).items():
            yield name, example["value"]


def sent_examples(operation: Json) -> Json:
    for content in operation.get("requestBody", {}).get("content", {}).values():
        return content["examples"]
    return {}


class TestExamples:
    def test_they_fit_their_schemas(self) -> None:
        count = 0
        for operation in OPERATIONS.values():
            for holder in (operation.get("requestBody", {}), *operation["responses"].values()):
                for content in found(holder).get("content", {}).values():
                    for example in content.get("examples", {}).values():
                        count += 1
                        assert fits(content["schema"], example["value"]), example
        assert count > 2 * len(TABLE)

    @pytest.mark.parametrize("name", [name for name in OPERATIONS if name != "iden_authentication"])
    def test_those_of_admin(self, scene: Callable[[], Upstream], name: str) -> None:
        method, path, operation = next(o for o in operations() if o[2] is OPERATIONS[name])
        questions = sent_examples(operation)
        answers = {
            example: (status, value)
            for status in operation["responses"]
            for example, value in examples(operation, status)
        }
        if questions:
            assert set(questions) == set(answers)
        for example, (status, value) in answers.items():
            body = questions[example]["value"] if questions else None
            response = send(scene(), method, path, operation, body)
            assert str(response.status_code) == status
            assert shows(value, response.json()), (value, response.json())
            documented(response, operation)
        if not answers:
            response = send(scene(), method, path, operation, None)
            assert response.status_code == 200
            documented(response, operation)

    def test_those_of_the_upstream(self, scene: Callable[[], Upstream]) -> None:
        upstream = scene()
        upstream.admin("DELETE", "/faults")
        upstream.do("/quota", {"total": None})
        answers = dict(examples(ASKED, "200"))
        questions = sent_examples(ASKED)
        assert set(questions) == {*answers, *TABLE}
        assert {*MESSAGES, *TABLE} <= set(questions)
        for name, example in questions.items():
            response = send(upstream, "POST", API_PATH, ASKED, example["value"])
            documented(response, ASKED)
            if name in TABLE:
                assert response.headers["X-Ca-Error-Code"] == name
                assert (name, "") in set(examples(ASKED, str(response.status_code)))
            else:
                assert response.json() == answers[name]
            if name in MESSAGES:
                assert response.json()["respCode"] == name

    def test_the_scene_is_told_in_words(self) -> None:
        told = DOCUMENT["info"]["description"]
        for fact in (story.QUOTA, story.EXPIRES, story.TODAY, *story.ASKED):
            assert str(fact) in told

    def test_every_answer_in_json_has_one(self) -> None:
        for name, operation in OPERATIONS.items():
            if "application/json" in operation["responses"]["200"]["content"]:
                assert list(examples(operation, "200")) or name == "get_document"


class TestWhoMayCall:
    def test_strangers(self) -> None:
        guarded = create_app(Options(admin_token="sesame")).test_client()
        for method, path, operation in operations():
            if path == API_PATH:
                continue
            url = path.format(fault_id="1", name="main.js")
            response = guarded.open(url, method=method)
            assert response.status_code == (401 if operation["security"] else 200)
            documented(response, operation)
            response.close()
            for foreign in ({"Origin": "https://elsewhere.example"}, {"Host": "elsewhere.example"}):
                response = APP.test_client().open(url, method=method, headers=foreign)
                assert response.status_code == 403
                documented(response, operation)

    def test_where_nothing_is(self, upstream: Upstream) -> None:
        responses = DOCUMENT["components"]["responses"]
        conforms(upstream.admin("GET", "/nothing"), responses["NoSuchPath"])
        refused = upstream.admin("PUT", "/quota")
        assert refused.status_code == 405
        conforms(refused, responses["NoSuchMethod"])
        assert {"GET", "POST"} <= set(refused.headers["Allow"].split(", "))

    @pytest.mark.parametrize("path", ["/faults/7", "/faults/x", "/faults/0"])
    def test_no_such_fault(self, upstream: Upstream, path: str) -> None:
        response = upstream.admin("DELETE", path)
        assert response.status_code == 404
        documented(response, OPERATIONS["delete_fault"])

    def test_whatever_is_refused(self) -> None:
        client = create_app().test_client()
        bodies: list[Json] = [[], {}, 1, [{}], [{"name": 1}], {"kind": "x"}, {"on": 1}, "x", None]
        for method, path, operation in operations():
            if "422" not in operation["responses"]:
                continue
            url = path.format(fault_id="1")
            response = client.open(url + "?colour=1", method=method)
            assert response.status_code == 422
            documented(response, operation)
            if "requestBody" in operation:
                for body in bodies:
                    documented(client.open(url, method=method, json=body), operation)


# What is at the edge of what some field takes.
VALUES: tuple[Json, ...] = (
    *(None, True, False, [], {}, ["a"], {"a": 1}),
    *(-1, 0, 1, 2, 3, 1.0, 2.0, 0.5, 1.5, -0.5, 99, 100, 200.0, 599, 600),
    *(admin_input.MAX_COUNT, admin_input.MAX_COUNT + 1, 1e300),
    *("", "a", "a b", "é", "谁", "a\n", "~", "!", "x" * 200, "x" * 201),
    *("0000", "0005", "0005\n", "00-5", "0123456789", "01234567890"),
    *("2026-11-23", "2026-02-30", "2026-11-23\n", "20261123", "2026-W48-1", "9999-12-31"),
    *("before_charge", "after_charge", "B403MQ", "T429xx", "reset", "gateway:D504TO"),
)
# Schema, call, a body that is taken, and where in a body the schema is.
BODIES: list[tuple[str, str, Json, str]] = [
    ("FaultRequest", "/faults", {"kind": "unknown_code"}, ""),
    ("FaultMatch", "/faults", {"kind": "reset", "match": {}}, "match"),
    ("Expectation", "/requests/verify", {"count": 0}, ""),
    ("RequestMatch", "/requests/verify", {"count": 0, "match": {}}, "match"),
    ("Count", "/ledger/count", {"id_number": UNHELD}, ""),
    ("QuotaChange", "/quota", {}, ""),
    ("ClockChange", "/clock", {"today": None}, ""),
    ("Maintenance", "/maintenance", {"on": True}, ""),
    ("Throttle", "/throttle", {"calls_per_second": None}, ""),
]


def taken(path: str, body: Json) -> bool:
    """A mock of one generation or the other takes that body."""
    # What is not as expected was understood.
    answers = [mock.post(admin.PREFIX + path, json=body) for mock in MOCKS]
    assert all(answer.status_code in (200, 422) for answer in answers)
    return any("field" not in answer.get_json() for answer in answers)


# The document is of both.
MOCKS = [create_app(Options(gateway=one)).test_client() for one in get_args(Generation)]


class TestWhatIsSent:
    """The schemas take what the mock takes, and nothing else."""

    def test_every_body_is_looked_at(self) -> None:
        bodies = {
            content["schema"]["$ref"].rpartition("/")[2]
            for operation in OPERATIONS.values()
            if operation is not ASKED
            for content in operation.get("requestBody", {}).get("content", {}).values()
        }
        assert bodies == {name for name, _, _, inside in BODIES if not inside} | {
            "AppCodeList",
            "NewPeople",
        }

    @pytest.mark.parametrize(("name", "path", "right", "inside"), BODIES)
    def test_each_field(self, name: str, path: str, right: Json, inside: str) -> None:
        part = right[inside] if inside else right

        def agree(changed: Json) -> None:
            body = {**right, inside: changed} if inside else changed
            assert is_a(name, changed) == taken(path, body), body

        for field in (*SCHEMAS[name]["properties"], "more"):
            agree({key: value for key, value in part.items() if key != field})
            for value in VALUES:
                agree({**part, field: value})

    @pytest.mark.parametrize(("name", "path"), [(name, path) for name, path, *_ in BODIES])
    def test_what_is_no_object(self, name: str, path: str) -> None:
        for value in VALUES:
            if not isinstance(value, dict):
                assert not is_a(name, value)
                assert not taken(path, value)

    @pytest.mark.parametrize("kind", KINDS)
    def test_each_kind_of_fault(self, kind: str) -> None:
        amounts = [n for _, lowest, highest, _ in VALUED.values() for n in (lowest, highest)]
        around = {n + step for n in amounts for step in (-1, 0, 1)}
        messages = {f.message for e in TABLE.values() for f in (e.new, *e.old)}
        body: Json
        for value in (None, *around, 1.5, True, "0000", "0005", *messages):
            body = {"kind": kind, "value": value}
            assert is_a("FaultRequest", body) == taken("/faults", body), body
        for when in (None, "before_charge", "after_charge", "later"):
            body = {"kind": kind, "when": when, **({"value": 1} if kind in VALUED else {})}
            assert is_a("FaultRequest", body) == taken("/faults", body), body

    def test_matches(self) -> None:
        for field, kinds in (("gateway_code", TABLE), ("fault", KINDS)):
            for value in kinds:
                body = {"count": 0, "match": {field: value}}
                assert is_a("Expectation", body)
                assert taken("/requests/verify", body)

    def test_appcodes(self) -> None:
        for body in (*VALUES, *([value] for value in VALUES), ["a", "b"], ["a", ""]):
            assert is_a("AppCodeList", body) == taken("/appcodes", body), body

    def test_people(self) -> None:
        right = {"name": "赵六", "id_number": UNHELD}
        bodies: list[Json] = [[right], [], [right, {}]]
        for field in (*right, "more"):
            bodies.append([{key: value for key, value in right.items() if key != field}])
            bodies += [[{**right, field: value}] for value in VALUES]
        for body in (*VALUES, *([value] for value in VALUES), *bodies):
            # A schema knows no check characters: it takes a little more.
            assert is_a("NewPeople", body) or not taken("/people", body), body
        assert taken("/people", [right])
        assert not is_a("NewPeople", [{**right, "more": 1}])
