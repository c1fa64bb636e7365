"""The API described: OpenAPI 3.1 for machines, one HTML page for people.

``openapi.json`` beside this module holds the prose and what answers look like. What the code
declares is put in from there: requests from ``schemas``, problems from ``errors.STATUSES`` and
``codes.PROBLEMS``, the drop-in's codes from ``codes``, examples from the encoders. All of it is
made at the first call and kept, so that a cold start pays for none of it.
"""

import json
from base64 import b64encode
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

from chalicelib.domain import batch as batches
from chalicelib.domain import codes, forecast, packages, reconcile, stored_submission
from chalicelib.domain import delivery as deliveries
from chalicelib.domain import verification as rules
from chalicelib.domain.alerts import Alert, Kind
from chalicelib.domain.batch_file import FileError
from chalicelib.domain.breaker import Breaker
from chalicelib.domain.caps import Cap, CapCounter
from chalicelib.domain.codes import PROBLEMS, Billed, Outcome, Row, Trip
from chalicelib.domain.delivery import CallbackResult, Fault
from chalicelib.domain.errors import ServiceError
from chalicelib.domain.packages import NewPackage
from chalicelib.domain.reconcile import Reading
from chalicelib.domain.robots import Answered
from chalicelib.domain.source import Assurance
from chalicelib.domain.stored_submission import StoredSubmission, SubmissionStatus
from chalicelib.domain.submission import Reason
from chalicelib.domain.usage import DayUsage
from chalicelib.domain.verification import Action, Answer, DerivedFields, Status, Verification
from chalicelib.entrypoints import (
    batch_documents,
    batch_schemas,
    book_documents,
    book_schemas,
    documents,
    errors,
    schemas,
)
from chalicelib.entrypoints.schemas import Fields
from chalicelib.services.batch_ports import Upload
from chalicelib.services.caps import CapState
from chalicelib.services.packages import Outlook
from chalicelib.services.watch import Tried

Json = dict[str, Any]

_FAMILIES = {"I400[A-Z]{2}": "I400RB", "T429[A-Z]{2}": "T429XX"}
"""Gateway codes that are whole families, each with one of its members."""

_RETRY_LATER = frozenset(
    {
        "verification_in_progress",
        "too_many_requests",
        "budget_exhausted",
        "upstream_throttled",
        "upstream_maintenance",
        "upstream_unreachable",
    }
)
"""Problems that always say when to try again."""

_QUERIES = {
    "/v1/verifications": schemas.LIST_QUERY,
    "/v1/deliveries": schemas.DELIVERY_QUERY,
    "/v1/submissions": schemas.SUBMISSION_QUERY,
    "/v1/usage": schemas.USAGE_QUERY,
    "/v1/packages/advice": book_schemas.ADVICE_QUERY,
    "/v1/export": book_schemas.EXPORT_QUERY,
    "/v1/batches": batch_schemas.BATCH_LIST_QUERY,
    "/v1/batches/{batch_id}/results": batch_schemas.RESULTS_QUERY,
}
_HOOK, _HOOK_WITH_TOKEN = "/hooks/{source}", "/hooks/{source}/{token}"


@lru_cache(maxsize=1)
def document() -> Json:
    """The OpenAPI document; it is kept, so do not change it."""
    found: Json = json.loads(_beside("openapi.json"))
    paths, components = found["paths"], found["components"]
    for operation in _operations(paths):
        operation["responses"] |= _problems(operation.pop("x-problems", ()))
    for path, fields in _QUERIES.items():
        paths[path]["get"]["parameters"] = _parameters(fields)
    _describe_hooks(paths[_HOOK]["post"], paths[_HOOK_WITH_TOKEN]["post"])
    paths["/idenAuthentication"]["post"]["responses"] |= _gateway_answers()
    _name_the_correlation_id(paths)
    components["responses"] = {
        "NotFound": _problem(["not_found"]),
        "MethodNotAllowed": _problem(["method_not_allowed"]),
        "TooManyRequests": _problem(["too_many_requests"]),
    }
    components["examples"] = _examples() | _problem_examples(found["x-problems"])
    _put_in_what_the_code_declares(components["schemas"])
    found["x-problems"] = {
        code: _problem_row(code, advice) for code, advice in found["x-problems"].items()
    }
    rows = {row.outcome: row for row in codes.ROWS.values()}
    found["x-outcomes"] = {
        outcome.value: _outcome_row(rows[outcome], found["x-outcomes"][outcome])
        for outcome in Outcome
    }
    return found


