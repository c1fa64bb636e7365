"""飞书: a new record of a 多维表格; answers by field id.

Plain events carry the verification token; with an ``encrypt_key`` they are signed and encrypted,
and plain ones are refused. The vendor waits 3 seconds, for its challenge 1.
"""

import json
import re
from collections.abc import Iterator
from datetime import datetime

from chalicelib.domain.source import Assurance, Source
from chalicelib.domain.submission import (
    Handshake,
    HookRequest,
    Ignored,
    Parsed,
    Reason,
    Unmapped,
)
from chalicelib.entrypoints.forms import bodies, mapping, signatures
from chalicelib.entrypoints.forms.profile import Profile

PROFILE = Profile(literal="{}")

_TOKEN = re.compile(r"[!-~]{1,512}")
_RECORD_CHANGED = "drive.file.bitable_record_changed_v1"
_LONGEST_CHALLENGE = 1_024


def authenticate(request: HookRequest, source: Source, now: datetime) -> Assurance:  # noqa: ARG001  # see the docstring
    """``X-Lark-Signature``: sha256 of timestamp, nonce, key and body.

    No time window, since it is unknown whether a retry is stamped anew; the event's id is signed.
    The challenge comes unsigned: what it decrypts to must hold the token.
    """
    if not source.encrypt_keys:
        _check_token(bodies.json_object(request.raw), source)
        return Assurance.SHARED_SECRET
    if "x-lark-signature" not in request.headers:
        challenge = _opened(request, source)
        if challenge.get("type") != "url_verification":
            raise signatures.refused()
        _check_token(challenge, source)
        return Assurance.SHARED_SECRET
    given = signatures.header(request, "x-lark-signature", signatures.HEX_SHA256)
    timestamp = signatures.header(request, "x-lark-request-timestamp", signatures.SECONDS)
    nonce = signatures.header(request, "x-lark-request-nonce", signatures.NONCE)
    start = f"{timestamp}{nonce}".encode("ascii")
    expected = [signatures.sha256_hex(start + one + request.raw) for one in source.encrypt_keys]
    signatures.check(given.lower(), expected)
    return Assurance.SIGNED


def _check_token(document: object, source: Source) -> None:
    given = bodies.dig(document, "header", "token") or bodies.dig(document, "token")
    signatures.check(signatures.matching(given, _TOKEN), source.verification_tokens)


def _opened(request: HookRequest, source: Source) -> dict[str, object]:
    """The event, decrypted if the source has a key; nothing where it cannot be."""
    document = bodies.json_object(request.raw)
    if not source.encrypt_keys:
        return document
    from chalicelib.entrypoints.forms import feishu_cipher

    opened = (
        bodies.json_object(feishu_cipher.decrypt(document.get("encrypt"), key))
        for key in source.encrypt_keys
    )
    return next(filter(None, opened), {})


def parse(request: HookRequest, source: Source) -> Parsed:
    """De-duplicated by the event's id; raises ServiceUnavailableError without a cipher library."""
    document = _opened(request, source)
    if not document:
        return mapping.malformed(request)
    if document.get("type") == "url_verification":
        return _challenge(document)
    if bodies.dig(document, "header", "event_type") != _RECORD_CHANGED:
        return Ignored(Reason.OTHER_EVENT)
    event = bodies.as_object(document.get("event"))
    added = [
        action
        for action in bodies.as_objects(event.get("action_list"))
        if action.get("action") == "record_added"
    ]
    if not added:
        return Ignored(Reason.OTHER_EVENT)
    event_id = mapping.key(bodies.dig(document, "header", "event_id"))
    found = mapping.submitted(
        request,
        source,
        mapping.named(mapping.first_of(_answers(added[0]))),
        dedupe=event_id,
        forms=(event.get("table_id"), event.get("file_token")),
    )
    if len(added) > 1 and not isinstance(found, Ignored):
        # A form adds one record; a paste adds many, and one event cannot become many entries.
        return Unmapped(event_id or mapping.body_key(request), Reason.SEVERAL_RECORDS)
    return found


def _challenge(document: dict[str, object]) -> Handshake | Ignored:
    challenge = document.get("challenge")
    if not isinstance(challenge, str) or len(challenge) > _LONGEST_CHALLENGE:
        return Ignored(Reason.OTHER_EVENT)
    return Handshake(json.dumps({"challenge": challenge}), "application/json")


def _answers(action: dict[str, object]) -> Iterator[tuple[object, object]]:
    for field in bodies.as_objects(action.get("after_value")):
        yield field.get("field_id"), _answer(field.get("field_value"))


def _answer(value: object) -> object:
    """A field's value is JSON inside a text; a text field's is a list of segments."""
    if not isinstance(value, str):
        return value
    inner = bodies.json_value(value)
    if inner is None:
        return None if value in {"", "null"} else value
    texts = [segment.get("text") for segment in bodies.as_objects(inner)]
    if not texts:
        return inner
    return "".join(text for text in texts if isinstance(text, str))
