"""After the dust settles: everything has its end, is paid for once, counted, and told.

Forms and callers post while the upstream is under maintenance, workers are killed, the table
throttles and loses replies, messages come twice, and nobody answers at the owner's endpoint.
"""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests

import app
from chalicelib import bootstrap
from chalicelib.bootstrap import Container
from chalicelib.domain.codes import Billed
from chalicelib.domain.verification import CHINA, Status
from chalicelib.services.deliver import send_due
from chalicelib.services.sweep import sweep
from local_stack import dynoxide
from local_stack.pump import Pump
from tests.e2e.callback_server import GOOD, CallbackServer
from tests.e2e.conftest import (
    ROOT,
    Ahead,
    Running,
    container_of,
    dead_letters_of,
    peek,
    start_stack,
    stop_stack,
    until,
    unused_number,
)
from tests.e2e.crash_harness import ALL_ACCEPTED
from tests.e2e.forms import (
    CLIENT,
    callback_secret,
    fresh_entry,
    post,
    secret_with_forms,
    source_id,
    written,
)
from tests.e2e.settled_harness import AHEAD, LEASE
from tests.examples import NAME
from tests.hook_payloads import build
from tools import redrive

VENDORS = ("standard_webhooks", "typeform", "tally", "jotform", "formspree", "jinshuju", "wjx")
# Locked moto takes longer for each.
SUBMISSIONS = 40 if dynoxide.find() else 30
ROUNDS = 50
STEP = 400
"""Seconds that time is moved on at once: more than maintenance stops the calls."""


@dataclass(frozen=True)
class Asked:
    """One submission: who sends it, about whom, and how it is posted."""

    owner: str
    number: str
    post: Callable[[], requests.Response]


@dataclass
class Place:
    """The stack, whoever wants to be told, and what the workers read and leave."""

    stack: Running
    owner: CallbackServer
    folder: Path
    ahead: int = 0

    def move_time(self) -> None:
        self.ahead += STEP
        whole = self.folder / "moved"
        whole.write_text(str(self.ahead), "ascii")
        whole.replace(self.folder / AHEAD)

    def submission(self, serial: int) -> Asked:
        number = unused_number(serial)
        if serial % 4 == 0:
            key, url = f"settled-{serial}", f"{self.owner.url}/{CLIENT}"
            return Asked(
                CLIENT, number, lambda: self.stack.accept(NAME, number, key, callback_url=url)
            )
        vendor = VENDORS[serial % len(VENDORS)]
        hook = build(vendor, now=datetime.now(UTC), dedupe=fresh_entry(), number=number)
        return Asked(
            source_id(vendor),
            number,
            lambda: post(self.stack.api, hook, source_id(vendor)),
        )

    def posted(self, asked: list[Asked]) -> dict[str, Asked]:
        """All of them by their id, each sent twice, as impatient senders do."""
        with ThreadPoolExecutor(6) as pool:
            ids = list(pool.map(_twice, asked))
        return dict(zip(ids, asked, strict=True))


def _twice(asked: Asked) -> str:
    answers = [asked.post() for _ in range(2)]
    assert {answer.status_code for answer in answers} <= {200, 202}
    (one,) = {answer.json()["id"] for answer in answers}
    return str(one)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A stack without workers of its own; its table in dynoxide where it is installed."""
    with CallbackServer() as owner:
        file = written(secret_with_forms(owner.url), tmp_path)
        durable = ["--dynoxide"] if dynoxide.find() else []
        running = start_stack(tmp_path, "--secret", file, "--no-worker", *durable)
        url: str = running.env["QUEUE_URL"]
        with running.sqs() as sqs:
            # What a killed worker had received comes again soon.
            sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "1"})
        place = Place(running, owner, tmp_path)
        place.move_time()
        yield place
        stop_stack(running)


@contextmanager
def bad_times(place: Place) -> Iterator[dict[str, int]]:
    """The workers; what happened to them is known afterwards."""
    happened: dict[str, int] = {}
    command = [sys.executable, "-m", "tests.e2e.settled_harness", "--folder", str(place.folder)]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | place.stack.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as harness:
        try:
            yield happened
            (place.folder / ALL_ACCEPTED).touch()
            while harness.poll() is None:
                place.move_time()
                with suppress(subprocess.TimeoutExpired):
                    harness.wait(0.5)
            said, complained = harness.communicate()
        finally:
            with suppress(ProcessLookupError):
                os.killpg(harness.pid, signal.SIGKILL)
    assert harness.returncode == 0, complained[-3000:]
    happened.update(json.loads(said.splitlines()[-1]))  # the log stands before it


def test_after_the_dust_settles(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    stack, owner = place.stack, place.owner
    everything = [place.submission(serial) for serial in range(800, 800 + SUBMISSIONS)]
    half = SUBMISSIONS // 2
    owner.status = 500
    with bad_times(place) as happened:
        asked = place.posted(everything[:half])
        until(lambda: len(owner.refused) > 3)
        stack.admin("POST", "maintenance", {"on": True})
        asked |= place.posted(everything[half:])
        until(lambda: any(_problem(stack, one) == "upstream_maintenance" for one in asked))
        owner.status = None
        stack.admin("POST", "maintenance", {"on": False})
        place.move_time()
        before = len(owner.refused)
        until(lambda: len(owner.refused) > before)
        owner.status = GOOD
    assert happened["deaths"] > 5, "the workers were hardly disturbed"
    assert min(happened[what] for what in ("throttled", "lost", "copied")) > 5
    with container_of(stack, monkeypatch) as container:
        settled = _settled(place, container, asked)
        _nothing_is_left(place, settled)
    _all_is_paid_once_and_counted(place, settled, asked)
    _all_is_told(place, asked)


def _problem(stack: Running, verification_id: str) -> object:
    problem = stack.seen(verification_id)["problem"]
    return problem and problem["code"]


def _settled(place: Place, container: Container, asked: dict[str, Asked]) -> Container:
    """Time passes, and an operator settles what is unknown with the console's help."""
    clock = Ahead(place.ahead + LEASE.total_seconds() + STEP)
    calm = replace(container, tools=replace(container.tools, clock=clock))
    bootstrap.override(calm)
    assert redrive.main([]) == 0
    with place.stack.sqs() as sqs:
        pump = Pump(sqs, place.stack.env["QUEUE_URL"], app.worker)
        for _ in range(ROUNDS):
            if not (_resolved(place.stack, asked) or _moved(calm, pump)):
                return calm
            clock.ahead += timedelta(seconds=STEP)
    raise AssertionError("it does not settle")


