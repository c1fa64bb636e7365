"""`/__admin`: who may call it, its routes, and its errors as JSON."""

import hmac
import re
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from mock_server import admin_input, admin_page
from mock_server.admin_input import InvalidInputError
from mock_server.admin_settings import Settings
from mock_server.admin_views import Views
from mock_server.call import API_HOST
from mock_server.world import World

PREFIX = "/__admin"
_PAGE = "/ui"
_LOOPBACK = re.compile(r"127(\.[0-9]{1,3}){3}")
_LOCAL_NAMES = frozenset({"localhost", "::1", API_HOST})
_DOCUMENT = "/openapi.json"

Refused = tuple[Response, int]
View = Callable[..., Any]


class _Call(NamedTuple):
    """One call: its method and path, its view, and the query parameters that it knows."""

    method: str
    path: str
    view: View
    query: tuple[str, ...] = ()


def owns(path: str) -> bool:
    """Tell whether a path is /__admin's."""
    return path == PREFIX or path.startswith(PREFIX + "/")


def register(app: Flask, world: World) -> None:
    """Add /__admin to the app."""
    blueprint = Blueprint("admin", __name__, url_prefix=PREFIX)
    add = blueprint.add_url_rule
    for call in _calls(world):
        add(call.path, f"{call.method} {call.path}", _checked(call), methods=[call.method])
    add(_PAGE, "page", admin_page.index)
    add(f"{_PAGE}/<name>", "part of the page", admin_page.part)
    add(_DOCUMENT, "document", admin_page.document)
    app.before_request(lambda: _guard(world.setup.options.admin_token))
    app.register_error_handler(InvalidInputError, _invalid)
    app.register_error_handler(HTTPException, _failed)
    app.register_blueprint(blueprint)


def _calls(world: World) -> tuple[_Call, ...]:
    views, settings = Views(world), Settings(world)
    return (
        _Call("GET", "/health", views.health),
        _Call("GET", "/state", views.state),
        _Call("GET", "/ledger", views.ledger, ("limit",)),
        _Call("POST", "/ledger/count", views.count),
        _Call("GET", "/requests", views.requests, ("resp_code", "since", "limit")),
        _Call("DELETE", "/requests", views.forget_requests),
        _Call("POST", "/requests/verify", views.verify),
        _Call("GET", "/faults", views.faults),
        _Call("POST", "/faults", views.arm),
        _Call("DELETE", "/faults", views.disarm),
        _Call("DELETE", "/faults/<fault_id>", views.disarm_one),
        _Call("GET", "/people", views.people, ("limit",)),
        _Call("POST", "/people", views.add_people),
        _Call("GET", "/quota", settings.quota),
        _Call("POST", "/quota", settings.set_quota),
        _Call("GET", "/clock", settings.clock),
        _Call("POST", "/clock", settings.set_clock),
        _Call("GET", "/maintenance", settings.maintenance),
        _Call("POST", "/maintenance", settings.set_maintenance),
        _Call("GET", "/appcodes", settings.appcodes),
        _Call("POST", "/appcodes", settings.set_appcodes),
        _Call("GET", "/throttle", settings.throttle),
        _Call("POST", "/throttle", settings.set_throttle),
        _Call("GET", "/identities", views.identities),
        _Call("POST", "/reset", views.reset),
    )


def _checked(call: _Call) -> View:
    """Give the view of a call, after a look at the query parameters."""

    def view(**path: str) -> object:
        admin_input.query(request.args.to_dict(flat=False), call.query)
        return call.view(**path)

    return view


def _guard(token: str | None) -> Refused | None:
    """Keep out foreign web pages, and callers without the token."""
    origin = request.headers.get("Origin")
    if origin is not None and origin.partition("://")[2] != request.host:
        return jsonify(message="Origin does not match Host"), 403
    if not token and not _is_this_machine(request.host):
        return jsonify(message="Host is not this machine: that needs --admin-token"), 403
    given = request.headers.get("Authorization", "")
    needed = token and not _is_public(request.path)
    if needed and not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
        return jsonify(message="needs Authorization: Bearer <admin token>"), 401
    return None


def _is_this_machine(host: str) -> bool:
    """Tell whether a Host is ours: a page may have its own name lead to a loopback address."""
    name = urlsplit(f"//{host}").hostname or ""
    return (
        name in _LOCAL_NAMES or name.endswith(".localhost") or _LOOPBACK.fullmatch(name) is not None
    )


def _is_public(path: str) -> bool:
    page = PREFIX + _PAGE
    return path in (page, PREFIX + _DOCUMENT) or path.startswith(page + "/")


def _invalid(exc: Exception) -> Refused:
    if not isinstance(exc, InvalidInputError):
        raise TypeError from exc
    return jsonify(field=exc.field, message=exc.message, allowed=exc.allowed), 422


def _failed(exc: Exception) -> Refused:
    if not isinstance(exc, HTTPException):
        raise TypeError from exc
    response = jsonify(message=exc.name)
    if isinstance(exc, MethodNotAllowed):
        response.headers["Allow"] = ", ".join(sorted(exc.valid_methods or ()))
    return response, exc.code or 500
