"""Packages: recording what was bought, what is left of it, and for how long."""

import secrets as randomness
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from typing import NamedTuple

from chalicelib.domain import events, forecast, reconcile
from chalicelib.domain import packages as rules
from chalicelib.domain.codes import Billed
from chalicelib.domain.errors import IdempotencyKeyReusedError, MalformedRequestError, NotFoundError
from chalicelib.domain.forecast import Advice, Basis
from chalicelib.domain.packages import Balance, NewPackage, Package
from chalicelib.domain.reconcile import Comparison, Reading
from chalicelib.domain.secret import Client, Secret, id_from
from chalicelib.domain.usage import DayUsage
from chalicelib.domain.verification import CHINA
from chalicelib.services.breaker import CachedBreaker
from chalicelib.services.ports import Clock, Observe, Packages, Repository

MENDED_BY_A_PACKAGE = frozenset({"quota_exhausted", "package_expired", "account_in_arrears"})
"""Causes of the breaker that buying a package does away with."""

_THREADS = 16
_FEW_DAYS = 8


class Recorded(NamedTuple):
    """The package, and whether it is a new one."""

    package: Package
    new: bool


class Outlook(NamedTuple):
    """The balance, recent use, and when that will have used it up."""

    balance: Balance
    basis: Basis
    runs_out_on: date | None


def record(
    wanted: NewPackage,
    *,
    key: str | None,
    client: Client,
    secret: Secret,
    packages: Packages,
    breaker: CachedBreaker,
    clock: Clock,
    tell: Observe,
) -> Recorded:
    """Record what was bought, once a key; one that is valid now lets calls go on.

    Raises MalformedRequestError, IdempotencyKeyReusedError, UnavailableError.
    """
    now = clock.now()
    made = wanted.made(
        id_from(randomness.token_bytes(17), "pkg")
        if key is None
        else secret.package_id(client.name, key),
        now,
    )
    standing = packages.add(made)
    if standing is not None and not wanted.led_to(standing):
        raise IdempotencyKeyReusedError(
            "This Idempotency-Key was used for another package. Use a new key for a new package."
        )
    package = standing or made
    if standing is None:
        tell(events.package_recorded(package, client))
    # On a replay too: the first one may have ended before it came to this.
    if package.is_live(now) and breaker.close_for(MENDED_BY_A_PACKAGE):
        tell(events.breaker_closed(client))
    return Recorded(package, standing is None)


def remove(package_id: str, *, client: Client, packages: Packages, tell: Observe) -> None:
    """Take one out of the books that was recorded wrongly; raises NotFoundError, UnavailableError.

    The calls that were taken from it are taken from the others, or stand uncovered.
    """
    gone = packages.remove(package_id)
    if gone is None:
        raise NotFoundError("There is no such package.")
    tell(events.package_removed(gone, client))


def balance(*, packages: Packages, repository: Repository, clock: Clock) -> Balance:
    """What is used and left right now; raises UnavailableError.

    Costs one query, and one more for each day since the purchase of the package in use: a
    second or so in the worst case, so keep it where it is asked for often.
    """
    return _balance(packages.all(), repository, clock.now(), ())[0]


def outlook(*, packages: Packages, repository: Repository, clock: Clock) -> Outlook:
    """The balance, and when recent use will have used it up; raises UnavailableError."""
    now = clock.now()
    today = now.astimezone(CHINA).date()
    recent = forecast.recent_days(today)
    found, usage = _balance(packages.all(), repository, now, recent)
    basis = forecast.basis(usage, today)
    return Outlook(found, basis, forecast.runs_out_on(found, basis, today))


def advice(
    days: int, *, packages: Packages, repository: Repository, clock: Clock
) -> tuple[Balance, Advice]:
    """What to buy for so many days to come; raises UnavailableError."""
    seen = outlook(packages=packages, repository=repository, clock=clock)
    today = clock.now().astimezone(CHINA).date()
    return seen.balance, forecast.advice(seen.balance, seen.basis, today, days)


def compare(
    used: int,
    total: int,
    at: datetime | None,
    *,
    packages: Packages,
    repository: Repository,
    clock: Clock,
    billed: Mapping[str, Billed],
) -> Comparison:
    """Our own count against the seller's console, read at ``at`` or just now; changes nothing.

    Raises MalformedRequestError, UnavailableError.
    """
    now = clock.now()
    if used > total:
        raise MalformedRequestError("used: must not be more than total.")
    if at is not None and at > now:
        raise MalformedRequestError("at: must not be in the future.")
    reading = Reading(used, total, at or now, fresh=at is None)
    bought = packages.all()
    usage = _usage(rules.days_that_matter(bought, reading.at), repository)
    return reconcile.compare(bought, usage, reading, billed=billed)


def _balance(
    bought: Sequence[Package], repository: Repository, now: datetime, beside: Sequence[date]
) -> tuple[Balance, list[DayUsage]]:
    """The balance, and the usage of other days that are wanted as well."""
    days = rules.days_that_matter(bought, now)
    found = {day.day: day for day in _usage(sorted({*days, *beside}), repository)}
    return (
        rules.balance(bought, [found[day] for day in days], now),
        [found[day] for day in beside],
    )


def _usage(days: Sequence[date], repository: Repository) -> list[DayUsage]:
    """Everybody's usage of these days, in their order."""
    if len(days) <= _FEW_DAYS:
        return [*repository.usage(days, None)]
    with ThreadPoolExecutor(_THREADS) as threads:
        return [
            found
            for part in threads.map(lambda day: repository.usage([day], None), days)
            for found in part
        ]
