r"""What is posted to a chat robot, signed, and what its answer means.

    DingTalk   the signature stands in the query: HMAC-SHA256 under the secret of
               "<milliseconds>\n<secret>", in base64
    Feishu     it stands in the body: HMAC-SHA256 of nothing under "<seconds>\n<secret>", in base64
    WeCom      none; who knows the URL may post

All answer 200 to nearly everything; the code in the body says whether the message was taken
(``errcode``, with Feishu ``code``, with its older robots ``StatusCode``), and 0 is success.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

from chalicelib.domain.alert_settings import Robot, RobotKind
from chalicelib.domain.delivery import CallbackResult

_SHOWN = 200
_OK = range(200, 300)


class Post(NamedTuple):
    """What is sent where."""

    url: str
    body: bytes


def post(robot: Robot, text: str, now: datetime) -> Post:
    """The text as the robot wants it, signed for this moment where it has a secret."""
    url, body = robot.url, _body(robot.kind, text)
    if robot.secret is not None and robot.kind is RobotKind.DINGTALK:
        signed = dingtalk_signature(robot.secret, round(now.timestamp() * 1000))
        url += ("&" if "?" in url else "?") + urlencode(signed)
    elif robot.secret is not None:
        body |= feishu_signature(robot.secret, int(now.timestamp()))
    # In ASCII, so that no charset has to be agreed on.
    return Post(url, json.dumps(body).encode("ascii"))


def _body(kind: RobotKind, text: str) -> dict[str, object]:
    if kind is RobotKind.FEISHU:
        return {"msg_type": "text", "content": {"text": text}}
    return {"msgtype": "text", "text": {"content": text}}


def dingtalk_signature(secret: str, milliseconds: int) -> dict[str, str]:
    """What is added to the query."""
    digest = hmac.new(secret.encode(), f"{milliseconds}\n{secret}".encode(), hashlib.sha256)
    return {"timestamp": str(milliseconds), "sign": _base64(digest)}


def feishu_signature(secret: str, seconds: int) -> dict[str, str]:
    """What is added to the body."""
    digest = hmac.new(f"{seconds}\n{secret}".encode(), b"", hashlib.sha256)
    return {"timestamp": str(seconds), "sign": _base64(digest)}


def _base64(digest: "hmac.HMAC") -> str:
    return base64.b64encode(digest.digest()).decode("ascii")


class Answered(NamedTuple):
    """Whether the message was taken; ``code`` is the robot's own, an HTTP status or a fault."""

    ok: bool
    code: str
    said: str | None = None


def answered(robot: Robot, result: CallbackResult) -> Answered:
    """Read what came back; ``said`` is the robot's own explanation, if nothing secret is in it."""
    found = _json_object(result.answer)
    status_ok = isinstance(result.code, int) and result.code in _OK
    for name in ("errcode", "code", "StatusCode"):
        code = found.get(name)
        if type(code) is int:
            ok = status_ok and code == 0
            return Answered(ok, str(code), None if ok else _harmless(robot, found))
    return Answered(ok=False, code=str(result.code))


def _json_object(raw: bytes) -> Mapping[str, object]:
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _harmless(robot: Robot, found: Mapping[str, object]) -> str | None:
    said = found.get("errmsg") or found.get("msg")
    if not isinstance(said, str):
        return None
    parts = urlsplit(robot.url)
    hidden = {*parts.path.split("/"), *(value for _, value in parse_qsl(parts.query))}
    hidden |= {robot.secret or ""}
    # Long enough to be a token, and no word of a path.
    if any(len(part) > 7 and part in said for part in hidden):  # noqa: PLR2004
        return None
    return "".join(c if c.isprintable() else " " for c in said)[:_SHOWN]
