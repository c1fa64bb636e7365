"""What each Lambda function calls of AWS, recorded while it runs, in IAM's words."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import EndpointConnectionError

Call = tuple[str, str]
"""An IAM action and the logical name of the resource, an index as ``Table/index/<name>``."""

_INNER = {
    "Put": "dynamodb:PutItem",
    "Update": "dynamodb:UpdateItem",
    "Delete": "dynamodb:DeleteItem",
    "ConditionCheck": "dynamodb:ConditionCheckItem",
}
_RESOURCES = {"dynamodb": "Table", "kms": "Key", "secretsmanager": "Secret", "s3": "Bucket/*"}
_PARTS = {"CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"}


class Recorder:
    """Calls by function; what is called while none runs belongs to the test."""

    def __init__(self) -> None:
        self.calls: dict[str, set[Call]] = {}
        self.lose_replies = 0
        self._running: str | None = None

    @contextmanager
    def running(self, function: str) -> Iterator[None]:
        """Until the end, calls are the function's."""
        self._running = function
        try:
            yield
        finally:
            self._running = None

    def install(self, patch: pytest.MonkeyPatch) -> None:
        """Listen to every client of this process."""
        real: Callable[..., Any] = BaseClient._make_api_call  # type: ignore[attr-defined]

        def call(client: BaseClient, operation: str, params: Mapping[str, Any]) -> Any:
            if self._running is not None:
                service: str = client.meta.service_model.service_name
                found = self.calls.setdefault(self._running, set())
                found.update(_calls(service, operation, params))
            answer = real(client, operation, params)
            if self._running is not None and operation == "TransactWriteItems":
                self._lose_reply()
            return answer

        patch.setattr(BaseClient, "_make_api_call", call)

    def _lose_reply(self) -> None:
        if self.lose_replies:
            self.lose_replies -= 1
            raise EndpointConnectionError(endpoint_url="https://lost.example")


def _calls(service: str, operation: str, params: Mapping[str, Any]) -> Iterator[Call]:
    if operation == "TransactWriteItems":
        # IAM knows the transaction by what is in it.
        for item in params["TransactItems"]:
            yield from ((_INNER[kind], "Table") for kind in item)
        return
    if service == "sqs":
        # Queues are told apart by how the local stack names them.
        yield f"sqs:{operation}", "Rows" if "-Rows-" in params["QueueUrl"] else "Queue"
        return
    if operation in _PARTS:
        operation = "PutObject"
    resource = _RESOURCES[service]
    if "IndexName" in params:
        resource = f"{resource}/index/{params['IndexName']}"
    yield f"{service}:{operation}", resource
