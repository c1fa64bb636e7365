"""The upstream's own call in the OpenAPI document, as a caller of both generations meets it."""

from collections.abc import Iterator

from mock_server import delivery, openapi_examples, resp_codes
from mock_server.call import API_PATH
from mock_server.gateway_errors import TABLE
from mock_server.schemas import RESP_CODES, Json, ref

_FORM = "application/x-www-form-urlencoded"
# The spelling is the gateway's own.
_NOTHING = "application/oct-stream"
_FAULTY = 500

HEADERS = {
    delivery.REQUEST_ID: {
        "description": "The call's id, for support; the journal and the ledger have it as well.",
        "required": True,
        "schema": {
            "type": "string",
            "pattern": "^[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}$",
        },
    },
    delivery.SERVER[0]: {
        "description": "The gateway's name.",
        "required": True,
        "schema": {"const": delivery.SERVER[1]},
    },
}

_DESCRIPTION = """\
Asks whether a name and an ID number belong together.

What is wrong with a call is found in this order: path (`I404NF`) and method (`I405UM`), AppCode
(`A400MA`, `A400AC`), throttle (`T429PA`), package (`B403MQ`, `B403ME`), query string (`I400RU`),
size (`I413RL`), content type (`I400CT`), body (`I400BD`). Then come armed faults, then the test
identities, then the vendor's rules: `0001`, `0003`, `0002`, `0004`, `0010`, `0007`, `0008`, `0000`.

The vendor answers with status 200 whatever it says: look at `respCode`. A test identity gets its
answer whatever the name; `GET /__admin/identities` lists all of them. A fault can break the answer,
or the connection, on purpose, so that it is not as described here: see `FaultKind`.
"""

_MEANINGS = "".join(
    f"\n- `{code}` {resp_codes.MESSAGES[code]}: {meaning}" for code, meaning in RESP_CODES.items()
)


def paths() -> Json:
    """Give its path item."""
    return {
        API_PATH: {
            "post": {
                "operationId": "iden_authentication",
                "tags": ["upstream"],
                "summary": "Verify a name and an ID number",
                "description": _DESCRIPTION,
                "security": [{"appcode": []}],
                "requestBody": {
                    "required": True,
                    "content": {
                        _FORM: {
                            "schema": ref("Form"),
                            "examples": openapi_examples.questions(),
                        }
                    },
                },
                "responses": {"200": _answered()}
                | {str(status): _refused(status) for status in _statuses()},
            }
        }
    }


def _statuses() -> list[int]:
    forms = [form for error in TABLE.values() for form in (error.new, *error.old)]
    return sorted({form.status for form in forms})


def _answered() -> Json:
    return {
        "description": f"The vendor's answer.{_MEANINGS}",
        "headers": _headers(),
        "content": {
            "application/json": {
                "schema": ref("VendorAnswer"),
                "examples": openapi_examples.answers(),
            },
            "text/html": {
                "schema": {"type": "string", "description": "Only by the fault `not_json`."}
            },
        },
    }


def _refused(status: int) -> Json:
    new = {error.code: error.new.message for error in TABLE.values() if error.new.status == status}
    old = dict(_older(status))
    content: Json = {
        _NOTHING: {
            "schema": {"type": "string", "maxLength": 0},
            "examples": {code: {"summary": new[code], "value": ""} for code in new},
        }
    }
    if status == _FAULTY:
        content["text/html"] = {
            "schema": {"type": "string", "description": "Only by the fault `http_500`."}
        }
    return {
        "description": _said(new, old),
        "headers": {
            "X-Ca-Error-Code": {
                "description": "The newer generation's code; the older one sends none.",
                "schema": {"type": "string", "enum": list(new)},
            },
            "X-Ca-Error-Message": {
                "description": "What is wrong, in the generation's own words.",
                "required": status != _FAULTY,
                "schema": {"type": "string", "enum": list(dict.fromkeys([*new.values(), *old]))},
            },
            **_headers(bare=status == _FAULTY),
        },
        "content": content,
    }


def _headers(*, bare: bool = False) -> Json:
    """Refer to the headers of every answer; a `bare` one has not been through the gateway."""
    found: Json = {name: {"$ref": f"#/components/headers/{name}"} for name in HEADERS}
    if bare:
        found[delivery.REQUEST_ID] = {**HEADERS[delivery.REQUEST_ID], "required": False}
    return found


def _older(status: int) -> Iterator[tuple[str, list[str]]]:
    """Give the older generation's messages with that status, and the codes that each stands for."""
    codes: dict[str, list[str]] = {}
    for error in TABLE.values():
        for form in error.old:
            if form.status == status:
                codes.setdefault(form.message, []).append(error.code)
    yield from codes.items()


def _said(new: dict[str, str], old: dict[str, list[str]]) -> str:
    parts = ["The gateway's refusal, with an empty body: look at the headers."]
    for code, message in new.items():
        charged = " The vendor may have charged the call." if TABLE[code].maybe_charged else ""
        parts.append(f"- `{code}`: {message}.{charged}")
    if old:
        parts.append("\nIn the older generation, without a code:\n")
        # Two backquotes, since one of the messages quotes with one.
        parts += [f"- `` {message} ``: {', '.join(codes)}" for message, codes in old.items()]
    return "\n".join([parts[0], "", *parts[1:]])
