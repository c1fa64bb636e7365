"""The secret: the AppCode, our two keys and the clients, read strictly from its JSON.

    {"appcode": "…", "id_key": "…", "hash_key": "…",
     "clients": [{"name": "shop", "key_sha256": ["<64 hex>"], "scopes": ["verify", "read"],
                  "max_age_seconds": 600, "caps": {"day": 500},
                  "callback": {"hosts": ["shop.example"], "secret": "whsec_…"}}],
     "caps": {"day": 1000, "month": 20000},
     "sources": {…}}

``id_key`` makes ids and fingerprints and is created once; ``hash_key`` makes subjects and may
rotate. A client has one or two hashes of keys, so that a key can be rotated. ``sources`` are the
forms whose webhooks we take (``source_entry``). ``caps`` bound the paid calls, of all and of each
(``caps``). Errors name the field and never show a value.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from chalicelib.domain.callback import ClientCallback, read_client_callback
from chalicelib.domain.caps import ALL, NO_LIMITS, Cap, Limits, in_force
from chalicelib.domain.secret_fields import (
    MAX_AGE_LIMIT as MAX_AGE_LIMIT,  # noqa: PLC0414  # known under this module's name
)
from chalicelib.domain.secret_fields import (
    SecretError as SecretError,  # noqa: PLC0414  # the same
)
from chalicelib.domain.secret_fields import (
    check_unique,
    read_caps,
    read_max_age,
    read_name,
    read_object,
    read_texts,
)
from chalicelib.domain.source import Source
from chalicelib.domain.source_entry import read_sources

SCOPES = ("verify", "read", "admin")
LOCAL_DEV_KEY = "local-dev-key"

_APPCODE = re.compile(r"[!-~]{1,128}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MIN_KEY = 32


@dataclass(frozen=True, slots=True)
class Client:
    """Someone who may call us; ``name`` is permanent, since ids and subjects depend on it."""

    name: str
    key_sha256: tuple[str, ...] = field(repr=False)
    scopes: frozenset[str]
    max_age_seconds: int | None = None
    callback: ClientCallback | None = None
    caps: Limits = NO_LIMITS


@dataclass(frozen=True, slots=True)
class Secret:
    """Everything that must not be known; its ``repr`` shows nothing of it."""

    appcode: str = field(repr=False)
    id_key: bytes = field(repr=False)
    hash_key: bytes = field(repr=False)
    clients: tuple[Client, ...]
    sources: Mapping[str, Source] = field(default_factory=dict, hash=False)
    caps: Limits = NO_LIMITS

    @property
    def appcode_mark(self) -> str:
        """Tells two AppCodes apart without showing either."""
        return _hmac(self.id_key, "appcode", self.appcode).hexdigest()[:16]

    def callback_key(self, owner: str) -> bytes | None:
        """What signs the results that a client or source is told; None if it is told none."""
        source = self.sources.get(owner)
        if source is not None:
            return source.callback.secret if source.callback else None
        client = next((client for client in self.clients if client.name == owner), None)
        return client.callback.secret if client and client.callback else None

    def caps_of(self, owner: str, now: datetime) -> tuple[Cap, ...]:
        """The caps that a call of this client or source meets now."""
        own = [limits for limits in self._own_caps() if limits[0] == owner]
        return in_force(((ALL, self.caps), *own), now)

    def all_caps(self, now: datetime) -> tuple[Cap, ...]:
        """Everybody's, those on all calls first."""
        return in_force(((ALL, self.caps), *self._own_caps()), now)

    def _own_caps(self) -> Iterator[tuple[str, Limits]]:
        yield from ((client.name, client.caps) for client in self.clients)
        yield from ((source.id, source.caps) for source in self.sources.values())

    def client_of(self, key: str) -> Client | None:
        """The client that holds this key, compared in constant time."""
        digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
        found = None
        for client in self.clients:
            for known in client.key_sha256:
                if hmac.compare_digest(digest, known):
                    found = client
        return found

    def verification_id(self, client: str, idempotency_key: str) -> str:
        """The id that a client's Idempotency-Key always leads to."""
        return id_from(_hmac(self.id_key, "id", client, idempotency_key).digest())

    def fingerprint(self, *payload: object) -> str:
        """Tells two payloads under one key apart."""
        return _hmac(self.id_key, "fingerprint", *payload).hexdigest()

    def subject(self, client: str, name: str, id_number: str) -> str:
        """The keyed hash of a person, apart for each client."""
        return _hmac(self.hash_key, "subject", client, name, id_number).hexdigest()


