"""The whole system, started as its users start it, in a process of its own."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import boto3
import pytest
import requests

from chalicelib import bootstrap
from chalicelib.bootstrap import Container, SystemClock
from chalicelib.config import Settings
from chalicelib.domain import resident_id
from chalicelib.domain.verification import Verification, VerificationRequest
from chalicelib.services import verify as verifying
from chalicelib.services.ports import UnavailableError, Write

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

T = TypeVar("T")

ROOT = Path(__file__).parents[2]
KEY = "local-dev-key"


def unused_number(serial: int) -> str:
    """A well-formed number of someone born in 1851, apart for each serial below 10,000."""
    day, order = divmod(serial, 500)
    first17 = f"11010118510{1 + day // 28}{1 + day % 28:02d}{order:03d}"
    return first17 + resident_id.check_character(first17)


def until(look: Callable[[], T | None], seconds: float = 20) -> T:
    """What ``look`` sees as soon as it sees something."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        seen = look()
        if seen:
            return seen
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")


class Ahead(SystemClock):
    """A clock that is fast, so that what is due later is due now."""

    def __init__(self, seconds: float) -> None:
        self.ahead = timedelta(seconds=seconds)

    def now(self) -> datetime:
        return super().now() + self.ahead


@dataclass
class Running:
    """A running local stack, and how its callers and its mock's driver talk to it."""

    process: subprocess.Popen[str]
    env: dict[str, str]

    @property
    def api(self) -> str:
        return self.env["API_URL"]

    @property
    def mock(self) -> str:
        return self.env["MOCK_URL"]

    def call(self, method: str, path: str, body: object = None, **headers: str) -> Any:
        """One request with the local key; headers by name, _ for -."""
        sent = {"Authorization": f"Bearer {KEY}"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return requests.request(method, f"{self.api}{path}", json=body, headers=sent, timeout=40)

    def verify(self, name: str, id_number: str, key: str | None = None, **members: object) -> Any:
        """POST /v1/verifications."""
        headers = {} if key is None else {"Idempotency_Key": key}
        return self.call(
            "POST",
            "/v1/verifications",
            {"name": name, "id_number": id_number, **members},
            **headers,
        )

    def accept(self, name: str, id_number: str, key: str | None = None, **members: object) -> Any:
        """POST /v1/verifications, not waiting for the answer."""
        headers = {"Prefer": "respond-async"} | ({} if key is None else {"Idempotency_Key": key})
        body = {"name": name, "id_number": id_number, **members}
        return self.call("POST", "/v1/verifications", body, **headers)

    def seen(self, verification_id: str) -> Any:
        """GET /v1/verifications/{id}."""
        answer = self.call("GET", f"/v1/verifications/{verification_id}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def ended(self, verification_id: str) -> Any:
        """The verification once it is neither pending nor in progress."""

        def look() -> Any:
            found = self.seen(verification_id)
            return None if found["status"] in {"pending", "in_progress"} else found

        return until(look)

    @contextmanager
    def sqs(self) -> "Iterator[SQSClient]":
        """A client of the stack's queues."""
        client = boto3.client(
            "sqs",
            endpoint_url=self.env["AWS_ENDPOINT_URL"],
            region_name=self.env["AWS_REGION"],
            aws_access_key_id="x",
            aws_secret_access_key="x",
        )
        with closing(client):
            yield client

    def admin(self, method: str, path: str, body: object = None) -> Any:
        """One call to the mock's /__admin."""
        answer = requests.request(method, f"{self.mock}/__admin/{path}", json=body, timeout=10)
        assert answer.ok, answer.text
        return answer.json()

    def paid(self, id_number: str, name: str | None = None) -> int:
        """How often a person was charged for."""
        body = {"id_number": id_number} | ({"name": name} if name else {})
        return int(self.admin("POST", "ledger/count", body)["paid_calls"])

    def close_breaker(self) -> None:
        assert self.call("POST", "/v1/breaker/close").ok


def heed_ctrl_c() -> None:
    """In a program that is started: tests that run in the background pass on that it is ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start_stack(folder: Path, *arguments: str, **env: str) -> Running:
    """Start one on free ports; returns once it is ready."""
    file = folder / f"{uuid.uuid4().hex}.env"
    ports = ("--port", "0", "--mock-port", "0", "--aws-port", "0")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    with (folder / "stack.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "local_stack", *ports, "--env-file", str(file), *arguments],
            cwd=ROOT,
            env=clean | env,
            stdout=log,
            stderr=log,
            text=True,
            preexec_fn=heed_ctrl_c,  # noqa: PLW1509  # before any thread of its own
        )
    for _ in range(600):
        if file.exists() and file.read_text("utf-8").endswith("\n"):
            break
        assert process.poll() is None, (folder / "stack.log").read_text("utf-8")
        time.sleep(0.05)
    values = dict(re.findall(r"(\w+)=(.*)\n", file.read_text("utf-8")))
    running = Running(process, values)
    assert requests.get(f"{running.api}/healthz", timeout=10).status_code == 200
    return running


def stop_stack(running: Running) -> None:
    running.process.terminate()
    assert running.process.wait(timeout=20) == 0


@pytest.fixture(scope="session")
def _stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    # Short times, so that what hangs does not hold up the suite.
    running = start_stack(
        tmp_path_factory.mktemp("stack"),
        DEADLINE_SECONDS="4",
        DUPLICATE_WAIT_SECONDS="8",
        LEASE_SECONDS="30",
    )
    yield running
    stop_stack(running)


@pytest.fixture
def stack(_stack: Running) -> Running:
    """The running stack, its mock reset and its breaker closed."""
    _stack.admin("POST", "reset", {})
    _stack.close_breaker()
    return _stack


def close_clients(container: Container) -> None:
    """Those of AWS that were made."""
    tools: Any = container.tools
    watching: Any = container.watching()
    for part in (tools.repository, tools.secrets, tools.sealer, tools.queue):
        part._client.close()
    for part in (watching.notifier, watching.dead_letters):
        if "_client" in vars(part):
            part._client.close()


@contextmanager
def container_of(running: Running, patch: pytest.MonkeyPatch) -> Iterator[Container]:
    """The service's own parts here, over the stack's AWS and mock; ``app``'s handlers use them."""
    for name, value in running.env.items():
        patch.setenv(name, value)
    container = bootstrap.build(Settings.from_env())
    bootstrap.override(container)
    yield container
    bootstrap.override(None)
    close_clients(container)


def answered_in_vain(
    container: Container, patch: pytest.MonkeyPatch, name: str, id_number: str, key: str
) -> Verification:
    """Asked here, by the first client, while the table refuses to write down how a call ended."""
    tools, real = container.tools, container.tools.repository.write

    def write(write: Write) -> None:
        if write.usage:
            raise UnavailableError("table: ProvisionedThroughputExceededException")
        real(write)

    client = tools.secrets.current().clients[0]
    request = VerificationRequest(name, id_number, idempotency_key=key)
    with patch.context() as broken:
        broken.setattr(tools.repository, "write", write)
        broken.setattr(verifying, "_END_SECONDS", 0)
        told = verifying.verify(request, client=client, tools=tools, policy=container.policy)
    return told.verification


def dead_letters_of(sqs: "SQSClient", url: str) -> str:
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])
    arn: str = json.loads(found["Attributes"]["RedrivePolicy"])["deadLetterTargetArn"]
    return sqs.get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"]


def peek(sqs: "SQSClient", url: str) -> list[str]:
    """The texts of all messages that can be received, which stay where they are."""
    found = []
    while messages := sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=60
    ).get("Messages"):
        found += messages
    for message in found:
        handle = message["ReceiptHandle"]
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)
    return [message["Body"] for message in found]


@pytest.fixture
def container(stack: Running, monkeypatch: pytest.MonkeyPatch) -> Iterator[Container]:
    with container_of(stack, monkeypatch) as built:
        yield built


@pytest.fixture
def key() -> str:
    """An Idempotency-Key that no other test uses."""
    return uuid.uuid4().hex
