"""Alerts over HTTP: what is active, and whether messages arrive."""

from chalice.app import Blueprint, Request

from chalicelib.entrypoints import documents
from chalicelib.entrypoints.http import Call, answering

alerts = Blueprint(__name__)

_ANY = ["*/*"]


def _request() -> Request:
    return alerts.current_request


@alerts.route("/v1/alerts", methods=["GET"], content_types=_ANY)
@answering(_request, "read", "admin")
def list_alerts(call: Call) -> object:
    """What is active, the latest first."""
    from chalicelib.services import watch

    found = watch.standing(client=call.client, watching=call.container.watching())
    return {"items": [documents.alert(one) for one in found]}


@alerts.route("/v1/alerts/test", methods=["POST"], content_types=_ANY)
@answering(_request, "admin")
def try_alerts(call: Call) -> object:
    """A message to everybody, and what came back."""
    from chalicelib.services import watch

    tried = watch.send_test(tools=call.container.tools, watching=call.container.watching())
    return {"receivers": [documents.tried(one) for one in tried]}
