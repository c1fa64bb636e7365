"""The API described: as OpenAPI 3.1 for machines, as one HTML page for people.

What validates is what documents: bodies and queries come from ``schemas``, problems from
``errors.STATUSES`` and ``codes.PROBLEMS``, the drop-in's codes from ``codes``, and the examples
went through the encoders. Both texts are made at the first call and kept; importing is cheap.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from chalicelib.domain import codes
from chalicelib.domain.breaker import Breaker
from chalicelib.domain.codes import PROBLEMS, Billed, Outcome, Trip
from chalicelib.domain.errors import ServiceError
from chalicelib.domain.secret import SCOPES
from chalicelib.domain.usage import DayUsage
from chalicelib.domain.verification import Attempt, DerivedFields, Status, Verification
from chalicelib.entrypoints import documents, errors, schemas
from chalicelib.entrypoints.schemas import Fields

Json = dict[str, Any]

VERSION = "0.1.0"

_INTRODUCTION = """\
Asks whether a name and a resident identity number belong together (身份证二要素), and pays for a \
question at most once.

**What is paid.** `POST /v1/verifications` and its drop-in twin `POST /idenAuthentication` may make \
one paid call each. Everything else is free: reading, a replay, a reused outcome, and whatever is \
refused before it is sent.

**`billed`** stands in every answer about a question: `yes`, it was charged; `no`, it was not; \
`unknown`, nobody can know yet.

**`Idempotency-Key`.** Send a new one with each question, and the same one whenever you post that \
question again: after a timeout, a crash, a 503. A stored answer is replayed, a call under way is \
waited for, and a new attempt is made only where the one before certainly ended and is \
`retryable`. Without a key, posting again is a new question and may be paid for again.

**`outcome_unknown`** (504) means that the call may have happened and no usable answer came back. \
It is never repeated by itself. An admin compares with the counter in the seller's console and \
then settles it with `POST /v1/verifications/{verification_id}/resolve`: `close` gives up, `retry` \
lets the key's next post make one more paid call. An answer that comes late after all completes \
the verification by itself, so read it again first.

**`no_record` does not mean fake.** People who serve in the armed forces or were just discharged, \
who moved their household, changed their name, emigrated or died are answered so as well.

