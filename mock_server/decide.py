"""The one pure function: request facts and state -> decision. It changes nothing."""

from datetime import date
from typing import NamedTuple

from mock_server import answer, faults, gate, resp_codes, rules
from mock_server.answer import Answer
from mock_server.call import NO_FIELDS, Call, Fields
from mock_server.effects import AFTER, BEFORE, HARMLESS, PAUSES, Effect
from mock_server.faults import Armed
from mock_server.gateway_errors import TABLE
from mock_server.identities import Identity
from mock_server.state import Setup, State

_INSTEAD = {
    "not_json": answer.NOT_JSON,
    "empty_200": answer.EMPTY_200,
    "http_500": answer.HTTP_500,
}


class Decision(NamedTuple):
    """What a call gets, and what is to be booked for it.

    Attributes:
        answer: None when the call is put off: wait for `effect`, then decide again.
        resp_code: the vendor's code; `""` when the vendor sent none or never saw the call.
        gateway_code: the gateway's code, or `""`.
        booked: the vendor looked at the call, so that it enters the ledger.
        answered: the vendor's answer goes out whole.
        fired: the armed fault behind `effect`, None for an identity's own.
        seen: armed faults that looked at the call.
        metered: the throttle counts it.
    """

    answer: Answer | None = None
    fields: Fields = NO_FIELDS
    resp_code: str = ""
    gateway_code: str = ""
    booked: bool = False
    charged: bool = False
    answered: bool = True
    effect: Effect | None = None
    fired: Armed | None = None
    seen: tuple[Armed, ...] = ()
    metered: bool = True


def decide(call: Call, setup: Setup, state: State, now: float, *, waited: bool = False) -> Decision:
    """Decide one call at `now`, in seconds.

    `waited` once it has been put off, so that it is neither put off nor throttled again.
    """
    today = state.today()
    refusal = gate.refusal(call, state, today, None if waited else now)
    if refusal is not None:
        return _refused(refusal, setup)
    fields = call.fields()
    if fields is None:
        return _refused(gate.Refusal("I400BD"), setup)
    fired, seen = (None, ()) if waited else faults.choose(state.faults, fields)
    identity = setup.identities.get(rules.key(fields.id_number, setup))
    effect = _effect(fired, identity, waited=waited)
    if effect is not None and effect.kind in PAUSES and effect.when == BEFORE:
        return Decision(fields=fields, effect=effect, fired=fired, seen=seen)
    code = _told(effect, identity) or rules.resp_code(fields, setup, state, today)
    return _decision(_Case(fields, effect, code, fired, seen), setup, today)


class _Case(NamedTuple):
    fields: Fields
    effect: Effect | None
    code: str  # what the vendor answers, whatever becomes of it
    fired: Armed | None
    seen: tuple[Armed, ...]


def _refused(refusal: gate.Refusal, setup: Setup) -> Decision:
    generation = setup.options.gateway
    sent = answer.gateway(TABLE[refusal.code], generation, refusal.old_message)
    return Decision(answer=sent, gateway_code=refusal.code, answered=False, metered=refusal.metered)


def _effect(fired: Armed | None, identity: Identity | None, *, waited: bool) -> Effect | None:
    if fired is not None:
        return fired.effect
    effect = identity.effect if identity else None
    return None if waited and effect and effect.kind in PAUSES else effect


def _told(effect: Effect | None, identity: Identity | None) -> str:
    """Give the respCode that a fault or an identity asks for, or `""`: the rules decide."""
    if effect is not None and effect.resp_code:
        return effect.resp_code
    if identity is not None and identity.effect is not None:
        return identity.effect.resp_code or resp_codes.MATCH
    return ""


def _decision(case: _Case, setup: Setup, today: date) -> Decision:
    effect, code = case.effect, case.code
    message = ""
    charged = code in setup.options.charged_codes
    booked = effect is None or bool(effect.resp_code) or effect.when == AFTER
    if effect is not None and effect.kind == "unknown_code":
        code, message, charged = (
            str(effect.value or resp_codes.UNLISTED),
            resp_codes.UNLISTED_MESSAGE,
            True,
        )
    document = answer.document(code, case.fields, setup.regions, today, message)
    sent = _sent(effect, document, setup)
    gateway_code = effect.gateway_code if effect else ""
    return Decision(
        answer=sent,
        fields=case.fields,
        resp_code=code if booked or not gateway_code else "",
        gateway_code=gateway_code,
        booked=booked,
        charged=booked and charged,
        answered=_whole(effect),
        effect=effect,
        fired=case.fired,
        seen=case.seen,
    )


def _whole(effect: Effect | None) -> bool:
    return (
        effect is None
        or bool(effect.resp_code)
        or effect.kind in HARMLESS
        or effect.kind == "unknown_code"
    )


def _sent(effect: Effect | None, document: dict[str, str], setup: Setup) -> Answer:
    """Give the answer as it leaves; what happens to its bytes on the way is for delivery."""
    if effect is not None and effect.gateway_code:
        message = str(effect.value)
        return answer.gateway(TABLE[effect.gateway_code], setup.options.gateway, message)
    kind = effect.kind if effect else ""
    if kind == "wrong_types":
        return answer.vendor(answer.wrong_types(document))
    if kind == "wrong_charset":
        return answer.vendor(document, encoding="gb18030")
    return _INSTEAD.get(kind) or answer.vendor(document)
