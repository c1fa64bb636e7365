"""Chat robots that take alerts: DingTalk, Feishu (Lark) and WeCom, each in its own way.

    DingTalk   the signature stands in the query: HMAC-SHA256 under the secret of
               "<milliseconds>\\n<secret>", in base64
    Feishu     it stands in the body: HMAC-SHA256 of nothing under "<seconds>\\n<secret>", in base64
    WeCom      none; who knows the URL may post

All answer 200 to nearly everything; the code in the body says whether the message was taken
(``errcode``, with Feishu ``code``, with its older robots ``StatusCode``), and 0 is success.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

from chalicelib.domain.alert_texts import Language
from chalicelib.domain.callback import read_url
from chalicelib.domain.delivery import CallbackResult
from chalicelib.domain.secret_fields import SecretError, check_unique, read_choice, read_object

MAX_ROBOTS = 10

_MAX_SECRET = 256
_SHOWN = 200
_OK = range(200, 300)


class RobotKind(StrEnum):
    """Whose robot it is."""

    DINGTALK = "dingtalk"
    FEISHU = "feishu"
    WECOM = "wecom"


@dataclass(frozen=True, slots=True)
class Robot:
    """One of a chat group; whoever knows its URL may post there, so its ``repr`` hides it."""

    kind: RobotKind
    url: str = field(repr=False)
    secret: str | None = field(default=None, repr=False)

    @property
    def id(self) -> str:
        """Tells robots apart, without showing the URL."""
        return f"{self.kind}-{hashlib.sha256(self.url.encode()).hexdigest()[:6]}"

    @property
    def host(self) -> str:
        """Where it is."""
        return urlsplit(self.url).hostname or ""


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """The secret's section ``alerts``: the language, and who is told beside the topic."""

    language: Language = Language.ZH
    robots: tuple[Robot, ...] = ()


def read_alerts(value: object) -> AlertSettings:
    """The optional section; raises SecretError."""
    if value is None:
        return AlertSettings()
    fields = read_object(value, "alerts", (), ("language", "robots"))
    language = read_choice(fields.get("language", "zh"), "alerts.language", [*Language])
    listed = fields.get("robots", [])
    if not isinstance(listed, list) or len(listed) > MAX_ROBOTS:
        raise SecretError(f"alerts.robots: must be a list of at most {MAX_ROBOTS} robots")
    robots = tuple(_robot(one, f"alerts.robots[{n}]") for n, one in enumerate(listed))
    check_unique([one.url for one in robots], "alerts.robots: the same url stands twice")
    return AlertSettings(Language(language), robots)


def _robot(value: object, where: str) -> Robot:
    fields = read_object(value, where, ("kind", "url"), ("secret",))
    kind = RobotKind(read_choice(fields["kind"], f"{where}.kind", [*RobotKind]))
    secret = fields.get("secret")
    if kind is RobotKind.DINGTALK and secret is None:
        raise SecretError(f"{where}.secret: is missing; DingTalk shows it beside 加签, as SEC…")
    if kind is RobotKind.WECOM and secret is not None:
        raise SecretError(f"{where}.secret: WeCom's robots have none; leave it out")
    if secret is not None and not _is_secret(secret):
        raise SecretError(f"{where}.secret: must be 1 to {_MAX_SECRET} ASCII characters")
    return Robot(kind, read_url(fields["url"], f"{where}.url"), secret)  # type: ignore[arg-type]


def _is_secret(value: object) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= _MAX_SECRET and value.isascii()


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