A path that does not exist answers 404 `not_found`, another method 405 `method_not_allowed`. When \
the service itself does not answer in time, the gateway in front of it says 504 `outcome_unknown`: \
post again with the same Idempotency-Key."""

# Problem → what to do about it. It stands as ``detail`` in the examples.
_ADVICE: Mapping[str, str] = {
    "malformed_request": "Mend the request as detail says; it names the field.",
    "unauthenticated": "Send Authorization: Bearer and a key that the service knows.",
    "forbidden": "Use a key that has the scope; detail names it.",
    "not_found": "Check the path and the id; another client's id is not found either.",
    "method_not_allowed": "Use one of the methods in the header Allow.",
    "verification_in_progress": "Wait as Retry-After says, then repeat with the same "
    "Idempotency-Key.",
    "not_unknown": "Read the verification again: only one whose status is unknown can be resolved.",
    "closed_without_outcome": "An operator settled it. If it is retryable, post again with the "
    "same Idempotency-Key; if not, ask anew with a new one.",
    "erased": "Nothing is left to answer with; ask anew with a new Idempotency-Key.",
    "payload_too_large": "Send a smaller body; 64 KiB are allowed.",
    "unsupported_media_type": "Send the Content-Type that this call reads.",
    "name_empty": "Send the name as it stands on the card.",
    "name_invalid": "Send the name in Han characters; reason says which rule it breaks.",
    "id_number_empty": "Send the 18 characters of the number.",
    "id_number_invalid": "Have the number typed again; reason says which rule it breaks.",
    "id_number_not_text": "Send the number in quotes: as a JSON number it loses its last digits.",
    "test_identity": "Test identities are for the mock; this service calls the paid upstream.",
    "idempotency_key_reused": "Use a new Idempotency-Key for a new question.",
    "upstream_rejected": "Tell the service's operator: its request was wrong, not yours.",
    "upstream_throttled": "Wait as Retry-After says, then repeat with the same Idempotency-Key.",
    "upstream_maintenance": "Wait as Retry-After says, then repeat with the same Idempotency-Key.",
    "upstream_unreachable": "Wait as Retry-After says, then repeat with the same Idempotency-Key.",
    "quota_exhausted": "The owner buys a package and closes the breaker; then repeat.",
    "package_expired": "The owner buys a package and closes the breaker; then repeat.",
    "account_in_arrears": "The owner settles the account and closes the breaker; then repeat.",
    "appcode_invalid": "The owner corrects the AppCode in the secret; then repeat.",
    "service_unavailable": "Repeat in a moment with the same Idempotency-Key.",
    "outcome_unknown": "Do not ask anew. Read the verification; if it stays unknown, compare with "
    "the seller's console and resolve it.",
}

_OUTCOMES: Mapping[Outcome, str] = {
    Outcome.MATCH: "Name and number belong together.",
    Outcome.MISMATCH: "The number exists, under another name.",
    Outcome.NO_RECORD: "The upstream has no such number on record. This does not mean that it is "
    "fake.",
}

_STATUSES: Mapping[Status, str] = {
    Status.IN_PROGRESS: "the call is under way",
    Status.COMPLETED: "there is an outcome",
    Status.FAILED: "there is none, and `problem` says why",
    Status.UNKNOWN: "no usable answer came back, and the call may have been charged",
}

_WARNINGS: Mapping[str, str] = {
    "foreign_permanent_resident": "the number of a foreigner's permanent residence card",
    "region_unknown": "no known county has these first six digits",
    "age_over_120": "the holder would be older than 120",
    "check_character": "the check character is wrong, and the service was told to ask anyway",
    "name_short": "a name of one character",
    "name_long": "a name of more than 25 characters",
    "name_latin": "a name in Latin letters",
    "person_not_kept": "the derived fields could not be stored; replays come without them",
    "not_recorded": "the answer could not be stored; keep it",
}

_SCOPES: Mapping[str, str] = {
    "verify": "ask, and read one's own verifications",
    "read": "list one's own verifications and usage",
    "admin": "read everybody's, resolve, erase, and close the breaker; it does not include verify",
}

# What a problem's own header says, whenever that problem is answered.
_RETRY_LATER = frozenset(
    {
        "verification_in_progress",
        "upstream_throttled",
        "upstream_maintenance",
        "upstream_unreachable",
    }
)
_WITH_KEY = ("unauthenticated", "forbidden", "service_unavailable")
_WITH_BODY = ("malformed_request", "payload_too_large", "unsupported_media_type")
# Gateway codes of ours that are of a family, as the table has them.
_FAMILIES = (("I400[A-Z]{2}", codes.find("I400RB")), ("T429[A-Z]{2}", codes.find("T429XX")))

_NUMBER = "11010519491231002X"  # GB 11643-1999 prints it as its example
_ID = "vrf_7q3xk9d2m5t8w1y4b6c0e3f5g7"
_MOMENT = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)


@lru_cache(maxsize=1)
def document() -> Json:
    """The OpenAPI document; do not change it, it is kept."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "eryaosu",
            "version": VERSION,
            "summary": "身份证二要素, paid for at most once.",
            "description": _INTRODUCTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        # Relative to this document, since a deployed API has its stage in front of every path.
        "servers": [{"url": ".", "description": "The server that this document came from."}],
        "tags": [
            {"name": "Verifications", "description": "Ask, read, settle, erase."},
            {"name": "Drop-in", "description": "The upstream's own call, for existing callers."},
            {"name": "Operation", "description": "Usage, the breaker, health, this description."},
        ],
        "paths": _paths(),
        "components": {
            "securitySchemes": _security_schemes(),
            "schemas": _schemas(),
            "headers": _headers(),
            "examples": {code: _problem_example(code) for code in errors.STATUSES},
            "responses": {
                "NotFound": _problem_response(["not_found"]),
                "MethodNotAllowed": _problem_response(["method_not_allowed"]),
            },
        },
        "x-problems": {code: _problem_row(code) for code in errors.STATUSES},
        "x-outcomes": {row.outcome: _outcome_row(row) for row in codes.ROWS.values() if row.outcome},
    }


