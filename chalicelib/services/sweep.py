"""The sweeper: what nobody came back for is given its end, counted, or queued again."""

from dataclasses import dataclass

from chalicelib.domain.verification import Status, Verification
from chalicelib.services.expiry import settle_lease
from chalicelib.services.intake import queue_again
from chalicelib.services.ports import ConflictError
from chalicelib.services.store import count
from chalicelib.services.verify import Tools


@dataclass(slots=True)
class Swept:
    """How many claims were found dead, results counted late, and questions queued again."""

    expired: int = 0
    counted: int = 0
    queued: int = 0


def sweep(*, tools: Tools, limit: int = 500) -> Swept:
    """One round over what is due; raises UnavailableError."""
    swept = Swept()
    for verification in tools.repository.open_until(tools.clock.now(), limit):
        try:
            _settle(verification, swept, tools)
        except ConflictError:
            continue  # somebody else moved it; the next round sees how it stands
    return swept


def _settle(verification: Verification, swept: Swept, tools: Tools) -> None:
    now = tools.clock.now()
    if verification.lease_expired(now):
        settle_lease(verification, repository=tools.repository, clock=tools.clock, tell=tools.tell)
        swept.expired += 1
    elif verification.status is Status.PENDING:
        queue_again(verification, tools=tools, now=now)
        swept.queued += 1
    elif verification.uncounted:
        count(tools.repository, verification)
        swept.counted += 1
