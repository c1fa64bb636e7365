"""One contract, kept by the fake and by SQS, and what is SQS's own."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from chalicelib.adapters.queue import SqsQueue
from chalicelib.adapters.row_queue import SqsRowQueue
from chalicelib.config import Settings
from chalicelib.domain import batch_messages
from chalicelib.domain.batch_messages import Dispatch, RowMessage, Rows
from chalicelib.domain.messages import Ask, Deliver, Message, Repair, decode
from chalicelib.domain.verification import Answer, DerivedFields
from chalicelib.services.ports import Queue, UnavailableError
from local_stack.resources import create_queues
from tests.fakes.batches import FakeRowQueue
from tests.fakes.queue import FakeQueue
from tests.integration.conftest import QUICK

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

ROOT = Path(__file__).parents[2]
ANSWER = Answer("0000", "身份证信息匹配", "an-id", DerivedFields("安徽省", "淮南市"))
MESSAGES: list[Message] = [
    Ask("vrf_1"),
    Deliver("dlv_1"),
    Repair("vrf_1", "a-token", ANSWER),
    Repair("vrf_1", "a-token", Answer("T504UR")),
]


@dataclass
class Place:
    """A queue, and what is seen from its other side: the messages' texts and how many wait."""

    queue: Queue
    bodies: Callable[[], list[Message]]
    delayed: Callable[[], int]


def bodies(sqs: "SQSClient", url: str) -> list[str]:
    received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
    return [message["Body"] for message in received.get("Messages", [])]


def delayed(sqs: "SQSClient", url: str) -> int:
    name: Any = "ApproximateNumberOfMessagesDelayed"
    return int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name])


@pytest.fixture(params=["fake", "sqs"])
def place(request: pytest.FixtureRequest) -> Place:
    if request.param == "fake":
        fake = FakeQueue()
        return Place(
            fake,
            lambda: [message for message, delay in fake.sent if not delay],
            lambda: sum(delay > 0 for _, delay in fake.sent),
        )
    sqs = request.getfixturevalue("sqs")
    url, _ = create_queues(sqs)
    return Place(
        SqsQueue(sqs, url),
        lambda: [decode(body) for body in bodies(sqs, url)],
        lambda: delayed(sqs, url),
    )


@pytest.fixture
def unreachable(boto: boto3.Session, closed_url: str) -> "Iterator[SQSClient]":
    client = boto.client("sqs", endpoint_url=closed_url, config=QUICK)
    yield client
    client.close()


@pytest.fixture(params=["fake", "sqs"])
def down(request: pytest.FixtureRequest) -> Queue:
    if request.param == "fake":
        fake = FakeQueue()
        fake.down = True
        return fake
    return SqsQueue(request.getfixturevalue("unreachable"), "http://127.0.0.1/1/queue")


class TestContract:
    @pytest.mark.parametrize("message", MESSAGES)
    def test_what_is_sent_arrives_without_the_person(self, place: Place, message: Message) -> None:
        place.queue.send(message)
        (arrived,) = place.bodies()
        if isinstance(message, Repair):
            assert isinstance(arrived, Repair)
            assert (arrived.verification_id, arrived.token) == ("vrf_1", "a-token")
            assert arrived.answer.person is None
            assert (arrived.answer.code, arrived.answer.message) == (
                message.answer.code,
                message.answer.message,
            )
        else:
            assert arrived == message

    def test_a_copy_is_a_message_of_its_own(self, place: Place) -> None:
        for _ in range(2):
            place.queue.send(MESSAGES[0])
        assert place.bodies() == [MESSAGES[0]] * 2

    def test_a_delay(self, place: Place) -> None:
        place.queue.send(MESSAGES[0], delay=900)
        assert place.bodies() == []
        assert place.delayed() == 1

    def test_out_of_reach(self, down: Queue) -> None:
        with pytest.raises(UnavailableError) as caught:
            down.send(MESSAGES[2])
        assert "vrf_1" not in str(caught.value)


class TestSqs:
    def test_a_text_holds_ids_and_codes_only(self, sqs: "SQSClient") -> None:
        url, _ = create_queues(sqs)
        SqsQueue(sqs, url).send(MESSAGES[2])
        (body,) = bodies(sqs, url)
        assert json.loads(body).keys() == {
            "repair",
            "token",
            "code",
            "message",
            "upstream_request_id",
        }

    def test_errors_name_the_cause(self, sqs: "SQSClient", unreachable: "SQSClient") -> None:
        url, _ = create_queues(sqs)
        cases = (
            (sqs, url + "x", "AWS.SimpleQueueService.NonExistentQueue: .* set QUEUE_URL .*"),
            (unreachable, url, "EndpointConnectionError"),
        )
        for client, where, said in cases:
            with pytest.raises(UnavailableError, match=f"^queue: {said}$"):
                SqsQueue(client, where).send(MESSAGES[0])


def deployed(name: str) -> Any:
    text = (ROOT / ".chalice" / "resources.json").read_text("utf-8")
    return json.loads(text)["Resources"][name]["Properties"]


class TestTimes:
    def test_a_worker_has_ended_and_its_claim_too_before_the_message_comes_again(self) -> None:
        hidden = deployed("Queue")["VisibilityTimeout"]
        stages = json.loads((ROOT / ".chalice" / "config.json").read_text("utf-8"))["stages"]
        for stage in stages.values():
            assert stage["lambda_functions"]["worker"]["lambda_timeout"] < hidden
        assert Settings.__dataclass_fields__["lease_seconds"].default < hidden

    def test_what_the_alarm_watches(self) -> None:
        alarm = deployed("DeadLettersAlarm")
        assert (alarm["Namespace"], alarm["MetricName"]) == (
            "AWS/SQS",
            "ApproximateNumberOfMessagesVisible",
        )
        (dimension,) = alarm["Dimensions"]
        assert dimension["Value"] == {"Fn::GetAtt": ["DeadLetters", "QueueName"]}
        assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("GreaterThanThreshold", 0)
        assert alarm["AlarmActions"] == [{"Ref": "Alarms"}]
        assert deployed("Queue")["RedrivePolicy"] == {
            "deadLetterTargetArn": {"Fn::GetAtt": ["DeadLetters", "Arn"]},
            "maxReceiveCount": 5,
        }


class TestRows:
    """The queue of the rows is another one of the same kind."""

    @pytest.mark.parametrize("message", [Rows("bat_1", 1, 0, 90, 2, "a-run"), Dispatch("bat_1", 1)])
    def test_what_is_sent_arrives(self, sqs: "SQSClient", message: RowMessage) -> None:
        url, _ = create_queues(sqs, "Rows", "RowsDeadLetters")
        fake = FakeRowQueue()
        for queue in (fake, SqsRowQueue(sqs, url)):
            queue.send(message)
            queue.send(message, 900)
        assert fake.sent == [(message, 0), (message, 900)]
        assert [batch_messages.decode(body) for body in bodies(sqs, url)] == [message]
        assert delayed(sqs, url) == 1

    def test_out_of_reach(self, unreachable: "SQSClient") -> None:
        fake = FakeRowQueue()
        fake.down = True
        for queue in (fake, SqsRowQueue(unreachable, "http://127.0.0.1/1/queue")):
            with pytest.raises(UnavailableError):
                queue.send(Dispatch("bat_1", 1))

    def test_one_that_is_not_there_is_named_with_its_setting(self, sqs: "SQSClient") -> None:
        url, _ = create_queues(sqs)
        with pytest.raises(UnavailableError, match="ROWS_QUEUE_URL"):
            SqsRowQueue(sqs, f"{url}-gone").send(Dispatch("bat_1", 1))
