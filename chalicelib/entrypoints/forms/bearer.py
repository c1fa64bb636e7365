"""``Authorization: Bearer <token>``: for tools that can set a header and sign nothing."""

import re
from datetime import datetime

from chalicelib.domain.source import Assurance, Source
from chalicelib.domain.submission import HookRequest
from chalicelib.entrypoints.forms import generic, signatures
from chalicelib.entrypoints.forms.profile import CANONICAL

PROFILE = CANONICAL
parse = generic.parse

_BEARER = re.compile(r"(?:[Bb]earer|BEARER) ([!-~]{1,512})")


def authenticate(request: HookRequest, source: Source, now: datetime) -> Assurance:  # noqa: ARG001  # nothing is stamped
    """The token is one of the source's secrets."""
    signatures.check(signatures.header(request, "authorization", _BEARER)[7:], source.secrets)
    return Assurance.SHARED_SECRET
