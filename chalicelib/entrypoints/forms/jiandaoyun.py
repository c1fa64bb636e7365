"""简道云: answers by ``_widget_…`` or the field's alias. It waits 2 seconds."""

from datetime import datetime
from urllib.parse import parse_qsl

from chalicelib.domain.source import Assurance, Source
from chalicelib.domain.submission import HookRequest, Ignored, Parsed, Reason
from chalicelib.entrypoints.forms import bodies, mapping, signatures
from chalicelib.entrypoints.forms.profile import ALWAYS_200

PROFILE = ALWAYS_200


def authenticate(request: HookRequest, source: Source, now: datetime) -> Assurance:  # noqa: ARG001  # see the docstring
    """``X-JDY-Signature``: sha1 of nonce, body, secret and timestamp, with colons between.

    No time window, since it is unknown whether a retry is stamped anew; the de-duplication key is
    in the signed body.
    """
    given = signatures.header(request, "x-jdy-signature", signatures.HEX_SHA1)
    nonce = signatures.matching(_query(request, "nonce"), signatures.NONCE)
    timestamp = signatures.matching(
        _query(request, "timestamp"), signatures.SECONDS_OR_MILLISECONDS
    )
    parts = [
        (nonce.encode("ascii"), request.raw, one, timestamp.encode("ascii"))
        for one in source.secrets
    ]
    signatures.check(given.lower(), [signatures.sha1_hex(b":".join(part)) for part in parts])
    return Assurance.SIGNED


def _query(request: HookRequest, name: str) -> str | None:
    try:
        pairs = parse_qsl(request.query_string, keep_blank_values=True, max_num_fields=20)
    except ValueError:
        return None
    values = [value for given, value in pairs if given == name]
    return values[0] if len(values) == 1 else None


def parse(request: HookRequest, source: Source) -> Parsed:
    """De-duplicated by entry, operation and its time; only new entries are taken."""
    document = bodies.json_object(request.raw)
    if not document:
        return mapping.malformed(request)
    operation = document.get("op")
    if operation != "data_create":
        return Ignored(Reason.OTHER_EVENT)
    data = bodies.as_object(document.get("data"))
    return mapping.submitted(
        request,
        source,
        mapping.named(data),
        dedupe=mapping.key(data.get("_id"), operation, document.get("opTime")),
        forms=(data.get("entryId"), data.get("formId")),
    )
