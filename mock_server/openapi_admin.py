"""The calls of /__admin in the OpenAPI document."""

from collections.abc import Sequence
from dataclasses import dataclass

from mock_server import openapi_examples
from mock_server.schemas import Json, ref

_PREFIX = "/__admin"
_JSON = "application/json"

TAGS = {
    "state": "What the mock is up to.",
    "ledger": "What was charged: assert on paid calls, not on requests.",
    "journal": "What was asked, masked, and assertions on it.",
    "faults": "What is to go wrong, before or after the charge.",
    "people": "Who exists.",
    "settings": "What can be changed while it runs; `POST /__admin/reset` undoes all of it.",
    "page": "A page that shows and does all of this, and this document.",
}


@dataclass(frozen=True, slots=True)
class _Call:
    """One call.

    Attributes:
        answer: the component that it answers with.
        sent: the component that is its body, if it has one.
        refused: components that it answers with 422, besides InvalidInput.
        missing: what is not there when it answers 404.
    """

    method: str
    path: str
    name: str
    tag: str
    summary: str
    answer: str
    description: str = ""
    query: Sequence[str] = ()
    sent: str = ""
    refused: Sequence[str] = ()
    missing: str = ""


_CALLS = (
    _Call("get", "/health", "get_health", "state", "Tell whether it serves", "Health"),
    _Call(
        "get",
        "/state",
        "get_state",
        "state",
        "Show everything that is small",
        "State",
        "For a page that asks over and over.",
    ),
    _Call(
        "post",
        "/reset",
        "reset",
        "state",
        "Go back to the start",
        "ResetDone",
        "Ledger, journal, faults, added people and all settings are as they were when the mock "
        "was started, those of a scenario file included.",
    ),
    _Call(
        "get",
        "/ledger",
        "get_ledger",
        "ledger",
        "Show what was charged",
        "Ledger",
        "`paid_calls` is exact; of the entries the last 10000 are kept.",
        query=("last",),
    ),
    _Call(
        "post",
        "/ledger/count",
        "count_paid_calls",
        "ledger",
        "Count the paid calls for one person",
        "PaidCalls",
        "Masked numbers collide, so the ledger's entries do not tell.",
        sent="Count",
    ),
    _Call(
        "get",
        "/requests",
        "get_requests",
        "journal",
        "Show what was asked",
        "Journal",
        "Oldest first: of those that fit, the last `limit`.",
        query=("resp_code", "since", "last"),
    ),
    _Call(
        "delete",
        "/requests",
        "delete_requests",
        "journal",
        "Empty the journal",
        "Forgotten",
        "The ledger stays.",
    ),
    _Call(
        "post",
        "/requests/verify",
        "verify_requests",
        "journal",
        "Assert on what was asked",
        "RequestCount",
        "Answers 200 if exactly `count` requests of the journal are as `match` says, and 422 with "
        "the nearest misses if not.",
        sent="Expectation",
        refused=("NotAsExpected",),
    ),
    _Call(
        "get",
        "/faults",
        "get_faults",
        "faults",
        "List the armed faults",
        "Faults",
        "In the order in which a call meets them; those that are used up as well.",
    ),
    _Call(
        "post",
        "/faults",
        "arm_fault",
        "faults",
        "Arm a fault",
        "Fault",
        "The first armed fault that fires decides a call. `resp_code:` and most of `gateway:` "
        "follow the table of charges; the others take `when`, and fire before the charge unless "
        "told otherwise.",
        sent="FaultRequest",
    ),
    _Call("delete", "/faults", "delete_faults", "faults", "Clear all faults", "Cleared"),
    _Call(
        "delete",
        "/faults/{fault_id}",
        "delete_fault",
        "faults",
        "Clear one fault",
        "Cleared",
        missing="No armed fault has that id.",
    ),
    _Call(
        "get",
        "/people",
        "get_people",
        "people",
        "Count who exists, and list the first of them",
        "People",
        "Each with a name of their own: that one gets `0000`, any other `0008`.",
        query=("first",),
    ),
    _Call(
        "post",
        "/people",
        "add_people",
        "people",
        "Add people",
        "Added",
        "All or none. A number that is there already gets the new name.",
        sent="NewPeople",
    ),
    _Call(
        "get",
        "/identities",
        "get_identities",
        "people",
        "List the test identities",
        "Identities",
        "Numbers that nobody alive can hold, for every respCode, gateway code and fault; and "
        "fictitious people. Never masked.",
    ),
    _Call("get", "/quota", "get_quota", "settings", "Show the package", "Quota"),
    _Call(
        "post",
        "/quota",
        "set_quota",
        "settings",
        "Change the package",
        "Quota",
        "Only what is named is changed.",
        sent="QuotaChange",
    ),
    _Call("get", "/clock", "get_clock", "settings", "Show today's date", "Clock"),
    _Call(
        "post",
        "/clock",
        "set_clock",
        "settings",
        "Set today's date",
        "Clock",
        "Ages and the package's end follow it.",
        sent="ClockChange",
    ),
    _Call(
        "get", "/maintenance", "get_maintenance", "settings", "Tell whether it is on", "Maintenance"
    ),
    _Call(
        "post",
        "/maintenance",
        "set_maintenance",
        "settings",
        "Switch maintenance on or off",
        "Maintenance",
        sent="Maintenance",
    ),
    _Call(
        "get",
        "/appcodes",
        "get_appcodes",
        "settings",
        "Count the accepted AppCodes",
        "AppCodes",
        "They are never shown.",
    ),
    _Call(
        "post",
        "/appcodes",
        "set_appcodes",
        "settings",
        "Replace the accepted AppCodes",
        "AppCodes",
        sent="AppCodeList",
    ),
    _Call("get", "/throttle", "get_throttle", "settings", "Show the throttle", "Throttle"),
    _Call(
        "post",
        "/throttle",
        "set_throttle",
        "settings",
        "Set how many calls a second are let through",
        "Throttle",
        sent="Throttle",
    ),
)

