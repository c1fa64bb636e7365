"""The breaker as the use cases see it: a few seconds old at most, never in a call's way."""

from collections.abc import Container
from datetime import datetime

from chalicelib.domain import breaker as rules
from chalicelib.domain.breaker import Breaker
from chalicelib.domain.codes import Row
from chalicelib.services.ports import Clock, PortError, Repository

CACHE_SECONDS = 3.0
_TRIES = 3


class CachedBreaker:
    """One a container: reads the shared breaker at most every few seconds."""

    def __init__(self, repository: Repository, clock: Clock) -> None:
        self._repository = repository
        self._clock = clock
        self._known: Breaker | None = None
        self._read_at = 0.0

    def current(self) -> Breaker:
        """The breaker, at most ``CACHE_SECONDS`` old; raises UnavailableError."""
        now = self._clock.monotonic()
        if self._known is None or now - self._read_at >= CACHE_SECONDS:
            self._known, self._read_at = self._repository.breaker(), now
        return self._known

    def note(self, row: Row, now: datetime, appcode_mark: str) -> Breaker | None:
        """Take an answer into account, and return the breaker if that opened it.

        Losing this note costs nobody anything.
        """
        try:
            known = self.current()
            for _ in range(_TRIES):
                changed = rules.after(known, row, now, appcode_mark)
                if changed is known:
                    return None
                if self._repository.set_breaker(changed, before=known):
                    self._known = changed
                    return None if changed.cause is None else changed
                known = self._known = self._repository.breaker()
        except PortError:
            self._known = None
        return None

    def close_for(self, causes: Container[str]) -> bool:
        """Close it if its cause is one of these, and whether it was; raises UnavailableError."""
        mended = self._repository.breaker().cause in causes
        if mended:
            self.close()
        return mended

    def close(self) -> Breaker:
        """A human says that the cause is mended; raises UnavailableError."""
        while True:
            known = self._repository.breaker()
            changed = rules.closed(known)
            if self._repository.set_breaker(changed, before=known):
                self._known, self._read_at = changed, self._clock.monotonic()
                return changed
