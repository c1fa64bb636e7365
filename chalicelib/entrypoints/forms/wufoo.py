"""Wufoo: answers by the field's id (``Field1``), or by its title where metadata are sent along.

It signs nothing, but repeats a handshake key in the body; a URL token does as well.
"""

import re
from datetime import datetime

from chalicelib.domain.source import Assurance, Source
from chalicelib.domain.submission import HookRequest, Parsed
from chalicelib.entrypoints.forms import bodies, mapping, signatures
from chalicelib.entrypoints.forms.profile import ALWAYS_200

PROFILE = ALWAYS_200

_KEY = re.compile(r"[ -~]{1,512}")
# What Wufoo sends beside the answers; the handshake key must not be kept with them.
_NO_ANSWERS = {"HandshakeKey", "FieldStructure", "FormStructure"}


def authenticate(request: HookRequest, source: Source, now: datetime) -> Assurance:  # noqa: ARG001  # nothing is stamped
    """A token in the URL, once there is one, decides alone."""
    if request.token is not None:
        return signatures.check_url_token(request, source)
    given = bodies.form_fields(request).get("HandshakeKey")
    signatures.check(signatures.matching(given, _KEY), source.secrets)
    return Assurance.SHARED_SECRET


def parse(request: HookRequest, source: Source) -> Parsed:
    """De-duplicated by the form and its entry's number."""
    fields = bodies.form_fields(request)
    if "EntryId" not in fields:
        return mapping.malformed(request)
    structure = bodies.json_object(fields.get("FieldStructure"))
    form = bodies.json_object(fields.get("FormStructure"))
    titles = (
        (field.get("Title"), fields.get(str(field.get("ID"))))
        for field in bodies.as_objects(structure.get("Fields"))
    )
    answers = ((name, text) for name, text in fields.items() if name not in _NO_ANSWERS)
    return mapping.submitted(
        request,
        source,
        mapping.named(mapping.first_of(answers, titles)),
        dedupe=mapping.key(mapping.key_part(form.get("Hash")) or "-", fields.get("EntryId")),
        forms=(form.get("Hash"), form.get("Url")),
    )
