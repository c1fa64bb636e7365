"""A fault as `POST /__admin/faults` and a scenario's `[[faults]]` write it."""

from mock_server import resp_codes
from mock_server.admin_input import (
    InvalidInputError,
    choice,
    obj,
    optional_text,
    optional_whole,
    resp_code,
    whole,
)
from mock_server.effects import AFTER, BEFORE, GATEWAY, KINDS, VALUED, Effect, When, takes_when
from mock_server.faults import Fault, Match
from mock_server.gateway_errors import TABLE, Generation

_FIELDS = ("kind", "value", "when", "times", "probability", "seed", "match")
_MATCH = ("id_number", "name", "nth_call")


def fault(value: object, generation: Generation) -> Fault:
    """Take a fault to arm."""
    body = obj(value, _FIELDS)
    kind = choice(body.get("kind"), "kind", KINDS)
    return Fault(
        Effect(kind, _value(kind, body.get("value"), generation), _when(kind, body.get("when"))),
        times=optional_whole(body.get("times"), "times", lowest=1),
        probability=_probability(body.get("probability", 1)),
        seed=whole(body.get("seed", 0), "seed"),
        match=Match() if body.get("match") is None else _match(body["match"]),
    )


def _value(kind: str, value: object, generation: Generation) -> int | str:
    if kind in VALUED:
        unit, lowest, highest, _ = VALUED[kind]
        return whole(value, f"value ({unit})", lowest, highest)
    if value is None:
        return ""
    if kind == "unknown_code":
        return _unlisted(value)
    if kind.startswith(GATEWAY):
        messages = [f.message for f in TABLE[kind[len(GATEWAY) :]].forms(generation)]
        if isinstance(value, str) and value in messages:
            return value
        raise InvalidInputError(
            "value", "must be a message of this gateway for that code", messages
        )
    raise InvalidInputError("value", f"{kind} takes none")


def _unlisted(value: object) -> str:
    code = resp_code(value, "value")
    if code in resp_codes.MESSAGES:
        raise InvalidInputError(
            "value", "is a listed respCode", f"any but {', '.join(resp_codes.MESSAGES)}"
        )
    return code


def _when(kind: str, value: object) -> When | None:
    if not takes_when(kind):
        if value is not None:
            raise InvalidInputError("when", f"{kind} follows the table of charges: leave it out")
        return None
    if value in (None, BEFORE):
        return BEFORE
    if value == AFTER:
        return AFTER
    raise InvalidInputError("when", "is unknown", [BEFORE, AFTER])


def _probability(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
        return float(value)
    raise InvalidInputError("probability", "must be a number", "0 to 1")


def _match(value: object) -> Match:
    body = obj(value, _MATCH, "match")
    return Match(
        optional_text(body, "id_number"),
        optional_text(body, "name"),
        optional_whole(body.get("nth_call"), "nth_call", lowest=1),
    )
