"""What is sent and answered, as JSON schemas for the OpenAPI document.

Lists of codes, messages and kinds are the tables' own.
"""

from collections.abc import Collection, Mapping
from typing import Any, get_args

from mock_server import effects, hints, near_misses, resp_codes
from mock_server.admin_input import MAX_COUNT
from mock_server.effects import GATEWAY, KINDS, PLAIN, RESP_CODE, TRANSPORT, VALUED, takes_when
from mock_server.gateway_errors import TABLE, GatewayError, Generation
from mock_server.options import Unknown

Json = dict[str, Any]

_MAX_TEXT = 200
_RESP_CODE = "[0-9A-Za-z]{1,10}"
_UNLISTED = "unknown_code"

RESP_CODES = {
    resp_codes.MATCH: "name and number belong together",
    resp_codes.NAME_EMPTY: "the name is empty",
    resp_codes.NAME_SPECIAL: "the name holds something other than Han characters and U+00B7",
    resp_codes.NUMBER_EMPTY: "the number is empty",
    resp_codes.NUMBER_MALFORMED: "the number's shape, date or check character is wrong",
    resp_codes.NO_RECORD: "no record of that number, which does not mean that it is false",
    resp_codes.MISMATCH: "the number belongs to another name",
    resp_codes.MAINTENANCE: "maintenance: try again later",
}
"""What each of the vendor's codes means."""

EFFECTS = {
    "latency_ms": "the answer comes `value` ms late",
    "slow_drip": "the body comes byte by byte, `value` ms each",
    "hang": "nothing comes for `value` ms, then the answer",
    "oversize": "blanks follow the JSON until the body is `value` bytes long; a shorter one is cut",
    "reset": "a TCP reset instead of an answer",
    "close": "the connection is closed without an answer",
    "truncated_json": "the connection is closed after half of the body",
    "not_json": "an HTML page with status 200",
    "empty_200": "status 200 and no body",
    "http_500": "status 500 with an HTML page and none of the gateway's headers",
    "wrong_types": "`respCode`, `birthday` and `age` are JSON numbers",
    "wrong_charset": "the JSON is in GB 18030, though its header says UTF-8",
    "unknown_code": "a respCode that is not listed: `value`, or `0005`",
}
"""What each kind of fault does that is neither a respCode nor the gateway's."""


def ref(name: str) -> Json:
    """Refer to a component."""
    return {"$ref": f"#/components/schemas/{name}"}


def strict(
    properties: Mapping[str, object], description: str = "", optional: Collection[str] = ()
) -> Json:
    """Give an object with these properties and no others."""
    return {
        "type": "object",
        **({"description": description} if description else {}),
        "additionalProperties": False,
        "required": [name for name in properties if name not in optional],
        "properties": dict(properties),
    }


def components() -> Json:
    """Give all of them, by name."""
    return {
        **_VALUES,
        "Form": _FORM,
        "VendorAnswer": _vendor_answer(),
        **_REFUSALS,
        **_SETTINGS,
        "State": _STATE,
        **_LEDGER,
        **_JOURNAL,
        **_faults(),
        **_PEOPLE,
    }


def _lines(rows: Mapping[str, str]) -> str:
    return "".join(f"\n- `{code}`: {said}" for code, said in rows.items())


def _listed(values: Collection[object], description: str) -> Json:
    return {"type": "string", "description": description, "enum": list(values)}


def _one_of_or_null(values: Collection[object], description: str = "") -> Json:
    schema: Json = {"type": ["string", "null"], "enum": [*values, None]}
    return {**schema, "description": description} if description else schema


def _whole(lowest: int = 0, highest: int | None = None, description: str = "") -> Json:
    schema: Json = {"type": "integer", "minimum": lowest}
    if highest is not None:
        schema["maximum"] = highest
    return {**schema, "description": description} if description else schema


def _nullable(schema: Json) -> Json:
    return {**schema, "type": [schema["type"], "null"]}


def _flag(description: str) -> Json:
    return {"type": "boolean", "description": description}


