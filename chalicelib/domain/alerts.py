"""Alerts: what an owner is told before it hurts, each once per crossing, and again when it recurs.

    nothing ──▶ active ──▶ over, kept while somebody is still to be told ──▶ nothing
                  ▲          │
                  └─ recurs ─┘

``conditions`` reads off the facts what holds now, ``changes`` compares that with what stands.
What could not be looked at this time stays as it is. Maintenance alone is told when it ends, too;
of the others an end only means that they will be told when they recur.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from chalicelib.domain.breaker import PAUSE
from chalicelib.domain.caps import ALL


class Kind(StrEnum):
    """What an alert is about."""

    LOW_BALANCE = "low_balance"
    PACKAGE_EXPIRING = "package_expiring"
    CAP_REACHED = "cap_reached"
    QUOTA_EXHAUSTED = "quota_exhausted"
    PACKAGE_EXPIRED = "package_expired"
    ACCOUNT_IN_ARREARS = "account_in_arrears"
    APPCODE_INVALID = "appcode_invalid"
    MAINTENANCE = "upstream_maintenance"
    UNKNOWNS_WAITING = "unknowns_waiting"
    DEAD_LETTERS = "dead_letters"
    SOURCE_FAILING = "source_failing"


END_IS_TOLD = frozenset({Kind.MAINTENANCE})
ABOUT_MONEY = frozenset({Kind.LOW_BALANCE, Kind.PACKAGE_EXPIRING})
"""While one of these is active, the metric LowBalance is 1."""

_OF_AN_OWNER = frozenset({Kind.CAP_REACHED, Kind.SOURCE_FAILING})
_HOLDS = frozenset(
    {
        Kind.QUOTA_EXHAUSTED,
        Kind.PACKAGE_EXPIRED,
        Kind.ACCOUNT_IN_ARREARS,
        Kind.APPCODE_INVALID,
    }
)
"""Causes that hold the breaker open until a human acted."""

LEASE = timedelta(seconds=90)
"""Longer than the function that sends may run: if it died, another one sends."""

MAINTENANCE_GRACE = PAUSE
"""Calls that are let through again find out whether it goes on; only then it has ended."""

_CALM = Decimal("0.9")
"""A cap that was reached counts as reached until a tenth of it is free again."""


class Thresholds(NamedTuple):
    """When to tell: percents of the total that is left, days before an expiry, failures an hour."""

    low_balance_percent: tuple[int, ...] = (20,)
    expiry_days: tuple[int, ...] = (7,)
    source_failures: int = 10


# The facts: a plain record, so that whoever knows one of them can give it.


class PackageFact(NamedTuple):
    """A live package: what is left of it, and what a call of it cost (None: not known)."""

    id: str
    left: int
    expires_at: datetime
    unit_price: Decimal | None = None


class BalanceFact(NamedTuple):
    """Calls over all live packages, and the price of one of the package that is in use."""

    total: int
    left: int
    unit_price: Decimal | None
    packages: tuple[PackageFact, ...]


class CapFact(NamedTuple):
    """One cap and whose it is; ``period`` is day or month, ``of`` which: 2026-11-24, 2026-11."""

    period: str
    of: str
    owner: str
    limit: int
    taken: int


class StopFact(NamedTuple):
    """Why calls are, or were lately, stopped; ``until`` None means until a human acts."""

    cause: str
    since: datetime
    until: datetime | None


class WaitingFact(NamedTuple):
    """Unknown outcomes that nobody settled: how many (``more``: at least), and since when."""

    number: int
    oldest: datetime | None
    more: bool = False


class SourceFact(NamedTuple):
    """What a form sent in the last hour that was not taken; ``reason`` is the most frequent one."""

    source: str
    rejected: int
    refused: int
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """How things stand; None is what could not be looked at this time."""

    now: datetime
    balance: BalanceFact | None = None
    caps: Sequence[CapFact] | None = None
    stops: Sequence[StopFact] | None = None
    unknowns: WaitingFact | None = None
    dead_letters: Mapping[str, int] | None = None
    sources: Sequence[SourceFact] | None = None


# The state of one alert.

Key = tuple[Kind, str]
Number = int | str


@dataclass(frozen=True, slots=True)
class Alert:
    """One crossing: ``about`` tells it from others of its kind, ``numbers`` are for its text.

    ``waiting`` are the receivers that are still to be told; while ``lease_until`` lasts somebody
    is about it.
    """

    kind: Kind
    about: str
    since: datetime
    numbers: Mapping[str, Number] = field(default_factory=dict, hash=False)
    ended_at: datetime | None = None
    waiting: tuple[str, ...] = ()
    sent_at: datetime | None = None
    lease_until: datetime | None = None
    revision: int = 1

    @property
    def key(self) -> Key:
        """Where it stands."""
        return self.kind, self.about

    @property
    def active(self) -> bool:
        """Whether its condition holds, as far as is known."""
        return self.ended_at is None

    @property
    def end_is_news(self) -> bool:
        """Whether what is to be told is that it ended."""
        return not self.active and self.kind in END_IS_TOLD

    @property
    def owner(self) -> str | None:
        """The client or source that it is about, None if it concerns everybody."""
        owner = str(self.numbers.get("owner", ALL)) if self.kind in _OF_AN_OWNER else ALL
        return None if owner == ALL else owner

    @property
    def over(self) -> bool:
        """Whether there is nothing more to it."""
        return not self.active and not self.waiting


class Condition(NamedTuple):
    """What holds now."""

    kind: Kind
    about: str
    numbers: Mapping[str, Number]


def conditions(facts: Facts, thresholds: Thresholds, active: frozenset[Key]) -> list[Condition]:
    """What holds; some that are active already hold on a little longer, so that none flickers."""
    found: list[Condition] = []
    if facts.balance is not None:
        found += _of_balance(facts.balance, facts.now, thresholds)
    found += _of_caps(facts.caps or (), active)
    found += _of_stops(facts.stops or (), facts.now)
    if facts.unknowns is not None and facts.unknowns.number:
        found.append(_unknowns(facts.unknowns))
    found += [
        Condition(Kind.DEAD_LETTERS, queue, {"queue": queue, "count": depth})
        for queue, depth in (facts.dead_letters or {}).items()
        if depth
    ]
    found += _of_sources(facts.sources or (), thresholds, active)
    return found


def _of_balance(balance: BalanceFact, now: datetime, thresholds: Thresholds) -> Iterator[Condition]:
    for percent in thresholds.low_balance_percent:
        # Nothing recorded, or nothing alive, is no balance that could run low.
        if balance.total and balance.left * 100 <= percent * balance.total:
            numbers: dict[str, Number] = {
                "percent": percent,
                "left": balance.left,
                "total": balance.total,
                **_worth(balance.left, balance.unit_price),
            }
            yield Condition(Kind.LOW_BALANCE, str(percent), numbers)
    for package in balance.packages:
        for days in thresholds.expiry_days:
            near = package.expires_at - now <= timedelta(days=days)
            if package.left and near and package.expires_at > now:
                numbers = {
                    "days": days,
                    "package": package.id,
                    "left": package.left,
                    "at": package.expires_at.isoformat(),
                    **_worth(package.left, package.unit_price),
                }
                yield Condition(Kind.PACKAGE_EXPIRING, f"{package.id}#{days}", numbers)


def _worth(calls: int, unit_price: Decimal | None) -> dict[str, Number]:
    """What the calls cost, in yuan; nothing where that is not known."""
    return {} if unit_price is None else {"yuan": f"{calls * unit_price:.2f}"}


def _of_caps(caps: Sequence[CapFact], active: frozenset[Key]) -> Iterator[Condition]:
    for cap in caps:
        # With the limit in it: one that was raised, and is reached too, is told.
        about = f"{cap.of}#{cap.owner}#{cap.limit}"
        held = (Kind.CAP_REACHED, about) in active and cap.taken > cap.limit * _CALM
        if cap.taken >= cap.limit or held:
            numbers: dict[str, Number] = {
                "period": cap.period,
                "of": cap.of,
                "owner": cap.owner,
                "limit": cap.limit,
                "taken": cap.taken,
            }
            yield Condition(Kind.CAP_REACHED, about, numbers)


def _of_stops(stops: Sequence[StopFact], now: datetime) -> Iterator[Condition]:
    for stop in stops:
        if stop.cause == Kind.MAINTENANCE and stop.until is not None:
            if now < stop.until + MAINTENANCE_GRACE:
                yield Condition(Kind.MAINTENANCE, "", {"at": stop.since.isoformat()})
        elif stop.cause in _HOLDS:
            # Closed and opened again within a minute it is another crossing.
            at = stop.since.isoformat()
            yield Condition(Kind(stop.cause), at, {"at": at})


def _unknowns(waiting: WaitingFact) -> Condition:
    numbers: dict[str, Number] = {"count": f"{waiting.number}{'+' if waiting.more else ''}"}
    if waiting.oldest is not None:
        numbers["at"] = waiting.oldest.isoformat()
    return Condition(Kind.UNKNOWNS_WAITING, "", numbers)


def _of_sources(
    sources: Sequence[SourceFact], thresholds: Thresholds, active: frozenset[Key]
) -> Iterator[Condition]:
    for one in sources:
        failures = one.rejected + one.refused
        held = (Kind.SOURCE_FAILING, one.source) in active and failures > 0
        if failures >= thresholds.source_failures or held:
            numbers: dict[str, Number] = {
                "owner": one.source,
                "rejected": one.rejected,
                "refused": one.refused,
            }
            if one.reason is not None:
                numbers["reason"] = one.reason
            yield Condition(Kind.SOURCE_FAILING, one.source, numbers)


def looked_at(facts: Facts) -> frozenset[Kind]:
    """The kinds whose facts are there: only of these can be said that one ended."""
    found: set[Kind] = set()
    for fact, kinds in (
        (facts.balance, {Kind.LOW_BALANCE, Kind.PACKAGE_EXPIRING}),
        (facts.caps, {Kind.CAP_REACHED}),
        (facts.stops, {Kind.MAINTENANCE, *_HOLDS}),
        (facts.unknowns, {Kind.UNKNOWNS_WAITING}),
        (facts.dead_letters, {Kind.DEAD_LETTERS}),
        (facts.sources, {Kind.SOURCE_FAILING}),
    ):
        if fact is not None:
            found |= kinds
    return frozenset(found)


class Change(NamedTuple):
    """``before`` is what stands (None: nothing), ``after`` what is to stand instead."""

    before: Alert | None
    after: Alert


def changes(
    facts: Facts,
    thresholds: Thresholds,
    standing: Sequence[Alert],
    receivers: Sequence[str],
) -> Iterator[Change]:
    """Every alert that began, ended, or has somebody waiting, as it is to stand now.

    Those who wait are leased to whoever succeeds in writing the change: he is to tell them.
    """
    now, known, by_key = facts.now, looked_at(facts), {alert.key: alert for alert in standing}
    active = frozenset(alert.key for alert in standing if alert.active)
    holding = {(one.kind, one.about): one for one in conditions(facts, thresholds, active)}
    for key, one in holding.items():
        if key not in active:
            before = by_key.get(key)
            begun = Alert(*one[:2], now, one.numbers, waiting=tuple(receivers))
            yield _taken(before, begun, now)
    for alert in standing:
        if alert.active and alert.kind in known and alert.key not in holding:
            yield _taken(alert, _ended(alert, now, receivers), now)
        elif alert.active or alert.key not in holding:
            yield from _again(alert, now, receivers)


def _ended(alert: Alert, now: datetime, receivers: Sequence[str]) -> Alert:
    waiting = tuple(receivers) if alert.kind in END_IS_TOLD else alert.waiting
    return replace(alert, ended_at=now, waiting=waiting)


def _again(alert: Alert, now: datetime, receivers: Sequence[str]) -> Iterator[Change]:
    """Whoever was not told yet is told now, unless somebody is about it."""
    if alert.waiting and (alert.lease_until is None or alert.lease_until <= now):
        yield _taken(alert, replace(alert, waiting=_reachable(alert.waiting, receivers)), now)


def _reachable(waiting: Sequence[str], receivers: Sequence[str]) -> tuple[str, ...]:
    """Those who wait and are configured still.

    A robot whose URL was mended goes by another id: in the place of one that is gone wait those
    of its kind, for else what it did not take would never be told.
    """
    gone = {_kind(one) for one in waiting if one not in receivers}
    return tuple(one for one in receivers if one in waiting or _kind(one) in gone)


def _kind(receiver: str) -> str:
    return receiver.partition("-")[0]


def _taken(before: Alert | None, after: Alert, now: datetime) -> Change:
    lease_until = now + LEASE if after.waiting else None
    revision = 1 if before is None else before.revision + 1
    return Change(before, replace(after, lease_until=lease_until, revision=revision))


def told(standing: Alert, sent: Alert, receivers: frozenset[str], now: datetime) -> Alert:
    """What stands, after these were told what ``sent`` says; the others are told later.

    If it moved on meanwhile, what it says now is still to be told to all.
    """
    if (standing.since, standing.end_is_news) != (sent.since, sent.end_is_news):
        return standing
    return replace(
        standing,
        waiting=tuple(one for one in standing.waiting if one not in receivers),
        sent_at=now if receivers else standing.sent_at,
        lease_until=None,
        revision=standing.revision + 1,
    )
