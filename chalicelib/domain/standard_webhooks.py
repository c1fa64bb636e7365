"""Signing what we send, by Standard Webhooks 1.0.0: HMAC-SHA256 over id, time and body.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import datetime

# A dot would let bytes wander between id, time and body under one signature.
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")


def sign(key: bytes, webhook_id: str, now: datetime, body: bytes) -> Mapping[str, str]:
    """The headers of one attempt; ``key`` is what ``whsec_`` and its base64 stand for.

    Raises ValueError for an id that cannot be signed unambiguously.
    """
    if not _ID.fullmatch(webhook_id):
        raise ValueError("a webhook-id is 1 to 128 of A-Z a-z 0-9 _ and -")
    timestamp = str(int(now.timestamp()))
    signed = b".".join((webhook_id.encode("ascii"), timestamp.encode("ascii"), body))
    digest = hmac.digest(key, signed, hashlib.sha256)
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": "v1," + base64.b64encode(digest).decode("ascii"),
    }
