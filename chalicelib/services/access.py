"""Who calls, and what they may."""

from chalicelib.domain.errors import (
    ForbiddenError,
    ServiceUnavailableError,
    UnauthenticatedError,
)
from chalicelib.domain.secret import Client
from chalicelib.services.ports import Secrets, UnavailableError

# An admin may read and settle everything, but a paid call needs ``verify`` in so many words.
_IMPLIED = {"read": ("read", "admin"), "verify": ("verify",), "admin": ("admin",)}


def authenticate(key: str | None, *, scopes: tuple[str, ...], secrets: Secrets) -> Client:
    """The client whose key this is, if it holds one of the scopes.

    Raises UnauthenticatedError, ForbiddenError, ServiceUnavailableError.
    """
    if not key:
        raise UnauthenticatedError("A key is needed: send the header Authorization.")
    try:
        client = secrets.current().client_of(key)
    except UnavailableError as exc:
        raise ServiceUnavailableError("The secret is out of reach. Nothing was sent.") from exc
    if client is None:
        raise UnauthenticatedError("This key is not known; compare it with the one you were given.")
    if not any(held in client.scopes for scope in scopes for held in _IMPLIED[scope]):
        raise ForbiddenError(f"This key lacks the scope {' or '.join(scopes)}.")
    return client
