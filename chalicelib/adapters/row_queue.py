"""The queue of the rows over SQS, apart from the other one so that forms never wait behind it."""

from typing import TYPE_CHECKING

from chalicelib.adapters.queue import SqsQueue
from chalicelib.domain.batch_messages import RowMessage, encode

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


class SqsRowQueue:
    """One standard queue; ``client`` is a low-level SQS client whose timeouts bound a call."""

    def __init__(self, client: "SQSClient", url: str) -> None:
        self._queue = SqsQueue(client, url, "ROWS_QUEUE_URL")

    def send(self, message: RowMessage, delay: int = 0) -> None:
        """Hand it over, to arrive after ``delay`` seconds (900 at most); UnavailableError."""
        self._queue.send_text(encode(message), delay)
