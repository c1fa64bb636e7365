"""The service's own HTTP API; ``openapi.py`` documents it."""

from datetime import timedelta
from http import HTTPStatus
from urllib.parse import unquote

from chalice.app import Blueprint, Request, Response

from chalicelib import bootstrap
from chalicelib.domain import events, reference
from chalicelib.domain.callback_url import CallbackUrlError
from chalicelib.domain.codes import Billed, Outcome
from chalicelib.domain.errors import MalformedRequestError, ServiceError
from chalicelib.domain.secret import Client
from chalicelib.domain.usage import DayUsage
from chalicelib.domain.verification import Action, Status, Verification, VerificationRequest
from chalicelib.entrypoints import documents, errors, schemas
from chalicelib.entrypoints.http import (
    Call,
    answering,
    as_json,
    idempotency_key,
    json_body,
    paging,
    query,
    respond_async,
    trace_of,
)
from chalicelib.services import lookup, person, resolve
from chalicelib.services.intake import accept
from chalicelib.services.lookup import Filter
from chalicelib.services.ports import UnavailableError
from chalicelib.services.verify import Result, verify

api = Blueprint(__name__)

_ANY = ["*/*"]  # chalice would answer a wrong type itself, in words of its own
_MAX_DAYS = 92


def _request() -> Request:
    return api.current_request


@api.route("/v1/verifications", methods=["POST"], content_types=_ANY)
@answering(_request, "verify", paid=True)
def post_verification(call: Call) -> object:
    """Ask one question."""
    key = idempotency_key(call.request)
    body = json_body(call.request, schemas.VERIFICATION_REQUEST)
    max_age = body.pop("max_age_seconds")
    _check_callback(body["callback_url"], body["name"], call.client)
    request = VerificationRequest(
        **body,
        max_age_seconds=call.client.max_age_seconds or 0 if max_age is None else max_age,
        idempotency_key=key,
    )
    tools, policy = call.container.tools, call.container.policy
    if respond_async(call.request):
        found = accept(request, client=call.client, tools=tools, policy=policy)
        return _answered(Result(found, person.kept(found, tools.repository, tools.sealer)))
    return _answered(verify(request, client=call.client, tools=tools, policy=policy))


def _check_callback(url: str | None, name: str, client: Client) -> None:
    if url is None:
        return
    plain = unquote(url)
    if reference.holds_number(plain) or (name in plain and not name.isascii()):
        # It is kept as it is.
        raise MalformedRequestError(
            "callback_url: must not contain the person's name or an identity number; the result "
            "tells the reference."
        )
    if client.callback is None:
        raise MalformedRequestError(
            "callback_url: no callback is configured for this client; leave it out, or have its "
            "hosts put into the secret."
        )
    try:
        client.callback.admit(url)
    except CallbackUrlError as exc:
        raise MalformedRequestError(f"callback_url: {exc}.") from None


def _answered(result: Result) -> Response:
    """200 with an outcome; 202 and where to look for it while there is none."""
    found = result.verification
    response = as_json(documents.verification(found, result.person))
    if found.status is not Status.COMPLETED:
        response.status_code = HTTPStatus.ACCEPTED
        # Relative, for an API may live below a stage's name.
        response.headers["Location"] = f"verifications/{found.id}"
    return response


@api.route("/v1/verifications", methods=["GET"], content_types=_ANY)
@answering(_request, "read")
def list_verifications(call: Call) -> object:
    """Those of a day, newest first."""
    wanted = query(call.request, schemas.LIST_QUERY)
    with paging():
        page = lookup.listing(
            Filter(
                day=wanted["day"] or call.today,
                status=wanted["status"] and Status(wanted["status"]),
                outcome=wanted["outcome"] and Outcome(wanted["outcome"]),
            ),
            limit=wanted["limit"],
            cursor=wanted["cursor"],
            client=call.client,
            repository=call.container.tools.repository,
        )
    items = [documents.verification(found, None) for found in page.items]
    return {"items": items, "next_cursor": page.next_cursor}


@api.route("/v1/verifications/{verification_id}", methods=["GET"], content_types=_ANY)
@answering(_request, "verify", "read")
def get_verification(call: Call, verification_id: str) -> object:
    """One verification, in whatever state."""
    tools = call.container.tools
    found = lookup.get(
        verification_id,
        client=call.client,
        repository=tools.repository,
        clock=tools.clock,
        tell=tools.tell,
    )
    return documents.verification(found, person.kept(found, tools.repository, tools.sealer))


