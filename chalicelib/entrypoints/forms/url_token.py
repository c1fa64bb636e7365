"""A token at the end of the URL: for tools that can set neither header nor signature."""

from datetime import datetime

from chalicelib.domain.source import Assurance, Source
from chalicelib.domain.submission import HookRequest
from chalicelib.entrypoints.forms import generic, signatures
from chalicelib.entrypoints.forms.profile import CANONICAL

PROFILE = CANONICAL
parse = generic.parse


def authenticate(request: HookRequest, source: Source, now: datetime) -> Assurance:  # noqa: ARG001  # nothing is stamped
    """The token is one of the source's secrets."""
    return signatures.check_url_token(request, source)
