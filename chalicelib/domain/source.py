"""A source: one form whose webhook we take.

``fields`` say where the answers sit, in the vendor's own terms. The name of a source is permanent
and shared with no client, since ids and usage depend on it. A second secret lets one be rotated.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import NamedTuple

from chalicelib.domain.callback import Callback
from chalicelib.domain.caps import NO_LIMITS, Limits

Network = IPv4Network | IPv6Network


class Assurance(StrEnum):
    """How sure it is that the vendor sent this, strongest first."""

    SIGNED = "signed"
    SHARED_SECRET = "shared_secret"  # noqa: S105  # a word, no secret
    URL_TOKEN = "url_token"  # noqa: S105  # a word, no secret


class Mode(StrEnum):
    """Whether submissions are verified, or only read and kept to be looked at."""

    ENFORCE = "enforce"
    SHADOW = "shadow"


class FieldNames(NamedTuple):
    """Where the answers sit, in the vendor's own terms."""

    name: str
    id_number: str
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class HmacScheme:
    """How an HMAC of the body is sent; GitHub's way is the default."""

    header: str = "x-hub-signature-256"
    hash: str = "sha256"
    encoding: str = "hex"
    prefix: str = "sha256="


@dataclass(frozen=True, slots=True)
class Source:
    """One configured form; its ``repr`` shows no secret."""

    id: str
    vendor: str
    fields: FieldNames
    secrets: tuple[bytes, ...] = field(default=(), repr=False)
    form: str | None = None
    callback: Callback | None = None
    max_age_seconds: int = 0
    mode: Mode = Mode.ENFORCE
    allow_ips: tuple[Network, ...] = ()
    dedupe: str | None = None
    hmac: HmacScheme = HmacScheme()
    public_url: str | None = None
    verification_tokens: tuple[bytes, ...] = field(default=(), repr=False)
    encrypt_keys: tuple[bytes, ...] = field(default=(), repr=False)
    caps: Limits = NO_LIMITS

    def admits(self, source_ip: str) -> bool:
        """Whether the list of addresses, if there is one, holds this; one it cannot read: no."""
        if not self.allow_ips:
            return True
        try:
            address = ip_address(source_ip)
        except ValueError:
            return False
        if isinstance(address, IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        return any(address in network for network in self.allow_ips)
