"""Examples of the OpenAPI document: all of them work, on a mock in the state that `SCENE` tells.

The answer to a question has the name of the question.
"""

from datetime import date

from mock_server import answer, identities, regions, resp_codes
from mock_server.call import Fields
from mock_server.gateway_errors import TABLE
from mock_server.samples import SAMPLE_NAME, SAMPLE_NUMBER
from mock_server.schemas import RESP_CODES, Json
from mock_server.version import VERSION

TODAY = date(2026, 11, 23)
EXPIRES = date(2027, 11, 23)
QUOTA = 10
ASKED = Fields("李秀英", "120101185304270249")
ARMED = {"kind": "hang", "value": 60_000, "when": "after_charge", "times": 1}
SCENE = f"""\
The examples of /__admin show a mock that was started with `--quota {QUOTA} --expires {EXPIRES}
--clock {TODAY}`, was asked once, about {ASKED.name} with {ASKED.id_number}, and then had one fault
armed, as in the example `hang`."""

_NEVER_ASKED = Fields("王建国", "110104185303050217")
_NEW = Fields("赵六", "11010519491231002X")
_WRONG_NAME = "李四"
_AT = f"{TODAY}T01:02:03.456789+00:00"
_REQUEST_ID = "3F0B1C66-2E1A-4C77-9B1D-0A7D5C1E9F42"
_MASKED_NUMBER = "120***********0249"
_MASKED_NAME = "李**"


def _example(summary: str, value: object) -> Json:
    return {"summary": summary, "value": value}


# The upstream


def questions() -> Json:
    """Give what to ask: the documented samples, a person, and each code by its test identity."""
    asked = {name: (summary, fields) for name, (summary, fields, _) in _asked().items()}
    asked |= {
        code: (f"{error.new.status} {error.new.message}", _fields(code))
        for code, error in TABLE.items()
    }
    return {
        name: _example(summary, {"idNo": fields.id_number, "name": fields.name})
        for name, (summary, fields) in asked.items()
    }


def answers() -> Json:
    """Give what the vendor answers to those that reach it."""
    found = regions.load()
    return {
        name: _example(summary, answer.document(code, fields, found, TODAY))
        for name, (summary, fields, code) in _asked().items()
    }


def _asked() -> dict[str, tuple[str, Fields, str]]:
    return {
        "sample": (
            "The documented sample of a match",
            Fields(SAMPLE_NAME, SAMPLE_NUMBER),
            resp_codes.MATCH,
        ),
        "sample_mismatch": (
            "The documented sample of a mismatch",
            Fields(_WRONG_NAME, SAMPLE_NUMBER),
            resp_codes.MISMATCH,
        ),
        "person": ("A test person", ASKED, resp_codes.MATCH),
        "person_mismatch": (
            "A test person's number with another name",
            Fields(_WRONG_NAME, ASKED.id_number),
            resp_codes.MISMATCH,
        ),
    } | {
        code: (f"{message}: {RESP_CODES[code]}", _fields(code), code)
        for code, message in resp_codes.MESSAGES.items()
    }


def _fields(answers: str) -> Fields:
    published = identities.load().values()
    found = next(one for one in published if one.effect and one.answers == answers)
    return Fields(found.name, found.id_number)


# /__admin

_QUOTA = {"used": 1, "total": QUOTA, "expires_at": EXPIRES.isoformat()}
_CLOCK = {"today": TODAY.isoformat(), "fixed": True}
_LEDGER_ENTRY = {
    "at": _AT,
    "id_number_masked": _MASKED_NUMBER,
    "resp_code": "0000",
    "charged": True,
    "answered": True,
    "request_id": _REQUEST_ID,
}
_JOURNAL_ENTRY: Json = {
    "at": _AT,
    "request_id": _REQUEST_ID,
    "method": "POST",
    "path": "/idenAuthentication",
    "headers": {
        "authorization": "APPCODE ***",
        "content-type": "application/x-www-form-urlencoded; charset=UTF-8",
    },
    "fields": {"name": _MASKED_NAME, "idNo": _MASKED_NUMBER},
    "answer": {"status": 200, "resp_code": "0000", "gateway_code": ""},
    "fault": None,
    "charged": True,
    "duration_ms": 0.31,
    "hints": [],
}
_NO_MATCH = {"id_number": "", "name": "", "nth_call": None}
_FAULT = {
    "id": 1,
    **ARMED,
    "probability": 1.0,
    "seed": 0,
    "match": _NO_MATCH,
    "seen": 0,
    "fired": 0,
}

