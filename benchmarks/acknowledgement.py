"""How soon a form's vendor has its answer: 20 submissions a second to the local stack.

``python -m benchmarks.acknowledgement``. An open loop: submissions start at even distances, however
long the ones before take, and the time counts from the moment at which one was to start. Each is
signed, has an entry of its own and comes over a connection of its own. The stack is another
process, its table dynoxide's; the worker is paused, so what is accepted stays pending. Exit code 1
when one was refused, lost or paid for.
"""

import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import boto3

from benchmarks import stack_process
from benchmarks.mock_process import machine
from benchmarks.submissions import VENDORS, Submission, path_of, secret, submissions
from local_stack import dynoxide

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PER_SECOND = 20
SECONDS = 20
WARM = 80
CONNECTIONS = 64
REQUIRED_MS = 50

_LEAD_SECONDS = 0.1
_TIMEOUT = 30


@dataclass(frozen=True, slots=True)
class Answer:
    """The status, and how long after its time it came; ``late`` of that before it was sent.

    The status is 0 where none came.
    """

    status: int
    seconds: float
    late: float


def post(api_url: str, sent: Sequence[Submission]) -> list[Answer]:
    """Start each at its time; returns all answers."""
    address = urlsplit(api_url).netloc

    def one(submission: Submission, due: float) -> Answer:
        _, hook = submission
        late = time.perf_counter() - due
        status = 0
        with (
            suppress(OSError, HTTPException),
            closing(HTTPConnection(address, timeout=_TIMEOUT)) as connection,
        ):
            connection.request("POST", path_of(submission), hook.body, dict(hook.headers))
            response = connection.getresponse()
            response.read()
            status = response.status
        return Answer(status, time.perf_counter() - due, late)

    first = time.perf_counter() + _LEAD_SECONDS
    with ThreadPoolExecutor(CONNECTIONS) as threads:
        waiting = []
        for place, submission in enumerate(sent):
            due = first + place / PER_SECOND
            time.sleep(max(0.0, due - time.perf_counter()))
            waiting.append(threads.submit(one, submission, due))
        return [answer.result() for answer in waiting]


def measure(env: Mapping[str, str]) -> bool:
    """Print the table; tell whether nothing was lost, refused or paid for."""
    post(env["API_URL"], submissions(WARM))
    answers = post(env["API_URL"], submissions(PER_SECOND * SECONDS))
    times = [answer.seconds * 1e3 for answer in answers]
    late = [answer.late * 1e3 for answer in answers]
    print(f"  {'p50, ms':<34}{_percentile(times, 50):>9.1f}")
    print(f"  {'p95, ms':<34}{_percentile(times, 95):>9.1f}")
    p99 = _percentile(times, 99)
    verdict = "met" if p99 <= REQUIRED_MS else "missed"
    print(f"  {'p99, ms':<34}{p99:>9.1f}  required <= {REQUIRED_MS}  {verdict}")
    print(f"  {'max, ms':<34}{max(times):>9.1f}")
    # Only a machine that is busy with other work makes the sender late.
    print(f"  {'of it before it was sent, p99, ms':<34}{_percentile(late, 99):>9.1f}")
    taken = sum(200 <= answer.status < 300 for answer in answers)
    sent = WARM + len(answers)
    good = _count("answered 2xx", taken, len(answers))
    good &= _count("pending, warm-up included", _pending(env), sent)
    good &= _count("messages queued", _queued(env), sent)
    good &= _count("paid calls", _paid(env), 0)
    return good


def _percentile(values: Sequence[float], percent: int) -> float:
    return quantiles(values, n=100, method="inclusive")[percent - 1]


def _count(label: str, found: int, wanted: int) -> bool:
    print(f"  {label:<34}{found:>9}  {'ok' if found == wanted else f'FAIL: not {wanted}'}")
    return found == wanted


def _pending(env: Mapping[str, str]) -> int:
    client: DynamoDBClient = _client("dynamodb", env, env["AWS_ENDPOINT_URL_DYNAMODB"])
    pages = client.get_paginator("scan").paginate(
        TableName=env["TABLE_NAME"],
        Select="COUNT",
        FilterExpression="#status = :pending",
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues={":pending": {"S": "pending"}},
    )
    return sum(page["Count"] for page in pages)


def _queued(env: Mapping[str, str]) -> int:
    name = "ApproximateNumberOfMessages"
    client = _client("sqs", env, env["AWS_ENDPOINT_URL"])
    found = client.get_queue_attributes(QueueUrl=env["QUEUE_URL"], AttributeNames=[name])
    return int(found["Attributes"][name])


def _client(service: str, env: Mapping[str, str], url: str) -> Any:  # noqa: ANN401  # any client
    key, region = env["AWS_ACCESS_KEY_ID"], env["AWS_REGION"]
    return boto3.Session(key, key, region_name=region).client(service, endpoint_url=url)  # type: ignore[call-overload]


def _paid(env: Mapping[str, str]) -> int:
    with urlopen(f"{env['MOCK_URL']}/__admin/ledger", timeout=_TIMEOUT) as response:  # noqa: S310  # loopback
        return int(json.load(response)["paid_calls"])


def main() -> bool:
    """Start the stack in another process, post to it, stop it; false if something was lost."""
    print(f"Acknowledgement of form submissions ({machine()})")
    if dynoxide.find() is None:
        print("  MISSING: dynoxide (get it with `make peers`); this is not measured")
        return True
    print(f"  {PER_SECOND} a second for {SECONDS} s, in turn {', '.join(VENDORS)}")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "secret.json"
        file.write_text(secret(), "utf-8")
        flags = ("--secret", str(file), "--no-worker", "--dynoxide")
        with stack_process.running(*flags) as env:
            return measure(env)


if __name__ == "__main__":
    sys.exit(not main())