@lru_cache(maxsize=1)
def page() -> str:
    """The same for people: one HTML page that fetches nothing."""
    import base64
    import hashlib
    import re
    from pathlib import Path

    html = Path(__file__).with_name("docs.html").read_text("utf-8")
    for kind in ("style", "script"):
        # The one block of its kind that the policy lets run.
        block = re.search(f"<{kind}>(.*?)</{kind}>", html, re.DOTALL)
        digest = hashlib.sha256((block[1] if block else "").encode()).digest()
        html = html.replace(f"{{{{{kind}}}}}", f"'sha256-{base64.b64encode(digest).decode()}'")
    # "<" is the only character by which JSON could end its element.
    return html.replace("{{document}}", errors.dumps(document()).replace("<", "\\u003c"))


# Paths


def _paths() -> Json:
    one = [
        {
            "name": "verification_id",
            "in": "path",
            "required": True,
            "description": "The `id` of a verification.",
            "schema": _ref("VerificationId"),
            "example": _ID,
        }
    ]
    return {
        "/v1/verifications": {"post": _post_verification(), "get": _list_verifications()},
        "/v1/verifications/{verification_id}": {
            "parameters": one,
            "get": _get_verification(),
            "delete": _erase_verification(),
        },
        "/v1/verifications/{verification_id}/resolve": {
            "parameters": one,
            "post": _resolve_verification(),
        },
        "/idenAuthentication": {"post": _iden_authentication()},
        "/v1/usage": {"get": _get_usage()},
        "/v1/breaker": {"get": _get_breaker()},
        "/v1/breaker/close": {"post": _close_breaker()},
        "/healthz": {"get": _healthz()},
        "/openapi.json": {"get": _openapi_json()},
        "/docs": {"get": _docs()},
    }


def _post_verification() -> Json:
    return {
        "operationId": "post_verification",
        "tags": ["Verifications"],
        "summary": "Ask one question",
        "description": "Answers once the question is settled, within 29 seconds. May cost one paid "
        "call. Nothing was sent and nothing is charged where the input is refused.",
        "x-paid": True,
        "security": _bearer("verify"),
        "parameters": [_idempotency_key()],
        "requestBody": _json_body("VerificationRequest", _examples()["requests"]),
        "responses": {
            "200": _json_response(
                "There is an outcome, a new one, a replayed or a reused one.",
                _ref("CompletedVerification"),
                _examples()["completed"],
            ),
            **_problems(
                *_WITH_KEY,
                *_WITH_BODY,
                *(row.problem for row in codes.ROWS.values() if row.problem),
                *(row.problem for _, row in _FAMILIES if row.problem),
                "id_number_not_text",
                "test_identity",
                "idempotency_key_reused",
                "verification_in_progress",
                "closed_without_outcome",
                "erased",
            ),
        },
    }


def _list_verifications() -> Json:
    return {
        "operationId": "list_verifications",
        "tags": ["Verifications"],
        "summary": "List the verifications of a day",
        "description": "Newest first, one's own; everybody's for an admin. A page can be short, or "
        "empty, before the last: go on until `next_cursor` is null.",
        "security": _bearer("read", "admin"),
        "parameters": _query(schemas.LIST_QUERY),
        "responses": {
            "200": _json_response(
                "One page.",
                _ref("VerificationPage"),
                {"page": {"value": {"items": [_sample(None)], "next_cursor": None}}},
            ),
            **_problems(*_WITH_KEY, "malformed_request"),
        },
    }


def _get_verification() -> Json:
    return {
        "operationId": "get_verification",
        "tags": ["Verifications"],
        "summary": "Read one verification",
        "description": "In whatever state, free of charge; this is how to look at an unknown again.",
        "security": _bearer("verify", "read", "admin"),
        "responses": {
            "200": _json_response(
                "The verification.", _ref("Verification"), _examples()["any_state"]
            ),
            **_problems(*_WITH_KEY, "not_found"),
        },
    }


def _erase_verification() -> Json:
    return {
        "operationId": "erase_verification",
        "tags": ["Verifications"],
        "summary": "Erase the person",
        "description": "Removes masked forms, reference and derived fields; outcome, code, times "
        "and `billed` stay. Harmless to repeat. The key answers 410 from then on.",
        "security": _bearer("admin"),
        "responses": {
            "204": {"description": "Nothing of the person is left."},
            **_problems(*_WITH_KEY, "not_found", "verification_in_progress"),
        },
    }


