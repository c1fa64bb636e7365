"""How much lies in the queues of what was given up."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.adapters import faults
from chalicelib.services.ports import UnavailableError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


class SqsDeadLetters:
    """Any number of queues of SQS; the client is made when it is needed."""

    def __init__(self, make_client: "Callable[[], SQSClient]", urls: Sequence[str]) -> None:
        self._make_client = make_client
        self._urls = urls

    @cached_property
    def _client(self) -> "SQSClient":
        return self._make_client()

    def depths(self) -> Mapping[str, int]:
        """About how many messages lie in each, by the queue's name; raises UnavailableError."""
        return {url.rpartition("/")[2]: self._depth(url) for url in self._urls}

    def _depth(self, url: str) -> int:
        try:
            found = self._client.get_queue_attributes(
                QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"]
            )
        except (ClientError, BotoCoreError) as exc:
            code = exc.response["Error"]["Code"] if isinstance(exc, ClientError) else None
            why = faults.with_mend(code or type(exc).__name__, "DEAD_LETTERS_URL", self._client)
            raise UnavailableError(f"dead letters: {why}") from exc
        return int(found["Attributes"]["ApproximateNumberOfMessages"])
