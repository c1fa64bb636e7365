"""问卷星's data push: answers by ``q1``, ``q2`` ….

Its sign leaves out the answers, so it is no more than a shared secret. The other mode, in which the
respondent's browser posts the answers, is refused: it carries no sign.
"""

import re
from datetime import datetime

from chalicelib.domain.source import Assurance, Source
from chalicelib.domain.submission import HookRequest, Parsed
from chalicelib.entrypoints.forms import bodies, mapping, signatures
from chalicelib.entrypoints.forms.profile import ALWAYS_200

PROFILE = ALWAYS_200

_DIGITS = re.compile(r"[0-9]{1,20}")


def authenticate(request: HookRequest, source: Source, now: datetime) -> Assurance:  # noqa: ARG001  # nothing is stamped
    """``sign``: sha1 of activity, index and key; the activity is the configured one."""
    document = bodies.json_object(request.raw)
    activity = signatures.matching(mapping.key_part(document.get("activity")), _DIGITS)
    index = signatures.matching(mapping.key_part(document.get("index")), _DIGITS)
    given = signatures.matching(document.get("sign"), signatures.HEX_SHA1)
    signatures.check(activity, [source.form or ""])
    content = f"{activity}{index}".encode("ascii")
    signatures.check(given.lower(), [signatures.sha1_hex(content + one) for one in source.secrets])
    return Assurance.SHARED_SECRET


def parse(request: HookRequest, source: Source) -> Parsed:
    """De-duplicated by activity and index: the signed ones, which ``joinid`` is not."""
    document = bodies.json_object(request.raw)
    if not document:
        return mapping.malformed(request)
    answers = {name: answer for name, answer in document.items() if name != "sign"}
    return mapping.submitted(
        request,
        source,
        mapping.named(answers),
        dedupe=mapping.key(document.get("activity"), document.get("index")),
        forms=(document.get("activity"),),
    )
