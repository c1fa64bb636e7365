"""One request of a form's webhook: authenticate, map, queue, answer; each vendor in its own words.

Status codes are commands to vendors: some switch a webhook off on a 404 or 410, some repeat a
503 only. So what no repetition can mend is answered with 2xx, and our own trouble with 503.
"""

from urllib.parse import urlencode

from chalice.app import Request, Response

from chalicelib import bootstrap
from chalicelib.bootstrap import Container
from chalicelib.domain import events
from chalicelib.domain.errors import (
    PayloadTooLargeError,
    ServiceError,
    ServiceUnavailableError,
    UnauthenticatedError,
)
from chalicelib.domain.source import Source
from chalicelib.domain.submission import Handshake, HookRequest, Ignored
from chalicelib.entrypoints import errors
from chalicelib.entrypoints.forms import registry
from chalicelib.entrypoints.forms.profile import Answer, Profile
from chalicelib.entrypoints.http import trace_of
from chalicelib.services import hooks
from chalicelib.services.hooks import Receipt, Taken
from chalicelib.services.ports import PortError

MAX_BODY = 256 * 1024
_BUSY_SECONDS = 30


def answered(request: Request, source_id: str, token: str | None) -> Response:
    """The vendor's answer, whatever happens; ``token`` is the one in the path."""
    trace = trace_of(request)
    try:
        return _take(request, source_id, token, bootstrap.container().traced(trace))
    except (UnauthenticatedError, PayloadTooLargeError) as exc:
        refusal: ServiceError = exc
    except (ServiceError, PortError) as exc:
        refusal = _busy()
        refusal.__cause__ = exc
    except Exception as exc:  # noqa: BLE001  # the vendor is to send it again, not to give up
        errors.tell_fault(exc, trace)
        return errors.respond(_busy())
    # Not the path's word for a source, which may be anything.
    errors.tell(refusal, trace, paid=True)
    return errors.respond(refusal)


def _busy() -> ServiceError:
    refusal = ServiceUnavailableError("Nothing was taken; send it again.")
    refusal.retry_after = _BUSY_SECONDS
    return refusal


def _take(request: Request, source_id: str, token: str | None, container: Container) -> Response:
    tools = container.tools
    source = tools.secrets.current().sources.get(source_id)
    if source is None:
        raise UnauthenticatedError("The request is not one of a source that is configured here.")
    came = _request(request, token)
    try:
        assurance = registry.authenticate(came, source, tools.clock.now())
    except UnauthenticatedError:
        _note_refusal(source, container)
        raise
    profile = registry.vendor(source.vendor).PROFILE
    entry = registry.parse(came, source)
    if isinstance(entry, Handshake):
        return _response(Answer(200, entry.body, entry.content_type))
    if isinstance(entry, Ignored):
        tools.tell(events.submission_ignored(source.id, entry.reason))
        return _response(profile.ignored(entry.reason))
    receipt = hooks.take(entry, source, assurance, tools=tools, policy=container.policy)
    return _response(_told(receipt, source, profile))


def _note_refusal(source: Source, container: Container) -> None:
    """Its owner is told when there are many: a secret that was changed at one end only."""
    from chalicelib.services.watch import note_refusal

    note_refusal(source.id, tools=container.tools, watching=container.watching())


def _told(receipt: Receipt, source: Source, profile: Profile) -> Answer:
    match receipt.taken:
        case Taken.ACCEPTED:
            return profile.accepted(receipt.id)
        case Taken.DUPLICATE:
            return profile.duplicate(receipt.id)
        case Taken.SHADOW:
            return profile.ignored(f"{source.mode} mode: {receipt.reason}")
        case Taken.REJECTED:
            return profile.rejected(receipt.reason)


def _request(request: Request, token: str | None) -> HookRequest:
    raw = request.raw_body
    raw = raw.encode() if isinstance(raw, str) else raw
    if len(raw) > MAX_BODY:
        raise PayloadTooLargeError(f"The body must have at most {MAX_BODY} bytes.")
    context = request.context
    query = request.query_params
    return HookRequest(
        method=request.method,
        url_path=str(context.get("path") or context.get("resourcePath") or ""),
        query_string=""
        if query is None
        else urlencode([(name, value) for name in query for value in query.getlist(name)]),
        headers={name.lower(): value for name, value in request.headers.items()},
        raw=raw,
        # API Gateway's own word; X-Forwarded-For is the sender's.
        source_ip=str(context.get("identity", {}).get("sourceIp", "")),
        token=token,
    )


def _response(answer: Answer) -> Response:
    return Response(
        body=answer.body,
        status_code=answer.status,
        headers={"Content-Type": answer.content_type},
    )
