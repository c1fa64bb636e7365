"""The one way in which a callback's URL is written, so that nobody reads another host in it.

Readers of URLs differ over ``http://2130706433/``, ``0x7f.1``, a backslash or a user part. Here
they are refused, and what is left has one meaning: ``https://name-or-address[:port]/path?query``,
in ASCII, a Chinese name in its ``xn--`` form.

>>> parse("https://hooks.example.com/x").host
'hooks.example.com'
>>> parse("https://127.1/")
Traceback (most recent call last):
    ...
chalicelib.domain.callback_url.CallbackUrlError: must be a plain URL: ...
"""

import re
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address

from chalicelib.domain.delivery import Fault

_URL = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>\[[0-9a-f:.]+\]|[a-z0-9._-]{1,253})"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<target>[/?][!\"$-\[\]^-~]*)?",  # printable ASCII but hash and backslash
    re.IGNORECASE,
)
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMERIC = re.compile(r"[0-9]+|0x[0-9a-f]*")
_MAX_LENGTH = 2048
_MAX_PORT = 65_535


class CallbackUrlError(ValueError):
    """The URL cannot be used; the text is the mend, without the URL, and ``fault`` the kind."""

    def __init__(self, fault: Fault, text: str) -> None:
        super().__init__(text)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class CallbackUrl:
    """A URL that can be called: ``host`` in lower case and without brackets."""

    url: str = field(repr=False)
    scheme: str
    host: str


def parse(url: str, *, allow_loopback: bool = False) -> CallbackUrl:
    """Read it; raises CallbackUrlError.

    http is taken with ``allow_loopback`` only; that it leads to a loopback address is seen when
    its name is resolved.
    """
    found = _URL.fullmatch(url) if len(url) <= _MAX_LENGTH else None
    if found is None or not _is_port(found["port"]) or not _is_host(found["host"]):
        raise CallbackUrlError(
            Fault.MALFORMED_URL,
            f"must be a plain URL: https://host/path in ASCII, at most {_MAX_LENGTH} characters, "
            "without user, password, fragment or backslash, an IPv4 address with its four decimals",
        )
    scheme = found["scheme"].lower()
    if scheme != "https" and not allow_loopback:
        raise CallbackUrlError(Fault.NOT_HTTPS, "must start with https://")
    return CallbackUrl(url, scheme, found["host"].lower().strip("[]"))


def _is_port(port: str | None) -> bool:
    return port is None or 1 <= int(port) <= _MAX_PORT


def _is_host(host: str) -> bool:
    host = host.lower()
    try:
        if host.startswith("["):
            IPv6Address(host.strip("[]"))
            return True
        labels = host.split(".")
        if _NUMERIC.fullmatch(labels[-1]):
            IPv4Address(host)
            return True
    except ValueError:
        return False
    return all(_LABEL.fullmatch(label) for label in labels)