SENT: dict[str, Json] = {
    "count_paid_calls": {
        "number": _example("Whatever the name", {"id_number": ASKED.id_number}),
        "person": _example("With that name", {"id_number": ASKED.id_number, "name": _WRONG_NAME}),
    },
    "verify_requests": {
        "paid_once": _example(
            "One charged match for that number",
            {
                "count": 1,
                "match": {"id_number": ASKED.id_number, "resp_code": "0000", "charged": True},
            },
        ),
        "nobody_else": _example(
            "No call about another number",
            {"count": 0, "match": {"id_number": _NEVER_ASKED.id_number}},
        ),
        "never_asked": _example(
            "An expectation that fails",
            {"count": 1, "match": {"id_number": _NEVER_ASKED.id_number, "charged": True}},
        ),
    },
    "arm_fault": {
        "hang": _example("The next call is charged, and answered a minute late", ARMED),
        "one_person": _example(
            "The second call for one number finds the gateway throttling",
            {
                "kind": "gateway:T429PA",
                "match": {"id_number": _NEVER_ASKED.id_number, "nth_call": 2},
            },
        ),
        "sometimes": _example(
            "Every fifth call or so is reset before it is charged",
            {"kind": "reset", "when": "before_charge", "probability": 0.2, "seed": 7},
        ),
        "unlisted": _example(
            "A respCode that nobody has seen", {"kind": "unknown_code", "value": "0009"}
        ),
    },
    "add_people": {
        "one": _example("One more person", [{"name": _NEW.name, "id_number": _NEW.id_number}]),
    },
    "set_quota": {
        "used_up": _example("Used up: calls get `B403MQ`", {"used": QUOTA}),
        "expired": _example("Expired: calls get `B403ME`", {"expires_at": TODAY.isoformat()}),
        "unlimited": _example("Without end", {"total": None, "expires_at": None}),
    },
    "set_clock": {
        "day": _example("A day later", {"today": "2026-11-24"}),
    },
    "set_maintenance": {
        "on": _example("Calls get `0010`", {"on": True}),
        "off": _example("Calls are answered", {"on": False}),
    },
    "set_appcodes": {
        "one": _example("Any other gets `A400AC`", ["0123456789abcdef0123456789abcdef"]),
        "any": _example("Any is accepted", []),
    },
    "set_throttle": {
        "five": _example("The sixth call of a second gets `T429PA`", {"calls_per_second": 5}),
        "none": _example("Any number", {"calls_per_second": None}),
    },
}
"""Bodies to send, by operation."""


def _armed(**changes: object) -> Json:
    return {**_FAULT, "id": 2, "when": None, "times": None, "value": None, **changes}


def _published(fields: Fields, *, any_name: bool) -> Json:
    return {
        "name": fields.name,
        "id_number": fields.id_number,
        "answers": resp_codes.MATCH,
        "charged": True,
        "any_name": any_name,
        "when": None,
    }


_PEOPLE = sum(identity.effect is None for identity in identities.load().values())
_VERIFIED = "As expected"

