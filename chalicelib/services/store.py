"""Writing an ended verification together with its usage, and without it if need be."""

from dataclasses import replace

from chalicelib.domain import usage
from chalicelib.domain.verification import Verification, counted
from chalicelib.services.ports import ContendedError, Hold, Repository, Write


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

    When the counters are too contended, the result is written alone. It then stays open and the
    sweeper counts it.
    """
    whole = counted(after)
    try:
        repository.write(
            Write(whole, before, usage.changes(after), person=person, take=take, release=release)
        )
    except ContendedError:
        repository.write(Write(after, before, person=person, take=take, release=release))
        return after
    return whole


def count(repository: Repository, verification: Verification) -> Verification:
    """Count what an earlier write could not."""
    return store(
        repository, replace(verification, revision=verification.revision + 1), verification
    )
