"""Typeform: answers by the question's ``ref``, id or title, or by a hidden field's name."""

import re
from datetime import datetime

from chalicelib.domain.source import Assurance, Source
from chalicelib.domain.submission import HookRequest, Ignored, Parsed, Reason
from chalicelib.entrypoints.forms import bodies, mapping, signatures
from chalicelib.entrypoints.forms.profile import ALWAYS_200

PROFILE = ALWAYS_200

_SIGNATURE = re.compile(r"sha256=[A-Za-z0-9+/]{43}=")


def authenticate(request: HookRequest, source: Source, now: datetime) -> Assurance:  # noqa: ARG001  # nothing is stamped
    """``Typeform-Signature``: sha256= and the base64 HMAC of the body."""
    given = signatures.header(request, "typeform-signature", _SIGNATURE)
    signatures.check(
        given, [f"sha256={signatures.hmac_base64(one, request.raw)}" for one in source.secrets]
    )
    return Assurance.SIGNED


def parse(request: HookRequest, source: Source) -> Parsed:
    """De-duplicated by the response's token."""
    document = bodies.json_object(request.raw)
    if not document:
        return mapping.malformed(request)
    event = document.get("event_type")
    if event == "form_response_partial":
        return Ignored(Reason.PARTIAL)
    if event != "form_response":
        return Ignored(Reason.OTHER_EVENT)
    response = bodies.as_object(document.get("form_response"))
    return mapping.submitted(
        request,
        source,
        mapping.named(_answers(response)),
        dedupe=mapping.key(response.get("token")),
        forms=(response.get("form_id"),),
    )


def _answers(response: dict[str, object]) -> dict[str, object]:
    fields = bodies.as_objects(bodies.dig(response, "definition", "fields"))
    titles = {str(field.get("id")): field.get("title") for field in fields}
    rows = [
        (bodies.as_object(answer.get("field")), answer.get(str(answer.get("type"))))
        for answer in bodies.as_objects(response.get("answers"))
    ]
    return mapping.first_of(
        ((field.get("ref"), answer) for field, answer in rows),
        ((field.get("id"), answer) for field, answer in rows),
        ((titles.get(str(field.get("id"))), answer) for field, answer in rows),
        bodies.as_object(response.get("hidden")).items(),
    )
