"""The queue's workers in bad times, over a running stack; run by ``test_settled.py``.

``python -m tests.e2e.settled_harness`` forks them as ``crash_harness`` does. They die around
messages, calls, writes and callbacks; the table throttles them and loses its replies; and they
send what they receive a second time. The clock is fast by as many seconds as ``ahead`` in the
folder says. They end once ``all-accepted`` is there, nothing is open, and nothing is due. Prints
what happened to them.
"""

import argparse
import json
import os
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError, ReadTimeoutError

from chalicelib import bootstrap
from chalicelib.bootstrap import Container, SystemClock
from chalicelib.config import Settings
from chalicelib.domain.delivery import CallbackResult
from chalicelib.services.deliver import send_due
from chalicelib.services.ports import Callbacks, PortError
from chalicelib.services.sweep import sweep
from chalicelib.services.verify import Policy, Tools
from local_stack import pump
from tests.e2e.crash_harness import Fate, MortalProvider, disturb, mortal, nothing_open, work_off

AHEAD = "ahead"
TROUBLES = "troubles"
LEASE = timedelta(seconds=4)
RATES = {"throttled": 0.04, "lost": 0.1, "copied": 0.2}
POLICY = Policy(deadline=8, lease=LEASE)
_FAR = timedelta(days=10)
# A killed worker takes few messages with it: five times, and they are dead letters.
_BATCH = 2


class MovedClock(SystemClock):
    """As fast as the file says."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=float(self._file.read_text("ascii")))


@dataclass(frozen=True)
class Troubles:
    """Draws what goes wrong, and notes it."""

    folder: Path

    def strike(self, what: str) -> bool:
        struck = random.random() < RATES[what]
        if struck:
            with (self.folder / TROUBLES).open("a", encoding="ascii") as file:
                file.write(f"{what}\n")
        return struck

    def counted(self) -> dict[str, int]:
        return Counter((self.folder / TROUBLES).read_text("ascii").split())


class MortalCallbacks:
    """A worker may die right before, and right after its result was taken."""

    def __init__(self, inner: Callbacks, fate: Fate) -> None:
        self._inner, self._fate = inner, fate

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> CallbackResult:
        self._fate.may_die()
        result = self._inner.post(url, headers, body)
        self._fate.may_die()
        return result


def troubled(tools: Tools, troubles: Troubles) -> None:
    """Its table throttles, and takes writes without a reply; its queue brings copies."""
    repository: Any = tools.repository
    queue: Any = tools.queue
    client, sqs = repository._client, queue._client
    client._make_api_call = _unreliable(client._make_api_call, troubles)
    sqs._make_api_call = _copying(sqs._make_api_call, troubles)


Call = Callable[[str, dict[str, Any]], Any]


def _unreliable(call: Call, troubles: Troubles) -> Call:
    def answer(operation: str, arguments: dict[str, Any]) -> Any:
        if troubles.strike("throttled"):
            response: Any = {
                "Error": {"Code": "ProvisionedThroughputExceededException", "Message": ""},
                "ResponseMetadata": {"HTTPStatusCode": 400, "RetryAttempts": 2},
            }
            raise ClientError(response, operation)
        reply = call(operation, arguments)
        if operation in {"PutItem", "TransactWriteItems"} and troubles.strike("lost"):
            raise ReadTimeoutError(endpoint_url="http://nowhere")
        return reply

    return answer


def _copying(call: Call, troubles: Troubles) -> Call:
    def answer(operation: str, arguments: dict[str, Any]) -> Any:
        reply = call(operation, arguments)
        if operation == "ReceiveMessage":
            for message in reply.get("Messages", []):
                if troubles.strike("copied"):
                    copy = {"QueueUrl": arguments["QueueUrl"], "MessageBody": message["Body"]}
                    call("SendMessage", copy)
        return reply

    return answer


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=3)
    options = parser.parse_args()
    pump.BATCH = _BATCH
    fate, troubles = Fate(deaths=0.02, late=0.02), Troubles(options.folder)
    tools = bootstrap.build(Settings.from_env()).tools
    tools = replace(
        tools,
        provider=MortalProvider(tools.provider, fate),
        repository=mortal(tools.repository, fate),
        callbacks=MortalCallbacks(tools.callbacks, fate),
        clock=MovedClock(options.folder / AHEAD),
    )
    troubled(tools, troubles)

    def is_over() -> bool:
        due = tools.outbox.due(tools.clock.now() + _FAR, 1)
        return not due and nothing_open(tools, options.folder)

    def schedules() -> None:
        random.seed(os.getpid())
        for one in (sweep, send_due):
            try:
                one(tools=tools)
            except PortError:
                continue

    happened = disturb(
        lambda _: work_off(Container(tools, POLICY), fate, is_over),
        schedules,
        workers=options.workers,
        seed=options.seed,
        seconds=45,
    )
    print(json.dumps(happened | troubles.counted()))


if __name__ == "__main__":
    main()
