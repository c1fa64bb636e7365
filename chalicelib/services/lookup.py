"""Reading verifications, each client its own, an admin everybody's."""

from collections.abc import Callable, Sequence
from datetime import date
from typing import NamedTuple, TypeVar

from chalicelib.domain.codes import Outcome
from chalicelib.domain.errors import NotFoundError
from chalicelib.domain.secret import Client
from chalicelib.domain.usage import DayUsage
from chalicelib.domain.verification import Status, Verification
from chalicelib.services.expiry import settle_lease
from chalicelib.services.ports import Clock, Observe, Page, Repository

_PAGES = 10

T = TypeVar("T")


class Filter(NamedTuple):
    """Which verifications of a day to list."""

    day: date
    status: Status | None = None
    outcome: Outcome | None = None

    def passes(self, verification: Verification, client: Client) -> bool:
        """Whether this client sees it in this list."""
        return (
            _may_see(verification, client)
            and self.status in {None, verification.status}
            and self.outcome in {None, verification.outcome}
        )


def _may_see(verification: Verification, client: Client) -> bool:
    return "admin" in client.scopes or verification.client == client.name


def get(
    verification_id: str, *, client: Client, repository: Repository, clock: Clock, tell: Observe
) -> Verification:
    """One verification; raises NotFoundError, for another client's as well."""
    found = repository.get(verification_id)
    if found is not None:
        found = settle_lease(found, repository=repository, clock=clock, tell=tell)
    if found is None or not _may_see(found, client):
        raise NotFoundError("There is no such verification for this client.", verification_id=None)
    return found


def listing(
    wanted: Filter, *, limit: int, cursor: str | None, client: Client, repository: Repository
) -> Page:
    """Those of a day, newest first; a page can be short, or empty, before the last.

    Raises ValueError for a broken cursor.
    """

    def some(limit: int, cursor: str | None) -> tuple[Sequence[Verification], str | None]:
        page = repository.of_day(wanted.day, limit, cursor)
        return page.items, page.next_cursor

    return Page(*filled(some, lambda found: wanted.passes(found, client), limit, cursor))


def filled(
    some: Callable[[int, str | None], tuple[Sequence[T], str | None]],
    passes: Callable[[T], bool],
    limit: int,
    cursor: str | None,
) -> tuple[Sequence[T], str | None]:
    """A page of what passes, from pages of everything, and where the next one starts."""
    items: list[T] = []
    for _ in range(_PAGES):
        found, cursor = some(limit - len(items), cursor)
        items += filter(passes, found)
        if cursor is None or len(items) >= limit:
            break
    return items, cursor


def usage(days: Sequence[date], *, client: Client, repository: Repository) -> Sequence[DayUsage]:
    """Calls by day, code and billing: a client's own, or everybody's for an admin."""
    return repository.usage(days, None if "admin" in client.scopes else client.name)
