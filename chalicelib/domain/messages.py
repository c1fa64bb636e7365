"""What travels through the queue: ids and codes, never a person.

{"ask": "vrf_…"}                        ask the pending verification's question
{"deliver": "dlv_…"}                    send that result on
{"repair": "vrf_…", "token": "…", …}    write down an answer that could not be written
"""

import json
from dataclasses import dataclass

from chalicelib.domain.verification import Answer


@dataclass(frozen=True, slots=True)
class Ask:
    """A pending verification is to be asked."""

    verification_id: str


@dataclass(frozen=True, slots=True)
class Deliver:
    """A delivery's next attempt is to be made."""

    delivery_id: str


@dataclass(frozen=True, slots=True)
class Repair:
    """How an attempt ended, when the table could not be told; without the derived fields."""

    verification_id: str
    token: str
    answer: Answer


Message = Ask | Deliver | Repair


def encode(message: Message) -> str:
    """The message's text.

    >>> encode(Ask("vrf_1"))
    '{"ask": "vrf_1"}'
    """
    return json.dumps(_fields(message), ensure_ascii=False)


def _fields(message: Message) -> dict[str, object]:
    match message:
        case Ask(verification_id):
            return {"ask": verification_id}
        case Deliver(delivery_id):
            return {"deliver": delivery_id}
        case Repair(verification_id, token, answer):
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
    match fields:
        case {"ask": str(verification_id)}:
            return Ask(verification_id)
        case {"deliver": str(delivery_id)}:
            return Deliver(delivery_id)
        case {"repair": str(verification_id), "token": str(token), "code": str(code)}:
            message, request_id = fields.get("message"), fields.get("upstream_request_id")
            answer = Answer(code, str(message or ""), None if not request_id else str(request_id))
            return Repair(verification_id, token, answer)
    raise ValueError("not a message of ours")
