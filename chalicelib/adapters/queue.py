"""The queue port over SQS."""

from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.adapters import faults
from chalicelib.domain.messages import Message, encode
from chalicelib.services.ports import UnavailableError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


class SqsQueue:
    """One standard queue; ``client`` is a low-level SQS client whose timeouts bound a call."""

    def __init__(self, client: "SQSClient", url: str, setting: str = "QUEUE_URL") -> None:
        self._client = client
        self._url = url
        self._setting = setting

    def send(self, message: Message, delay: int = 0) -> None:
        """Hand it over, to arrive after ``delay`` seconds (900 at most); UnavailableError."""
        self.send_text(encode(message), delay)

    def send_text(self, text: str, delay: int) -> None:
        """The same for a message's text."""
        try:
            self._client.send_message(QueueUrl=self._url, MessageBody=text, DelaySeconds=delay)
        except (ClientError, BotoCoreError) as exc:
            code = exc.response["Error"]["Code"] if isinstance(exc, ClientError) else None
            why = faults.with_mend(code or type(exc).__name__, self._setting, self._client)
            raise UnavailableError(f"queue: {why}") from exc
