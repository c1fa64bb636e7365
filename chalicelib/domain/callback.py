"""Where results are sent on, and the secret that signs them (Standard Webhooks)."""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address

from chalicelib.domain import callback_url
from chalicelib.domain.callback_url import CallbackUrl, CallbackUrlError
from chalicelib.domain.delivery import Fault
from chalicelib.domain.secret_fields import SecretError, check_unique, read_object, read_texts

_HOST = re.compile(r"[a-z0-9]([a-z0-9-]{0,62})(\.[a-z0-9][a-z0-9-]{0,62})*")
_PREFIX = "whsec_"


@dataclass(frozen=True, slots=True)
class Callback:
    """One endpoint; http only to a loopback address, which a live service refuses."""

    url: str
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ClientCallback:
    """The hosts that a client's ``callback_url`` may lead to."""

    hosts: tuple[str, ...]
    secret: bytes = field(repr=False)

    def admit(self, url: str) -> str:
        """The URL itself; raises CallbackUrlError, whose text says what it must be."""
        parsed = _https_but_here(url)
        if parsed.host not in self.hosts:
            raise CallbackUrlError(
                Fault.BLOCKED_ADDRESS, f"must lead to one of {', '.join(self.hosts)}"
            )
        return url


def read_callback(value: object, where: str) -> Callback:
    """A source's callback; raises SecretError."""
    fields = read_object(value, where, ("url", "secret"))
    return Callback(
        read_url(fields["url"], f"{where}.url"), read_whsec(fields["secret"], f"{where}.secret")
    )


def read_client_callback(value: object, where: str) -> ClientCallback:
    """A client's callback; raises SecretError."""
    fields = read_object(value, where, ("hosts", "secret"))
    hosts = read_texts(fields["hosts"], f"{where}.hosts")
    if not all(_HOST.fullmatch(host) for host in hosts):
        raise SecretError(f"{where}.hosts: each must be a host name in lower case, without a port")
    check_unique(hosts, f"{where}.hosts: one stands twice")
    return ClientCallback(hosts, read_whsec(fields["secret"], f"{where}.secret"))


def read_url(value: object, where: str) -> str:
    """An https address, or http to this machine for trying things out; raises SecretError."""
    try:
        url = _https_but_here(value if isinstance(value, str) else "")
    except CallbackUrlError:
        raise SecretError(
            f"{where}: must be an https address (http only to a loopback address) in plain ASCII, "
            "without user, password or fragment"
        ) from None
    return url.url


def _https_but_here(url: str) -> CallbackUrl:
    """The URL read; http only to this machine, for trying things out. Raises CallbackUrlError."""
    parsed = callback_url.parse(url, allow_loopback=True)
    if parsed.scheme == "http" and not is_loopback(parsed.host):
        raise CallbackUrlError(Fault.NOT_HTTPS, "must start with https://")
    return parsed


def is_loopback(host: str) -> bool:
    """Whether a host, as a URL writes it, is this machine.

    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("example.com")
    (True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def read_whsec(value: object, where: str) -> bytes:
    """The key of ``whsec_`` and base64 of 24 to 64 bytes; raises SecretError."""
    key = _key(value)
    if key is None or not 24 <= len(key) <= 64:  # noqa: PLR2004  # as Standard Webhooks says
        raise SecretError(f"{where}: must be {_PREFIX} and the base64 of 24 to 64 random bytes")
    return key


def _key(value: object) -> bytes | None:
    if not isinstance(value, str) or not value.startswith(_PREFIX) or not value.isascii():
        return None
    try:
        return base64.b64decode(value.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        return None


def callback_of(fields: Mapping[str, object], where: str) -> Callback | None:
    """The optional member ``callback``; raises SecretError."""
    value = fields.get("callback")
    return None if value is None else read_callback(value, f"{where}.callback")
