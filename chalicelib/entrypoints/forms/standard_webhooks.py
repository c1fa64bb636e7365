"""Standard Webhooks 1.0.0, which our own canonical contract uses too."""

import re
from datetime import datetime

from chalicelib.domain.source import Assurance, Source
from chalicelib.domain.submission import HookRequest, Parsed
from chalicelib.entrypoints.forms import bodies, mapping, signatures
from chalicelib.entrypoints.forms.profile import CANONICAL

PROFILE = CANONICAL

# Without a full stop, which parts what is signed.
_ID = re.compile(r"[!-\-/-~]{1,255}")
_SIGNATURES = re.compile(r"[!-~]{1,512}( [!-~]{1,512}){0,15}")


def authenticate(request: HookRequest, source: Source, now: datetime) -> Assurance:
    """Any of the ``v1`` signatures fits any of the secrets."""
    message_id = signatures.header(request, "webhook-id", _ID)
    timestamp = signatures.header(request, "webhook-timestamp", signatures.SECONDS)
    given = signatures.header(request, "webhook-signature", _SIGNATURES).split(" ")
    signatures.check_fresh(timestamp, now)
    content = f"{message_id}.{timestamp}.".encode("ascii") + request.raw
    expected = [f"v1,{signatures.hmac_base64(secret, content)}" for secret in source.secrets]
    signatures.check_any(given, expected)
    return Assurance.SIGNED


def parse(request: HookRequest, source: Source) -> Parsed:
    """De-duplicated by ``webhook-id``, which is signed and the same in every retry."""
    document = bodies.json_value(request.raw)
    if document is None:
        return mapping.malformed(request)
    return mapping.submitted(
        request,
        source,
        mapping.pointed(document),
        dedupe=mapping.key(request.headers.get("webhook-id")),
    )
