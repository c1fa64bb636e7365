"""Checking that a vendor sent this: strict formats, bytes in constant time, one error.

A header that is missing, malformed, not ASCII or wrong raises UnauthenticatedError, always with
the same text: it tells nobody which part was right.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Collection
from datetime import datetime

from chalicelib.domain.errors import UnauthenticatedError
from chalicelib.domain.source import Assurance, Source
from chalicelib.domain.submission import HookRequest

HEX_SHA1 = re.compile(r"[0-9A-Fa-f]{40}")
HEX_SHA256 = re.compile(r"[0-9A-Fa-f]{64}")
BASE64_SHA256 = re.compile(r"[A-Za-z0-9+/]{43}=")
SECONDS = re.compile(r"[0-9]{10}")
MILLISECONDS = re.compile(r"[0-9]{13}")
SECONDS_OR_MILLISECONDS = re.compile(r"[0-9]{10}([0-9]{3})?")
NONCE = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{22,256}")

WINDOW_SECONDS = 300


def refused() -> UnauthenticatedError:
    """The one error of everything in this package."""
    return UnauthenticatedError("This request does not come from the source's vendor.")


def matching(value: object, pattern: re.Pattern[str]) -> str:
    """The text, if it has the format to the letter."""
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise refused()
    return value


def header(request: HookRequest, name: str, pattern: re.Pattern[str]) -> str:
    """A header's value, if it has the format to the letter."""
    return matching(request.headers.get(name), pattern)


def check(given: str | bytes, expected: Collection[str | bytes]) -> None:
    """Refuse what is none of those expected; every one is compared."""
    check_any([given], expected)


def check_any(given: Collection[str | bytes], expected: Collection[str | bytes]) -> None:
    """Refuse where none of those given is one of those expected; every pair is compared."""
    same = [hmac.compare_digest(_bytes(one), _bytes(other)) for one in given for other in expected]
    if not any(same):
        raise refused()


def _bytes(value: str | bytes) -> bytes:
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value


def check_fresh(timestamp: str, now: datetime) -> None:
    """Refuse what was stamped (10 digits: seconds, 13: milliseconds) more than 5 minutes away."""
    seconds = int(timestamp[:10])
    if abs(now.timestamp() - seconds) > WINDOW_SECONDS:
        raise refused()


def hmac_hex(secret: bytes, content: bytes, algorithm: str = "sha256") -> str:
    """HMAC, in hex."""
    return hmac.new(secret, content, algorithm).hexdigest()


def hmac_base64(secret: bytes, content: bytes, algorithm: str = "sha256") -> str:
    """HMAC, in base64."""
    return base64.b64encode(hmac.digest(secret, content, algorithm)).decode("ascii")


def sha1_hex(content: bytes) -> str:
    """A plain hash over content and secret: what some vendors sign with."""
    return hashlib.sha1(content).hexdigest()  # noqa: S324  # the vendor's choice


def sha256_hex(content: bytes) -> str:
    """The same, in the longer kind."""
    return hashlib.sha256(content).hexdigest()


def check_url_token(request: HookRequest, source: Source) -> Assurance:
    """The token at the end of the URL is one of the source's secrets."""
    check(matching(request.token, _TOKEN), source.secrets)
    return Assurance.URL_TOKEN