def _text(description: str, lowest: int = 0) -> Json:
    schema = {"type": "string", "description": description, "maxLength": _MAX_TEXT}
    return {**schema, "minLength": lowest} if lowest else schema


def _string(description: str) -> Json:
    return {"type": "string", "description": description}


_COUNT = _whole()
_SETTABLE = _whole(0, MAX_COUNT)
_DAY = {"type": "string", "format": "date", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}
_MOMENT = {"type": "string", "format": "date-time"}
_REQUEST_ID = _string("The answer's `X-Ca-Request-Id`.")
_MASKED_NUMBER = _string("First 3 and last 4 characters; whole with `--reveal`.")
_MASKED_NAME = _string("First character; whole with `--reveal`.")

_WHEN = _one_of_or_null(
    get_args(effects.When),
    "Whether the vendor has charged the call by the time the fault shows.",
)

_VALUES = {
    "RespCode": {
        "type": "string",
        "description": f"The vendor's code.{_lines(RESP_CODES)}\n\n"
        "Others are possible: take them for an unknown outcome, and for a call that was charged.",
        "pattern": f"^{_RESP_CODE}$",
        "examples": list(resp_codes.MESSAGES),
    },
    "GatewayCode": _listed(
        ["", *TABLE],
        "The gateway's code, whatever its generation; empty when it let the call pass.",
    ),
    "FaultKind": _listed(
        KINDS,
        f"What a call gets.{_lines({kind: EFFECTS[kind] for kind in TRANSPORT})}\n"
        "- `resp_code:<code>`: the vendor's answer with that code, charged as the table says\n"
        "- `gateway:<code>`: that refusal of the gateway",
    ),
    "Hint": _listed(
        [hint.code for hint in hints.TABLE],
        f"What the caller got wrong.{_lines({hint.code: hint.advice for hint in hints.TABLE})}",
    ),
    "Limit": {**_whole(1, MAX_COUNT), "default": 1000},
}

# The upstream

_FORM = strict(
    {
        "idNo": {
            "type": "string",
            "pattern": "^[0-9]{17}[0-9X]$",
            "description": "The ID number. Anything else is answered too, by `0003` or `0004`.",
        },
        "name": {
            "type": "string",
            "minLength": 1,
            "description": "The name, percent-encoded as UTF-8. Anything but Han characters and "
            "U+00B7 is answered by `0001` or `0002`.",
        },
    }
)


def _vendor_answer() -> Json:
    derived = "Empty unless `respCode` is " + " or ".join(
        f"`{code}`" for code in sorted(resp_codes.WITH_DERIVED_FIELDS)
    )
    return strict(
        {
            "name": _string("As sent."),
            "idNo": _string("As sent."),
            "respMessage": _listed(
                [*resp_codes.MESSAGES.values(), resp_codes.UNLISTED_MESSAGE],
                "For people: decide by `respCode`.",
            ),
            "respCode": ref("RespCode"),
            "province": _string(f"Of the number's first issue. {derived}."),
            "city": _string("As `province`."),
            "county": _string("As `province`."),
            "birthday": {
                "type": "string",
                "pattern": "^([0-9]{8})?$",
                "description": f"YYYYMMDD. {derived}.",
            },
            "sex": {"type": "string", "enum": ["M", "F", ""], "description": f"{derived}."},
            "age": {
                "type": "string",
                # Below zero for a test identity, when the clock is set to a day before its birth.
                "pattern": "^(-?[0-9]{1,4})?$",
                "description": f"In years, as of the mock's clock. {derived}.",
            },
        },
        "Ten fields, all strings.",
    )


# Refusals

_REFUSALS = {
    "Message": strict({"message": _string("What is wrong.")}),
    "InvalidInput": strict(
        {
            "field": _string("What is wrong; `body` is all of it, `[0].name` a part of a list."),
            "message": _string("How it is wrong."),
            "allowed": {
                "description": "In words, as a list, or null if `message` says it.",
                "anyOf": [
                    {"type": ["string", "null"]},
                    {
                        "type": "array",
                        "items": {
                            "anyOf": [
                                {"type": ["string", "boolean"]},
                                strict({"name": {"const": "…"}, "id_number": {"const": "…"}}),
                            ]
                        },
                    },
                ],
            },
        }
    ),
}

