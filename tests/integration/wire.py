"""DynamoDB clients whose calls go wrong as a test says."""

from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, ReadTimeoutError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

THREADS = 50
Real = Callable[[], dict[str, Any]]


class Wire:
    """A client whose next calls of an operation go as ``script`` says; ``calls`` lists them all."""

    def __init__(self, client: "DynamoDBClient") -> None:
        self.client = client
        self.meta = client.meta
        self.script: dict[str, deque[Callable[[Real], Any]]] = defaultdict(deque)
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def call(**request: Any) -> Any:
            self.calls.append((operation, request))

            def real() -> Any:
                return getattr(self.client, operation)(**request)

            script = self.script[operation]
            return script.popleft()(real) if script else real()

        return call

    def writes(self) -> list[str]:
        return [name for name, _ in self.calls if name in {"put_item", "transact_write_items"}]


TIMEOUT = ReadTimeoutError(endpoint_url="http://localhost")


def refused(code: str, *, status: int = 400, repeated: int = 0, **about: Any) -> ClientError:
    response = {
        "Error": {"Code": code, "Message": "张三"},
        "ResponseMetadata": {"HTTPStatusCode": status, "RetryAttempts": repeated},
        **about,
    }
    return ClientError(response, "TransactWriteItems")  # type: ignore[arg-type]


def cancelled(*codes: str) -> ClientError:
    reasons = [{"Code": code} for code in codes]
    return refused("TransactionCanceledException", CancellationReasons=reasons)


def lost(error: Exception = TIMEOUT) -> Callable[[Real], Any]:
    """It is done, and the reply is not what says so."""

    def answer(real: Real) -> Any:
        real()
        raise error

    return answer


def undone(error: Exception = TIMEOUT) -> Callable[[Real], Any]:
    """It is not done."""

    def answer(real: Real) -> Any:
        raise error

    return answer


def saying(reply: dict[str, Any]) -> Callable[[Real], Any]:
    """Another reply than the real one."""
    return lambda _: reply


@dataclass
class Line:
    """botocore's own connection: what it sends, and which replies get lost."""

    bodies: list[dict[str, Any]]
    lose: int = 0
