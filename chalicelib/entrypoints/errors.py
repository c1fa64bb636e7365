"""The one table from a domain error to an HTTP answer: problem details, RFC 9457."""

import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from chalice.app import Response

from chalicelib import bootstrap
from chalicelib.domain import events
from chalicelib.domain.codes import PROBLEMS
from chalicelib.domain.errors import (
    BreakerOpenError,
    MethodNotAllowedError,
    ServiceError,
    ServiceUnavailableError,
    UnexpectedError,
    VerificationEndedError,
)
from chalicelib.domain.events import Trace
from chalicelib.domain.messages import correlation_id
from chalicelib.domain.secret import Client
from chalicelib.services.ports import PortError

TYPE_BASE = "urn:eryaosu:problem:"

# code → HTTP status and title; billed and retryable stand in codes.PROBLEMS.
STATUSES: Mapping[str, tuple[int, str]] = {
    "malformed_request": (400, "The request cannot be read"),
    "unauthenticated": (401, "No valid key"),
    "forbidden": (403, "The key lacks the scope"),
    "not_found": (404, "Not found"),
    "method_not_allowed": (405, "The path does not take this method"),
    "verification_in_progress": (409, "The same question is being asked right now"),
    "not_unknown": (409, "Only an unknown outcome can be resolved"),
    "closed_without_outcome": (409, "An operator settled it without an outcome"),
    "erased": (410, "The person was erased"),
    "payload_too_large": (413, "The body is too large"),
    "unsupported_media_type": (415, "The content type is not supported"),
    "name_empty": (422, "The name is empty"),
    "name_invalid": (422, "The name cannot be verified"),
    "id_number_empty": (422, "The number is empty"),
    "id_number_invalid": (422, "The number is not a resident identity number"),
    "id_number_not_text": (422, "The number must be sent as text"),
    "test_identity": (422, "A test identity"),
    "idempotency_key_reused": (422, "The Idempotency-Key came with another payload"),
    "too_many_requests": (429, "Too many requests"),
    "budget_exhausted": (429, "A cap on paid calls is reached"),
    "upstream_rejected": (502, "The upstream refused the form of our request"),
    "upstream_throttled": (503, "The upstream throttles"),
    "upstream_maintenance": (503, "The upstream is under maintenance"),
    "upstream_unreachable": (503, "The upstream cannot be reached"),
    "quota_exhausted": (503, "The package is used up"),
    "package_expired": (503, "The package has expired"),
    "account_in_arrears": (503, "The upstream account is in arrears"),
    "appcode_invalid": (503, "The upstream refuses our AppCode"),
    "service_unavailable": (503, "A part of the service is out of reach"),
    "outcome_unknown": (504, "The outcome is unknown"),
}


def problem(error: ServiceError) -> dict[str, object]:
    """The problem document of an error; it never repeats a value that was sent."""
    status, title = STATUSES[error.code]
    kind = PROBLEMS[error.code]
    billed, retryable = kind.billed, kind.retryable
    if isinstance(error, VerificationEndedError):
        billed, retryable = error.verification.billed, error.verification.retryable
    document: dict[str, object] = {
        "type": TYPE_BASE + error.code,
        "title": title,
        "status": status,
        "detail": error.detail,
        "code": error.code,
        "billed": billed.value,
        "retryable": retryable,
        "verification_id": error.verification_id,
        "resp_code": error.resp_code,
        "reason": error.reason,
    }
    return {name: value for name, value in document.items() if value is not None}


def respond(error: ServiceError, headers: Mapping[str, str] | None = None) -> Response:
    """The HTTP answer of an error."""
    document = problem(error)
    status = STATUSES[error.code][0]
    extra: dict[str, str | list[str]] = {"Content-Type": "application/problem+json"}
    extra.update(headers or {})
    if error.retry_after is not None:
        extra["Retry-After"] = str(error.retry_after)
    if status == HTTPStatus.UNAUTHORIZED:
        extra["WWW-Authenticate"] = "Bearer"
    return Response(body=dumps(document), status_code=status, headers=extra)


def tell(
    error: ServiceError, trace: Trace, *, client: Client | None = None, paid: bool = False
) -> None:
    """Let a refusal be known, once: how a verification ended is told where it ended.

    ``client`` is who asks, once that is certain; ``paid`` if it is for a paid call.
    """
    if isinstance(error, VerificationEndedError | UnexpectedError):
        return
    cause = error.__cause__
    while isinstance(cause, ServiceError):
        cause = cause.__cause__
    # The text of a port's error never holds a person or a secret.
    named = str(cause) if isinstance(cause, PortError) else None
    stopped = isinstance(error, BreakerOpenError)
    event = events.refused(
        error,
        client=client,
        paid=paid,
        cause=named,
        breaker=stopped,
    )
    bootstrap.tell(event, trace)


def out_of_reach(exc: PortError) -> ServiceError:
    """What is answered when a port fails outside a paid call."""
    refusal = ServiceUnavailableError("A part of the service is out of reach.")
    refusal.__cause__ = exc
    return refusal


def dumps(value: object) -> str:
    """JSON with Chinese left readable."""
    return json.dumps(value, ensure_ascii=False)


def tell_fault(exc: Exception, trace: Trace) -> None:
    """A fault of ours: its type and place, never its text, which may hold a person."""
    last = exc.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    where = f"{last.tb_frame.f_code.co_filename}:{last.tb_lineno}" if last else "?"
    bootstrap.tell(events.fault(type(exc).__name__, where), trace)


def with_correlation_id(event: Any, get_response: Callable[[Any], Response]) -> Response:  # noqa: ANN401
    """Middleware: the caller learns by which id the request is found in the log."""
    response = get_response(event)
    correlation = correlation_id(event.context.get("requestId") if event else None)
    if correlation is not None:
        response.headers["X-Correlation-Id"] = correlation
    return response


def as_problem(event: Any, get_response: Callable[[Any], Response]) -> Response:  # noqa: ANN401
    """Middleware: what chalice itself refuses, in the words of this API."""
    response = get_response(event)
    if not isinstance(response.body, dict) or "Code" not in response.body:
        return response
    if response.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = str(response.headers.get("Allow", ""))
        return respond(
            MethodNotAllowedError(f"This path takes {allowed}."), headers={"Allow": allowed}
        )
    return respond(ServiceUnavailableError("The service failed; nothing was sent."))
