"""What travels through the queue: ids and codes, never a person.

{"ask": "vrf_…"}                        ask the pending verification's question
{"deliver": "dlv_…"}                    send that result on
{"repair": "vrf_…", "token": "…", …}    write down an answer that could not be written

Each may have a ``correlation``, which leads its lines of the log back to the request.
"""

import json
import re
from typing import NamedTuple

from chalicelib.domain.verification import Answer


class Ask(NamedTuple):
    """A pending verification is to be asked."""

    verification_id: str
    correlation: str | None = None


class Deliver(NamedTuple):
    """A delivery's next attempt is to be made."""

    delivery_id: str
    correlation: str | None = None


class Repair(NamedTuple):
    """How an attempt ended, when the table could not be told; without the derived fields."""

    verification_id: str
    token: str
    answer: Answer
    correlation: str | None = None


Message = Ask | Deliver | Repair

_CORRELATION = re.compile(r"[0-9A-Za-z-]{1,64}")


def correlation_id(value: object) -> str | None:
    """The value if it may be told in a log; None for anything else.

    >>> correlation_id("c6af9ac6-7b61-11e6-9a41-93e8deadbeef")
    'c6af9ac6-7b61-11e6-9a41-93e8deadbeef'
    """
    if isinstance(value, str) and _CORRELATION.fullmatch(value):
        return value
    return None


def encode(message: Message) -> str:
    """The message's text.

    >>> encode(Ask("vrf_1"))
    '{"ask": "vrf_1"}'
    """
    fields = _fields(message)
    if message.correlation is not None:
        fields["correlation"] = message.correlation
    return json.dumps(fields, ensure_ascii=False)


def _fields(message: Message) -> dict[str, object]:
    match message:
        case Ask(verification_id, _):
            return {"ask": verification_id}
        case Deliver(delivery_id, _):
            return {"deliver": delivery_id}
        case Repair(verification_id, token, answer, _):
            return {
                "repair": verification_id,
                "token": token,
                "code": answer.code,
                "message": answer.message,
                "upstream_request_id": answer.upstream_request_id,
            }


def decode(text: str) -> Message:
    """The message of a text; raises ValueError for what ``encode`` never wrote."""
    fields = json.loads(text)
    correlation = correlation_id(fields.get("correlation")) if isinstance(fields, dict) else None
    match fields:
        case {"ask": str(verification_id)}:
            return Ask(verification_id, correlation)
        case {"deliver": str(delivery_id)}:
            return Deliver(delivery_id, correlation)
        case {"repair": str(verification_id), "token": str(token), "code": str(code)}:
            message, request_id = fields.get("message"), fields.get("upstream_request_id")
            answer = Answer(code, str(message or ""), None if not request_id else str(request_id))
            return Repair(verification_id, token, answer, correlation)
    raise ValueError("not a message of ours")
