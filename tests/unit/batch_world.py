"""A batch's world: the fakes of a verification's, and those of batches beside them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from chalicelib.domain.batch import UPLOADS, Batch, BatchStatus, FileLayout
from chalicelib.domain.batch_messages import Dispatch, RowMessage, Rows
from chalicelib.domain.resident_id import check_character
from chalicelib.domain.secret import Client
from chalicelib.services import batch_results, batches
from chalicelib.services.batch_ports import Batching
from chalicelib.services.batch_results import ResultLine
from chalicelib.services.batch_sweep import SweptBatches, sweep
from chalicelib.services.batches import BatchRequest
from chalicelib.services.breaker import CachedBreaker
from chalicelib.services.row_work import Worker
from chalicelib.services.split import split
from tests.examples import NAME
from tests.fakes.batches import FakeBatches, FakeFiles, FakeRowQueue, fake_batching
from tests.unit.conftest import SHOP, World

MARGIN = 30.0


def number(serial: int) -> str:
    """Somebody of the 1850s."""
    first17 = f"110101185{serial // 1000 % 10}0202{serial % 1000:03d}"
    return first17 + check_character(first17)


def csv_of(people: Sequence[Sequence[str]]) -> bytes:
    """A list with the usual titles."""
    lines = ["姓名,身份证号,reference", *(",".join(person) for person in people)]
    return "\n".join(lines).encode()


def people(count: int, first: int = 0) -> list[tuple[str, str, str]]:
    """That many, each another one."""
    return [(NAME, number(first + n), f"r-{n}") for n in range(count)]


@dataclass
class BatchWorld:
    """Everything that a batch touches."""

    world: World
    batches: FakeBatches
    files: FakeFiles
    rows: FakeRowQueue
    batching: Batching
    seconds_left: Callable[[], float] = field(default=lambda: 1e9)

    def made(
        self,
        content: bytes | None,
        *,
        key: str | None = None,
        client: Client = SHOP,
        **about: object,
    ) -> Batch:
        layout = about.pop("layout", FileLayout("csv"))
        request = BatchRequest(layout, content, idempotency_key=key, **about)  # type: ignore[arg-type]
        made = batches.create(
            request, client=client, tools=self.world.tools, batching=self.batching
        )
        return made.batch

    def split(self, batch: Batch) -> Batch:
        """As when the bucket tells of the file."""
        split(
            f"{UPLOADS}{batch.id}",
            tools=self.world.tools,
            batching=self.batching,
            policy=self.world.policy,
        )
        return self.now(batch)

    def started(self, content: bytes, **about: object) -> Batch:
        """Made and split."""
        return self.split(self.made(content, **about))  # type: ignore[arg-type]

    def now(self, batch: Batch) -> Batch:
        found = self.batches.get(batch.id)
        assert found is not None
        return found

    def worker(self, **changes: object) -> Worker:
        worker = Worker(
            self.world.tools,
            self.batching,
            self.world.policy,
            self.seconds_left,
            MARGIN,
        )
        return replace(worker, **changes)  # type: ignore[arg-type]

    def work(self, message: RowMessage, worker: Worker | None = None) -> None:
        worker = worker or self.worker()
        match message:
            case Rows():
                worker.work(message)
            case Dispatch():
                worker.dispatch(message)

    def work_off(self, rounds: int = 1000) -> list[int]:
        """Everything that is queued, in order, at once; the delays that were asked for."""
        delays = []
        for _ in range(rounds):
            if not self.rows.sent:
                return delays
            message, delay = self.rows.sent.pop(0)
            delays.append(delay)
            self.work(message)
        raise AssertionError("it does not come to an end")

    def messages(self) -> list[RowMessage]:
        """Chunks as the dispatch sends them; the queue is empty then."""
        while any(isinstance(message, Dispatch) for message, _ in self.rows.sent):
            for message, _ in self.rows.taken():
                if isinstance(message, Dispatch):
                    self.work(message)
                else:
                    self.rows.send(message)
        return [message for message, _ in self.rows.taken()]

    def sweep(self) -> SweptBatches:
        return sweep(tools=self.world.tools, batching=self.batching)

    def results(self, batch: Batch, from_row: int = 1, limit: int = 5000) -> Sequence[ResultLine]:
        return batch_results.page(
            self.now(batch),
            from_row,
            limit,
            repository=self.world.repository,
            batching=self.batching,
        ).lines

    def agrees(self, batch: Batch) -> Mapping[str, int]:
        """Charged calls = usage = the result file's lines; how often each was asked."""
        paid = sum(line.billed == "yes" for line in self.results(batch))
        usage = self.world.repository.days.values()
        assert sum(day["billed#yes"] for day in usage) == paid
        asked = [person.id_number for person in self.world.provider.asked]
        return {one: asked.count(one) for one in asked}

    def another(self) -> Worker:
        """A worker in another process: nothing cached is shared."""
        tools = self.world.tools
        fresh = replace(tools, breaker=CachedBreaker(self.world.repository, self.world.clock))
        return self.worker(tools=fresh)

    def advance(self, **by: float) -> None:
        self.world.clock.advance(timedelta(**by).total_seconds())


def make_batch_world(world: World) -> BatchWorld:
    """Over the real reader, which needs nothing from outside."""
    batching = fake_batching(world.clock)
    parts: Any = batching
    return BatchWorld(world, parts.batches, parts.files, parts.rows, batching)


RUNNING, PAUSED, COMPLETED = BatchStatus.RUNNING, BatchStatus.PAUSED, BatchStatus.COMPLETED
