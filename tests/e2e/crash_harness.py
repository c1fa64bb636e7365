"""Workers that ask all keys at once and are killed while they do; run by ``test_crash.py``.

``python -m tests.e2e.crash_harness`` forks the workers from one process that has everything
imported, kills them at random moments, and lets them kill themselves at the worst ones: between
claim and call, between call and end, and right after the end. What a worker had not finished, its
successor asks again under the same key. Prints one JSON object with what happened.

With ``--queue`` the first worker only accepts, and may die between the write and the message; the
others are the queue's, and may die around every message. They end once nothing is open any more.
With ``--batch`` all of them ask the rows of that batch, and end with it.
"""

import argparse
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

import app
from chalicelib import bootstrap
from chalicelib.bootstrap import Container
from chalicelib.config import Settings
from chalicelib.domain import batch as batches
from chalicelib.domain.errors import ServiceError, VerificationEndedError
from chalicelib.domain.secret import Client
from chalicelib.domain.verification import Answer, Person, Status, VerificationRequest
from chalicelib.services import intake
from chalicelib.services.batch_sweep import sweep as sweep_batches
from chalicelib.services.ports import PortError, Provider, Repository, Write
from chalicelib.services.sweep import sweep
from chalicelib.services.verify import Policy, Tools, verify
from local_stack.pump import Handler, Pump
from tests.e2e.conftest import unused_number
from tests.examples import NAME

LEASE = 1.0
HIDDEN_SECONDS = 2
"""The queue's visibility timeout."""

RESEND = timedelta(seconds=2)
POLICY = Policy(deadline=3.4, duplicate_wait=0.2, lease=timedelta(seconds=LEASE))
CLIENT = Client("crash", (), frozenset({"verify"}))
ALL_ACCEPTED = "all-accepted"


@dataclass
class Fate:
    """Draws when a worker dies or dawdles."""

    deaths: float
    late: float

    def may_die(self) -> None:
        if random.random() < self.deaths:
            os.kill(os.getpid(), signal.SIGKILL)

    def may_dawdle(self) -> None:
        if random.random() < self.late:
            time.sleep(LEASE + 0.5)


class MortalProvider:
    def __init__(self, inner: Provider, fate: Fate) -> None:
        self.inner, self.fate = inner, fate

    def ask(self, person: Person, appcode: str, timeout: float) -> Answer:
        self.fate.may_die()
        answer = self.inner.ask(person, appcode, timeout)
        self.fate.may_die()
        self.fate.may_dawdle()
        return answer


def mortal(repository: Repository, fate: Fate) -> Repository:
    """The same, but a worker may die right after the write of an end or of what is queued."""
    inner = repository.write

    def write(write: Write) -> None:
        inner(write)
        if write.usage or write.after.status is Status.PENDING:
            fate.may_die()

    repository.write = write  # type: ignore[method-assign]
    return repository


def work(tools: Tools, serials: list[int], progress: Path) -> None:
    """Ask every key until each has an end that only a human could move."""
    queue = list(serials)
    with progress.open("a") as done:
        while queue:
            serial = queue.pop(0)
            request = VerificationRequest(
                NAME, unused_number(serial), idempotency_key=f"crash-{serial}"
            )
            try:
                verify(request, client=CLIENT, tools=tools, policy=POLICY)
            except VerificationEndedError as ended:
                if ended.verification.retryable:
                    queue.append(serial)
                    continue
            except (ServiceError, PortError):
                queue.append(serial)
                time.sleep(0.01)
                continue
            done.write(f"{serial}\n")
            done.flush()


def take_in(tools: Tools, serials: list[int], progress: Path) -> None:
    """Post every key until it is accepted."""
    with progress.open("a") as done:
        for serial in serials:
            request = VerificationRequest(
                NAME, unused_number(serial), idempotency_key=f"crash-{serial}"
            )
            while True:
                try:
                    intake.accept(request, client=CLIENT, tools=tools, policy=POLICY)
                except VerificationEndedError:
                    pass  # it was accepted before, and is unknown by now
                except (ServiceError, PortError):
                    time.sleep(0.01)
                    continue
                break
            done.write(f"{serial}\n")
            done.flush()
    (progress.parent / ALL_ACCEPTED).touch()


def work_off(container: Container, fate: Fate, is_over: Callable[[], bool]) -> None:
    """Receive until there is nothing left to do."""
    queue: Any = container.tools.queue
    _receive(Pump(queue._client, queue._url, dying(app.worker, fate)), container, is_over)


