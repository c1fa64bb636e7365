"""What calls the event handlers on a laptop: Lambda's way with a queue, and schedules."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from chalice.app import CloudWatchEvent, SQSEvent

from local_stack.pump import Pump, Uploads, every
from local_stack.resources import Names, create_bucket, create_queues

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

SECONDS = 10
"""Longer than anything takes here; nothing waits for it to pass."""


@dataclass
class Worker:
    """Gives back the messages whose text is in ``refused``; raises while ``broken``."""

    refused: set[str] = field(default_factory=set)
    broken: int = 0
    events: list[Any] = field(default_factory=list)
    worked: threading.Event = field(default_factory=threading.Event)

    def __call__(self, event: Mapping[str, object], context: object) -> object:
        self.events.append(event)
        if self.broken:
            self.broken -= 1
            raise RuntimeError("the worker broke")
        records: Any = event["Records"]
        failed = [r["messageId"] for r in records if r["body"] in self.refused]
        self.worked.set()
        return {"batchItemFailures": [{"itemIdentifier": one} for one in failed]}

    @property
    def bodies(self) -> list[set[str]]:
        return [{record["body"] for record in event["Records"]} for event in self.events]


@dataclass
class Place:
    """A queue, its dead letters and a pump that runs when it is told to."""

    sqs: "SQSClient"
    url: str
    dead_letters: str
    worker: Worker
    pump: Pump

    def send(self, *texts: str) -> None:
        for text in texts:
            self.sqs.send_message(QueueUrl=self.url, MessageBody=text)

    def left(self, url: str | None = None) -> int:
        names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.sqs.get_queue_attributes(QueueUrl=url or self.url, AttributeNames=names)
        return sum(int(found["Attributes"][name]) for name in names)

    def show(self) -> None:
        """Everything that was received lately becomes visible."""
        self.sqs.change_message_visibility_batch(
            QueueUrl=self.url,
            Entries=[
                {"Id": str(n), "ReceiptHandle": record["receiptHandle"], "VisibilityTimeout": 0}
                for n, record in enumerate(self.worker.events[-1]["Records"])
            ],
        )


@pytest.fixture
def place(sqs: "SQSClient") -> Iterator[Place]:
    url, dead_letters = create_queues(sqs)
    worker = Worker()
    pump = Pump(sqs, url, worker)
    yield Place(sqs, url, dead_letters, worker, pump)
    pump.stop()


def test_the_event_is_lambdas(place: Place) -> None:
    place.send("one", "two")
    assert place.pump.once() == 2
    (event,) = place.worker.events
    records = event["Records"]
    assert len({record["messageId"] for record in records}) == 2
    for record in records:
        assert record["receiptHandle"]
        assert record["attributes"]["ApproximateReceiveCount"] == "1"
        assert record["attributes"]["SentTimestamp"].isdigit()
        assert record["eventSource"] == "aws:sqs"
        assert record["eventSourceARN"].startswith("arn:aws-cn:sqs:cn-north-1:")
        assert record["eventSourceARN"].endswith(place.url.rpartition("/")[2])
        assert record["awsRegion"] == "cn-north-1"
    # chalice reads it.
    assert {record.body for record in SQSEvent(event, None)} == {"one", "two"}
    json.dumps(event)


def test_what_is_done_is_deleted_and_what_is_given_back_stays(place: Place) -> None:
    place.send("good", "bad", "fine")
    place.worker.refused = {"bad"}
    assert place.pump.once() == 3
    assert place.left() == 1
    assert place.pump.once() == 0, "it is hidden"
    place.show()
    place.worker.refused = set()
    assert place.pump.once() == 1
    assert place.worker.bodies[-1] == {"bad"}
    (again,) = place.worker.events[-1]["Records"]
    assert again["attributes"]["ApproximateReceiveCount"] == "2"
    assert place.left() == 0


@pytest.mark.parametrize("answer", [None, {}, {"batchItemFailures": [{}]}])
def test_an_answer_that_lambda_cannot_read_deletes_nothing(place: Place, answer: object) -> None:
    place.send("one")
    assert Pump(place.sqs, place.url, lambda *_: answer).once() == 1
    assert place.left() == 1


def test_a_batch_is_ten_at_most(place: Place) -> None:
    place.send(*(str(n) for n in range(12)))
    assert [place.pump.once(), place.pump.once()] == [10, 2]
    assert place.left() == 0


def test_what_is_given_back_five_times_is_a_dead_letter(place: Place) -> None:
    place.send("bad")
    place.worker.broken = 9
    for _ in range(5):
        assert place.pump.once() == 1
        place.show()
    assert place.pump.once() == 0
    assert (place.left(), place.left(place.dead_letters)) == (0, 1)


def test_a_worker_that_breaks_does_not_stop_the_pump(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    place.worker.broken = 1
    place.send("one")
    assert place.pump.once() == 1
    place.show()
    place.pump.start()
    assert place.worker.worked.wait(SECONDS)
    assert place.worker.bodies == [{"one"}, {"one"}]
    assert "the worker failed: RuntimeError" in caplog.text
    assert "broke" not in caplog.text


def test_a_queue_out_of_reach_does_not_stop_the_pump(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = threading.Event()
    real = place.pump._client.receive_message

    def receive(**arguments: Any) -> Any:
        if failed.is_set():
            return real(**arguments)
        failed.set()
        raise ConnectionError

    monkeypatch.setattr(place.pump._client, "receive_message", receive)
    place.send("one")
    place.pump.start()
    assert place.worker.worked.wait(SECONDS)
    assert failed.is_set()


def test_two_messages_are_worked_on_at_once(place: Place) -> None:
    both = threading.Barrier(2, timeout=SECONDS)

    def worker(*_: object) -> object:
        both.wait()
        met.set()
        return {"batchItemFailures": []}

    met = threading.Event()
    pump = Pump(place.sqs, place.url, worker).start()
    place.send("one")
    while not both.n_waiting:
        threading.Event().wait(0.01)
    place.send("two")
    assert met.wait(SECONDS)
    pump.stop()
    assert place.left() == 0


def test_nothing_runs_once_it_is_stopped(place: Place) -> None:
    place.pump.start()
    threads = place.pump._threads
    assert all(thread.is_alive() for thread in threads)
    place.pump.stop()
    assert not any(thread.is_alive() for thread in threads)


def test_a_schedule_that_fails_ticks_on() -> None:
    events: list[Any] = []
    twice = threading.Event()

    def handler(event: Mapping[str, object], context: object) -> None:
        events.append(event)
        if len(events) == 2:
            twice.set()
        raise RuntimeError

    stop: Callable[[], None] = every(0.01, handler)
    assert twice.wait(SECONDS)
    stop()
    seen = len(events)
    assert {event["source"] for event in events} == {"aws.events"}
    assert not [thread for thread in threading.enumerate() if thread.name == "schedule"]
    assert len(events) == seen


def test_threads_receive_one_after_another(place: Place) -> None:
    """So that any number of idle ones ask no more often than one."""
    inside = threading.Semaphore(1)
    together: list[bool] = []
    enough, real = threading.Event(), place.sqs.receive_message

    class Watched:
        def receive_message(self, **options: Any) -> Any:
            together.append(not inside.acquire(blocking=False))
            try:
                return real(**options)
            finally:
                if not together[-1]:
                    inside.release()
                if len(together) > 10:
                    enough.set()

        def __getattr__(self, name: str) -> Any:
            return getattr(place.sqs, name)

    watched: Any = Watched()
    place.send(*(str(n) for n in range(8)))
    pump = Pump(watched, place.url, place.worker, threads=8, batch=1).start()
    assert enough.wait(SECONDS)
    pump.stop()
    assert not any(together)
    assert {len(event["Records"]) for event in place.worker.events} == {1}


class TestUploads:
    @pytest.fixture
    def bucket(self, boto: boto3.Session, aws_url: str, names: Names) -> Iterator[Any]:
        client = boto.client("s3", endpoint_url=aws_url)
        yield client, create_bucket(client, names.key_id)
        client.close()

    def test_each_object_is_told_of_once(self, bucket: Any) -> None:
        client, name = bucket
        told: list[Any] = []
        uploads = Uploads(client, name, lambda event, _: told.append(event), "uploads/")
        client.put_object(Bucket=name, Key="elsewhere", Body=b"1")
        for body in (b"1", b"22"):
            client.put_object(Bucket=name, Key="uploads/a", Body=body)
            for _ in range(2):
                uploads({}, None)
        assert [event["detail"]["object"]["size"] for event in told] == [1, 2]
        event = CloudWatchEvent(told[0], None)
        assert (event.source, event.detail_type) == ("aws.s3", "Object Created")
        assert event.detail["bucket"] == {"name": name}
        assert event.detail["object"]["key"] == "uploads/a"
        client.delete_object(Bucket=name, Key="uploads/a")
        uploads({}, None)
        client.put_object(Bucket=name, Key="uploads/a", Body=b"22")
        uploads({}, None)
        assert len(told) == 3, "what is gone may be put again"

    def test_a_handler_that_fails_is_called_twice_more(self, bucket: Any) -> None:
        client, name = bucket
        calls: list[object] = []

        def fails(event: object, context: object) -> None:
            calls.append(event)
            raise RuntimeError("x")

        client.put_object(Bucket=name, Key="uploads/a", Body=b"1")
        uploads = Uploads(client, name, fails, "uploads/")
        for _ in range(2):
            uploads({}, None)
        assert len(calls) == 3