@api.route("/v1/verifications/{verification_id}", methods=["DELETE"], content_types=_ANY)
@answering(_request, "admin")
def erase_verification(call: Call, verification_id: str) -> object:
    """Erase the person."""
    tools = call.container.tools
    resolve.erase(
        verification_id,
        client=call.client,
        repository=tools.repository,
        clock=tools.clock,
        tell=tools.tell,
    )
    return Response(body="", status_code=204)


@api.route("/v1/verifications/{verification_id}/resolve", methods=["POST"], content_types=_ANY)
@answering(_request, "admin")
def resolve_verification(call: Call, verification_id: str) -> object:
    """Settle an unknown."""
    body = json_body(call.request, schemas.RESOLUTION)
    tools = call.container.tools
    found: Verification = resolve.resolve(
        verification_id,
        billed=Billed(body["billed"]),
        action=Action(body["action"]),
        client=call.client,
        repository=tools.repository,
        clock=tools.clock,
        tell=tools.tell,
    )
    return documents.verification(found, None)


@api.route("/v1/usage", methods=["GET"], content_types=_ANY)
@answering(_request, "read")
def get_usage(call: Call) -> object:
    """Calls by day, code and billing."""
    wanted = query(call.request, schemas.USAGE_QUERY)
    last = wanted["to"] or call.today
    first = wanted["from"] or last
    if not 0 <= (last - first).days < _MAX_DAYS:
        raise MalformedRequestError(
            f"from: must not be after to, nor {_MAX_DAYS} days or more before it."
        )
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    found = lookup.usage(days, client=call.client, repository=call.container.tools.repository)
    total = DayUsage(last)
    for day in found:
        total.calls += day.calls
        total.billed.update(day.billed)
        total.codes.update(day.codes)
    return {
        "from": first.isoformat(),
        "to": last.isoformat(),
        "days": [documents.usage_day(day) for day in found],
        "total": documents.counters(total),
    }


@api.route("/v1/caps", methods=["GET"], content_types=_ANY)
@answering(_request, "read")
def get_caps(call: Call) -> object:
    """What may be paid for, and how much of it is taken."""
    from chalicelib.services.caps import standing

    tools = call.container.tools
    found = standing(
        call.client, secrets=tools.secrets, repository=tools.repository, clock=tools.clock
    )
    return {"caps": [documents.cap(one) for one in found]}


@api.route("/v1/breaker", methods=["GET"], content_types=_ANY)
@answering(_request, "admin")
def get_breaker(call: Call) -> object:
    """Whether and why calls are stopped."""
    tools = call.container.tools
    return documents.breaker(
        tools.repository.breaker(), tools.clock.now(), tools.secrets.current().appcode_mark
    )


@api.route("/v1/breaker/close", methods=["POST"], content_types=_ANY)
@answering(_request, "admin")
def close_breaker(call: Call) -> object:
    """A human says that the cause is mended."""
    tools = call.container.tools
    closed = tools.breaker.close()
    tools.tell(events.breaker_closed(call.client))
    return documents.breaker(closed, tools.clock.now(), tools.secrets.current().appcode_mark)


@api.route("/healthz", methods=["GET"], content_types=_ANY)
def healthz() -> Response:
    """Whether settings, secret and table are in reach; costs at most a cached read."""
    trace = trace_of(_request())
    try:
        tools = bootstrap.container().tools
        tools.secrets.current()
        tools.breaker.current()
    except ServiceError as exc:
        refusal = exc
    except UnavailableError as exc:
        refusal = errors.out_of_reach(exc)
    else:
        return as_json({"status": "ok"})
    errors.tell(refusal, trace)
    return errors.respond(refusal)


@api.route("/openapi.json", methods=["GET"], content_types=_ANY)
def openapi_json() -> Response:
    """This API, described."""
    from chalicelib.entrypoints import openapi

    return as_json(openapi.document())


@api.route("/docs", methods=["GET"], content_types=_ANY)
def docs() -> Response:
    """The same for people."""
    from chalicelib.entrypoints import openapi

    return Response(
        body=openapi.page(), status_code=200, headers={"Content-Type": "text/html; charset=utf-8"}
    )
