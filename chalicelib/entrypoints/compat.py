"""The drop-in for the upstream: existing callers change the host, and their AppCode for our key.

It speaks the upstream's own language, respCodes in a 200 and gateway codes over an empty body,
and adds ``X-Billed``, ``X-Ca-Request-Id`` and, once there is one, ``X-Verification-Id``.
"""

import uuid
from collections.abc import Mapping

from chalice.app import Blueprint, Request, Response

from chalicelib import bootstrap
from chalicelib.bootstrap import Container
from chalicelib.domain import codes
from chalicelib.domain.errors import (
    MalformedRequestError,
    ServiceError,
    UnauthenticatedError,
    VerificationEndedError,
    VerificationInProgressError,
)
from chalicelib.domain.secret import Client
from chalicelib.domain.verification import DerivedFields, Status, VerificationRequest
from chalicelib.entrypoints import errors, http
from chalicelib.services import access
from chalicelib.services.verify import Result, verify

compat = Blueprint(__name__)

DEFAULT_MAX_AGE = 60
"""Seconds in which the blind retry of a caller without an Idempotency-Key is free."""

# Problem → the respCode of a 200.
_RESP_CODES = {
    "name_empty": "0001",
    "name_invalid": "0002",
    "id_number_empty": "0003",
    "id_number_invalid": "0004",
    "id_number_not_text": "0004",
    "test_identity": "0004",
    "upstream_maintenance": "0010",
}

# Problem → the gateway code over an empty body; what the upstream's gateway said goes first.
_GATEWAY_CODES = {
    "unauthenticated": "A401AC",
    "forbidden": "I403AA",
    "malformed_request": "I400RB",
    "unsupported_media_type": "I400CT",
    "idempotency_key_reused": "I400IK",
    "erased": "I400IK",
    "closed_without_outcome": "I400IK",
    "payload_too_large": "I413RL",
    "upstream_throttled": "T429XX",
    "quota_exhausted": "B403MQ",
    "budget_exhausted": "B403MQ",
    "package_expired": "B403ME",
    "account_in_arrears": "B403OD",
    "appcode_invalid": "A401AC",
    "upstream_rejected": "I400RB",
    "upstream_unreachable": "D504CO",
    "service_unavailable": "D504CO",
    "outcome_unknown": "D504TO",
    "verification_in_progress": "D504TO",
}


@compat.route("/idenAuthentication", methods=["POST"], content_types=["*/*"])
def iden_authentication() -> Response:
    """Ask one question the upstream's way."""
    request: Request = compat.current_request
    trace = http.trace_of(request)
    form: Mapping[str, str] = {}
    client: Client | None = None
    try:
        key = _key(request)
        form = _form(request)
        container = bootstrap.container().traced(trace)
        client = access.authenticate(key, scopes=("verify",), secrets=container.tools.secrets)
        return _completed(_verify(request, container, client, form), form)
    except ServiceError as exc:
        errors.tell(exc, trace, client=client, paid=True)
        return _refused(exc, form)
    except Exception as exc:  # noqa: BLE001  # nothing may become an unhandled 500
        errors.tell_fault(exc, trace)
        return _refused(http.unexpected(paid=True), form)


def _key(request: Request) -> str:
    key = http.credentials(request, "appcode")
    if key is None:
        raise _NoKeyError("A key is needed.")
    return key


class _NoKeyError(UnauthenticatedError):
    """The upstream has a code of its own for that."""


def _form(request: Request) -> Mapping[str, str]:
    if request.query_params:
        raise MalformedRequestError("The query must be empty: it would end up in logs.")
    return http.form_body(request)


def _verify(
    request: Request, container: Container, client: Client, form: Mapping[str, str]
) -> Result:
    idempotency_key = http.idempotency_key(request)
    default = DEFAULT_MAX_AGE if idempotency_key is None else 0
    question = VerificationRequest(
        name=form.get("name", ""),
        id_number=form.get("idNo", ""),
        max_age_seconds=default if client.max_age_seconds is None else client.max_age_seconds,
        idempotency_key=idempotency_key,
    )
    result = verify(question, client=client, tools=container.tools, policy=container.policy)
    if result.verification.status is Status.PENDING:
        # Its key was accepted asynchronously; the upstream has no word for that.
        raise VerificationInProgressError(
            "The question is queued.", verification_id=result.verification.id
        )
    return result


def _completed(result: Result, form: Mapping[str, str]) -> Response:
    found = result.verification
    return _answer(
        form,
        found.resp_code or "",
        found.resp_message or "",
        result.person or DerivedFields(),
        _headers(found.billed.value, found.upstream_request_id, found.id),
    )


def _answer(
    form: Mapping[str, str],
    resp_code: str,
    message: str,
    person: DerivedFields,
    headers: dict[str, str],
) -> Response:
    """The upstream's ten fields, every one a text, in its order."""
    body = {
        "name": form.get("name", ""),
        "idNo": form.get("idNo", ""),
        "respMessage": message,
        "respCode": resp_code,
        "province": person.province or "",
        "city": person.city or "",
        "county": person.county or "",
        "birthday": person.birthday or "",
        "sex": person.sex or "",
        "age": "" if person.age is None else str(person.age),
    }
    return Response(
        body=errors.dumps(body),
        status_code=200,
        headers={"Content-Type": "application/json; charset=UTF-8", **headers},
    )


def _refused(exc: ServiceError, form: Mapping[str, str]) -> Response:
    resp_code = _RESP_CODES.get(exc.code)
    if isinstance(exc, _NoKeyError):
        return _gateway("A400MA", exc)
    if resp_code is None:
        return _gateway(_received(exc) or _GATEWAY_CODES.get(exc.code, "D504TO"), exc)
    return _answer(
        form, resp_code, codes.find(resp_code).message, DerivedFields(), _error_headers(exc)
    )


def _received(exc: ServiceError) -> str | None:
    """The code that the upstream's gateway answered with, if it did."""
    if not isinstance(exc, VerificationEndedError) or not exc.verification.attempts:
        return None
    code = exc.verification.attempts[-1].code
    if exc.code == "closed_without_outcome" or code is None or not codes.is_listed(code):
        return None
    return code if codes.find(code).message else None


def _gateway(code: str, exc: ServiceError) -> Response:
    row = codes.find(code)
    return Response(
        body="",
        status_code=row.status,
        headers={
            "Content-Type": "application/oct-stream",
            "X-Ca-Error-Code": code,
            "X-Ca-Error-Message": row.message,
            **_error_headers(exc),
        },
    )


def _error_headers(exc: ServiceError) -> dict[str, str]:
    billed = str(errors.problem(exc)["billed"])
    ended = exc.verification if isinstance(exc, VerificationEndedError) else None
    headers = _headers(billed, ended.upstream_request_id if ended else None, exc.verification_id)
    if exc.retry_after is not None:
        headers["Retry-After"] = str(exc.retry_after)
    return headers


def _headers(billed: str, request_id: str | None, verification_id: str | None) -> dict[str, str]:
    headers = {"X-Billed": billed, "X-Ca-Request-Id": request_id or str(uuid.uuid4()).upper()}
    if verification_id is not None:
        headers["X-Verification-Id"] = verification_id
    return headers
