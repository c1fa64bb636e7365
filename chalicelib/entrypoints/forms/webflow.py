"""Webflow: answers by the field's label or its element's id.

A webhook made through the API is signed; one made in the dashboard is not, and takes a URL token.
"""

from datetime import datetime

from chalicelib.domain.source import Assurance, Source
from chalicelib.domain.submission import HookRequest, Ignored, Parsed, Reason
from chalicelib.entrypoints.forms import bodies, mapping, signatures
from chalicelib.entrypoints.forms.profile import ALWAYS_200

PROFILE = ALWAYS_200


def authenticate(request: HookRequest, source: Source, now: datetime) -> Assurance:
    """A signature, once there is one, decides alone."""
    if "x-webflow-signature" not in request.headers:
        return signatures.check_url_token(request, source)
    given = signatures.header(request, "x-webflow-signature", signatures.HEX_SHA256)
    timestamp = signatures.header(request, "x-webflow-timestamp", signatures.MILLISECONDS)
    signatures.check_fresh(timestamp, now)
    content = f"{timestamp}:".encode("ascii") + request.raw
    signatures.check(given.lower(), [signatures.hmac_hex(one, content) for one in source.secrets])
    return Assurance.SIGNED


def parse(request: HookRequest, source: Source) -> Parsed:
    """De-duplicated by the submission's id."""
    document = bodies.json_object(request.raw)
    if not document:
        return mapping.malformed(request)
    if document.get("triggerType") != "form_submission":
        return Ignored(Reason.OTHER_EVENT)
    payload = bodies.as_object(document.get("payload"))
    data = bodies.as_object(payload.get("data"))
    elements = (
        (field.get("fieldElementId"), data.get(str(field.get("fieldName"))))
        for field in bodies.as_objects(payload.get("schema"))
    )
    return mapping.submitted(
        request,
        source,
        mapping.named(mapping.first_of(elements, data.items())),
        dedupe=mapping.key(payload.get("id")),
        forms=(payload.get("formId"), payload.get("formElementId")),
    )
