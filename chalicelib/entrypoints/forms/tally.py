"""Tally: answers by the question's key or label."""

from datetime import datetime

from chalicelib.domain.source import Assurance, Source
from chalicelib.domain.submission import HookRequest, Ignored, Parsed, Reason
from chalicelib.entrypoints.forms import bodies, mapping, signatures
from chalicelib.entrypoints.forms.profile import ALWAYS_200

PROFILE = ALWAYS_200


def authenticate(request: HookRequest, source: Source, now: datetime) -> Assurance:  # noqa: ARG001  # nothing is stamped
    """``Tally-Signature``: the base64 HMAC of the body."""
    given = signatures.header(request, "tally-signature", signatures.BASE64_SHA256)
    signatures.check(given, [signatures.hmac_base64(one, request.raw) for one in source.secrets])
    return Assurance.SIGNED


def parse(request: HookRequest, source: Source) -> Parsed:
    """De-duplicated by the response's id."""
    document = bodies.json_object(request.raw)
    if not document:
        return mapping.malformed(request)
    if document.get("eventType") != "FORM_RESPONSE":
        return Ignored(Reason.OTHER_EVENT)
    data = bodies.as_object(document.get("data"))
    fields = bodies.as_objects(data.get("fields"))
    answers = mapping.first_of(
        ((field.get("key"), field.get("value")) for field in fields),
        ((field.get("label"), field.get("value")) for field in fields),
    )
    return mapping.submitted(
        request,
        source,
        mapping.named(answers),
        dedupe=mapping.key(data.get("responseId")),
        forms=(data.get("formId"),),
    )
