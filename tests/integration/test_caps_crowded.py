"""A crowd at one counter, which DynamoDB answers by conflicts: as many are paid as the cap says."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from chalicelib.adapters.repository import DynamoRepository
from chalicelib.bootstrap import SystemClock
from chalicelib.domain.caps import Limits
from chalicelib.domain.errors import BudgetExhaustedError
from chalicelib.domain.verification import Answer, Person, VerificationRequest
from chalicelib.services.breaker import CachedBreaker
from chalicelib.services.verify import verify
from tests.examples import NAME, NUMBER
from tests.fakes.clock import FakeClock
from tests.integration.conftest import Dynamodb
from tests.integration.wire import cancelled, refused
from tests.unit.conftest import SECRET, SHOP, make_world

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CALLERS, CAP = 200, 10
AT_ONCE = 50
"""How many threads there are; each begins anew as soon as it was answered."""


class Conflicting:
    """A client whose writes conflict where they meet at an item, as in AWS; stand-ins queue up."""

    def __init__(self, client: "DynamoDBClient") -> None:
        self._client = client
        self._busy: set[str] = set()
        self._lock = threading.Lock()
        self.meta = client.meta
        self.conflicts = 0

    def __getattr__(self, operation: str) -> Any:
        return getattr(self._client, operation)

    def put_item(self, **request: Any) -> Any:
        with self._alone([_place(request["Item"])]) as met:
            if any(met):
                raise refused("TransactionConflictException")
            return self._client.put_item(**request)

    def transact_write_items(self, **request: Any) -> Any:
        actions = [next(iter(action.values())) for action in request["TransactItems"]]
        places = [_place(action.get("Key") or action["Item"]) for action in actions]
        with self._alone(places) as met:
            if any(met):
                raise cancelled(*("TransactionConflict" if one else "None" for one in met))
            return self._client.transact_write_items(**request)

    @contextmanager
    def _alone(self, places: list[str]) -> Iterator[list[bool]]:
        with self._lock:
            met = [place in self._busy for place in places]
            mine = set() if any(met) else set(places)
            self._busy |= mine
            self.conflicts += any(met)
        try:
            yield met
        finally:
            with self._lock:
                self._busy -= mine


def _place(key: Any) -> str:
    return f"{key['PK']['S']} {key['SK']['S']}"


class Paid:
    """The upstream: it answers after a while, and says how often it was asked."""

    def __init__(self) -> None:
        self.calls = 0
        self._lock = threading.Lock()

    def ask(self, person: Person, appcode: str, timeout: float) -> Answer:
        with self._lock:
            self.calls += 1
        return Answer("0007")


def test_a_crowd_pays_as_often_as_the_cap_says(
    dynamodb: Dynamodb, clients: Callable[[str], "DynamoDBClient"]
) -> None:
    clock, paid = SystemClock(), Paid()
    client = Conflicting(clients(dynamodb.url))
    repository = DynamoRepository(client, dynamodb.table, clock)  # type: ignore[arg-type]
    world = make_world(FakeClock())
    capped = replace(SHOP, caps=Limits(day=CAP, month=CAP + 1))
    world.secrets.now = replace(SECRET, clients=(capped,))
    tools = replace(
        world.tools,
        repository=repository,
        provider=paid,
        breaker=CachedBreaker(repository, clock),
        clock=clock,
    )

    def ask(number: int) -> str:
        request = VerificationRequest(NAME, NUMBER, idempotency_key=f"k{number}")
        try:
            return verify(request, client=capped, tools=tools, policy=world.policy).verification.id
        except BudgetExhaustedError as exc:
            return exc.code

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = Counter(pool.map(ask, range(CALLERS)))
    assert answers.pop("budget_exhausted") == CALLERS - CAP
    assert [*answers.values()] == [1] * CAP
    assert paid.calls == CAP
    counters = [cap.counter for cap in world.secrets.now.caps_of("shop", clock.now())]
    assert [*repository.taken(counters).values()] == [CAP, CAP]
    assert client.conflicts, "they did not meet"