def _hmac(key: bytes, *parts: object) -> "hmac.HMAC":
    # JSON keeps ("a", "bc") and ("ab", "c") apart; ensure_ascii takes lone surrogates as well.
    return hmac.new(key, json.dumps(parts).encode("ascii"), hashlib.sha256)


_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def id_from(digest: bytes) -> str:
    """``vrf_`` and 26 characters (130 bits, Crockford's base 32) of at least 17 bytes.

    >>> id_from(bytes(17))
    'vrf_00000000000000000000000000'
    """
    number = int.from_bytes(digest[:17], "big") >> 6
    return "vrf_" + "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))


def parse(text: str) -> Secret:
    """Read the secret's JSON; raises SecretError."""
    try:
        value = json.loads(text)
    except ValueError:
        raise SecretError("the secret is not JSON") from None
    fields = read_object(
        value, "secret", ("appcode", "id_key", "hash_key", "clients"), ("sources", "caps")
    )
    clients = fields["clients"]
    if not isinstance(clients, list) or not clients:
        raise SecretError("clients: must be a list with at least one client")
    parsed = tuple(_client(item, f"clients[{n}]") for n, item in enumerate(clients))
    check_unique([client.name for client in parsed], "clients: two have the same name")
    check_unique(
        [digest for client in parsed for digest in client.key_sha256],
        "clients: the same key_sha256 stands twice",
    )
    sources = read_sources(fields.get("sources", {}))
    if any(client.name in sources for client in parsed):
        raise SecretError("sources: one has the name of a client; ids and usage are kept per name")
    return Secret(
        appcode=_appcode(fields["appcode"]),
        id_key=_key(fields["id_key"], "id_key"),
        hash_key=_key(fields["hash_key"], "hash_key"),
        clients=parsed,
        sources=sources,
        caps=read_caps(fields, "secret"),
    )


def _appcode(value: object) -> str:
    if not isinstance(value, str) or not _APPCODE.fullmatch(value):
        raise SecretError("appcode: must be the AppCode of the seller's console, without blanks")
    return value


def _key(value: object, name: str) -> bytes:
    if not isinstance(value, str) or len(value) < _MIN_KEY or not value.isascii():
        raise SecretError(f"{name}: must be at least {_MIN_KEY} ASCII characters, random")
    return value.encode("ascii")


def _client(value: object, where: str) -> Client:
    fields = read_object(
        value, where, ("name", "key_sha256", "scopes"), ("max_age_seconds", "callback", "caps")
    )
    name = read_name(fields["name"], f"{where}.name")
    digests = read_texts(fields["key_sha256"], f"{where}.key_sha256")
    if not all(_SHA256.fullmatch(digest) for digest in digests):
        raise SecretError(f"{where}.key_sha256: each must be 64 hex digits in lower case")
    scopes = read_texts(fields["scopes"], f"{where}.scopes")
    if not set(scopes) <= set(SCOPES):
        raise SecretError(f"{where}.scopes: must be some of {', '.join(SCOPES)}")
    callback = fields.get("callback")
    return Client(
        name,
        digests,
        frozenset(scopes),
        read_max_age(fields.get("max_age_seconds"), f"{where}.max_age_seconds"),
        None if callback is None else read_client_callback(callback, f"{where}.callback"),
        read_caps(fields, where),
    )


def has_local_dev_key(secret: Secret) -> bool:
    """Whether the key that everybody knows is among the clients'."""
    return secret.client_of(LOCAL_DEV_KEY) is not None
