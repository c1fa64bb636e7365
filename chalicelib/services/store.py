"""Writing an ended verification together with its usage, and without it if need be."""

from contextlib import suppress
from dataclasses import replace

from chalicelib.domain import caps, usage
from chalicelib.domain.delivery import Delivery, delivery_id, event_type
from chalicelib.domain.delivery import new as new_delivery
from chalicelib.domain.messages import Deliver
from chalicelib.domain.verification import Verification, counted, last_change
from chalicelib.services.ports import (
    ContendedError,
    Hold,
    Queue,
    Repository,
    UnavailableError,
    Write,
)


def store(
    repository: Repository,
    after: Verification,
    before: Verification | None,
    *,
    person: bytes | None = None,
    take: Hold | None = None,
    release: Hold | None = None,
) -> Verification:
    """Write ``after`` and what its day's usage misses in one transaction; return what stands.

    What it took of caps and was not charged for is given back with it.

    Where its end is to be told, the delivery is made in the same transaction. When the counters
    are too contended, the result is written alone. It then stays open and the sweeper counts it.
    """
    after, delivery = _with_delivery(after, before)
    write = Write(
        counted(after),
        before,
        usage.changes(after),
        person=person,
        take=take,
        release=release,
        delivery=delivery,
        given_back=caps.given_back(after),
    )
    try:
        repository.write(write)
    except ContendedError:
        repository.write(replace(write, after=after, usage=(), given_back={}))
        return after
    return write.after


def _with_delivery(
    after: Verification, before: Verification | None
) -> tuple[Verification, Delivery | None]:
    """The next delivery, where something changed that its receiver is to know."""
    url = after.callback_url
    known = None if before is None else (before.status, before.billed)
    if url is None or event_type(after) is None or known == (after.status, after.billed):
        return after, None
    number = after.told + 1
    delivery = new_delivery(after, url=url, number=number, now=last_change(after))
    return replace(after, told=number), delivery


def count(repository: Repository, verification: Verification) -> Verification:
    """Count what an earlier write could not."""
    return store(
        repository, replace(verification, revision=verification.revision + 1), verification
    )


def queue_latest(verification: Verification, queue: Queue, correlation: str | None) -> None:
    """Have the end that was just written told at once; the schedule does, should this get lost."""
    if verification.callback_url is not None and verification.told:
        latest = delivery_id(verification.id, verification.callback_url, verification.told)
        with suppress(UnavailableError):
            queue.send(Deliver(latest, correlation))