_QUERY = {
    "resp_code": {"name": "resp_code", "in": "query", "schema": ref("RespCode")},
    "since": {
        "name": "since",
        "in": "query",
        "description": "Not older than this: ISO 8601, in UTC unless it says otherwise.",
        "schema": {"type": "string", "format": "date-time"},
        "example": "2020-01-01T00:00:00Z",
    },
    "last": {
        "name": "limit",
        "in": "query",
        "description": "At most so many, the last ones.",
        "schema": ref("Limit"),
    },
    "first": {
        "name": "limit",
        "in": "query",
        "description": "At most so many, the first ones.",
        "schema": ref("Limit"),
        "example": 2,
    },
}

# Not a number to the code either, to which any other text is just an id that no fault has.
_FAULT_ID = {
    "name": "fault_id",
    "in": "path",
    "required": True,
    "description": "The `id` that arming it gave.",
    "schema": {"type": "string", "pattern": "^[1-9][0-9]{0,17}$"},
    "example": "1",
}

RESPONSES: Json = {
    "NeedsToken": {
        "description": "The mock was started with `--admin-token`, and the call lacks it.",
        "content": {_JSON: {"schema": ref("Message")}},
    },
    "Foreign": {
        "description": "It may be a page from elsewhere that asks: `Origin` is not the mock's own, "
        "or `Host` is not this machine, though the mock has no `--admin-token`.",
        "content": {_JSON: {"schema": ref("Message")}},
    },
    "NoSuchPath": {
        "description": "What /__admin answers to a path that it does not have.",
        "content": {_JSON: {"schema": ref("Message")}},
    },
    "NoSuchMethod": {
        "description": "What it answers to another method; HEAD goes with GET, OPTIONS with all.",
        "headers": {
            "Allow": {
                "description": "The methods that it has there.",
                "required": True,
                "schema": {"type": "string"},
            }
        },
        "content": {_JSON: {"schema": ref("Message")}},
    },
    "InvalidInput": {
        "description": "The body, or a query parameter, is refused, and nothing was changed. "
        "Query parameters that a call does not know are refused as well.",
        "content": {_JSON: {"schema": ref("InvalidInput")}},
    },
}


def paths() -> Json:
    """Give the path items."""
    found: Json = {}
    for call in _CALLS:
        found.setdefault(_PREFIX + call.path, {})[call.method] = _operation(call)
    return found | _page()


def _response(name: str) -> Json:
    return {"$ref": f"#/components/responses/{name}"}


def _operation(call: _Call) -> Json:
    operation: Json = {
        "operationId": call.name,
        "tags": [call.tag],
        "summary": call.summary,
        "security": [{}, {"adminToken": []}],
        "responses": {
            "200": _ok(call),
            "401": _response("NeedsToken"),
            "403": _response("Foreign"),
            "422": _refused(call),
        },
    }
    if call.description:
        operation["description"] = call.description
    parameters = [_QUERY[name] for name in call.query]
    if "{" in call.path:
        parameters.append(_FAULT_ID)
    if parameters:
        operation["parameters"] = parameters
    if call.sent:
        content = {"schema": ref(call.sent), "examples": openapi_examples.SENT[call.name]}
        operation["requestBody"] = {"required": True, "content": {_JSON: content}}
    if call.missing:
        operation["responses"]["404"] = {
            "description": call.missing,
            "content": {_JSON: {"schema": ref("Message")}},
        }
    return operation


def _ok(call: _Call) -> Json:
    examples = openapi_examples.ANSWERED[call.name]
    response: Json = {
        "description": "Done." if call.method != "get" else "As it is.",
        "content": {_JSON: {"schema": ref(call.answer), "examples": examples}},
    }
    if call.name == "arm_fault":
        response["links"] = {
            "clear": {
                "operationId": "delete_fault",
                "parameters": {"fault_id": "$response.body#/id"},
            }
        }
    return response


def _refused(call: _Call) -> Json:
    if not call.refused:
        return _response("InvalidInput")
    schemas = [ref(name) for name in ("InvalidInput", *call.refused)]
    return {
        "description": "Refused, or not as expected.",
        "content": {
            _JSON: {
                "schema": {"oneOf": schemas},
                "examples": openapi_examples.REFUSED[call.name],
            }
        },
    }


def _page() -> Json:
    """Give what holds no data, and so asks for no token."""
    text = {"schema": {"type": "string"}}
    parts = ("text/html", "text/css", "text/javascript", "image/svg+xml")
    name = {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}
    document = {"type": "object", "required": ["openapi", "info", "paths", "components"]}
    return {
        f"{_PREFIX}/ui": {"get": _public("get_page", "Show the page", {"text/html": text})},
        f"{_PREFIX}/ui/{{name}}": {
            "get": {
                **_public("get_page_part", "Give a part of the page", dict.fromkeys(parts, text)),
                "parameters": [{**name, "example": "main.js"}],
            }
        },
        f"{_PREFIX}/openapi.json": {
            "get": _public("get_document", "Give this document", {_JSON: {"schema": document}})
        },
    }


def _public(name: str, summary: str, content: Json) -> Json:
    operation: Json = {
        "operationId": name,
        "tags": ["page"],
        "summary": summary,
        "security": [],
        "responses": {
            "200": {"description": "There it is.", "content": content},
            "403": _response("Foreign"),
        },
    }
    if name == "get_page_part":
        operation["responses"]["404"] = _response("NoSuchPath")
    return operation
