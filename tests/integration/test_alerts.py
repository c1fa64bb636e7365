"""Alerts kept and told: one contract for the fakes and the real adapters, and what AWS adds."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from chalicelib.adapters import alerts as adapter
from chalicelib.adapters.alerts import DynamoAlerts
from chalicelib.adapters.callbacks import HttpCallbacks
from chalicelib.adapters.dead_letters import SqsDeadLetters
from chalicelib.adapters.notation import item_of
from chalicelib.adapters.notifier import SnsAndRobots
from chalicelib.adapters.repository import DynamoRepository
from chalicelib.adapters.table import Table
from chalicelib.domain import codes
from chalicelib.domain import verification as rules
from chalicelib.domain.alert_settings import Language, Robot, RobotKind, read_alerts
from chalicelib.domain.alert_texts import Message, message
from chalicelib.domain.alerts import Alert, BalanceFact, Kind, PackageFact
from chalicelib.domain.codes import Billed
from chalicelib.domain.robots import Answered
from chalicelib.domain.verification import Action, Answer
from chalicelib.services.ports import (
    Alerts,
    Board,
    DeadLetters,
    Repository,
    UnavailableError,
    Write,
)
from chalicelib.services.store import store
from local_stack.resources import Names, create_queues, create_table
from tests.alert_examples import NOON, example
from tests.fakes.alerts import FLOOD, FakeAlerts, FakeDeadLetters, FakeNotifier
from tests.fakes.clock import FakeClock
from tests.fakes.repository import FakeRepository
from tests.integration.conftest import QUICK, Dynamodb
from tests.integration.test_repository import answered, claim, draft, new
from tests.integration.wire import TIMEOUT, Real, Wire, lost, undone
from tests.robot_server import RobotServer

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

THREADS = 12


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=["fake", "moto", "dynoxide"])
def kept(
    request: pytest.FixtureRequest,
    clock: FakeClock,
    dynamodb_client: "Callable[[str], DynamoDBClient]",
) -> Alerts:
    if request.param == "fake":
        return FakeAlerts(clock)
    url: str = request.getfixturevalue("aws_url" if request.param == "moto" else "dynoxide_url")
    client = dynamodb_client(url)
    return DynamoAlerts(Table(client, create_table(client), clock), clock)


FULL = replace(
    example(Kind.PACKAGE_EXPIRING),
    since=NOON + timedelta(microseconds=1),
    ended_at=NOON + timedelta(minutes=1),
    waiting=("topic", "dingtalk-1a2b3c"),
    sent_at=NOON + timedelta(minutes=2),
    lease_until=NOON + timedelta(minutes=3),
    revision=7,
)


class TestContractOfAlerts:
    def test_nothing_stands_at_first(self, kept: Alerts) -> None:
        assert kept.board() == Board([], None)
        assert kept.get((Kind.DEAD_LETTERS, "q")) is None

    @pytest.mark.parametrize("alert", [*map(example, Kind), FULL], ids=lambda one: one.kind)
    def test_what_is_written_is_what_is_read(self, kept: Alerts, alert: Alert) -> None:
        assert kept.replace(alert, None)
        assert kept.get(alert.key) == alert
        assert kept.board().alerts == [alert]

    def test_only_what_was_seen_is_replaced(self, kept: Alerts) -> None:
        first = example(Kind.DEAD_LETTERS)
        second = replace(first, revision=2)
        assert not kept.replace(second, first)
        assert kept.replace(first, None)
        assert not kept.replace(first, None)
        assert kept.replace(second, first)
        assert not kept.replace(replace(first, revision=2, waiting=("topic",)), first)
        assert kept.get(first.key) == second

    def test_what_is_over_is_gone(self, kept: Alerts) -> None:
        first = example(Kind.DEAD_LETTERS)
        kept.replace(first, None)
        over = replace(first, ended_at=NOON, revision=2)
        assert over.over
        assert not kept.replace(over, replace(first, revision=9))
        assert kept.replace(over, first)
        assert not kept.replace(over, first)
        assert kept.get(first.key) is None
        assert kept.replace(first, None)

    def test_of_many_at_once_one_has_it(self, kept: Alerts) -> None:
        alert: Alert | None = None
        for revision in (1, 2, 3):
            after = replace(example(Kind.DEAD_LETTERS), revision=revision)
            with ThreadPoolExecutor(THREADS) as pool:
                won = [*pool.map(lambda _, a=after, b=alert: kept.replace(a, b), range(THREADS))]
            assert sum(won) == 1
            alert = after
        over = replace(example(Kind.DEAD_LETTERS), ended_at=NOON, revision=4)
        with ThreadPoolExecutor(THREADS) as pool:
            won = [*pool.map(lambda _: kept.replace(over, alert), range(THREADS))]
        assert sum(won) == 1

    @pytest.mark.parametrize(
        "balance",
        [
            BalanceFact(0, 0, None, ()),
            BalanceFact(
                1000,
                200,
                Decimal("0.03"),
                (
                    PackageFact("pkg_1", 200, NOON, Decimal(1) / 3),
                    PackageFact("pkg_2", 0, NOON + timedelta(microseconds=1), None),
                ),
            ),
        ],
    )
    def test_the_balance_is_kept_exactly(self, kept: Alerts, balance: BalanceFact) -> None:
        for counted_at in (NOON, NOON + timedelta(microseconds=1)):
            kept.keep_balance(balance, counted_at)
            kept.replace(example(Kind.MAINTENANCE), None)
            assert kept.board() == Board([example(Kind.MAINTENANCE)], (balance, counted_at))

    def test_refusals_are_counted_by_source_and_time(self, kept: Alerts, clock: FakeClock) -> None:
        began = clock.now()
        for source in ("a", "b", "a"):
            kept.count_refusal(source)
        clock.advance(1800)
        kept.count_refusal("a")
        assert kept.refusals(began) == {"a": 3, "b": 1}
        assert kept.refusals(began + timedelta(minutes=10)) == {"a": 1}
        assert kept.refusals(clock.now() + timedelta(minutes=10)) == {}

    def test_a_flood_is_not_counted_to_its_end(self, kept: Alerts, clock: FakeClock) -> None:
        for _ in range(FLOOD + 20):
            kept.count_refusal("a")
        kept.count_refusal("b")
        assert kept.refusals(clock.now()) == {"a": FLOOD, "b": 1}
        clock.advance(600)
        kept.count_refusal("a")
        assert kept.refusals(clock.now()) == {"a": 1}


class TestDynamo:
    def test_a_flood_costs_no_more_writes(self, wire: Wire, dynamodb: Dynamodb) -> None:
        clock = FakeClock()
        alerts = DynamoAlerts(Table(wire, dynamodb.table, clock), clock)  # type: ignore[arg-type]
        for _ in range(3):
            for _ in range(adapter.FLOOD + 50):
                alerts.count_refusal("a")
            clock.advance(600)
        assert len(wire.calls) == 3 * adapter.FLOOD
        assert adapter.FLOOD == FLOOD

    @pytest.mark.parametrize(("fault", "done"), [(lost(), True), (undone(), False)])
    def test_a_write_whose_reply_stays_away_is_left_to_the_lease(
        self, wire: Wire, dynamodb: Dynamodb, fault: Callable[[Real], Any], done: bool
    ) -> None:
        clock = FakeClock()
        alerts = DynamoAlerts(Table(wire, dynamodb.table, clock), clock)  # type: ignore[arg-type]
        wire.script["put_item"].append(fault)
        with pytest.raises(UnavailableError, match=r"^table .*: ReadTimeoutError$"):
            alerts.replace(FULL, None)
        assert (alerts.get(FULL.key) == FULL) == done
        assert alerts.replace(FULL, None) != done

    def test_what_a_newer_release_left_behind_is_passed_over(
        self, wire: Wire, dynamodb: Dynamodb
    ) -> None:
        clock = FakeClock()
        alerts = DynamoAlerts(Table(wire, dynamodb.table, clock), clock)  # type: ignore[arg-type]
        newer = {"PK": "ALERT", "SK": "of_tomorrow#", "kind": "of_tomorrow", "since": NOON}
        wire.client.put_item(TableName=dynamodb.table, Item=item_of(newer))
        assert alerts.replace(FULL, None)
        assert alerts.board() == Board([FULL], None)

    def test_errors_name_the_cause(self, wire: Wire, dynamodb: Dynamodb) -> None:
        clock = FakeClock()
        alerts = DynamoAlerts(Table(wire, dynamodb.table, clock), clock)  # type: ignore[arg-type]
        for operation, call in (
            ("query", alerts.board),
            ("get_item", lambda: alerts.get(FULL.key)),
            ("put_item", lambda: alerts.keep_balance(BalanceFact(0, 0, None, ()), NOON)),
            ("update_item", lambda: alerts.count_refusal("a")),
            ("query", lambda: alerts.refusals(NOON)),
            ("delete_item", lambda: alerts.replace(replace(FULL, waiting=()), FULL)),
        ):
            wire.script[operation].append(undone(TIMEOUT))
            with pytest.raises(UnavailableError, match=r"^table"):
                call()


# Unknown verifications can be found.


@pytest.fixture(params=["fake", "moto", "dynoxide"])
def repository(
    request: pytest.FixtureRequest,
    clock: FakeClock,
    dynamodb_client: "Callable[[str], DynamoDBClient]",
) -> Repository:
    if request.param == "fake":
        return FakeRepository(clock)
    url: str = request.getfixturevalue("aws_url" if request.param == "moto" else "dynoxide_url")
    client = dynamodb_client(url)
    return DynamoRepository(client, create_table(client), clock)


class TestUnknown:
    def test_they_are_found_oldest_first_until_they_are_settled(
        self, repository: Repository, clock: FakeClock
    ) -> None:
        made = []
        for _ in range(6):
            claimed = new(repository, clock)
            made.append(store(repository, answered(claimed, clock, codes.NO_ANSWER), claimed))
            clock.advance(1)
        store(repository, answered(done := new(repository, clock), clock), done)
        new(repository, clock)
        assert [one.id for one in repository.unknown(100)] == [one.id for one in made]
        assert [one.id for one in repository.unknown(2)] == [one.id for one in made[:2]]
        closed, retried, late, erased, *left = made
        for one, action in ((closed, Action.CLOSE), (retried, Action.RETRY)):
            settled = rules.resolve(one, billed=Billed.NO, action=action, now=clock.now())
            store(repository, settled, one)
        row = codes.find("0000")
        token = late.attempts[-1].token
        store(repository, rules.record(late, token, Answer("0000"), row, clock.now()), late)
        store(repository, rules.erase(erased, clock.now()), erased)
        found = [one.id for one in repository.unknown(100)]
        assert found == [erased.id, *(one.id for one in left)]
        assert repository.open_until(clock.now(), 100) == []

    def test_one_that_is_not_counted_yet_is_the_sweepers_first(
        self, repository: Repository, clock: FakeClock
    ) -> None:
        asked = draft(clock)
        claimed = claim(asked, clock)
        repository.write(Write(claimed, None))
        ended = answered(claimed, clock, codes.NO_ANSWER)
        repository.write(Write(ended, claimed))
        assert [one.id for one in repository.open_until(clock.now(), 10)] == [asked.id]
        assert repository.unknown(10) == []
        counted = rules.counted(replace(ended, revision=ended.revision + 1))
        repository.write(Write(counted, ended))
        assert repository.open_until(clock.now(), 10) == []
        assert [one.id for one in repository.unknown(10)] == [asked.id]


# Dead letters.


@dataclass
class Queues:
    """A queue of dead letters, and how one more gets there."""

    port: DeadLetters
    name: str
    add: Callable[[], object]


@pytest.fixture(params=["fake", "sqs"])
def queues(request: pytest.FixtureRequest) -> Queues:
    if request.param == "fake":
        fake = FakeDeadLetters()
        fake.lying = {"q": 0}
        return Queues(fake, "q", lambda: fake.lying.update(q=fake.lying["q"] + 1))
    sqs = request.getfixturevalue("sqs")
    _, url = create_queues(sqs)
    return Queues(
        SqsDeadLetters(lambda: sqs, [url]),
        url.rpartition("/")[2],
        lambda: sqs.send_message(QueueUrl=url, MessageBody="{}"),
    )


def test_dead_letters_are_counted_by_queue(queues: Queues) -> None:
    for number in range(3):
        assert queues.port.depths() == {queues.name: number}
        queues.add()


def test_errors_of_dead_letters_name_the_cause(sqs: "SQSClient") -> None:
    _, url = create_queues(sqs)
    missing = SqsDeadLetters(lambda: sqs, [url, url + "x"])
    with pytest.raises(UnavailableError, match=r"^dead letters: .*NonExist.* set DEAD_LETTERS_URL"):
        missing.depths()
    fake = FakeDeadLetters()
    fake.down = True
    with pytest.raises(UnavailableError, match=r"^dead letters: "):
        fake.depths()


def test_without_a_queue_no_client_is_made() -> None:
    def never() -> Any:
        raise AssertionError

    assert SqsDeadLetters(never, ()).depths() == {}
    assert not SnsAndRobots(never, None, HttpCallbacks(), FakeClock()).has_topic


# Whoever is told.


@pytest.fixture
def sns(boto: boto3.Session, aws_url: str) -> "Iterator[SNSClient]":
    with closing(boto.client("sns", endpoint_url=aws_url, config=QUICK)) as client:
        yield client


@pytest.fixture
def robots() -> Iterator[RobotServer]:
    with RobotServer(now=lambda: FakeClock().now().timestamp()) as server:
        yield server


LOW = message(example(Kind.LOW_BALANCE), Language.ZH, "prod")


def subscribed(sns: "SNSClient", sqs: "SQSClient", topic_arn: str) -> str:
    """A queue that gets what is published."""
    url, _ = create_queues(sqs)
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=arn["Attributes"]["QueueArn"])
    return url


class TestTopic:
    def test_whoever_subscribed_reads_it(
        self, sns: "SNSClient", sqs: "SQSClient", names: Names, clock: FakeClock
    ) -> None:
        url = subscribed(sns, sqs, names.topic_arn)
        notifier = SnsAndRobots(lambda: sns, names.topic_arn, HttpCallbacks(), clock)
        assert notifier.has_topic
        assert notifier.to_topic(LOW) == Answered(ok=True, code="200")
        (received,) = sqs.receive_message(QueueUrl=url)["Messages"]
        envelope = json.loads(received["Body"])
        assert (envelope["Subject"], envelope["Message"]) == LOW

    def test_errors_name_the_cause(
        self, sns: "SNSClient", boto: boto3.Session, names: Names, closed_url: str
    ) -> None:
        missing = SnsAndRobots(lambda: sns, names.topic_arn + "x", HttpCallbacks(), FakeClock())
        found = missing.to_topic(LOW)
        assert (found.ok, found.code) == (False, "NotFound")
        with closing(boto.client("sns", endpoint_url=closed_url, config=QUICK)) as nowhere:
            away = SnsAndRobots(lambda: nowhere, names.topic_arn, HttpCallbacks(), FakeClock())
            assert away.to_topic(LOW) == Answered(ok=False, code="EndpointConnectionError")


class TestRobots:
    def both(self, robots: RobotServer, clock: FakeClock) -> tuple[SnsAndRobots, list[Robot]]:
        callbacks = HttpCallbacks(allow_loopback=True, seconds=2)
        listed = read_alerts(robots.section("zh")).robots
        return SnsAndRobots(lambda: None, None, callbacks, clock), [*listed]  # type: ignore[arg-type,return-value]

    def test_each_takes_what_is_signed(self, robots: RobotServer, clock: FakeClock) -> None:
        notifier, listed = self.both(robots, clock)
        for robot in listed:
            assert notifier.to_robot(robot, LOW) == Answered(ok=True, code="0")
        assert [heard.text for heard in robots.heard] == [LOW.text] * 3
        assert {heard.robot for heard in robots.heard} == {*RobotKind}

    def test_a_signature_is_of_the_moment(self, robots: RobotServer, clock: FakeClock) -> None:
        notifier, (dingtalk, feishu, _) = self.both(robots, clock)
        clock.advance(3700)
        assert notifier.to_robot(dingtalk, LOW) == Answered(
            ok=False, code="310000", said="sign not match"
        )
        assert notifier.to_robot(feishu, LOW).code == "19021"

    def test_another_secret_is_refused(self, robots: RobotServer, clock: FakeClock) -> None:
        notifier, (dingtalk, feishu, _) = self.both(robots, clock)
        assert notifier.to_robot(replace(dingtalk, secret="SECx"), LOW).code == "310000"
        assert notifier.to_robot(replace(feishu, secret=None), LOW).code == "19021"

    def test_a_busy_robots_200_is_no_success(self, robots: RobotServer, clock: FakeClock) -> None:
        notifier, listed = self.both(robots, clock)
        robots.broken = {*RobotKind}
        found = [notifier.to_robot(robot, LOW) for robot in listed]
        assert [one.code for one in found] == ["130101", "11232", "45009"]
        assert not any(one.ok for one in found)

    def test_inside_addresses_are_not_called(self, robots: RobotServer, clock: FakeClock) -> None:
        _, (*_, wecom) = self.both(robots, clock)
        strict = SnsAndRobots(lambda: None, None, HttpCallbacks(), clock)  # type: ignore[arg-type,return-value]
        assert strict.to_robot(wecom, LOW) == Answered(ok=False, code="not_https")
        inside = Robot(RobotKind.WECOM, "https://10.0.0.1/send?key=x")
        assert strict.to_robot(inside, LOW) == Answered(ok=False, code="blocked_address")
        assert not robots.heard

    def test_nobody_is_there(self, closed_url: str, clock: FakeClock) -> None:
        callbacks = HttpCallbacks(allow_loopback=True, seconds=2)
        notifier = SnsAndRobots(lambda: None, None, callbacks, clock)  # type: ignore[arg-type,return-value]
        nowhere = Robot(RobotKind.WECOM, f"{closed_url}/send?key=x")
        assert notifier.to_robot(nowhere, LOW) == Answered(ok=False, code="refused")


def test_the_fake_does_what_it_is_told() -> None:
    fake = FakeNotifier()
    robot = Robot(RobotKind.WECOM, "https://wecom.example/send?key=x")
    assert fake.has_topic
    assert fake.to_topic(LOW).ok
    fake.broken = {robot.id}
    assert fake.to_robot(robot, LOW) == Answered(ok=False, code="timeout")
    assert fake.told == [("topic", Message(*LOW))]