# Settings: what is shown, and what is sent where that differs

_QUOTA = {
    "used": {**_COUNT, "description": "Charged calls."},
    "total": {**_nullable(_COUNT), "description": "Calls in the package; null is any number."},
    "expires_at": {**_nullable(_DAY), "description": "Its first day without; null is never."},
}

_SETTINGS = {
    "Health": strict({"status": {"const": "ok"}, "version": _string("The mock's version.")}),
    "Quota": strict(_QUOTA, "The package."),
    "QuotaChange": strict(
        {
            name: {**schema, **({"maximum": MAX_COUNT} if "minimum" in schema else {})}
            for name, schema in _QUOTA.items()
        },
        "What is left out stays.",
        optional=tuple(_QUOTA),
    ),
    "Clock": strict(
        {"today": _DAY, "fixed": _flag("Whether it was set; else it is the date in UTC+8.")}
    ),
    "ClockChange": strict(
        {"today": {**_nullable(_DAY), "description": "Null follows the real date."}}
    ),
    "Maintenance": strict({"on": _flag("Whether well-formed requests are answered `0010`.")}),
    "AppCodes": strict({"any": _flag("Whether any is accepted."), "count": _COUNT}),
    "AppCodeList": {
        "type": "array",
        "description": "The AppCodes that are accepted; an empty list accepts any.",
        "items": {"type": "string", "pattern": f"^[!-~]{{1,{_MAX_TEXT}}}$"},
    },
    "Throttle": strict(
        {
            "calls_per_second": {
                **_nullable(_whole(1, MAX_COUNT)),
                "description": "More are refused as `T429PA`; null lets any number through.",
            }
        }
    ),
    "ResetDone": strict({"status": {"const": "reset"}}),
}

_STATE = strict(
    {
        "paid_calls": _COUNT,
        "requests": {
            **_COUNT,
            "description": "Since the start or reset, kept in the journal or not.",
        },
        "quota": ref("Quota"),
        "clock": ref("Clock"),
        "maintenance": ref("Maintenance"),
        "appcodes": ref("AppCodes"),
        "throttle": ref("Throttle"),
        "faults": {**_COUNT, "description": "Armed ones that can still fire."},
        "people": {**_COUNT, "description": "Who exists here, each with a name of their own."},
        "gateway": _listed(get_args(Generation), "The generation whose errors are given."),
        "unknown": _listed(get_args(Unknown), "What a number gets that nobody here holds."),
        "latency_ms": {**_COUNT, "description": "Wait before each answer."},
        "charged_codes": {
            "type": "array",
            "description": "respCodes that use up the package.",
            "items": ref("RespCode"),
        },
        "journal_length": {**_whole(1), "description": "Requests that are kept."},
        "reveal": _flag("Whether names, numbers and AppCodes are shown unmasked."),
    }
)

# Ledger

_LEDGER = {
    "Ledger": strict(
        {
            "paid_calls": {**_COUNT, "description": "Charged since the start or reset."},
            **_QUOTA,
            "entries": {
                "type": "array",
                "description": "Calls that the vendor looked at, oldest first.",
                "items": ref("LedgerEntry"),
            },
        }
    ),
    "LedgerEntry": strict(
        {
            "at": _MOMENT,
            "id_number_masked": _MASKED_NUMBER,
            "resp_code": ref("RespCode"),
            "charged": {"type": "boolean"},
            "answered": _flag("Whether the answer went out whole to a caller still there."),
            "request_id": _REQUEST_ID,
        }
    ),
    "Count": strict(
        {"id_number": _text("Whose calls."), "name": _nullable(_text("Only with this name."))},
        optional=["name"],
    ),
    "PaidCalls": strict({"paid_calls": _COUNT}),
}

# Journal

_RESP_CODE_OR_NONE = {
    "type": "string",
    "description": "A respCode; empty when the vendor sent none.",
    "pattern": f"^({_RESP_CODE})?$",
}
_STATUS = {
    **_nullable(_whole(100, 599)),
    "description": "HTTP status; null when nothing was sent.",
}

