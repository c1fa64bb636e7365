"""Killed at random, again and again: nothing is paid twice, nothing paid is lost."""

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests

from chalicelib import bootstrap
from chalicelib.config import Settings
from chalicelib.domain.batch import BatchStatus, FileLayout
from chalicelib.domain.caps import DAY, MONTH
from chalicelib.domain.codes import Billed
from chalicelib.domain.secret import Client
from chalicelib.domain.verification import CHINA, Action, Status
from chalicelib.services import batches
from chalicelib.services.batch_results import ResultLine, page
from chalicelib.services.batches import BatchRequest
from chalicelib.services.resolve import resolve
from chalicelib.services.split import split
from chalicelib.services.sweep import sweep
from local_stack import dynoxide
from local_stack.aws import AwsServer
from local_stack.resources import REGION, create
from local_stack.stack import local_secret
from mock_server import Options, create_app
from mock_server.serving import Server
from tests.e2e.conftest import ROOT, unused_number
from tests.e2e.crash_harness import CLIENT, HIDDEN_SECONDS, LEASE
from tests.examples import NAME

# Locked moto takes three times as long for each; the fewer keep the suite short without dynoxide.
KEYS = 300 if dynoxide.find() else 120
QUEUED = 80 if dynoxide.find() else 60
ROWS = 150
TWICE = 30
OPS = Client("ops", (), frozenset({"admin"}))


@dataclass
class Place:
    """Where the workers ask and what they leave behind."""

    mock: str

    def paid(self, serial: int) -> int:
        body = {"id_number": unused_number(serial)}
        answer = requests.post(f"{self.mock}/__admin/ledger/count", json=body, timeout=10)
        return int(answer.json()["paid_calls"])

    def paid_in_all(self) -> int:
        return int(requests.get(f"{self.mock}/__admin/ledger", timeout=10).json()["paid_calls"])


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Place]:
    """AWS behind one lock and the mock here; the table in dynoxide where it is installed.

    The parameter, if there is one, is more of the secret.
    """
    secret = json.loads(local_secret()) | getattr(request, "param", {})
    with ExitStack() as parts:
        aws = parts.enter_context(AwsServer())
        mock = parts.enter_context(Server(create_app(Options())))
        durable = dynoxide.find() is not None
        dynamodb = parts.enter_context(dynoxide.Dynoxide()).url if durable else aws.url
        names = create(aws.url, dynamodb_url=dynamodb, secret_string=json.dumps(secret))
        env = {
            "AWS_ENDPOINT_URL": aws.url,
            "AWS_ENDPOINT_URL_DYNAMODB": dynamodb,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_DEFAULT_REGION": REGION,
            "UPSTREAM_URL": f"{mock.url}/idenAuthentication",
            "SECRET_ID": names.secret_id,
            "TABLE_NAME": names.table,
            "KMS_KEY_ID": names.key_id,
            "QUEUE_URL": names.queue_url,
            "ROWS_QUEUE_URL": names.rows_queue_url,
            "BUCKET_NAME": names.bucket,
        }
        for url in (names.queue_url, names.rows_queue_url):
            _hide_shortly(aws.url, url)
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        yield Place(mock.url)


def _hide_shortly(aws_url: str, queue_url: str) -> None:
    """What a killed worker had received comes again soon."""
    sqs = boto3.Session("x", "x", region_name=REGION).client("sqs", endpoint_url=aws_url)
    attributes: Any = {"VisibilityTimeout": str(HIDDEN_SECONDS)}
    sqs.set_queue_attributes(QueueUrl=queue_url, Attributes=attributes)
    sqs.close()


