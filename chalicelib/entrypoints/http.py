"""Reading a request and answering it: what every view shares."""

import functools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from chalice.app import Request, Response

from chalicelib import bootstrap
from chalicelib.bootstrap import Container
from chalicelib.domain.errors import (
    MalformedRequestError,
    NotFoundError,
    PayloadTooLargeError,
    ServiceError,
    ServiceUnavailableError,
    UnauthenticatedError,
    UnexpectedError,
    UnsupportedMediaTypeError,
)
from chalicelib.domain.events import Trace
from chalicelib.domain.secret import Client
from chalicelib.domain.verification import CHINA
from chalicelib.entrypoints import errors
from chalicelib.entrypoints.schemas import Fields
from chalicelib.services import access
from chalicelib.services.ports import PortError

MAX_BODY = 64 * 1024
_MAX_ID = 100
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"

_IDEMPOTENCY_KEY = re.compile(r"[!-~]([ -~]{0,253}[!-~])?")


class Call(NamedTuple):
    """One authenticated request and what its view needs."""

    request: Request
    container: Container
    client: Client

    @property
    def today(self) -> date:
        """The day in UTC+8, by which everything is counted."""
        return self.container.tools.clock.now().astimezone(CHINA).date()


def answering(
    current: Callable[[], Request], *scopes: str, paid: bool = False
) -> Callable[[Callable[..., object]], Callable[..., Response]]:
    """A view that takes a ``Call`` and returns JSON; its errors become problem details.

    ``scopes``: any one of them opens the view. ``paid``: a fault of ours leaves the outcome
    unknown, since a call may have been under way.
    """

    def decorate(view: Callable[..., object]) -> Callable[..., Response]:
        @functools.wraps(view)
        def wrapped(**arguments: str) -> Response:
            request, client = current(), None
            trace = trace_of(request)
            try:
                container = bootstrap.container().traced(trace)
                client = access.authenticate(
                    bearer(request), scopes=scopes, secrets=container.tools.secrets
                )
                _refuse_endless(arguments)
                answer = view(Call(request, container, client), **arguments)
                return answer if isinstance(answer, Response) else as_json(answer)
            except ServiceError as exc:
                refusal = exc
            except PortError as exc:
                refusal = errors.out_of_reach(exc)
            except Exception as exc:  # noqa: BLE001  # nothing may become an unhandled 500
                errors.tell_fault(exc, trace)
                return errors.respond(unexpected(paid=paid))
            errors.tell(refusal, trace, client=client, paid=paid)
            return errors.respond(refusal)

        return wrapped

    return decorate


def _refuse_endless(ids: Mapping[str, str]) -> None:
    """The table takes no key of any length, and none of ours is as long as that."""
    if any(len(one) > _MAX_ID for one in ids.values()):
        raise NotFoundError("There is nothing under such an id.")


def trace_of(request: Request) -> Trace:
    """Of one request; only API Gateway's own id of it is taken, never a header of the caller's."""
    return bootstrap.trace(request.context.get("requestId"))


def unexpected(*, paid: bool) -> ServiceError:
    """What a caller is told about a fault of ours."""
    if paid:
        return UnexpectedError(
            "The service failed while the call may have been under way. Post again with the same "
            "Idempotency-Key: it is never paid twice."
        )
    return ServiceUnavailableError("The service failed; nothing was sent to the upstream.")


def as_json(value: object, status: int = 200) -> Response:
    """A JSON answer."""
    return Response(body=errors.dumps(value), status_code=status, headers={"Content-Type": JSON})


def bearer(request: Request) -> str | None:
    """The key of ``Authorization: Bearer <key>``."""
    return credentials(request, "bearer")


def credentials(request: Request, scheme: str) -> str | None:
    """What stands behind the scheme in ``Authorization``; raises UnauthenticatedError."""
    header = request.headers.get("authorization")
    if not header:
        return None
    given, _, value = header.strip().partition(" ")
    if given.lower() != scheme:
        raise UnauthenticatedError(f"Authorization: must be {scheme.title()}, a blank and a key.")
    return str(value.strip())


def idempotency_key(request: Request) -> str | None:
    """The Idempotency-Key, None if there is none; raises MalformedRequestError."""
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    if not _IDEMPOTENCY_KEY.fullmatch(key):
        raise MalformedRequestError("Idempotency-Key: must be 1 to 255 printable ASCII characters.")
    return str(key)


def respond_async(request: Request) -> bool:
    """Whether the caller rather comes back for the answer (``Prefer``, RFC 7240)."""
    preferences = request.headers.get("prefer", "").split(",")
    return any(one.partition(";")[0].strip().lower() == "respond-async" for one in preferences)


def json_body(request: Request, fields: Fields, *, limit: int = MAX_BODY) -> dict[str, Any]:
    """The body's members, checked; raises RequestError. ``limit`` is its size in bytes."""
    raw = _body(request, JSON, limit)
    try:
        value = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError):
        raise MalformedRequestError("The body is not JSON in UTF-8.") from None
    return fields.read(value)


def form_body(request: Request) -> Mapping[str, str]:
    """The fields of an urlencoded body, the last of a name counts; raises RequestError."""
    raw = _body(request, FORM)
    try:
        pairs = parse_qsl(
            raw.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=20
        )
    except ValueError:
        raise MalformedRequestError("The body is not urlencoded UTF-8.") from None
    return dict(pairs)


def _body(request: Request, media_type: str, limit: int = MAX_BODY) -> bytes:
    raw = request.raw_body
    raw = raw.encode() if isinstance(raw, str) else raw
    if len(raw) > limit:
        raise PayloadTooLargeError(f"The body must have at most {limit} bytes.")
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given != media_type:
        raise UnsupportedMediaTypeError(f"Content-Type: must be {media_type}.")
    return raw


def query(request: Request, fields: Fields) -> dict[str, Any]:
    """The query's parameters, checked; raises MalformedRequestError."""
    given = request.query_params
    return fields.read({} if given is None else {name: given[name] for name in given})


def period(wanted: Mapping[str, date | None], today: date, most: int) -> tuple[date, date]:
    """``from`` and ``to``, by default today alone; raises MalformedRequestError."""
    last = wanted["to"] or today
    first = wanted["from"] or last
    if not 0 <= (last - first).days < most:
        raise MalformedRequestError(
            f"from: must not be after to, nor {most} days or more before it."
        )
    return first, last


@contextmanager
def paging() -> Iterator[None]:
    """What a list says to a cursor that is none of its own."""
    try:
        yield
    except ValueError:
        raise MalformedRequestError("cursor: must be the next_cursor of an earlier page.") from None
