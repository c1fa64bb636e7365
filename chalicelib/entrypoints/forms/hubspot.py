"""A HubSpot workflow's webhook: answers by property name, or by the name in a body of one's own."""

from datetime import datetime

from chalicelib.domain.source import Assurance, Source
from chalicelib.domain.submission import HookRequest, Parsed
from chalicelib.entrypoints.forms import bodies, mapping, signatures
from chalicelib.entrypoints.forms.profile import ALWAYS_200

PROFILE = ALWAYS_200

_IDS = ("objectId", "vid", "hs_object_id")
_TIMES = ("lastmodifieddate", "hs_lastmodifieddate")


def authenticate(request: HookRequest, source: Source, now: datetime) -> Assurance:
    """Signature v3 alone; v1 and v2 are plain hashes.

    The URL is the configured one: what reaches us behind a gateway is not what HubSpot called.
    """
    given = signatures.header(request, "x-hubspot-signature-v3", signatures.BASE64_SHA256)
    stamp = signatures.header(request, "x-hubspot-request-timestamp", signatures.MILLISECONDS)
    signatures.check_fresh(stamp, now)
    content = signed_content(request.method, source.public_url or "", request.raw, stamp)
    signatures.check(given, [signatures.hmac_base64(one, content) for one in source.secrets])
    return Assurance.SIGNED


def signed_content(method: str, url: str, raw: bytes, timestamp: str) -> bytes:
    """What version 3 signs."""
    return f"{method}{url}".encode("utf-8", "surrogatepass") + raw + timestamp.encode("ascii")


def parse(request: HookRequest, source: Source) -> Parsed:
    """De-duplicated by the object and when it last changed; without either, by the whole body."""
    document = bodies.json_object(request.raw)
    if not document:
        return mapping.malformed(request)
    properties = {
        name: value.get("value") if isinstance(value, dict) else value
        for name, value in bodies.as_object(document.get("properties")).items()
    }
    answers = mapping.first_of(properties.items(), document.items())
    return mapping.submitted(
        request, source, mapping.named(answers), dedupe=_dedupe(request, answers)
    )


def _dedupe(request: HookRequest, answers: dict[str, object]) -> str | None:
    object_id = next((answers[name] for name in _IDS if mapping.key_part(answers.get(name))), None)
    changed = next((answers[name] for name in _TIMES if mapping.key_part(answers.get(name))), None)
    return mapping.key(object_id, changed) or mapping.body_key(request)
