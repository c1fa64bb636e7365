"""The real peers, once a test process; no credentials or region of the caller's are used."""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config

from local_stack import dynoxide
from local_stack.aws import AwsServer
from local_stack.resources import ACCESS_KEY, REGION, Names, create, create_table
from tests.integration.wire import THREADS, TIMEOUT, Line, Wire

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient

QUICK = Config(
    connect_timeout=0.5, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 1}
)
SECRET_TEXT = json.dumps(
    {
        "appcode": "an-appcode",
        "id_key": "i" * 32,
        "hash_key": "h" * 32,
        "clients": [{"name": "shop", "key_sha256": ["0" * 64], "scopes": ["verify"]}],
    }
)


@dataclass(frozen=True)
class Dynamodb:
    """A fresh table with its indexes, and where it stands."""

    url: str
    table: str


@pytest.fixture(scope="session")
def boto() -> boto3.Session:
    """Makes clients; tests close theirs, or pytest takes the open socket for a leak."""
    return boto3.Session(ACCESS_KEY, ACCESS_KEY, region_name=REGION)


@pytest.fixture(scope="session")
def aws_url() -> Iterator[str]:
    with AwsServer() as server:
        yield server.url


@pytest.fixture(scope="session")
def names(aws_url: str) -> Names:
    return create(aws_url, secret_string=SECRET_TEXT)


@pytest.fixture(scope="session")
def dynoxide_url() -> Iterator[str]:
    if dynoxide.find() is None:
        pytest.skip("dynoxide is not installed; local_stack/dynoxide.py says how")
    with dynoxide.Dynoxide() as server:
        yield server.url


@pytest.fixture(scope="session")
def dynamodb_client(boto: boto3.Session) -> Iterator[Callable[[str], "DynamoDBClient"]]:
    """One client for each peer's URL: making one costs more than most tests."""
    with ExitStack() as open_clients:

        @cache
        def client(url: str) -> "DynamoDBClient":
            made = boto.client("dynamodb", endpoint_url=url, config=QUICK)
            open_clients.callback(made.close)
            return made

        yield client


@pytest.fixture(scope="session")
def sqs(boto: boto3.Session, aws_url: str) -> "Iterator[SQSClient]":
    client = boto.client("sqs", endpoint_url=aws_url, config=QUICK)
    yield client
    client.close()


@pytest.fixture(params=["moto", "dynoxide"])
def dynamodb(
    request: pytest.FixtureRequest, dynamodb_client: Callable[[str], "DynamoDBClient"]
) -> Dynamodb:
    peer = "aws_url" if request.param == "moto" else "dynoxide_url"
    url: str = request.getfixturevalue(peer)
    return Dynamodb(url, create_table(dynamodb_client(url)))


@pytest.fixture(scope="session")
def clients(boto: boto3.Session) -> Iterator[Callable[[str], "DynamoDBClient"]]:
    """One client for each peer: they are made slowly."""
    made: dict[str, DynamoDBClient] = {}
    config = Config(retries={"total_max_attempts": 1}, max_pool_connections=THREADS)

    def client(url: str) -> "DynamoDBClient":
        if url not in made:
            made[url] = boto.client("dynamodb", endpoint_url=url, config=config)
        return made[url]

    yield client
    for each in made.values():
        each.close()


@pytest.fixture
def wire(dynamodb: Dynamodb, clients: Callable[[str], "DynamoDBClient"]) -> Wire:
    return Wire(clients(dynamodb.url))


@pytest.fixture
def line(
    dynamodb: Dynamodb, boto: boto3.Session, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple["DynamoDBClient", Line]]:
    """A client that repeats calls by itself, as in production."""
    config = Config(retries={"mode": "standard", "total_max_attempts": 3})
    client = boto.client("dynamodb", endpoint_url=dynamodb.url, config=config)
    endpoint: Any = client._endpoint  # type: ignore[attr-defined]
    session, line = endpoint.http_session, Line([])
    send = session.send

    def sent(request: Any) -> Any:
        line.bodies.append(json.loads(request.body))
        reply = send(request)
        if line.lose:
            line.lose -= 1
            raise TIMEOUT
        return reply

    monkeypatch.setattr(session, "send", sent)
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    yield client, line
    client.close()


@pytest.fixture
def closed_url() -> Iterator[str]:
    """Where nobody listens, for as long as the test runs."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