def _moved(calm: Container, pump: Pump) -> bool:
    """Whether schedules and worker had anything to do."""
    swept, sent = sweep(tools=calm.tools), send_due(tools=calm.tools)
    worked = sum(iter(pump.once, 0))
    return bool(swept.expired + swept.counted + swept.queued + sent.queued + worked)


def _resolved(stack: Running, asked: dict[str, Asked]) -> int:
    """What was charged is closed, what was not is asked again; how many there were."""
    unknown = [one for one in asked if stack.seen(one)["status"] == "unknown"]
    for one in unknown:
        paid = stack.paid(asked[one].number)
        word = {"billed": "yes", "action": "close"} if paid else {"billed": "no", "action": "retry"}
        answer = stack.call("POST", f"/v1/verifications/{one}/resolve", word)
        assert answer.status_code == 200, answer.text
    return len(unknown)


def _nothing_is_left(place: Place, calm: Container) -> None:
    far = calm.tools.clock.now() + timedelta(days=10)
    assert not calm.tools.repository.open_until(far, 10)
    assert not calm.tools.outbox.due(far, 10)
    with place.stack.sqs() as sqs:
        assert not peek(sqs, dead_letters_of(sqs, place.stack.env["QUEUE_URL"]))


def _all_is_paid_once_and_counted(place: Place, calm: Container, asked: dict[str, Asked]) -> None:
    assert len(asked) == SUBMISSIONS
    ends: Counter[Status] = Counter()
    doubts = []
    for one, question in asked.items():
        found = calm.tools.repository.get(one)
        assert found is not None, "a submission is lost"
        ends[found.status] += 1
        assert (found.billed, place.stack.paid(question.number)) == (Billed.YES, 1)
        doubts += [attempt.code for attempt in found.attempts if attempt.billed is Billed.UNKNOWN]
    assert set(ends) <= {Status.COMPLETED, Status.FAILED}
    assert ends[Status.COMPLETED] > SUBMISSIONS / 2
    # Whether maintenance is charged for is not documented.
    assert set(doubts) <= {"0010"}
    today = datetime.now(CHINA).date()
    usage = calm.tools.repository.usage([today + timedelta(days=n) for n in (-1, 0, 1, 2)], None)
    counted = {word: sum(day.billed[word] for day in usage) for word in ("yes", "unknown")}
    assert counted == {"yes": SUBMISSIONS, "unknown": len(doubts)}
    assert place.stack.admin("GET", "ledger")["paid_calls"] == SUBMISSIONS


def _all_is_told(place: Place, asked: dict[str, Asked]) -> None:
    for told in place.owner.told + place.owner.refused:
        owner = asked[told.data["verification_id"]].owner
        assert told.path == f"/{owner}"
        assert told.is_signed(callback_secret(owner))
        assert told.id.startswith(f"dlv_{told.data['verification_id'].removeprefix('vrf_')}_")
    members = ("status", "outcome", "resp_code", "billed")
    for one in asked:
        found = place.stack.seen(one)
        end = {member: found[member] for member in members}
        told_ends = [{m: told.data[m] for m in members} for told in place.owner.about(one)]
        assert end in told_ends, "its end was not told"
        assert told_ends[-1] == end
