"""What calls the event handlers: schedules, Lambda's poller of a queue, EventBridge."""

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, Self

from local_stack.events import created, queued, scheduled
from local_stack.resources import REGION

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

logger = logging.getLogger("eryaosu.local")

BATCH = 10
# moto sleeps inside a long poll, and everybody else with it: short ones, rarer while idle.
_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 0.5
_STOP_SECONDS = 5
_TRIES = 3


class Handler(Protocol):
    """One of the app's event handlers, as Lambda calls it."""

    def __call__(self, event: Mapping[str, object], context: object, /) -> Any:  # noqa: ANN401
        """Work the event off."""


class Pump:
    """Hands the queue's messages to the worker and deletes those that it did not give back.

    Every thread works by itself, as a Lambda instance would; they receive one after another, so
    that any number of idle ones ask no more often than one. An exception gives the whole batch
    back; what is given back comes again once its visibility timeout is over.
    """

    def __init__(
        self,
        client: "SQSClient",
        queue_url: str,
        worker: Handler,
        *,
        threads: int = 2,
        batch: int = BATCH,
    ) -> None:
        self._client = client
        self._queue_url = queue_url
        self._worker = worker
        self._batch = batch
        self._receiving = threading.Lock()
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, name=f"worker-{n}", daemon=True)
            for n in range(threads)
        ]

    def start(self) -> Self:
        """Receive and work in the background."""
        for thread in self._threads:
            thread.start()
        return self

    def stop(self) -> None:
        """Receive no more; what is being worked on gets a few seconds to end."""
        self._stopped.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(_STOP_SECONDS)

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._done(self._next())
            except Exception as exc:  # noqa: BLE001  # the next round is another chance
                # Only its type: a text could hold what was sent.
                logger.warning("the worker's queue failed: %s", type(exc).__name__)
                self._stopped.wait(_LONGEST_PAUSE)

    def _next(self) -> "list[MessageTypeDef]":
        """Wait for messages; none once it is stopped."""
        pause = _FIRST_PAUSE
        with self._receiving:
            while not self._stopped.is_set():
                if messages := self._received():
                    return messages
                self._stopped.wait(pause)
                pause = min(pause * 1.5, _LONGEST_PAUSE)
        return []

    def once(self) -> int:
        """Receive and work one batch; returns how many messages there were."""
        messages = self._received()
        self._done(messages)
        return len(messages)

    def _received(self) -> "list[MessageTypeDef]":
        received = self._client.receive_message(
            QueueUrl=self._queue_url,
            MaxNumberOfMessages=self._batch,
            WaitTimeSeconds=0,
            MessageSystemAttributeNames=["All"],
        )
        return received.get("Messages", [])

    def _done(self, messages: "list[MessageTypeDef]") -> None:
        if messages:
            given_back = self._work(messages)
            self._delete(m for m in messages if m["MessageId"] not in given_back)

    def _work(self, messages: "list[MessageTypeDef]") -> set[str]:
        """The ids of the messages that are to come again."""
        account, name = self._queue_url.rsplit("/", 2)[-2:]
        event = queued(messages, f"arn:aws-cn:sqs:{REGION}:{account}:{name}")
        try:
            answer = self._worker(event, None)
            return {failed["itemIdentifier"] for failed in answer["batchItemFailures"]}
        except Exception as exc:  # noqa: BLE001  # as Lambda takes it: nothing was done
            logger.error("the worker failed: %s", type(exc).__name__)  # noqa: TRY400  # as above
            return {message["MessageId"] for message in messages}

    def _delete(self, messages: "Iterable[MessageTypeDef]") -> None:
        entries = [
            {"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]}
            for n, message in enumerate(messages)
        ]
        if entries:
            self._client.delete_message_batch(QueueUrl=self._queue_url, Entries=entries)  # type: ignore[arg-type]


class Uploads:
    """Tells a handler of each object that is put in a bucket, as EventBridge would.

    A handler that fails is called twice more, as Lambda does with what nobody waits for.
    """

    def __init__(self, client: "S3Client", bucket: str, handler: Handler, prefix: str) -> None:
        self._client = client
        self._bucket = bucket
        self._handler = handler
        self._prefix = prefix
        self._told: set[tuple[str, str]] = set()

    def __call__(self, event: Mapping[str, object], context: object, /) -> None:  # noqa: ARG002
        """Look once; what ``every`` calls takes an event."""
        listed = self._client.list_objects_v2(Bucket=self._bucket, Prefix=self._prefix)
        found = {(one["Key"], one["ETag"]): one["Size"] for one in listed.get("Contents", [])}
        # What is gone may be put again.
        self._told &= found.keys()
        for key, etag in found.keys() - self._told:
            self._told.add((key, etag))
            self._tell(created(self._bucket, key, found[key, etag], etag.strip('"')))

    def _tell(self, event: Mapping[str, object]) -> None:
        for _ in range(_TRIES):
            try:
                self._handler(event, None)
            except Exception as exc:  # noqa: BLE001  # as Lambda takes it
                logger.warning("an upload's handler failed: %s", type(exc).__name__)
            else:
                return


def every(seconds: float, handler: Handler) -> Callable[[], None]:
    """Call a schedule's handler as EventBridge would; the answer ends it."""
    stopped = threading.Event()

    def tick() -> None:
        while not stopped.wait(seconds):
            try:
                handler(scheduled(), None)
            except Exception as exc:  # noqa: BLE001  # the next tick is another chance
                logger.warning("a schedule failed: %s", type(exc).__name__)

    thread = threading.Thread(target=tick, name="schedule", daemon=True)
    thread.start()

    def stop() -> None:
        stopped.set()
        thread.join(_STOP_SECONDS)

    return stop
