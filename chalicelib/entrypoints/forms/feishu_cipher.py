"""Opening 飞书's encrypted events; the one file that needs a cipher library."""

import base64
import binascii
import hashlib

from chalicelib.domain.errors import ServiceUnavailableError

_BLOCK = 16


def decrypt(encrypted: object, key: bytes) -> str | None:
    """AES-256-CBC under sha256 of the key, the first block the IV; None if it cannot be read."""
    if not isinstance(encrypted, str) or not encrypted.isascii():
        return None
    try:
        sealed = base64.b64decode(encrypted, validate=True)
    except binascii.Error:
        return None
    if len(sealed) < 2 * _BLOCK or len(sealed) % _BLOCK:
        return None
    padded = _aes(hashlib.sha256(key).digest(), sealed[:_BLOCK], sealed[_BLOCK:])
    padding = padded[-1]
    if not 1 <= padding <= _BLOCK or padded[-padding:] != bytes([padding]) * padding:
        return None
    try:
        return padded[:-padding].decode("utf-8")
    except UnicodeDecodeError:
        return None


def _aes(key: bytes, iv: bytes, sealed: bytes) -> bytes:
    try:
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    except ImportError:
        raise ServiceUnavailableError(
            "Encrypted events need the optional package cryptography: add it to requirements.txt "
            "and deploy again, or take encrypt_key away from the source and at the vendor."
        ) from None
    cipher = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
    return cipher.update(sealed) + cipher.finalize()
