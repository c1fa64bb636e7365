"""Settings from the environment, read once and checked; nothing else reads ``os.environ``."""

import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import urlsplit

from chalicelib.domain.codes import RESP_CODES, Billed

LIVE_HOST = "idenauthen.market.alicloudapi.com"

_STAGE = re.compile(r"[a-z][a-z0-9-]{0,19}")

T = TypeVar("T")


class SettingsError(ValueError):
    """A setting is missing or broken; the text names it and the mend."""


def in_lambda() -> bool:
    """Whether this is a deployed function."""
    return "AWS_LAMBDA_FUNCTION_NAME" in os.environ


@dataclass(frozen=True, slots=True)
class Settings:
    """Times in seconds, retention in days; ``docs/configuration.md`` has the table."""

    upstream_url: str
    secret_id: str
    table_name: str
    kms_key_id: str
    queue_url: str
    rows_queue_url: str
    bucket_name: str
    billed_codes: Mapping[str, Billed] = field(default_factory=dict)
    enforce_check_digit: bool = True
    person_days: int = 30
    record_days: int = 730
    deadline_seconds: float = 20.0
    duplicate_wait_seconds: float = 10.0
    lease_seconds: float = 90.0
    callback_allow_loopback: bool = False

    @property
    def live(self) -> bool:
        """Whether calls go to the paid upstream itself."""
        return (urlsplit(self.upstream_url).hostname or "").rstrip(".") == LIVE_HOST

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> "Settings":
        """Read and check every setting; raises SettingsError."""
        env = os.environ if environ is None else environ
        settings = cls(
            upstream_url=_read(env, "UPSTREAM_URL", _url),
            secret_id=_read(env, "SECRET_ID", str),
            table_name=_read(env, "TABLE_NAME", str),
            kms_key_id=_read(env, "KMS_KEY_ID", str),
            queue_url=_read(env, "QUEUE_URL", str),
            rows_queue_url=_read(env, "ROWS_QUEUE_URL", str),
            bucket_name=_read(env, "BUCKET_NAME", str),
            billed_codes=_read(env, "BILLED_CODES", _billed, {}),
            enforce_check_digit=_read(env, "CHECK_DIGIT", _enforce, default=True),
            person_days=_read(env, "PERSON_DAYS", _whole(0, 3650), 30),
            record_days=_read(env, "RECORD_DAYS", _whole(31, 3650), 730),
            deadline_seconds=_read(env, "DEADLINE_SECONDS", _seconds(4, 25), 20.0),
            duplicate_wait_seconds=_read(env, "DUPLICATE_WAIT_SECONDS", _seconds(0, 20), 10.0),
            lease_seconds=_read(env, "LEASE_SECONDS", _seconds(1, 900), 90.0),
            callback_allow_loopback=_read(env, "CALLBACK_ALLOW_LOOPBACK", _flag, default=False),
        )
        if settings.lease_seconds <= settings.deadline_seconds + 5:
            raise SettingsError(
                "LEASE_SECONDS: must be more than DEADLINE_SECONDS + 5, or a claim ends while "
                "its call is still under way"
            )
        if settings.live and settings.callback_allow_loopback:
            raise SettingsError(
                "CALLBACK_ALLOW_LOOPBACK: must be 0 when UPSTREAM_URL is the paid upstream; it is "
                "for trying things out on one machine"
            )
        return settings


def stage(environ: Mapping[str, str] | None = None) -> str:
    """The deployment's name, by which its metrics are told apart; never raises."""
    env = os.environ if environ is None else environ
    # Not a reason to refuse service, nor to leave the log without a word.
    with suppress(SettingsError):
        return _read(env, "STAGE", _stage, "local")
    return "local"


def _stage(text: str) -> str:
    if not _STAGE.fullmatch(text):
        raise ValueError("must be 1 to 20 of a-z, 0-9 and -, a letter first")
    return text


def _read(
    env: Mapping[str, str], name: str, parse: Callable[[str], T], default: T | None = None
) -> T:
    text = env.get(name, "").strip()
    if not text:
        if default is None:
            raise SettingsError(f"{name}: is not set")
        return default
    try:
        return parse(text)
    except ValueError as exc:
        raise SettingsError(f"{name}: {exc}") from None


def _url(text: str) -> str:
    if urlsplit(text).scheme not in {"http", "https"} or not urlsplit(text).hostname:
        raise ValueError("must be a URL that starts with https:// (http:// for loopback only)")
    return text


def _billed(text: str) -> Mapping[str, Billed]:
    pairs = [part.strip().partition("=") for part in text.split(",")]
    for code, _, billed in pairs:
        if code not in RESP_CODES or billed not in set(Billed):
            raise ValueError(
                "must look like 0007=no,0010=yes: one of the codes "
                f"{' '.join(RESP_CODES)}, =, and yes, no or unknown"
            )
    return {code: Billed(billed) for code, _, billed in pairs}


def _enforce(text: str) -> bool:
    if text not in {"enforce", "warn"}:
        raise ValueError("must be enforce or warn")
    return text == "enforce"


def _flag(text: str) -> bool:
    if text not in {"0", "1"}:
        raise ValueError("must be 0 or 1")
    return text == "1"


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(text)

    return parse


def _seconds(low: float, high: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            raise ValueError(f"must be a number of seconds from {low:g} to {high:g}")
        return value

    return parse