@lru_cache(maxsize=1)
def page() -> str:
    """The same for people: one HTML page that fetches nothing."""
    import base64
    import hashlib
    import re

    html = _beside("docs.html")
    for kind in ("style", "script"):
        # The policy lets this one block run, and nothing else.
        block = re.search(f"<{kind}>(.*?)</{kind}>", html, re.DOTALL)
        digest = hashlib.sha256((block[1] if block else "").encode()).digest()
        html = html.replace(f"%{kind}%", f"'sha256-{base64.b64encode(digest).decode()}'")
    # JSON could end its element by nothing but a "<".
    return html.replace("%document%", errors.dumps(document()).replace("<", "\\u003c"))


def _beside(name: str) -> str:
    from pathlib import Path

    return Path(__file__).with_name(name).read_text("utf-8")


def _operations(paths: Json) -> Iterator[Json]:
    for item in paths.values():
        yield from (found for found in item.values() if "responses" in found)


def _reference(kind: str, name: str) -> Json:
    return {"$ref": f"#/components/{kind}/{name}"}


def _headers(*names: str) -> Json:
    return {name: _reference("headers", name) for name in names}


def _name_the_correlation_id(paths: Json) -> None:
    """Of every answer of ours; those that API Gateway gives by itself have none."""
    answers = [one for operation in _operations(paths) for one in operation["responses"].values()]
    for answer in answers:
        if "$ref" not in answer:
            answer["headers"] = answer.get("headers", {}) | _headers("X-Correlation-Id")


# Requests


def _parameters(fields: Fields) -> list[Json]:
    return [
        {
            "name": item.name,
            "in": "query",
            "required": item.required,
            "description": item.schema.get("description", ""),
            "schema": {name: item.schema[name] for name in item.schema if name != "description"},
        }
        for item in fields.items
    ]


def _describe_hooks(hook: Json, hook_with_token: Json) -> None:
    """A vendor is always told when to come again, and the token changes nothing else."""
    hook["responses"]["503"]["headers"] = _always_retry_after()
    hook_with_token |= {part: hook[part] for part in ("requestBody", "responses")}


# Problems


def _problems(named: Iterable[str]) -> Json:
    """Exactly these codes, by status."""
    by_status: dict[int, list[str]] = {}
    for code in named:
        by_status.setdefault(errors.STATUSES[code][0], []).append(code)
    return {str(status): _problem(by_status[status]) for status in sorted(by_status)}


def _problem(named: list[str]) -> Json:
    """The response of these codes, which share a status."""
    status, _ = errors.STATUSES[named[0]]
    response: Json = {
        "description": "; ".join(f"`{code}`: {errors.STATUSES[code][1]}" for code in named) + ".",
        "content": {
            "application/problem+json": {
                "schema": {
                    "allOf": [_reference("schemas", "Problem")],
                    "properties": {"status": {"const": status}, "code": {"enum": named}},
                },
                "examples": {code: _reference("examples", code) for code in named},
            }
        },
    }
    if headers := _problem_headers(set(named)):
        response["headers"] = headers
    return response


def _problem_headers(named: set[str]) -> Json:
    if "unauthenticated" in named:
        return _headers("WWW-Authenticate")
    if "method_not_allowed" in named:
        return _headers("Allow")
    if named <= _RETRY_LATER:
        return _always_retry_after()
    return _headers("Retry-After") if named & _RETRY_LATER else {}


def _always_retry_after() -> Json:
    return {"Retry-After": _reference("headers", "Retry-After-Always")}


def _problem_examples(advice: Json) -> Json:
    examples = {}
    for code in errors.STATUSES:
        error = ServiceError(advice[code].replace("`", ""))
        error.code = code
        examples[code] = {"summary": errors.STATUSES[code][1], "value": errors.problem(error)}
    return examples


def _problem_row(code: str, advice: str) -> Json:
    status, title = errors.STATUSES[code]
    kind = PROBLEMS[code]
    return {
        "status": status,
        "title": title,
        "billed": kind.billed.value,
        "retryable": kind.retryable,
        "advice": advice,
    }


