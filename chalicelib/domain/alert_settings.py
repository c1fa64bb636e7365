"""The secret's optional section ``alerts``: which chat robots are told, and in which language.

    "alerts": {"language": "zh",
               "robots": [{"kind": "dingtalk", "url": "https://…", "secret": "SEC…"},
                          {"kind": "feishu", "url": "https://…", "secret": "…"},
                          {"kind": "wecom", "url": "https://…"}]}

Errors name the field and never show a value.
"""

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit

from chalicelib.domain.callback import read_url
from chalicelib.domain.secret_fields import SecretError, check_unique, read_choice, read_object

MAX_ROBOTS = 10

_MAX_SECRET = 256


class Language(StrEnum):
    """Which one the owner reads."""

    ZH = "zh"
    EN = "en"


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
    """The section; raises SecretError."""
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