def work_off_rows(container: Container, fate: Fate, batch_id: str) -> None:
    """The same for a batch's rows."""
    batching = container.batching()
    queue: Any = batching.rows
    sqs = queue._queue
    pump = Pump(sqs._client, sqs._url, dying(app.row_worker, fate), batch=1)

    def is_over() -> bool:
        found = batching.batches.get(batch_id)
        return found is None or found.ended_at is not None

    _receive(pump, container, is_over)


def dying(handler: Handler, fate: Fate) -> Handler:
    """The same handler, but the worker may die around it."""

    def worker(event: Mapping[str, object], context: object, /) -> Any:
        fate.may_die()
        answer = handler(event, context)
        fate.may_die()
        return answer

    return worker


def _receive(pump: Pump, container: Container, is_over: Callable[[], bool]) -> None:
    bootstrap.override(container)
    while True:
        try:
            if pump.once():
                continue
            if is_over():
                return
        except (PortError, BotoCoreError, ClientError):
            pass
        time.sleep(0.05)


def nothing_open(tools: Tools, folder: Path) -> bool:
    """Whether everything is accepted and has its end."""
    far = tools.clock.now() + timedelta(days=1)
    return (folder / ALL_ACCEPTED).exists() and not tools.repository.open_until(far, 100)


def live(worker: int, options: Any, tools: Tools, fate: Fate) -> None:
    """One worker's life, if it is not cut short."""
    progress = options.folder / f"worker-{worker}"
    done = {int(line) for line in progress.read_text().split()} if progress.exists() else set()
    missing = [serial for serial in range(options.keys) if serial not in done]
    if options.batch:
        container = replace(bootstrap.build(Settings.from_env()), tools=tools, policy=POLICY)
        work_off_rows(container, fate, options.batch)
    elif options.queue and worker:
        work_off(Container(tools, POLICY), fate, lambda: nothing_open(tools, options.folder))
    elif options.queue:
        take_in(tools, missing, progress)
    else:
        # Every key is asked by two workers, in orders of their own.
        serials = [serial for serial in missing if (serial - worker) % options.workers < 2]
        random.Random(f"{options.seed}-{worker}").shuffle(serials)
        work(tools, serials, progress)


def disturb(
    live: Callable[[int], None],
    beside: Callable[[], object],
    *,
    workers: int,
    seed: int,
    seconds: float,
) -> dict[str, int]:
    """Fork the workers and kill them at random, until each of them came to its life's end.

    ``beside`` runs now and then, in a process of its own. Tells how many died and were forked.
    """
    # What is said at the end has stdout to itself.
    bootstrap.log_to(Path(os.devnull).open("w"))  # noqa: SIM115  # as long as this runs
    started, deaths, forks = time.monotonic(), 0, 0
    running: dict[int, int] = {}
    finished: set[int] = set()
    chance = random.Random(seed)
    while len(finished) < workers:
        if time.monotonic() - started > seconds:
            for pid in running:
                os.kill(pid, signal.SIGKILL)
            sys.exit("the workers did not finish in time")
        for worker in set(range(workers)) - finished - set(running.values()):
            forks += 1
            pid = os.fork()
            if pid == 0:
                random.seed(f"{seed}-{worker}-{forks}")
                live(worker)
                os._exit(0)
            running[pid] = worker
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid:
            worker = running.pop(pid)
            if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
                deaths += 1
            elif status == 0:
                finished.add(worker)
            else:
                sys.exit(f"worker {worker} failed with status {status}")
            continue
        time.sleep(0.02)
        if running and chance.random() < 0.02:
            os.kill(chance.choice(list(running)), signal.SIGKILL)
        if chance.random() < 0.05:
            other = os.fork()
            if other == 0:
                beside()
                os._exit(0)
            os.waitpid(other, 0)
    return {"deaths": deaths, "forks": forks}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--keys", type=int, required=True)
    parser.add_argument("--queue", action="store_true")
    parser.add_argument("--batch")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--deaths", type=float, default=0.03)
    parser.add_argument("--late", type=float, default=0.02)
    parser.add_argument("--seconds", type=float, default=120)
    options = parser.parse_args()
    fate = Fate(options.deaths, options.late)
    intake.RESEND_AFTER = RESEND
    batches.STALLED_TIME = RESEND
    # Built before the forks, while no connection is open yet.
    built = bootstrap.build(Settings.from_env())
    tools = replace(
        built.tools,
        provider=MortalProvider(built.tools.provider, fate),
        repository=mortal(built.tools.repository, fate),
    )
    disturbed = disturb(
        lambda worker: live(worker, options, tools, fate),
        lambda: (sweep(tools=tools), sweep_batches(tools=tools, batching=built.batching())),
        workers=options.workers,
        seed=options.seed,
        seconds=options.seconds,
    )
    print(json.dumps(disturbed))


if __name__ == "__main__":
    main()