def _outcome_row(row: Row, meaning: str) -> Json:
    return {
        "resp_code": row.code,
        "resp_message": row.message,
        "billed": row.billed.value,
        "meaning": meaning,
    }


# The drop-in


def _gateway_answers() -> Json:
    """Gateway codes over an empty body, by status."""
    listed = {row.code: row for row in codes.ROWS.values() if _is_gateway_code(row)}
    families = {pattern: codes.find(member) for pattern, member in _FAMILIES.items()}
    by_status: dict[int, dict[str, str]] = {}
    for pattern, row in (listed | families).items():
        by_status.setdefault(row.status, {})[pattern] = row.message
    return {str(status): _gateway_answer(by_status[status]) for status in sorted(by_status)}


def _is_gateway_code(row: Row) -> bool:
    return bool(row.message) and row.code not in codes.RESP_CODES


def _gateway_answer(messages: dict[str, str]) -> Json:
    said = "; ".join(f"`{pattern}`: {message}" for pattern, message in messages.items())
    code = {
        "required": True,
        "description": "The gateway code.",
        "schema": {"type": "string", "pattern": f"^({'|'.join(messages)})$"},
    }
    return {
        "description": f"An empty body. {said}.",
        "headers": {"X-Ca-Error-Code": code}
        | _headers(
            "X-Ca-Error-Message",
            "X-Billed",
            "X-Ca-Request-Id",
            "X-Verification-Id",
            "Retry-After",
        ),
        "content": {"application/oct-stream": {"schema": {"type": "string", "maxLength": 0}}},
    }


# Schemas


def _put_in_what_the_code_declares(found: Json) -> None:
    found["VerificationRequest"] = schemas.VERIFICATION_REQUEST.json_schema()
    found["Resolution"] = schemas.RESOLUTION.json_schema()
    found["PackageRequest"] = book_schemas.PACKAGE.json_schema()
    found["Reading"] = book_schemas.READING.json_schema()
    found["BatchRequest"] = batch_schemas.BATCH_REQUEST.json_schema()
    found["Failure"]["properties"]["code"]["enum"] = list(PROBLEMS)
    found["Alert"]["properties"]["kind"]["enum"] = [kind.value for kind in Kind]
    found["DropInAnswer"]["properties"]["respCode"]["enum"] = list(codes.RESP_CODES)
    problem = found["Problem"]["properties"]
    problem["code"]["enum"] = list(errors.STATUSES)
    problem["status"]["enum"] = sorted({status for status, _ in errors.STATUSES.values()})
    problem["reason"]["enum"] = sorted(
        {kind.reason for kind in _error_tree(ServiceError) if kind.reason}
    )
    # A run of faults of any kind stops calls as "unreachable".
    causes = {row.problem for row in codes.ROWS.values() if row.trip in {Trip.HOLD, Trip.PAUSE}}
    found["Breaker"]["properties"]["cause"]["enum"] = [
        *(code for code in errors.STATUSES if code in causes | {"upstream_unreachable"}),
        None,
    ]


