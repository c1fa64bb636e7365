"""Paid packages: what was bought, what of it is used, and what is left.

The seller takes calls from packages that are valid at that time; by which of several is not
documented, so they are used up in the order in which they expire. Usage is known by day (UTC+8),
and so is what a package pays for: every call of a day on which it was valid for a while.
Calls whose billing is unknown are shown beside and never taken from a package.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from chalicelib.domain.errors import MalformedRequestError
from chalicelib.domain.usage import DayUsage
from chalicelib.domain.verification import CHINA

LONGEST = timedelta(days=3653)
"""What is recorded as valid for longer is a slip of the pen: packages last a year."""

HISTORY = timedelta(days=1096)
"""How far back usage is read at most; what was bought before pays from that day on."""


@dataclass(frozen=True, slots=True)
class Package:
    """So many calls, bought for ``price`` yuan; valid from ``purchased_at`` until ``expires_at``.

    The first is included, the second is not.
    """

    id: str
    calls: int
    price: Decimal
    purchased_at: datetime
    expires_at: datetime
    note: str | None = None

    @property
    def first_day(self) -> date:
        """The first day (UTC+8) with a moment in which it is valid."""
        return self.purchased_at.astimezone(CHINA).date()

    @property
    def last_day(self) -> date:
        """The last one."""
        return (self.expires_at - timedelta.resolution).astimezone(CHINA).date()

    def is_live(self, now: datetime) -> bool:
        """Whether it is valid at this time, used up or not."""
        return self.purchased_at <= now < self.expires_at

    def pays_on(self, day: date) -> bool:
        """Whether calls of that day may have been taken from it."""
        return self.first_day <= day <= self.last_day


def a_year_after(moment: datetime) -> datetime:
    """The same time of the same day (UTC+8) a year later; February 29 becomes February 28.

    >>> a_year_after(datetime(2028, 2, 29, 12, tzinfo=CHINA)).isoformat()
    '2029-02-28T12:00:00+08:00'
    """
    local = moment.astimezone(CHINA)
    try:
        return local.replace(year=local.year + 1)
    except ValueError:
        return local.replace(year=local.year + 1, day=28)


class NewPackage(NamedTuple):
    """What somebody says was bought: at once, and for a year, unless times are given."""

    calls: int
    price: Decimal
    purchased_at: datetime | None = None
    expires_at: datetime | None = None
    note: str | None = None

    def made(self, package_id: str, now: datetime) -> Package:
        """The package; raises MalformedRequestError for times that cannot be."""
        purchased_at = self.purchased_at or now
        if purchased_at > now:
            raise MalformedRequestError("purchased_at: must not be in the future.")
        expires_at = self.expires_at or a_year_after(purchased_at)
        if not purchased_at < expires_at <= purchased_at + LONGEST:
            raise MalformedRequestError(
                f"expires_at: must be after purchased_at, and at most {LONGEST.days} days after it."
            )
        return Package(package_id, self.calls, self.price, purchased_at, expires_at, self.note)

    def led_to(self, package: Package) -> bool:
        """Whether the package is what these words led to, whenever they were said."""
        return (
            (self.calls, self.price, self.note) == (package.calls, package.price, package.note)
            and self.purchased_at in {None, package.purchased_at}
            and self.expires_at in {None, package.expires_at}
        )


def by_expiry(packages: Iterable[Package]) -> tuple[Package, ...]:
    """In the order in which they are used up."""
    return tuple(sorted(packages, key=lambda one: (one.expires_at, one.purchased_at, one.id)))


class Allocation(NamedTuple):
    """Calls by the id of the package that paid for them, and those that none could pay for."""

    used: Mapping[str, int]
    uncovered: int


def allocate(packages: Iterable[Package], calls: Mapping[date, int]) -> Allocation:
    """Take each day's calls, day after day, from the packages of that day in order of expiry.

    A number below 0 counts as 0: only a correction that is on its way can cause one.
    """
    ordered = by_expiry(packages)
    left = {package.id: package.calls for package in ordered}
    payers = [(package.id, package.first_day, package.last_day) for package in ordered]
    uncovered = 0
    for day in sorted(calls):
        wanted = max(0, calls[day])
        for package_id, first, last in payers:
            if wanted and first <= day <= last:
                taken = min(wanted, left[package_id])
                left[package_id] -= taken
                wanted -= taken
        uncovered += wanted
    return Allocation({one.id: one.calls - left[one.id] for one in ordered}, uncovered)


@dataclass(frozen=True, slots=True)
class PackageState:
    """A package, what of it is used and left, and whether it is valid now."""

    package: Package
    used: int
    left: int
    live: bool


@dataclass(frozen=True, slots=True)
class Balance:
    """What is left to call with; ``packages`` are in order of expiry, expired ones first.

    ``total``, ``used`` and ``left`` are over the packages that are valid now, as the seller's
    console shows them. ``unknown`` are the calls of these packages' days that may have been
    charged too. ``uncovered`` are the charged calls for which no package is recorded.
    ``since`` is the first day that was counted (None: there was nothing to count).
    """

    used: int
    total: int
    left: int
    unknown: int
    uncovered: int
    packages: tuple[PackageState, ...]
    since: date | None = None

    @property
    def current(self) -> PackageState | None:
        """The package that the next call is taken from; None if there is none."""
        return next((state for state in self.packages if state.live and state.left), None)

    @property
    def unit_price(self) -> Decimal | None:
        """Yuan a call of the package that is in use now, unrounded; None if there is none."""
        current = self.current
        return None if current is None else current.package.price / current.package.calls


def days_that_matter(packages: Iterable[Package], now: datetime) -> list[date]:
    """The days whose usage a balance needs, in order; none if no package was ever valid.

    They begin with the package that is valid now, or was last, and with those before it whose
    days overlap: what these could not pay for was taken from the next.
    """
    today, since = now.astimezone(CHINA).date(), None
    for package in reversed(by_expiry(one for one in packages if one.purchased_at <= now)):
        if since is not None and package.last_day < since:
            break
        since = min(since or package.first_day, package.first_day)
    if since is None:
        return []
    since = max(since, today - HISTORY)
    return [since + timedelta(days=n) for n in range((today - since).days + 1)]


def balance(packages: Iterable[Package], usage: Sequence[DayUsage], now: datetime) -> Balance:
    """The balance at a time, from the usage of the ``days_that_matter`` then."""
    ordered = by_expiry(packages)
    paid = allocate(ordered, {day.day: day.billed["yes"] for day in usage})
    states = tuple(
        PackageState(one, paid.used[one.id], one.calls - paid.used[one.id], live=one.is_live(now))
        for one in ordered
    )
    live = [state for state in states if state.live]
    unknown = sum(
        day.billed["unknown"]
        for day in usage
        if any(state.package.pays_on(day.day) for state in live)
    )
    total, used = sum(one.package.calls for one in live), sum(one.used for one in live)
    return Balance(
        used,
        total,
        total - used,
        unknown,
        paid.uncovered,
        states,
        usage[0].day if usage else None,
    )
