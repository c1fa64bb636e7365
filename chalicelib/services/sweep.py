"""The sweeper: what nobody came back for is given its end, and what was not counted is counted."""

from dataclasses import dataclass

from chalicelib.services.expiry import settle_lease
from chalicelib.services.ports import Clock, ConflictError, Repository
from chalicelib.services.store import count


@dataclass(frozen=True, slots=True)
class Swept:
    """How many claims were found dead, and how many results were counted late."""

    expired: int
    counted: int


def sweep(*, repository: Repository, clock: Clock, limit: int = 500) -> Swept:
    """One round over what is due; raises UnavailableError."""
    expired = late = 0
    for verification in repository.open_until(clock.now(), limit):
        if verification.lease_expired(clock.now()):
            settle_lease(verification, repository=repository, clock=clock)
            expired += 1
        elif verification.uncounted:
            try:
                count(repository, verification)
            except ConflictError:
                continue  # somebody else moved it; the next round sees how it stands
            late += 1
    return Swept(expired, late)
