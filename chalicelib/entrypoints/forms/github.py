"""An HMAC of the raw body in a header, as GitHub and many others send it."""

import re
from datetime import datetime

from chalicelib.domain.source import Assurance, Source
from chalicelib.domain.submission import HookRequest
from chalicelib.entrypoints.forms import generic, signatures
from chalicelib.entrypoints.forms.profile import CANONICAL

PROFILE = CANONICAL
parse = generic.parse

_PRINTABLE = re.compile(r"[!-~]{1,256}")


def authenticate(request: HookRequest, source: Source, now: datetime) -> Assurance:  # noqa: ARG001  # nothing is stamped
    """The header holds the prefix and the HMAC; hex in either case."""
    scheme = source.hmac
    given = signatures.header(request, scheme.header, _PRINTABLE)
    if not given.startswith(scheme.prefix):
        raise signatures.refused()
    digest = given.removeprefix(scheme.prefix)
    if scheme.encoding == "hex":
        digest = digest.lower()
    make = signatures.hmac_hex if scheme.encoding == "hex" else signatures.hmac_base64
    signatures.check(digest, [make(one, request.raw, scheme.hash) for one in source.secrets])
    return Assurance.SIGNED