def _resolve_verification() -> Json:
    example = {"billed": "no", "action": "retry"}
    return {
        "operationId": "resolve_verification",
        "tags": ["Verifications"],
        "summary": "Settle an unknown outcome",
        "description": "Compare with the counter in the seller's console first. Makes no call by "
        "itself; after `retry` the key's next post makes one more, which is paid.",
        "security": _bearer("admin"),
        "requestBody": _json_body("Resolution", {"retry": {"value": example}}),
        "responses": {
            "200": _json_response("It is settled.", _ref("ResolvedVerification")),
            **_problems(*_WITH_KEY, *_WITH_BODY, "not_found", "not_unknown", "erased"),
        },
    }


def _get_usage() -> Json:
    day = DayUsage(_MOMENT.date())
    day.add({"calls": 3, "billed#yes": 2, "billed#unknown": 1, "code#0000": 2, "code#no_answer": 1})
    example = {
        "from": day.day.isoformat(),
        "to": day.day.isoformat(),
        "days": [documents.usage_day(day)],
        "total": documents.counters(day),
    }
    return {
        "operationId": "get_usage",
        "tags": ["Operation"],
        "summary": "Count calls",
        "description": "By day (UTC+8), by whether they were billed and by code: one's own, or "
        "everybody's for an admin. At most 92 days. Replays make no call and are not counted.",
        "security": _bearer("read", "admin"),
        "parameters": _query(schemas.USAGE_QUERY),
        "responses": {
            "200": _json_response("The counters.", _ref("Usage"), {"day": {"value": example}}),
            **_problems(*_WITH_KEY, "malformed_request"),
        },
    }


def _get_breaker() -> Json:
    opened = Breaker(1, "quota_exhausted", _MOMENT, None, "mark")
    return {
        "operationId": "get_breaker",
        "tags": ["Operation"],
        "summary": "Whether and why calls are stopped",
        "description": "The breaker opens when the upstream says that calls are pointless now: "
        "quota, expiry, arrears, a refused AppCode, maintenance, a run of faults.",
        "security": _bearer("admin"),
        "responses": {
            "200": _json_response(
                "The breaker.",
                _ref("Breaker"),
                {"open": {"value": documents.breaker(opened, _MOMENT, "mark")}},
            ),
            **_problems(*_WITH_KEY),
        },
    }


def _close_breaker() -> Json:
    return {
        "operationId": "close_breaker",
        "tags": ["Operation"],
        "summary": "Say that the cause is mended",
        "description": "Calls go out again at once; harmless when it is closed already.",
        "security": _bearer("admin"),
        "responses": {
            "200": _json_response(
                "The breaker, closed.",
                _ref("Breaker"),
                {"closed": {"value": documents.breaker(Breaker(), _MOMENT, "")}},
            ),
            **_problems(*_WITH_KEY),
        },
    }


def _healthz() -> Json:
    return {
        "operationId": "healthz",
        "tags": ["Operation"],
        "summary": "Whether the service can work",
        "description": "Settings, secret and table are in reach. Calls nobody who is paid.",
        "security": [],
        "responses": {
            "200": _json_response("It can.", _ref("Health"), {"ok": {"value": {"status": "ok"}}}),
            **_problems("service_unavailable"),
        },
    }


def _openapi_json() -> Json:
    schema = {
        "type": "object",
        "required": ["openapi", "info", "paths"],
        "properties": {"openapi": {"const": "3.1.0"}},
    }
    return {
        "operationId": "openapi_json",
        "tags": ["Operation"],
        "summary": "This description for machines",
        "security": [],
        "responses": {"200": _json_response("An OpenAPI 3.1 document.", schema)},
    }


def _docs() -> Json:
    return {
        "operationId": "docs",
        "tags": ["Operation"],
        "summary": "This description for people",
        "security": [],
        "responses": {
            "200": {
                "description": "One HTML page that fetches nothing from elsewhere.",
                "content": {"text/html": {"schema": {"type": "string"}}},
            }
        },
    }


# The drop-in


