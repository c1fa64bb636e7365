"""``Authorization: Basic``: a secret is ``user:password``, the first colon parts them."""

import base64
import binascii
import re
from datetime import datetime

from chalicelib.domain.source import Assurance, Source
from chalicelib.domain.submission import HookRequest
from chalicelib.entrypoints.forms import generic, signatures
from chalicelib.entrypoints.forms.profile import CANONICAL

PROFILE = CANONICAL
parse = generic.parse

_BASIC = re.compile(r"(?:[Bb]asic|BASIC) ([A-Za-z0-9+/]{1,684}={0,2})")


def authenticate(request: HookRequest, source: Source, now: datetime) -> Assurance:  # noqa: ARG001  # nothing is stamped
    """A user holds no colon, so the whole text is compared at once."""
    encoded = signatures.header(request, "authorization", _BASIC)[6:]
    try:
        given = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        raise signatures.refused() from None
    signatures.check(given, source.secrets)
    return Assurance.SHARED_SECRET
