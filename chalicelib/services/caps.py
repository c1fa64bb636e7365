"""What the caps allow, and how much of it is taken now."""

from collections.abc import Sequence
from typing import NamedTuple

from chalicelib.domain.caps import Cap
from chalicelib.domain.secret import Client
from chalicelib.services.ports import Clock, Repository, Secrets


class CapState(NamedTuple):
    """A cap in force, and how many calls hold a place under it.

    There can be more than its limit, once that was lowered.
    """

    cap: Cap
    taken: int

    @property
    def left(self) -> int:
        """How many more calls it lets through."""
        return max(0, self.cap.limit - self.taken)


def standing(
    client: Client, *, secrets: Secrets, repository: Repository, clock: Clock
) -> Sequence[CapState]:
    """A client's own caps, everybody's and those on all calls for an admin.

    Raises UnavailableError.
    """
    found = secrets.current().all_caps(clock.now())
    if "admin" not in client.scopes:
        found = tuple(cap for cap in found if cap.counter.owner == client.name)
    taken = repository.taken([cap.counter for cap in found])
    return [CapState(cap, taken[cap.counter]) for cap in found]