def disturbed(folder: Path, *arguments: str) -> None:
    """Run the harness."""
    harness = [sys.executable, "-m", "tests.e2e.crash_harness", "--folder", str(folder)]
    done = subprocess.run(
        [*harness, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout)["deaths"] > 5, "the workers were hardly disturbed"


def test_killed_at_random_nothing_is_paid_twice_or_lost(place: Place, tmp_path: Path) -> None:
    disturbed(tmp_path, "--keys", str(KEYS))
    nothing_is_paid_twice_or_lost(place, KEYS)


@pytest.mark.parametrize("place", [{"caps": {"day": 10_000, "month": 10_000}}], indirect=True)
def test_nor_is_what_the_queue_brings_under_a_cap(place: Place, tmp_path: Path) -> None:
    disturbed(tmp_path, "--keys", str(QUEUED), "--queue", "--deaths", "0.06")
    nothing_is_paid_twice_or_lost(place, QUEUED)


def test_nor_are_the_rows_of_a_batch(place: Place, tmp_path: Path) -> None:
    """Every row has one end, in order; what is charged is what the result file says."""
    container = bootstrap.build(Settings.from_env())
    tools, batching = container.tools, container.batching()
    people = [f"{NAME},{unused_number(serial)}" for serial in range(ROWS)]
    listed = ["name,id_number", *people, f"{NAME},1", *people[:TWICE], f"{NAME},2"]
    request = BatchRequest(FileLayout("csv"), "\n".join(listed).encode())
    owner = replace(OPS, name="local")
    batch = batches.create(request, client=owner, tools=tools, batching=batching).batch
    split(batch.upload_key, tools=tools, batching=batching, policy=container.policy)
    disturbed(tmp_path, "--keys", "0", "--batch", batch.id, "--deaths", "0.02")
    found = batching.batches.get(batch.id)
    assert found
    assert (found.status, found.progress.done) == (BatchStatus.COMPLETED, found.total)
    now = tools.clock.now()

    def lines() -> Sequence[ResultLine]:
        return page(found, 1, 5000, repository=tools.repository, batching=batching).lines

    assert [line.row for line in lines()] == [*range(2, len(listed) + 1)]
    assert Counter(line.reason for line in lines())["waiting"] == 0
    unknown = [line for line in lines() if line.billed == "unknown"]
    assert unknown, "no worker died at a moment that matters"
    free = 0
    for line in unknown:
        # Whichever of a person's rows was asked first has the call.
        serial = line.row - 2
        paid = place.paid(serial if serial < ROWS else serial - ROWS - 1)
        free += not paid
        resolve(
            line.verification_id,
            billed=Billed.YES if paid else Billed.NO,
            action=Action.CLOSE,
            client=OPS,
            repository=tools.repository,
            clock=tools.clock,
            tell=tools.tell,
        )
    assert {place.paid(serial) for serial in range(ROWS)} <= {0, 1}
    assert place.paid_in_all() + free == ROWS == found.payable
    assert sum(line.billed == "yes" for line in lines()) == place.paid_in_all()
    days = [(now - timedelta(days=back)).astimezone(CHINA).date() for back in (1, 0)]
    usage = tools.repository.usage(days, None)
    assert sum(day.billed["yes"] for day in usage) == place.paid_in_all()
    assert sum(line.reason.startswith("duplicate_of:") for line in lines()) == TWICE


def nothing_is_paid_twice_or_lost(place: Place, keys: int) -> None:
    """Every key has an end, and once the unknown ones are settled usage is the ledger."""
    tools = bootstrap.build(Settings.from_env()).tools
    time.sleep(LEASE + 0.5)
    while sweep(tools=tools).expired:
        pass
    secret = tools.secrets.current()
    statuses: Counter[Status] = Counter()
    for serial in range(keys):
        found = tools.repository.get(secret.verification_id(CLIENT.name, f"crash-{serial}"))
        paid = place.paid(serial)
        assert paid <= 1, "a question was paid for twice"
        assert found is not None, "a question is lost"
        statuses[found.status] += 1
        if paid:
            assert found.status in {Status.COMPLETED, Status.UNKNOWN}, "a paid call is lost"
        if found.status is Status.COMPLETED:
            assert (paid, found.billed, found.sealed) == (1, Billed.YES, None)
            continue
        # Every ambiguity is visible, and a human settles it with the console.
        assert (found.status, found.billed) == (Status.UNKNOWN, Billed.UNKNOWN)
        closed = resolve(
            found.id,
            billed=Billed.YES if paid else Billed.NO,
            action=Action.CLOSE,
            client=OPS,
            repository=tools.repository,
            clock=tools.clock,
            tell=tools.tell,
        )
        assert closed.sealed is None
    assert statuses[Status.COMPLETED] > keys / 2
    assert statuses[Status.UNKNOWN], "no worker died at a moment that matters"
    now = tools.clock.now()
    days = [(now - timedelta(days=back)).astimezone(CHINA).date() for back in (1, 0)]
    usage = tools.repository.usage(days, None)
    assert sum(day.billed["yes"] for day in usage) == place.paid_in_all()
    assert sum(day.billed["unknown"] for day in usage) == 0
    assert not tools.repository.open_until(now + timedelta(days=1), 10)
    for kind in (DAY, MONTH) if secret.caps.day else ():
        caps = {cap for back in (1, 0) for cap in secret.all_caps(now - timedelta(days=back))}
        counters = [cap.counter for cap in caps if cap.counter.kind == kind]
        assert sum(tools.repository.taken(counters).values()) == place.paid_in_all()
