"""A cold start beside the tutorial's: ``python -m benchmarks.cold_start``, in one run.

Each start is a new process of Lambda's own client over the unzipped package. Its CPU time, wall
time and peak memory are taken when the first answer is there and is right. AWS and the upstream
run elsewhere, so all of it is the function's own.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import boto3
import requests

from benchmarks import events, runtime_api, stack_process, tutorial_package
from benchmarks.verification import NAME, number
from local_stack import dynoxide
from tools import package

STARTS = 11
CPU_RATIO = 0.35
MEMORY_RATIO = 0.8
ZIP_BYTES = 4_000_000

Json = Any


@dataclass(frozen=True, slots=True)
class Function:
    """One package under one event; ``right`` says whether an answer is the one that is wanted."""

    name: str
    package: Path
    handler: str
    event: Callable[[], object]
    right: Callable[[Json], bool]


@dataclass(frozen=True, slots=True)
class Start:
    """What one start took: seconds and bytes."""

    cpu: float
    wall: float
    peak: int


def cold(function: Function, client: Path, env: Mapping[str, str]) -> Start:
    """Start it, have one event answered, kill it."""
    event = function.event()
    with runtime_api.RuntimeApi() as api:
        api.send(event)
        began = time.perf_counter()
        process = runtime_api.start(function.package, function.handler, client, api, env)
        answer = api.answer()
        wall = time.perf_counter() - began
        peak = _peak(process.pid)
        process.kill()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if answer.error or not function.right(answer.body):
        sys.exit(f"{function.name}: the answer is wrong: {answer.body}")
    return Start(used.ru_utime + used.ru_stime, wall, peak)


def _peak(pid: int) -> int:
    """Bytes; rusage would count what this process had when it forked."""
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def functions(ours: Path, tutorial: Path, env: Mapping[str, str]) -> list[Function]:
    """What is started."""
    serials = iter(range(1_000_000))

    def asked() -> dict[str, object]:
        return events.verification(NAME, number(next(serials)))

    def entered() -> dict[str, object]:
        return events.typeform(NAME, number(next(serials)))

    def queued() -> dict[str, object]:
        one = events.verification(NAME, number(next(serials)))
        accepted = requests.post(
            f"{env['API_URL']}/v1/verifications",
            data=one["body"],
            headers={**one["headers"], "prefer": "respond-async"},
            timeout=10,
        )
        return events.messages(json.dumps({"ask": accepted.json()["id"]}))

    def verified(answer: Json) -> bool:
        return answer["statusCode"] == 200 and "match" in answer["body"]

    return [
        Function(
            "tutorial",
            tutorial,
            tutorial_package.HANDLER,
            asked,
            lambda answer: answer["statusCode"] == 200 and "0000" in answer["body"],
        ),
        Function("ours, a verification", ours, "app.app", asked, verified),
        Function(
            "ours, a form's webhook",
            ours,
            "app.app",
            entered,
            lambda answer: answer["statusCode"] == 200,
        ),
        Function(
            "ours, the worker",
            ours,
            "app.worker",
            queued,
            lambda answer: answer == {"batchItemFailures": []},
        ),
    ]


def prepare(env: Mapping[str, str]) -> None:
    """People who match, and a form whose entries are taken."""
    people = [{"name": NAME, "id_number": number(n)} for n in range(5 * STARTS)]
    requests.post(f"{env['MOCK_URL']}/__admin/people", json=people, timeout=10).raise_for_status()
    client = boto3.client(
        "secretsmanager",
        endpoint_url=env["AWS_ENDPOINT_URL"],
        region_name=env["AWS_REGION"],
        aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
    )
    secret = json.loads(client.get_secret_value(SecretId=env["SECRET_ID"])["SecretString"])
    client.put_secret_value(
        SecretId=env["SECRET_ID"], SecretString=json.dumps({**secret, "sources": events.SOURCES})
    )


def main() -> None:
    """Build both packages, start each in turn, print the table."""
    flags = ["--no-worker", *(["--dynoxide"] if dynoxide.find() else [])]
    with tempfile.TemporaryDirectory() as name, stack_process.running(*flags) as env:
        folder = Path(name)
        our_zip = package.build(folder / "ours")
        their_zip, tutorial = tutorial_package.build(folder / "tutorial")
        client = runtime_api.client_folder(folder / "client")
        prepare(env)
        measured: dict[str, list[Start]] = {}
        wanted = functions(folder / "ours/package", tutorial, env)
        for _ in range(STARTS):
            for function in wanted:
                measured.setdefault(function.name, []).append(cold(function, client, env))
        _print(measured)
        size, theirs = our_zip.stat().st_size, their_zip.stat().st_size
        print(
            f"  zip, MB: {size / 1e6:.2f}, the tutorial's {theirs / 1e6:.2f}; "
            f"required <= {ZIP_BYTES / 1e6:.0f} {_met(size, ZIP_BYTES)}"
        )


def _print(measured: Mapping[str, list[Start]]) -> None:
    print("A cold start, process start to first answer      CPU, ms            wall  peak")
    print(
        f"  of {STARTS} starts in turn                      best  median  ratio    ms    MB  ratio"
    )
    base_cpu = base_peak = 0.0
    for name, starts in measured.items():
        cpu = min(one.cpu for one in starts)
        peak = median(one.peak for one in starts)
        base_cpu, base_peak = base_cpu or cpu, base_peak or peak
        print(
            f"  {name:38} {cpu * 1e3:8.0f}{median(one.cpu for one in starts) * 1e3:8.0f}"
            f"{cpu / base_cpu:7.2f}{median(one.wall for one in starts) * 1e3:6.0f}"
            f"{peak / 1e6:6.0f}{peak / base_peak:7.2f}"
            + (
                ""
                if name == "tutorial"
                else f"  required <= {CPU_RATIO} {_met(cpu / base_cpu, CPU_RATIO)},"
                f" <= {MEMORY_RATIO} {_met(peak / base_peak, MEMORY_RATIO)}"
            )
        )


def _met(value: float, limit: float) -> str:
    return "met" if value <= limit else "NOT MET"


if __name__ == "__main__":
    main()
