"""A clock that only moves when a test, or a sleep, moves it."""

from datetime import UTC, datetime, timedelta
from threading import Lock

START = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)


class FakeClock:
    """``slept`` lists every sleep in seconds; none of them takes time."""

    def __init__(self, start: datetime = START) -> None:
        self.slept: list[float] = []
        self._start = start
        self._passed = 0.0
        self._lock = Lock()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._passed)

    def monotonic(self) -> float:
        return self._passed

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.slept.append(seconds)
            self._passed += seconds

    def advance(self, seconds: float = 0.0, *, days: float = 0.0) -> None:
        """Let time pass without anybody sleeping."""
        with self._lock:
            self._passed += seconds + days * 86_400