def _error_tree(kind: type[ServiceError]) -> Iterator[type[ServiceError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _error_tree(below)


# Examples: nobody's number, the one that GB 11643-1999 prints

_QUESTION = {"name": "张三", "id_number": "11010519491231002X"}
_PERSON = DerivedFields("北京市", "北京市", "朝阳区", "19491231", "F", 76)
_CALLBACK = "https://shop.example/hooks/verified"
_NOON = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
_CAP = CapState(Cap("day", CapCounter("2026-11-24", "shop"), 500), 120)
_UPLOAD_HEADERS = {
    "content-type": "application/octet-stream",
    "x-amz-server-side-encryption": "aws:kms",
    "x-amz-server-side-encryption-aws-kms-key-id": "arn:aws:kms:…",
}
_OPEN = Breaker(cause="quota_exhausted", since=_NOON, appcode_mark="")


def _examples() -> Json:
    match, unknown = _ended("0000"), _ended(codes.NO_ANSWER)
    closed = rules.resolve(unknown, billed=Billed.NO, action=Action.CLOSE, now=_NOON)
    answer = documents.verification(match, _PERSON)
    form = {"name": _QUESTION["name"], "idNo": _QUESTION["id_number"]}
    values = {
        "question": {**_QUESTION, "reference": "order-9"},
        "question_with_reuse": {**_QUESTION, "max_age_seconds": 3600},
        "question_with_callback": {**_QUESTION, "callback_url": _CALLBACK},
        "match": answer,
        "no_record": documents.verification(_ended("0007"), None),
        "pending": documents.verification(rules.accept(_draft(), b"", _NOON), None),
        "unknown": documents.verification(unknown, None),
        "closed": documents.verification(closed, None),
        "page": {"items": [{**answer, "person": None}], "next_cursor": None},
        "resolution": {"billed": "no", "action": "close"},
        "usage": _usage(),
        "caps": {"caps": [documents.cap(_CAP)]},
        "breaker_open": documents.breaker(_OPEN, _NOON, ""),
        "breaker_closed": documents.breaker(Breaker(), _NOON, ""),
        **_alert_examples(),
        "drop_in_question": form,
        "drop_in_match": _drop_in_match(form, match),
        **_callback_examples(match, unknown),
        **_form_examples(),
        **_book_examples(),
        **_batch_examples(),
    }
    return {name: {"value": value} for name, value in values.items()}


def _callback_examples(match: Verification, unknown: Verification) -> Json:
    made = deliveries.new(match, url=_CALLBACK, number=1, now=_NOON)
    refused = deliveries.attempted(made, CallbackResult(Fault.TIMEOUT, 15_000), _NOON, 0)
    later = _NOON + timedelta(seconds=5)
    done = deliveries.attempted(refused, CallbackResult(200, 48), later, 0)
    return {
        "result_completed": json.loads(deliveries.payload(match)),
        "result_unknown": json.loads(deliveries.payload(unknown)),
        "delivery_pending": documents.delivery(deliveries.replayed(done, later)),
        "delivery_page": {"items": [documents.delivery(done)], "next_cursor": None},
    }


def _alert_examples() -> Json:
    low = Alert(Kind.LOW_BALANCE, "20", _NOON, sent_at=_NOON, waiting=("feishu-9c56cc",))
    signature = Answered(ok=False, code="19021", said="sign match fail")
    tried = (
        Tried("topic", None, Answered(ok=True, code="200")),
        Tried("dingtalk-2d71cd", "oapi.dingtalk.com", Answered(ok=True, code="0")),
        Tried("feishu-9c56cc", "open.feishu.cn", signature),
    )
    return {
        "alerts": {"items": [documents.alert(low)]},
        "alert_test": {"receivers": [documents.tried(one) for one in tried]},
    }


def _form_examples() -> Json:
    rejected = StoredSubmission(
        id=_draft().id,
        source="survey-2026",
        created_at=_NOON,
        status=SubmissionStatus.REJECTED,
        reason=Reason.FIELDS_MISSING,
        detail="Not found where the source's fields say: name. Mend them, then replay the "
        "submission.",
        assurance=Assurance.SIGNED,
        missing=("name",),
        sealed=b"sealed",
    )
    replayed = stored_submission.replayed(rejected)
    return {
        "form_entry": {
            "submission_id": "entry-1",
            **_QUESTION,
            "reference": "order-9",
            "submitted_at": rules.utc(_NOON),
        },
        "hook_accepted": {"status": "accepted", "id": rejected.id},
        "hook_duplicate": {"status": "duplicate", "id": rejected.id},
        "hook_rejected": {"status": "rejected", "reason": rejected.reason},
        "hook_ignored": {"status": "ignored", "reason": "other_form"},
        "submission_page": {"items": [documents.submission(rejected)], "next_cursor": None},
        "submission_replayed": documents.submission(replayed),
    }


def _book_examples() -> Json:
    wanted = NewPackage(5_000, Decimal("149.00"), note="order 2026-11")
    bought = wanted.made("pkg_7q3xk9d2m5t8w1y4b6c0e3f5g7", _NOON)
    day = DayUsage(_NOON.date())
    day.add({"calls": 60, "billed#yes": 60, "code#0000": 53, "code#0007": 7})
    balance = packages.balance([bought], [day], _NOON)
    basis = forecast.Basis(day.day - timedelta(days=28), 28, 1_680, 60)
    runs_out_on = forecast.runs_out_on(balance, basis, day.day)
    reading = Reading(53, 5_000, _NOON, fresh=True)
    return {
        "new_package": {"calls": 5_000, "price": "149.00", "note": "order 2026-11"},
        "package": book_documents.package(bought),
        "packages": book_documents.outlook(Outlook(balance, basis, runs_out_on)),
        "advice": book_documents.advice(balance, forecast.advice(balance, basis, day.day, 365)),
        "reading": {"used": reading.used, "total": reading.total},
        "comparison": book_documents.comparison(
            reconcile.compare([bought], [day], reading, billed={})
        ),
    }


def _batch_examples() -> Json:
    shown = batch_documents.batch
    waiting = batches.new(
        batches.Batch(
            "bat_7q3xk9d2m5t8w1y4b6c0e3f5g7",
            "shop",
            _NOON,
            batches.BatchStatus.AWAITING_UPLOAD,
            "csv",
            label="april",
        )
    )
    upload = Upload("PUT", "https://bucket.example/uploads/bat_7q3x?X-Amz-…=…", _UPLOAD_HEADERS)
    later = _NOON + timedelta(minutes=1)
    found = batches.Split("rows", "index", 500, 10_000, 12, 3, {"id_number_invalid": 12})
    splitting = batches.split_begun(waiting, (), later)
    running = replace(
        batches.split_done(splitting, found, later),
        progress=batches.progress_of(
            batches.tally([("match", "yes")] * 380 + [("hopeless", "no")] * 20), later
        ),
    )
    checked = batches.split_done(replace(splitting, dry_run=True), found, later)
    bought = NewPackage(30_000, Decimal("840.00")).made("pkg_7q3xk9d2m5t8w1y4b6c0e3f5g7", _NOON)
    until = later + timedelta(minutes=5)
    why = FileError("The first row has no title that is a name.", 1)
    failed = batches.fail(
        splitting, batches.FileProblem("batch_file_unreadable", why.detail, why.row), later
    )
    content = b64encode("姓名,身份证号\n张三,11010519491231002X\n".encode()).decode()
    return {
        "new_batch": {"format": "csv", "content": content, "label": "april"},
        "new_large_batch": {"format": "xlsx", "columns": {"name": "姓名", "id_number": 2}},
        "new_dry_run": {"format": "csv", "dry_run": True},
        "batch_waiting": shown(waiting),
        "batch_awaiting_upload": shown(waiting, upload=upload),
        "batch_running": shown(running),
        "batch_checked": shown(checked, balance=packages.balance([bought], [], _NOON)),
        "batch_paused": shown(batches.pause(running, batches.Pause("upstream_maintenance", until))),
        "batch_paused_by_hand": shown(batches.pause(running, batches.Pause(batches.REQUESTED))),
        "batch_cancelled": shown(batches.files_deleted(batches.cancel(running, later))),
        "batch_failed": shown(batches.files_deleted(failed)),
        "batch_page": {"items": [shown(running)], "next_cursor": None},
    }


def _draft() -> Verification:
    return Verification(
        "vrf_7q3xk9d2m5t8w1y4b6c0e3f5g7",
        "shop",
        _NOON,
        Status.IN_PROGRESS,
        name_masked="张*",
        id_number_masked="110***********002X",
        reference="order-9",
    )


def _ended(code: str) -> Verification:
    claimed = rules.claim(_draft(), token="", now=_NOON, lease=timedelta())
    answer = Answer(code, upstream_request_id="3F0B1C66-2E1A-4C77-9B1D-0A7D5C1E9F42")
    later = _NOON + timedelta(milliseconds=640)
    return rules.record(claimed, "", answer, codes.find(code), later)


def _usage() -> Json:
    day = DayUsage(_NOON.date())
    day.add({"calls": 3, "billed#yes": 2, "billed#unknown": 1, "code#0000": 2, "code#no_answer": 1})
    return {
        "from": day.day.isoformat(),
        "to": day.day.isoformat(),
        "days": [documents.usage_day(day)],
        "total": documents.counters(day),
    }


def _drop_in_match(form: dict[str, str], match: Verification) -> Json:
    derived = {name: str(value) for name, value in _PERSON._asdict().items()}
    return {**form, "respMessage": match.resp_message, "respCode": match.resp_code, **derived}
