"""`/__admin`: who may call it, its routes, and its errors as JSON."""

import hmac

from flask import Blueprint, Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from mock_server.admin_input import InvalidInputError
from mock_server.admin_views import Views
from mock_server.world import World

PREFIX = "/__admin"

Refused = tuple[Response, int]


def owns(path: str) -> bool:
    """Tell whether a path is /__admin's."""
    return path == PREFIX or path.startswith(PREFIX + "/")


def register(app: Flask, world: World) -> None:
    """Add /__admin to the app."""
    blueprint = Blueprint("admin", __name__, url_prefix=PREFIX)
    views = Views(world)
    for method, path, view in (
        ("GET", "/health", views.health),
        ("GET", "/ledger", views.ledger),
        ("POST", "/ledger/count", views.count),
        ("GET", "/requests", views.requests),
        ("DELETE", "/requests", views.forget_requests),
        ("GET", "/faults", views.faults),
        ("POST", "/faults", views.arm),
        ("DELETE", "/faults", views.disarm),
        ("GET", "/people", views.people),
        ("POST", "/people", views.add_people),
        ("POST", "/quota", views.set_quota),
        ("POST", "/clock", views.set_clock),
        ("POST", "/maintenance", views.set_maintenance),
        ("GET", "/identities", views.identities),
        ("POST", "/reset", views.reset),
    ):
        blueprint.add_url_rule(path, f"{method} {path}", view, methods=[method])
    app.before_request(lambda: _guard(world.setup.options.admin_token))
    app.register_error_handler(InvalidInputError, _invalid)
    app.register_error_handler(HTTPException, _failed)
    app.register_blueprint(blueprint)


def _guard(token: str | None) -> Refused | None:
    """Keep out foreign web pages, and callers without the token."""
    origin = request.headers.get("Origin")
    if origin is not None and origin.partition("://")[2] != request.host:
        return jsonify(message="Origin does not match Host"), 403
    given = request.headers.get("Authorization", "")
    if token and not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
        return jsonify(message="needs Authorization: Bearer <admin token>"), 401
    return None


def _invalid(exc: Exception) -> Refused:
    if not isinstance(exc, InvalidInputError):
        raise TypeError from exc
    return jsonify(field=exc.field, message=exc.message, allowed=exc.allowed), 422


def _failed(exc: Exception) -> Refused:
    if not isinstance(exc, HTTPException):
        raise TypeError from exc
    return jsonify(message=exc.name), exc.code or 500
