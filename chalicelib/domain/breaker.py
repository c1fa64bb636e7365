"""When calls are stopped: the breaker, kept in the table so that all containers share it.

Causes that only a human can mend (quota, expiry, arrears, a refused AppCode) hold it open until
the AppCode changed or someone closes it; maintenance pauses for minutes, a run of backend faults
for seconds, and then it closes by time. A mismatch is a success, and nobody's paid call is a
probe.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chalicelib.domain.codes import Row, Trip

PAUSE = timedelta(minutes=5)
BACKEND_PAUSE = timedelta(seconds=30)
BACKEND_RUN = 5
BACKEND_WINDOW = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Breaker:
    """``cause`` is a key of ``codes.PROBLEMS`` or None; ``until`` None means until a human acted.

    ``appcode_mark`` is a keyed hash of the AppCode under which it opened.
    """

    revision: int = 0
    cause: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    appcode_mark: str | None = None
    faults: int = 0
    faults_since: datetime | None = None

    def is_open(self, now: datetime, appcode_mark: str) -> bool:
        """Whether calls under this AppCode are stopped at this time."""
        if self.cause is None or (self.until is not None and self.until <= now):
            return False
        return self.until is not None or self.appcode_mark == appcode_mark


def after(breaker: Breaker, row: Row, now: datetime, appcode_mark: str) -> Breaker:
    """The breaker after an answer; the same object where nothing changes."""
    if row.trip is Trip.HOLD:
        return _opened(breaker, row, now, None, appcode_mark)
    if row.trip is Trip.PAUSE:
        return _opened(breaker, row, now, now + PAUSE, appcode_mark)
    if row.trip is Trip.BACKEND:
        return _fault(breaker, row, now, appcode_mark)
    if row.outcome is not None and breaker.faults:
        return replace(breaker, revision=breaker.revision + 1, faults=0, faults_since=None)
    return breaker


def _opened(
    breaker: Breaker, row: Row, now: datetime, until: datetime | None, appcode_mark: str
) -> Breaker:
    held = breaker.is_open(now, appcode_mark) and breaker.until is None
    if held and (until is not None or breaker.cause == row.problem):
        return breaker
    return Breaker(
        revision=breaker.revision + 1,
        cause="upstream_unreachable" if row.trip is Trip.BACKEND else row.problem,
        since=now,
        until=until,
        appcode_mark=appcode_mark,
    )


def _fault(breaker: Breaker, row: Row, now: datetime, appcode_mark: str) -> Breaker:
    fresh = breaker.faults_since is not None and now - breaker.faults_since < BACKEND_WINDOW
    faults = breaker.faults + 1 if fresh else 1
    if faults >= BACKEND_RUN:
        return _opened(breaker, row, now, now + BACKEND_PAUSE, appcode_mark)
    return replace(
        breaker,
        revision=breaker.revision + 1,
        faults=faults,
        faults_since=breaker.faults_since if fresh else now,
    )


def closed(breaker: Breaker) -> Breaker:
    """The breaker after a human said that the cause is mended."""
    return Breaker(revision=breaker.revision + 1)
