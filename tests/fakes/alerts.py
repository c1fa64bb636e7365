"""Alerts, whoever is told, and dead letters, in memory; they pass the adapters' contract suites."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from threading import RLock

from chalicelib.domain.alert_settings import Robot
from chalicelib.domain.alert_texts import Message
from chalicelib.domain.alerts import Alert, BalanceFact, Key
from chalicelib.domain.robots import Answered
from chalicelib.services.ports import Board, Clock, UnavailableError

FLOOD = 100


class FakeAlerts:
    """What stands is in ``items``, ``balance``, ``refused``; ``down`` makes every call fail."""

    def __init__(self, clock: Clock) -> None:
        self.items: dict[Key, Alert] = {}
        self.balance: tuple[BalanceFact, datetime] | None = None
        self.refused: Counter[tuple[str, str]] = Counter()
        self.down = False
        self._clock = clock
        self._lock = RLock()

    def board(self) -> Board:
        with self._lock:
            self._reach()
            return Board([*self.items.values()], self.balance)

    def get(self, key: Key) -> Alert | None:
        with self._lock:
            self._reach()
            return self.items.get(key)

    def replace(self, after: Alert, before: Alert | None) -> bool:
        with self._lock:
            self._reach()
            standing = self.items.get(after.key)
            if (standing and standing.revision) != (before and before.revision):
                return False
            if after.over:
                self.items.pop(after.key, None)
            else:
                self.items[after.key] = after
            return True

    def keep_balance(self, balance: BalanceFact, counted_at: datetime) -> None:
        with self._lock:
            self._reach()
            self.balance = balance, counted_at

    def count_refusal(self, source: str) -> None:
        with self._lock:
            self._reach()
            where = _ten_minutes(self._clock.now()), source
            self.refused[where] = min(FLOOD, self.refused[where] + 1)

    def refusals(self, since: datetime) -> Mapping[str, int]:
        with self._lock:
            self._reach()
            found: Counter[str] = Counter()
            for (when, source), number in self.refused.items():
                if when >= _ten_minutes(since):
                    found[source] += number
            return found

    def _reach(self) -> None:
        if self.down:
            raise UnavailableError("the table is out of reach")


def _ten_minutes(moment: datetime) -> str:
    return moment.isoformat()[:15]


class FakeNotifier:
    """``told`` lists who took what; receivers in ``broken`` take nothing, ``topic`` is one."""

    def __init__(self, *, topic: bool = True) -> None:
        self.told: list[tuple[str, Message]] = []
        self.broken: set[str] = set()
        self.topic = topic
        self._lock = RLock()

    @property
    def has_topic(self) -> bool:
        return self.topic

    def to_topic(self, message: Message) -> Answered:
        return self._take("topic", message)

    def to_robot(self, robot: Robot, message: Message) -> Answered:
        return self._take(robot.id, message)

    def _take(self, receiver: str, message: Message) -> Answered:
        with self._lock:
            if receiver in self.broken:
                return Answered(ok=False, code="timeout")
            self.told.append((receiver, message))
            return Answered(ok=True, code="0")


class FakeDeadLetters:
    """How many lie where is in ``lying``."""

    def __init__(self) -> None:
        self.lying: dict[str, int] = {}
        self.down = False

    def depths(self) -> Mapping[str, int]:
        if self.down:
            raise UnavailableError("dead letters: down")
        return dict(self.lying)
