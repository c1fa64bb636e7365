"""How things stand, looked at for the alerts; what is out of reach is left out, and said."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from chalicelib.domain import events
from chalicelib.domain.alerts import (
    BalanceFact,
    CapFact,
    Facts,
    PackageFact,
    SourceFact,
    StopFact,
    Thresholds,
    WaitingFact,
)
from chalicelib.domain.packages import Balance
from chalicelib.domain.secret import Secret
from chalicelib.domain.stored_submission import SubmissionStatus
from chalicelib.domain.verification import CHINA, last_change
from chalicelib.services import packages
from chalicelib.services.ports import Alerts, Board, DeadLetters, Notifier, Packages, PortError
from chalicelib.services.verify import Tools

BALANCE_TIME = timedelta(minutes=10)
"""Counting the balance reads each day's usage, so it is not counted anew each minute."""

_HOUR = timedelta(hours=1)
_UNKNOWNS = 100
_SUBMISSIONS = 200
_PAGE = 50

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Watching:
    """What the watch needs beside a verification's tools; ``stage`` tells deployments apart."""

    alerts: Alerts
    notifier: Notifier
    dead_letters: DeadLetters
    packages: Packages
    thresholds: Thresholds
    stage: str


def look(board: Board, secret: Secret, *, tools: Tools, watching: Watching) -> Facts:
    """The facts of this moment."""
    now = tools.clock.now()

    def fact(found: Callable[[], T]) -> T | None:
        try:
            return found()
        except PortError as exc:
            tools.tell(events.watch_hindered(str(exc)))
            return None

    return Facts(
        now=now,
        balance=fact(lambda: _balance(board, now, tools, watching)),
        caps=fact(lambda: _caps(secret, now, tools)),
        stops=fact(lambda: _stops(secret, now, tools)),
        unknowns=fact(lambda: _unknowns(tools)),
        dead_letters=fact(watching.dead_letters.depths),
        sources=fact(lambda: _sources(secret, now, tools, watching)),
    )


def _balance(board: Board, now: datetime, tools: Tools, watching: Watching) -> BalanceFact:
    if board.balance is not None:
        kept, counted_at = board.balance
        if timedelta() <= now - counted_at < BALANCE_TIME:
            return kept
    counted = balance_fact(
        packages.balance(packages=watching.packages, repository=tools.repository, clock=tools.clock)
    )
    watching.alerts.keep_balance(counted, now)
    return counted


def balance_fact(balance: Balance) -> BalanceFact:
    """What the alerts are about of a balance."""
    live = tuple(
        PackageFact(
            state.package.id,
            state.left,
            state.package.expires_at,
            state.package.price / state.package.calls,
        )
        for state in balance.packages
        if state.live
    )
    return BalanceFact(balance.total, balance.left, balance.unit_price, live)


def _caps(secret: Secret, now: datetime, tools: Tools) -> Sequence[CapFact]:
    caps = secret.all_caps(now)
    taken = tools.repository.taken([cap.counter for cap in caps])
    return [
        CapFact(
            period=cap.counter.kind,
            of=cap.counter.period,
            owner=cap.counter.owner,
            limit=cap.limit,
            taken=taken[cap.counter],
        )
        for cap in caps
    ]


def _stops(secret: Secret, now: datetime, tools: Tools) -> Sequence[StopFact]:
    """A pause that is over is one still: only what comes after says whether it has ended."""
    breaker = tools.repository.breaker()
    if breaker.cause is None or breaker.since is None:
        return []
    if breaker.until is None and not breaker.is_open(now, secret.appcode_mark):
        return []
    return [StopFact(breaker.cause, breaker.since, breaker.until)]


def _unknowns(tools: Tools) -> WaitingFact:
    found = tools.repository.unknown(_UNKNOWNS)
    oldest = min(map(last_change, found), default=None)
    return WaitingFact(len(found), oldest, more=len(found) == _UNKNOWNS)


def _sources(
    secret: Secret, now: datetime, tools: Tools, watching: Watching
) -> Sequence[SourceFact]:
    if not secret.sources:
        return []
    since = now - _HOUR
    refused = watching.alerts.refusals(since)
    rejected = _rejected(since, now, tools)
    return [
        SourceFact(
            source,
            rejected=(reasons := rejected.get(source, Counter())).total(),
            refused=refused.get(source, 0),
            reason=next((reason for reason, _ in reasons.most_common(1)), None),
        )
        for source in secret.sources
    ]


def _rejected(since: datetime, now: datetime, tools: Tools) -> Mapping[str, Counter[str]]:
    """How often, by source and reason; of a flood only the latest."""
    found: dict[str, Counter[str]] = {}
    days = {moment.astimezone(CHINA).date(): None for moment in (now, since)}
    for day in days:
        cursor: str | None = None
        for _ in range(_SUBMISSIONS // _PAGE):
            page = tools.submissions.of_day(day, _PAGE, cursor)
            fresh = [one for one in page.items if one.created_at >= since]
            for one in fresh:
                if one.status is SubmissionStatus.REJECTED:
                    found.setdefault(one.source, Counter())[one.reason] += 1
            cursor = page.next_cursor
            if cursor is None or len(fresh) < len(page.items):
                break
    return found
