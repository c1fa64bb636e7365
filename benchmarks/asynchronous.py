"""What an entry of a form costs, accepted and then asked: own CPU, AWS calls, write units, waits.

``python -m benchmarks.asynchronous``. The handlers run in this process, one entry at a time; AWS
and the upstream are another process. Write units are those that the stand-in dynoxide reports.
"""

import json
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import requests

from benchmarks import stack_process
from benchmarks.mock_process import machine
from benchmarks.submissions import NAME, Submission, event, number, secret, submissions
from benchmarks.verification import Counted, silence
from local_stack import dynoxide

Answer = TypeVar("Answer")

ENTRIES = 200
WARM = 20


class Meter:
    """What one handler does with an entry: its time, its calls and how long each of them takes."""

    def __init__(self) -> None:
        self._counted = Counted()
        self._waits: defaultdict[str, list[float]] = defaultdict(list)
        self._whole: list[float] = []
        self._cpu: list[float] = []
        self._began = 0.0

    def watch(self, client: Any) -> None:  # noqa: ANN401  # any boto client
        """Count and time what goes through this client from now on."""
        service = client.meta.service_model.service_name
        self._counted.watch(client)
        client.meta.events.register(f"before-call.{service}", self._begin)
        client.meta.events.register(f"after-call.{service}", self._end)

    def _begin(self, **_: object) -> None:
        self._began = time.perf_counter()

    def _end(self, model: Any, **_: object) -> None:  # noqa: ANN401  # boto's
        call = f"{model.service_model.service_name}:{model.name}"
        self._waits[call].append(time.perf_counter() - self._began)

    def run(self, call: Callable[[], Answer]) -> Answer:
        """Call a handler."""
        whole, cpu = time.perf_counter(), time.process_time()
        answer = call()
        self._cpu.append(time.process_time() - cpu)
        self._whole.append(time.perf_counter() - whole)
        return answer

    def show(self, label: str) -> None:
        """Print what was measured since the last time."""
        print(f"  {label:<46}{'calls':>7}{'ms':>9}")
        print(f"    {'all of it':<44}{'':>7}{median(self._whole) * 1e3:>9.2f}")
        print(f"    {'own CPU':<44}{'':>7}{median(self._cpu) * 1e3:>9.2f}")
        entries = len(self._whole)
        for call, seconds in self._waits.items():
            print(f"    {call:<44}{len(seconds) / entries:>7.2f}{median(seconds) * 1e3:>9.2f}")
        units = f"{self._counted.units / entries:>7.2f}"
        if dynoxide.find() is None:  # what moto reports means nothing
            units = "  not measured: needs dynoxide, see `make peers`"
        print(f"    {'DynamoDB write units':<44}{units}")
        self._counted.units = 0
        for kept in (self._counted.calls, self._waits, self._whole, self._cpu):
            kept.clear()


def accept(meter: Meter, submission: Submission) -> str:
    """Post it as API Gateway would; returns the verification's id."""
    from app import app

    one = event(submission)
    answer = meter.run(lambda: app(one, None))
    if answer["statusCode"] // 100 != 2:
        raise RuntimeError(f"{submission[0]} got {answer}")
    return str(json.loads(answer["body"])["id"])


def ask(meter: Meter, verification_id: str) -> None:
    """Hand its message to the worker as SQS would."""
    from app import worker
    from chalicelib.domain.messages import Ask, encode

    records = [{"messageId": "1", "body": encode(Ask(verification_id))}]
    answer = meter.run(lambda: worker({"Records": records}, None))
    if answer != {"batchItemFailures": []}:
        raise RuntimeError(f"the worker gave {verification_id} back")


def measure() -> None:
    """Print both tables; the environment is the running stack's."""
    from chalicelib import bootstrap

    silence()
    bootstrap.override(None)  # another benchmark's stack is gone
    # Everybody matches, so that the answer comes with derived fields to seal.
    people = [{"name": NAME, "id_number": number(serial)} for serial in range(WARM + ENTRIES)]
    requests.post(f"{os.environ['MOCK_URL']}/__admin/people", json=people, timeout=10)
    sent = submissions(WARM + ENTRIES)
    meter = Meter()
    for submission in sent[:WARM]:
        ask(Meter(), accept(Meter(), submission))
    tools = bootstrap.container().tools
    adapters: tuple[Any, ...] = (tools.repository, tools.sealer, tools.queue, tools.secrets)
    for adapter in adapters:
        meter.watch(adapter._client)  # noqa: SLF001
    accepted = [accept(meter, submission) for submission in sent[WARM:]]
    meter.show("accepted, by the API")
    for verification_id in accepted:
        ask(meter, verification_id)
    meter.show("asked, by the worker")


def main() -> None:
    """Start the stack in another process, measure against it in this one, stop it."""
    print(f"An entry of a form, {ENTRIES} of them one after the other ({machine()})")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "secret.json"
        file.write_text(secret(), "utf-8")
        flags = ("--secret", str(file), "--no-worker", *(["--dynoxide"] if dynoxide.find() else []))
        with stack_process.running(*flags) as env:
            os.environ.update(env)
            measure()


if __name__ == "__main__":
    main()
