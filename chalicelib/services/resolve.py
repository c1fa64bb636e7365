"""Settling an unknown, and erasing a person."""

from chalicelib.domain import events
from chalicelib.domain import verification as rules
from chalicelib.domain.codes import Billed
from chalicelib.domain.secret import Client
from chalicelib.domain.verification import Action, Verification
from chalicelib.services import lookup
from chalicelib.services.ports import (
    Clock,
    ConflictError,
    Hold,
    HoldConflictError,
    Observe,
    Repository,
)
from chalicelib.services.store import store


def resolve(
    verification_id: str,
    *,
    billed: Billed,
    action: Action,
    client: Client,
    repository: Repository,
    clock: Clock,
    tell: Observe,
) -> Verification:
    """A human's word on an unknown; raises NotFoundError, NotUnknownError, ErasedError."""
    while True:
        found = lookup.get(
            verification_id, client=client, repository=repository, clock=clock, tell=tell
        )
        after = rules.resolve(found, billed=billed, action=action, now=clock.now())
        try:
            stored = store(repository, after, found)
        except ConflictError:
            continue  # a late answer came in between; look again
        tell(events.resolved(stored, client))
        return stored


def erase(
    verification_id: str, *, client: Client, repository: Repository, clock: Clock, tell: Observe
) -> None:
    """Erase the person; harmless to repeat.

    Raises NotFoundError, VerificationInProgressError.
    """
    while True:
        found = lookup.get(
            verification_id, client=client, repository=repository, clock=clock, tell=tell
        )
        if found.erased:
            return
        try:
            stored = store(
                repository,
                rules.erase(found, clock.now()),
                found,
                person=b"",
                release=_own_hold(found, repository),
            )
        except (ConflictError, HoldConflictError):
            continue
        tell(events.erased(stored, client))
        return


def _own_hold(verification: Verification, repository: Repository) -> Hold | None:
    if verification.subject is None:
        return None
    hold = repository.holder(verification.subject)
    return hold if hold.holder_id == verification.id else None