_JOURNAL = {
    "Journal": strict({"requests": {"type": "array", "items": ref("JournalEntry")}}),
    "JournalEntry": strict(
        {
            "at": _MOMENT,
            "request_id": _REQUEST_ID,
            "method": {"type": "string"},
            "path": _string("With what might be somebody's data starred."),
            "headers": {
                "type": "object",
                "description": "Names in lower case; most values are starred.",
                "additionalProperties": {"type": "string"},
            },
            "fields": strict({"name": _MASKED_NAME, "idNo": _MASKED_NUMBER}),
            "answer": strict(
                {
                    "status": _STATUS,
                    "resp_code": _RESP_CODE_OR_NONE,
                    "gateway_code": ref("GatewayCode"),
                }
            ),
            "fault": {
                "description": "What was done to the call, by an armed fault or a test identity.",
                "anyOf": [
                    {"type": "null"},
                    strict({"kind": ref("FaultKind"), "when": _WHEN}),
                ],
            },
            "charged": {"type": "boolean"},
            "duration_ms": {
                "type": ["number", "null"],
                "minimum": 0,
                "description": "Null until the answer begins.",
            },
            "hints": {"type": "array", "items": ref("Hint")},
        }
    ),
    "Forgotten": strict({"forgotten": _COUNT}),
    "Expectation": strict(
        {"count": {**_SETTABLE, "description": "Exactly so many."}, "match": ref("RequestMatch")},
        optional=["match"],
    ),
    "RequestMatch": strict(
        {
            "name": _text("Compared unmasked, as all the rest."),
            "id_number": _text("The form's `idNo`."),
            "resp_code": _RESP_CODE_OR_NONE,
            "gateway_code": ref("GatewayCode"),
            "fault": {
                "description": "Its kind; null is none.",
                "anyOf": [{"type": "null"}, ref("FaultKind")],
            },
            "method": _text("For example `POST`."),
            "path": _text("Without a query."),
            "status": _STATUS,
            "charged": {"type": "boolean"},
        },
        "What requests are to be like; nothing given is any request.",
        optional=near_misses.KEYS,
    ),
    "RequestCount": strict({"count": _COUNT}),
    "NotAsExpected": strict(
        {
            "message": _string("Both numbers in words."),
            "expected": _COUNT,
            "found": _COUNT,
            "near_misses": {
                "type": "array",
                "description": "If too few were found: at most 5 others, the nearest first.",
                "maxItems": 5,
                "items": ref("NearMiss"),
            },
        }
    ),
    "NearMiss": strict(
        {
            "differs": {
                "type": "array",
                "minItems": 1,
                "items": {"type": "string", "enum": list(near_misses.KEYS)},
            },
            "request": ref("JournalEntry"),
        }
    ),
}

# Faults

_TIMES = {
    **_nullable(_whole(1, MAX_COUNT)),
    "description": "How often it fires; null is until it is cleared.",
}
_NTH_CALL = {
    **_nullable(_whole(1, MAX_COUNT)),
    "description": "Of the calls that fit otherwise, counted from arming, only this one.",
}
_PROBABILITY = {
    "type": "number",
    "minimum": 0,
    "maximum": 1,
    "description": "Of firing on a call that fits.",
}
_SEED = {**_SETTABLE, "description": "Makes the draws repeatable."}