def _iden_authentication() -> Json:
    asked = {"name": "张三", "idNo": _NUMBER}
    return {
        "operationId": "iden_authentication",
        "tags": ["Drop-in"],
        "summary": "Ask the upstream's way",
        "description": "The same form, the same ten fields and the same gateway codes as the "
        "upstream's own call: an existing caller changes the host, and its AppCode for a key of "
        "this service with the scope `verify`. May cost one paid call. The query must be empty. "
        "Without an Idempotency-Key, an outcome of the last 60 seconds (or as the client is set "
        "up) for the same person is reused, so a blind retry is free.",
        "x-paid": True,
        "security": [{"appcode": []}],
        "parameters": [_idempotency_key()],
        "requestBody": {
            "required": True,
            "content": {
                "application/x-www-form-urlencoded": {
                    "schema": _ref("DropInRequest"),
                    "examples": {"standard": {"value": asked}},
                }
            },
        },
        "responses": {"200": _drop_in_answer(asked), **_gateway_answers()},
    }


def _drop_in_answer(asked: Mapping[str, str]) -> Json:
    found, person = codes.ROWS["0000"], _person()
    derived = {
        "province": person.province,
        "city": person.city,
        "county": person.county,
        "birthday": person.birthday,
        "sex": person.sex,
        "age": str(person.age),
    }
    example = {**asked, "respMessage": found.message, "respCode": found.code, **derived}
    answer = _json_response(
        "The upstream's answer; also what the service refuses itself as 0001 to 0004, and "
        "maintenance as 0010.",
        _ref("DropInAnswer"),
        {"match": {"value": example}},
    )
    return {**answer, "headers": _drop_in_headers({})}


def _gateway_answers() -> dict[str, Json]:
    """An empty body and a gateway code, by status."""
    listed = [
        (row.code, row)
        for row in codes.ROWS.values()
        if row.message and row.code not in codes.RESP_CODES
    ]
    by_status: dict[int, list[tuple[str, codes.Row]]] = {}
    for code, row in (*listed, *_FAMILIES):
        by_status.setdefault(row.status, []).append((code, row))
    return {str(status): _gateway_answer(by_status[status]) for status in sorted(by_status)}


def _gateway_answer(rows: Iterable[tuple[str, codes.Row]]) -> Json:
    meanings = dict.fromkeys(f"`{code}` {row.message}" for code, row in rows)
    pattern = "|".join(code for code, _ in rows)
    code = {
        "X-Ca-Error-Code": {
            "required": True,
            "description": "The gateway's code.",
            "schema": {"type": "string", "pattern": f"^({pattern})$"},
        },
        "X-Ca-Error-Message": {
            "required": True,
            "description": "The same in words.",
            "schema": {"type": "string"},
        },
    }
    return {
        "description": f"An empty body; the header says why: {', '.join(meanings)}.",
        "headers": _drop_in_headers(code),
        "content": {"application/octet-stream": {"schema": {"type": "string", "maxLength": 0}}},
    }


def _drop_in_headers(more: Mapping[str, Json]) -> Json:
    names = ("X-Billed", "X-Ca-Request-Id", "X-Verification-Id", "Retry-After")
    return {**more, **{name: {"$ref": f"#/components/headers/{name}"} for name in names}}


# Parts of operations


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _bearer(*scopes: str) -> list[Json]:
    """Any one of the scopes will do."""
    return [{"bearer": [scope]} for scope in scopes]


def _query(fields: Fields) -> list[Json]:
    return [
        {
            "name": item.name,
            "in": "query",
            "required": item.required,
            "description": item.schema.get("description", f"Only those with this {item.name}."),
            "schema": {key: item.schema[key] for key in item.schema if key != "description"},
        }
        for item in fields.items
    ]


def _idempotency_key() -> Json:
    return {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "description": "1 to 255 printable ASCII characters, new for each question. Posting again "
        "with the same one never pays twice.",
        "schema": {
            "type": "string",
            "minLength": 1,
            "maxLength": 255,
            "pattern": "^[!-~]([ -~]{0,253}[!-~])?$",
        },
    }


def _json_body(name: str, examples: Json) -> Json:
    return {
        "required": True,
        "content": {"application/json": {"schema": _ref(name), "examples": examples}},
    }


def _json_response(description: str, schema: Json, examples: Json | None = None) -> Json:
    content = {"schema": schema, **({"examples": examples} if examples else {})}
    return {"description": description, "content": {"application/json": content}}


