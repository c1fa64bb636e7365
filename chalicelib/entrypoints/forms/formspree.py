"""Formspree: answers by the input's name."""

import hashlib
import json
import re
from datetime import datetime

from chalicelib.domain.source import Assurance, Source
from chalicelib.domain.submission import HookRequest, Parsed
from chalicelib.entrypoints.forms import bodies, mapping, signatures
from chalicelib.entrypoints.forms.profile import ALWAYS_200

PROFILE = ALWAYS_200

_SIGNATURE = re.compile(r"t=([0-9]{10})((?:,v1=[0-9a-f]{64}){1,4})")


def authenticate(request: HookRequest, source: Source, now: datetime) -> Assurance:
    """``Formspree-Signature: t=…,v1=…``: the hex HMAC of time, full stop and body."""
    given = signatures.header(request, "formspree-signature", _SIGNATURE)
    timestamp, *digests = given.removeprefix("t=").split(",v1=")
    signatures.check_fresh(timestamp, now)
    content = f"{timestamp}.".encode("ascii") + request.raw
    signatures.check_any(digests, [signatures.hmac_hex(one, content) for one in source.secrets])
    return Assurance.SIGNED


def parse(request: HookRequest, source: Source) -> Parsed:
    """De-duplicated by what was submitted when, since a submission has no id."""
    document = bodies.json_object(request.raw)
    submission = bodies.as_object(document.get("submission"))
    if not submission:
        return mapping.malformed(request)
    return mapping.submitted(
        request,
        source,
        mapping.named(submission),
        dedupe=_fingerprint(document.get("form"), submission),
        forms=(document.get("form"),),
    )


def _fingerprint(*parts: object) -> str:
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode('ascii')).hexdigest()}"