def _faults() -> Json:
    value = {
        "type": ["integer", "string", "null"],
        "description": "An amount, the respCode of `unknown_code`, or the message of a `gateway:`.",
    }
    kind = ref("FaultKind")
    match = ref("FaultMatch")
    return {
        "FaultRequest": {
            **strict(
                {
                    "kind": kind,
                    "value": value,
                    "when": {**_WHEN, "default": effects.BEFORE},
                    "times": {**_TIMES, "default": None},
                    "probability": {**_PROBABILITY, "default": 1},
                    "seed": {**_SEED, "default": 0},
                    "match": {
                        "description": "Which calls it looks at; what is left out is any.",
                        "anyOf": [{"type": "null"}, match],
                    },
                },
                "A fault to arm. What `value` and `when` may be depends on its kind.",
                optional=("value", "when", "times", "probability", "seed", "match"),
            ),
            "oneOf": _variants(),
        },
        "FaultMatch": strict(
            {
                "id_number": _nullable(_text("The form's `idNo`.")),
                "name": _nullable(_text("The form's `name`.")),
                "nth_call": _NTH_CALL,
            },
            optional=("id_number", "name", "nth_call"),
        ),
        "Fault": strict(
            {
                "id": {**_whole(1), "description": "By which it is cleared; used once."},
                "kind": kind,
                "value": value,
                "when": _WHEN,
                "times": _TIMES,
                "probability": _PROBABILITY,
                "seed": _SEED,
                "match": strict(
                    {"id_number": _MASKED_NUMBER, "name": _MASKED_NAME, "nth_call": _NTH_CALL},
                    "An empty text is any.",
                ),
                "seen": {**_COUNT, "description": "Calls that fitted so far."},
                "fired": {**_COUNT, "description": "How many of them it hit."},
            }
        ),
        "Faults": strict({"faults": {"type": "array", "items": ref("Fault")}}),
        "Cleared": strict({"cleared": _COUNT}),
    }


def _variants() -> list[Json]:
    """Give one variant for each way in which `value` and `when` depend on the kind."""
    no_value = {"value": {"type": "null"}}
    plain = [kind for kind in PLAIN if kind != _UNLISTED]
    unlisted = {
        "type": ["string", "null"],
        "pattern": f"^{_RESP_CODE}$",
        "not": {"enum": list(resp_codes.MESSAGES)},
        "default": resp_codes.UNLISTED,
    }
    return [
        *(_valued(kind) for kind in VALUED),
        _variant("Without a value", plain, no_value),
        _variant("A respCode that is not listed", [_UNLISTED], {"value": unlisted}),
        _variant("A respCode", [RESP_CODE + code for code in resp_codes.MESSAGES], no_value),
        *(_refused(error) for error in TABLE.values()),
    ]


def _variant(title: str, kinds: list[str], properties: Json) -> Json:
    when = {} if takes_when(kinds[0]) else {"when": {"type": "null"}}
    return {"title": title, "properties": {"kind": {"enum": kinds}, **properties, **when}}


def _valued(kind: str) -> Json:
    unit, lowest, highest, _ = VALUED[kind]
    amount = _whole(lowest, highest, f"In {unit}.")
    return {**_variant(kind, [kind], {"value": amount}), "required": ["value"]}


def _refused(error: GatewayError) -> Json:
    forms = {form.message: None for form in (error.new, *error.old)}
    message = _one_of_or_null(forms, "A message of the generation that the mock speaks.")
    return _variant(error.code, [GATEWAY + error.code], {"value": message})


# People

_PERSON = {
    "name": _text("Han characters and U+00B7 only.", 1),
    "id_number": {
        "type": "string",
        "pattern": "^[0-9]{17}[0-9X]$",
        "description": "With a real birthday and the right check character; no test identity's.",
    },
}

_PEOPLE = {
    "People": strict(
        {
            "count": _COUNT,
            "people": {
                "type": "array",
                "items": strict({"name": _MASKED_NAME, "id_number": _MASKED_NUMBER}),
            },
        }
    ),
    "NewPeople": {"type": "array", "items": strict(_PERSON)},
    "Added": strict({"added": _COUNT}),
    "Identities": {"type": "array", "items": ref("Identity")},
    "Identity": strict(
        {
            "name": _string("A name to send; with `any_name` any other does as well."),
            "id_number": _string("Nobody's: born in the 1850s."),
            "answers": _listed(
                [*resp_codes.MESSAGES, *TABLE, *TRANSPORT],
                "A respCode, a gateway code, or a kind of fault.",
            ),
            "charged": _flag("Whether one call uses up the package."),
            "any_name": _flag("Whether it answers so whatever the name; else others get `0008`."),
            "when": _WHEN,
        }
    ),
}
