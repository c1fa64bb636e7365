"""The whole use case over a DynamoDB that fails: nothing is paid twice, everyone is answered."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from chalicelib.adapters.repository import DynamoRepository
from chalicelib.domain import errors
from chalicelib.domain.codes import Billed
from chalicelib.domain.verification import CHINA, Status, VerificationRequest
from chalicelib.services.breaker import CachedBreaker
from chalicelib.services.sweep import sweep
from chalicelib.services.verify import Policy, Result, Tools, verify
from tests.examples import NAME, NUMBER
from tests.fakes.callbacks import FakeCallbacks
from tests.fakes.clock import FakeClock
from tests.fakes.outbox import FakeOutbox, FakeSubmissions
from tests.fakes.provider import FakeProvider, answer
from tests.fakes.queue import FakeQueue
from tests.fakes.sealer import FakeSealer
from tests.fakes.secrets import FakeSecrets
from tests.integration.conftest import Dynamodb
from tests.unit.conftest import SECRET, SHOP

WRITES = {"put_item", "transact_write_items"}


def cancelled(reason: str) -> ClientError:
    response: Any = {
        "Error": {"Code": "TransactionCanceledException", "Message": ""},
        "CancellationReasons": [{"Code": "None"}, {"Code": reason}],
        "ResponseMetadata": {"HTTPStatusCode": 400, "RetryAttempts": 0},
    }
    return ClientError(response, "TransactWriteItems")


def throttled(operation: str) -> ClientError:
    response: Any = {
        "Error": {"Code": "ProvisionedThroughputExceededException", "Message": ""},
        "ResponseMetadata": {"HTTPStatusCode": 400, "RetryAttempts": 2},
    }
    return ClientError(response, operation)


class Failing:
    """A DynamoDB client whose next writes, or whose every call, go wrong as ``fault`` says."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.fault: str | None = None
        self.times = 0

    def __getattr__(self, name: str) -> Callable[..., Any]:
        real = getattr(self.client, name)

        def call(**arguments: Any) -> Any:
            if self.fault == "outage":
                raise EndpointConnectionError(endpoint_url="http://nowhere")
            if name not in WRITES or self.times <= 0 or self.fault is None:
                return real(**arguments)
            self.times -= 1
            if self.fault == "throttling":
                raise throttled(name)
            if self.fault == "conflict":
                raise cancelled("TransactionConflict")
            assert self.fault == "lost reply"
            real(**arguments)
            raise ReadTimeoutError(endpoint_url="http://nowhere")

        return call


class World:
    def __init__(self, client: Any, table: str) -> None:
        self.clock = FakeClock()
        self.dynamodb = Failing(client)
        self.repository = DynamoRepository(self.dynamodb, table, self.clock)  # type: ignore[arg-type]
        self.provider = FakeProvider(always={NUMBER: "0000"})
        self.tools = Tools(
            repository=self.repository,
            provider=self.provider,
            secrets=FakeSecrets(SECRET),
            sealer=FakeSealer(),
            queue=FakeQueue(),
            outbox=FakeOutbox(self.clock),
            submissions=FakeSubmissions(self.clock),
            callbacks=FakeCallbacks(),
            breaker=CachedBreaker(self.repository, self.clock),
            clock=self.clock,
        )

    def verify(self, max_age: int) -> Result | errors.ServiceError:
        """The answer, or the documented problem; any other exception fails the test."""
        request = VerificationRequest(NAME, NUMBER, None, max_age, "k1")
        try:
            return verify(request, client=SHOP, tools=self.tools, policy=Policy())
        except errors.ServiceError as exc:
            return exc

    def fail(self, fault: str, times: int) -> None:
        self.dynamodb.fault, self.dynamodb.times = fault, times

    def mend(self) -> None:
        self.dynamodb.fault = None


@pytest.fixture
def world(dynamodb: Dynamodb, dynamodb_client: Callable[[str], Any]) -> World:
    return World(dynamodb_client(dynamodb.url), dynamodb.table)


def settle(world: World) -> None:
    """Time passes, and the sweeper goes round until it has nothing left."""
    world.mend()
    world.clock.advance(120)
    while True:
        swept = sweep(tools=world.tools)
        if not swept.expired and not swept.counted:
            break


def holds_together(world: World) -> None:
    """At most one paid call, and usage that tells of every one."""
    paid = len(world.provider.asked)
    assert paid <= 1
    found = world.repository.get(SECRET.verification_id(SHOP.name, "k1"))
    today = world.clock.now().astimezone(CHINA).date()
    (usage,) = world.repository.usage([today], None)
    if paid:
        assert found is not None
        assert found.status in {Status.COMPLETED, Status.UNKNOWN}
        assert usage.billed["yes"] + usage.billed["unknown"] == 1
    else:
        assert usage.billed["yes"] == 0
    if found is not None:
        assert not found.open


FAULTS = [
    *((fault, times) for fault in ("conflict", "throttling", "lost reply") for times in (1, 99)),
    ("outage", 1),
]


@pytest.mark.parametrize("max_age", [0, 60])
@pytest.mark.parametrize(("fault", "times"), FAULTS)
def test_before_the_call(world: World, fault: str, times: int, max_age: int) -> None:
    world.fail(fault, times)
    first = world.verify(max_age)
    if not isinstance(first, Result):
        # Refused before anything was sent, and the caller is told so.
        assert isinstance(first, errors.ServiceUnavailableError)
        assert not world.provider.asked
    settle(world)
    holds_together(world)
    second = world.verify(max_age)
    settle(world)
    holds_together(world)
    if isinstance(first, Result):
        assert isinstance(second, Result)
        assert second.verification.id == first.verification.id


@pytest.mark.parametrize("max_age", [0, 60])
@pytest.mark.parametrize(("fault", "times"), FAULTS)
def test_after_the_call(world: World, fault: str, times: int, max_age: int) -> None:
    rule = world.provider.always.pop(NUMBER)

    def break_first(_: object) -> Any:
        world.fail(fault, times)
        return answer(rule, world.provider.asked[-1])

    world.provider.answers.append(break_first)
    first = world.verify(max_age)
    # What was paid for reaches the caller, whatever the table does.
    assert isinstance(first, Result)
    assert first.verification.billed is Billed.YES
    world.mend()
    second = world.verify(max_age)
    settle(world)
    holds_together(world)
    third = world.verify(max_age)
    holds_together(world)
    if "not_recorded" not in first.verification.warnings:
        assert isinstance(second, Result)
        assert isinstance(third, Result)