ANSWERED: dict[str, Json] = {
    "get_health": {"ok": _example("It serves", {"status": "ok", "version": VERSION})},
    "get_state": {
        "state": _example(
            "All that is small",
            {
                "paid_calls": 1,
                "requests": 1,
                "quota": _QUOTA,
                "clock": _CLOCK,
                "maintenance": {"on": False},
                "appcodes": {"any": True, "count": 0},
                "throttle": {"calls_per_second": None},
                "faults": 1,
                "people": _PEOPLE,
                "gateway": "new",
                "unknown": "no_record",
                "latency_ms": 0,
                "charged_codes": ["0000", "0007", "0008"],
                "journal_length": 1000,
                "reveal": False,
            },
        )
    },
    "get_ledger": {
        "ledger": _example("One charge", {"paid_calls": 1, **_QUOTA, "entries": [_LEDGER_ENTRY]})
    },
    "count_paid_calls": {
        "number": _example("Charged once", {"paid_calls": 1}),
        "person": _example("Never charged", {"paid_calls": 0}),
    },
    "get_requests": {"journal": _example("One call", {"requests": [_JOURNAL_ENTRY]})},
    "delete_requests": {"forgotten": _example("One call", {"forgotten": 1})},
    "verify_requests": {
        "paid_once": _example(_VERIFIED, {"count": 1}),
        "nobody_else": _example(_VERIFIED, {"count": 0}),
    },
    "get_faults": {"armed": _example("One fault", {"faults": [_FAULT]})},
    "arm_fault": {
        "hang": _example("Armed", {**_FAULT, "id": 2}),
        "one_person": _example(
            "Armed",
            _armed(
                kind="gateway:T429PA",
                match={"id_number": "110***********0217", "name": "", "nth_call": 2},
            ),
        ),
        "sometimes": _example(
            "Armed", _armed(kind="reset", when="before_charge", probability=0.2, seed=7)
        ),
        "unlisted": _example(
            "Armed", _armed(kind="unknown_code", value="0009", when="before_charge")
        ),
    },
    "delete_faults": {"cleared": _example("One fault", {"cleared": 1})},
    "delete_fault": {"cleared": _example("That fault", {"cleared": 1})},
    "get_people": {
        "people": _example(
            "With `limit=2`",
            {
                "count": _PEOPLE,
                "people": [
                    {"name": "王**", "id_number": "110***********0217"},
                    {"name": _MASKED_NAME, "id_number": _MASKED_NUMBER},
                ],
            },
        )
    },
    "add_people": {"one": _example("Added", {"added": 1})},
    "get_quota": {"quota": _example("One call used", _QUOTA)},
    "set_quota": {
        "used_up": _example("Used up", {**_QUOTA, "used": QUOTA}),
        "expired": _example("Expired", {**_QUOTA, "expires_at": TODAY.isoformat()}),
        "unlimited": _example("Without end", {**_QUOTA, "total": None, "expires_at": None}),
    },
    "get_clock": {"fixed": _example("Set at the start", _CLOCK)},
    "set_clock": {"day": _example("Set", {"today": "2026-11-24", "fixed": True})},
    "get_maintenance": {"off": _example("Off", {"on": False})},
    "set_maintenance": {
        "on": _example("On", {"on": True}),
        "off": _example("Off", {"on": False}),
    },
    "get_appcodes": {"any": _example("Any", {"any": True, "count": 0})},
    "set_appcodes": {
        "one": _example("That one", {"any": False, "count": 1}),
        "any": _example("Any", {"any": True, "count": 0}),
    },
    "get_throttle": {"none": _example("Any number", {"calls_per_second": None})},
    "set_throttle": {
        "five": _example("Five", {"calls_per_second": 5}),
        "none": _example("Any number", {"calls_per_second": None}),
    },
    "get_identities": {
        "first": _example(
            "The first, and a person",
            [
                _published(_fields(resp_codes.MATCH), any_name=True),
                _published(ASKED, any_name=False),
            ],
        )
    },
    "reset": {"reset": _example("As at the start", {"status": "reset"})},
}
"""Answers with status 200, by operation."""

REFUSED: dict[str, Json] = {
    "verify_requests": {
        "never_asked": _example(
            "Not as expected",
            {
                "message": "expected 1 request, found 0",
                "expected": 1,
                "found": 0,
                "near_misses": [{"differs": ["id_number"], "request": _JOURNAL_ENTRY}],
            },
        )
    }
}
"""Answers with status 422, by operation."""
