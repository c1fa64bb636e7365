"""A claim past its lease becomes unknown, by whoever meets it."""

from chalicelib.domain import events
from chalicelib.domain.verification import Verification, expire
from chalicelib.services.ports import Clock, ConflictError, Observe, Repository
from chalicelib.services.store import store


def settle_lease(
    verification: Verification, *, repository: Repository, clock: Clock, tell: Observe
) -> Verification | None:
    """The verification as it stands once an expired lease is dealt with; None if it is gone."""
    now = clock.now()
    if not verification.lease_expired(now):
        return verification
    try:
        ended = store(repository, expire(verification, now), verification)
    except ConflictError as conflict:
        return conflict.current
    tell(events.verification_ended(ended, ended.attempts[-1]))
    return ended