def _problems(*named: str) -> dict[str, Json]:
    """Exactly these problem codes, by status."""
    by_status: dict[int, list[str]] = {}
    for code in (code for code in errors.STATUSES if code in named):
        by_status.setdefault(errors.STATUSES[code][0], []).append(code)
    return {str(status): _problem_response(found) for status, found in by_status.items()}


def _problem_response(found: list[str]) -> Json:
    status = errors.STATUSES[found[0]][0]
    response: Json = {
        "description": "; ".join(f"`{code}`: {errors.STATUSES[code][1]}" for code in found) + ".",
        "content": {
            "application/problem+json": {
                "schema": {
                    "allOf": [_ref("Problem")],
                    "properties": {"status": {"const": status}, "code": {"enum": found}},
                },
                "examples": {code: {"$ref": f"#/components/examples/{code}"} for code in found},
            }
        },
    }
    names = [
        *(["Retry-After"] if _RETRY_LATER & set(found) else []),
        *(["WWW-Authenticate"] if "unauthenticated" in found else []),
        *(["Allow"] if "method_not_allowed" in found else []),
    ]
    if names:
        response["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
    if _RETRY_LATER.issuperset(found):
        response["headers"]["Retry-After"] = {**_headers()["Retry-After"], "required": True}
    return response


# Components


def _security_schemes() -> Json:
    scopes = "; ".join(f"`{scope}`: {_SCOPES[scope]}" for scope in SCOPES)
    return {
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": f"A client's key. Each operation names the scopes of which one is "
            f"needed. {scopes}.",
        },
        "appcode": {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "The word `APPCODE`, a blank and a client's key that has the scope "
            "`verify`, as in `APPCODE my-key`.",
        },
    }


def _headers() -> Json:
    return {
        "Retry-After": {
            "description": "Seconds after which another try makes sense.",
            "schema": {"type": "integer", "minimum": 1},
        },
        "WWW-Authenticate": {
            "description": "How to authenticate. Amazon API Gateway renames it to "
            "`x-amzn-Remapped-WWW-Authenticate`.",
            "schema": {"const": "Bearer"},
        },
        "Allow": {
            "required": True,
            "description": "The methods that the path takes.",
            "schema": {"type": "string"},
        },
        "X-Billed": {
            "required": True,
            "description": "Whether the question was charged.",
            "schema": {"type": "string", "enum": list(Billed)},
        },
        "X-Ca-Request-Id": {
            "required": True,
            "description": "The upstream's request id, or one of our own where nothing was sent.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 128},
        },
        "X-Verification-Id": {
            "description": "The verification, once there is one.",
            "schema": _ref("VerificationId"),
        },
    }


def _schemas() -> Json:
    return {
        "VerificationRequest": schemas.VERIFICATION_REQUEST.json_schema(),
        "Resolution": schemas.RESOLUTION.json_schema(),
        "VerificationId": {
            "type": "string",
            "pattern": "^vrf_[0-9a-hjkmnp-tv-z]{26}$",
            "description": "`vrf_` and 26 characters; the same for a client's same Idempotency-Key.",
        },
        "Verification": _verification_schema(),
        "CompletedVerification": _narrowed(
            status={"const": Status.COMPLETED},
            name={"type": "string"},
            id_number={"type": "string"},
        ),
        "ResolvedVerification": _narrowed(
            status={"const": Status.FAILED}, person={"type": "null"}, problem={"type": "object"}
        ),
        "DerivedFields": _derived_schema(),
        "VerificationPage": _object(
            items={"type": "array", "items": _narrowed(person={"type": "null"})},
            next_cursor=_or_null(
                {"type": "string", "description": "Null on the last page, else its successor's."}
            ),
        ),
        "Counters": _object(**_counters()),
        "UsageDay": _object(date={"type": "string", "format": "date"}, **_counters()),
        "Usage": _object(
            **{"from": {"type": "string", "format": "date"}, "to": _ref("Day")},
            days={"type": "array", "items": _ref("UsageDay")},
            total=_ref("Counters"),
        ),
        "Breaker": _breaker_schema(),
        "Health": _object(status={"const": "ok"}),
        "Problem": _problem_schema(),
        "DropInRequest": _drop_in_request_schema(),
        "DropInAnswer": _drop_in_answer_schema(),
    }
