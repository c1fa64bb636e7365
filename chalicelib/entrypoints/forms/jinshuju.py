"""金数据 signs nothing: a URL token and its published addresses. Answers by ``field_1``.

It waits 2 seconds and never sends again. A number field arrives as a JSON number, which has lost
digits: the identity number must be a text field.
"""

from datetime import datetime

from chalicelib.domain.source import Assurance, Source
from chalicelib.domain.submission import HookRequest, Parsed
from chalicelib.entrypoints.forms import bodies, mapping, signatures
from chalicelib.entrypoints.forms.profile import ALWAYS_200

PROFILE = ALWAYS_200


def authenticate(request: HookRequest, source: Source, now: datetime) -> Assurance:  # noqa: ARG001  # nothing is stamped
    """The token is one of the source's secrets; the addresses are the source's ``allow_ips``."""
    return signatures.check_url_token(request, source)


def parse(request: HookRequest, source: Source) -> Parsed:
    """De-duplicated by form and entry; an entry that was changed since is another."""
    document = bodies.json_object(request.raw)
    entry = bodies.as_object(document.get("entry"))
    if not entry:
        return mapping.malformed(request)
    number = mapping.key_part(entry.get("token")) or entry.get("serial_number")
    return mapping.submitted(
        request,
        source,
        mapping.named(entry),
        dedupe=mapping.key(
            document.get("form"), number, mapping.key_part(entry.get("updated_at")) or "-"
        ),
        forms=(document.get("form"),),
    )
