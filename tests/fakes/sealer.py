"""Sealing in memory; passes the same contract suite as the KMS adapter.

A toy, for tests only: SHAKE-256 as a key stream and an HMAC around it. It really hides the
plain bytes and really is bound to the id, so that a test which searches for a person finds one.
"""

import hashlib
import hmac
import secrets

from chalicelib.services.ports import UnavailableError

MAX_PLAIN = 4_096
_NONCE, _TAG = 16, 32


class FakeSealer:
    """``sealed`` lists what was given out, with the id it is bound to, and ``unsealed`` the ids.

    While ``down`` is true every call raises UnavailableError.
    """

    def __init__(self) -> None:
        self.sealed: list[tuple[str, bytes]] = []
        self.unsealed: list[str] = []
        self.down = False
        self._key = secrets.token_bytes(32)

    def seal(self, plain: bytes, verification_id: str) -> bytes:
        if not 0 < len(plain) <= MAX_PLAIN:
            raise ValueError(f"1 to {MAX_PLAIN} bytes can be sealed; these are {len(plain)}")
        self._reach()
        nonce = secrets.token_bytes(_NONCE)
        hidden = self._hide(plain, nonce)
        sealed = nonce + self._tag(nonce + hidden, verification_id) + hidden
        self.sealed.append((verification_id, sealed))
        return sealed

    def unseal(self, sealed: bytes, verification_id: str) -> bytes:
        self._reach()
        nonce, tag, hidden = (
            sealed[:_NONCE],
            sealed[_NONCE : _NONCE + _TAG],
            sealed[_NONCE + _TAG :],
        )
        if not hmac.compare_digest(tag, self._tag(nonce + hidden, verification_id)):
            raise UnavailableError("sealer: broken, or sealed for something else")
        self.unsealed.append(verification_id)
        return self._hide(hidden, nonce)

    def _hide(self, text: bytes, nonce: bytes) -> bytes:
        stream = hashlib.shake_256(self._key + nonce).digest(len(text))
        return bytes(a ^ b for a, b in zip(text, stream, strict=True))

    def _tag(self, hidden: bytes, verification_id: str) -> bytes:
        return hmac.digest(self._key, verification_id.encode() + b"\0" + hidden, "sha256")

    def _reach(self) -> None:
        if self.down:
            raise UnavailableError("sealer: down")
