"""Batches and their rows' ends: one contract for the fake and for DynamoDB's stand-ins."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import boto3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.adapters.batch_items import batch_item, batch_of, chunk_item, chunk_of
from chalicelib.adapters.batches import DynamoBatches
from chalicelib.adapters.table import Table
from chalicelib.domain import batch as rules
from chalicelib.domain.batch import (
    OUTCOMES,
    Batch,
    BatchStatus,
    Chunk,
    FileProblem,
    Pause,
    RowEnd,
    tally,
)
from chalicelib.domain.verification import CHINA
from chalicelib.services.batch_ports import Batches
from chalicelib.services.ports import UnavailableError
from local_stack.resources import create_table
from tests.fakes.batches import FakeBatches
from tests.fakes.clock import START, FakeClock
from tests.integration.conftest import QUICK, Dynamodb
from tests.integration.wire import Line

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient

ENDS = (
    RowEnd(2, "r-2", "vrf_1"),
    RowEnd(3, "", "vrf_1", duplicate_of=2),
    RowEnd(5, "", flaw="id_number_invalid", name_masked="张*", id_number_masked="***"),
)
FULL = Batch(
    id="bat_1",
    client="shop",
    created_at=START,
    status=BatchStatus.PAUSED,
    format="csv",
    layout_key="layouts/bat_1",
    revision=4,
    due_at=START + timedelta(days=7),
    fingerprint="f",
    label="april",
    max_age_seconds=60,
    dry_run=True,
    inline=True,
    files=("uploads/bat_1", "rows/bat_1/x"),
    rows_key="rows/bat_1/x",
    index_key="rows/bat_1/x.index",
    chunks=1,
    run=2,
    total=3,
    hopeless=1,
    duplicates=1,
    flaws={"id_number_invalid": 1},
    paused=Pause("upstream_maintenance", START + timedelta(minutes=5)),
    problem=FileProblem("batch_file_unreadable", "Row 3: …", 3),
    started_at=START,
    ended_at=START,
)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=["fake", "moto", "dynoxide"])
def batches(
    request: pytest.FixtureRequest,
    clock: FakeClock,
    clients: "Callable[[str], DynamoDBClient]",
) -> Batches:
    if request.param == "fake":
        return FakeBatches(clock)
    peer = "aws_url" if request.param == "moto" else "dynoxide_url"
    url: str = request.getfixturevalue(peer)
    return DynamoBatches(Table(clients(url), create_table(clients(url)), clock), clock)


def draft(batch_id: str = "bat_1", *, client: str = "shop", at: datetime = START) -> Batch:
    return rules.new(Batch(batch_id, client, at, BatchStatus.AWAITING_UPLOAD, "csv"))


def chunk(row: int = 2, *, end: int = 90, ends: tuple[RowEnd, ...] = ENDS) -> Chunk:
    return Chunk("bat_1", row, 0, end, ends, 6)


COUNTERS = tally([("match", "yes"), ("duplicate", "no"), ("hopeless", "no")])


class TestBatches:
    def test_what_was_written_is_read(self, batches: Batches) -> None:
        assert all(getattr(FULL, field.name) for field in fields(FULL)), "nothing is left out"
        assert batches.get(FULL.id) is None
        assert batches.add(FULL)
        assert batches.get(FULL.id) == FULL

    def test_the_first_one_stands(self, batches: Batches) -> None:
        assert batches.add(draft())
        assert not batches.add(replace(draft(), label="another"))
        assert batches.get("bat_1") == draft()

    def test_one_of_two_moves_it(self, batches: Batches) -> None:
        batches.add(draft())
        begun = rules.split_begun(draft(), ("a",), START)
        cancelled = rules.cancel(draft(), START)
        assert batches.replace(begun, draft())
        assert not batches.replace(cancelled, draft())
        assert batches.get("bat_1") == begun
        assert batches.replace(begun, draft()), "its own write, come again, is as good as done"

    def test_it_ends_with_its_retention(self, batches: Batches, clock: FakeClock) -> None:
        ended = rules.files_deleted(rules.cancel(draft(), START))
        batches.add(ended)
        clock.advance(days=729)
        assert batches.get("bat_1") == ended
        clock.advance(days=2)
        assert batches.get("bat_1") is None
        assert batches.add(draft())

    def test_those_of_a_day(self, batches: Batches, clock: FakeClock) -> None:
        day = clock.now().astimezone(CHINA).date()
        made = [draft(f"bat_{n}", at=START + timedelta(seconds=n)) for n in range(5)]
        for one in made:
            batches.add(one)
        batches.add(draft("bat_9", at=START + timedelta(days=1)))
        first = batches.of_day(day, 3, None)
        assert [*first.items] == made[:1:-1]
        rest = batches.of_day(day, 3, first.next_cursor)
        assert ([*rest.items], rest.next_cursor) == (made[1::-1], None)
        with pytest.raises(ValueError, match="cursor"):
            batches.of_day(day, 3, "broken")

    def test_those_that_are_due(self, batches: Batches) -> None:
        waiting = [replace(draft(f"bat_{n}"), due_at=START + timedelta(hours=n)) for n in (3, 1, 2)]
        for one in waiting:
            batches.add(one)
        batches.add(rules.files_deleted(draft("bat_9")))
        assert [one.id for one in batches.due(START + timedelta(hours=2), 10)] == ["bat_1", "bat_2"]
        assert [one.id for one in batches.due(START + timedelta(hours=9), 1)] == ["bat_1"]


class TestChunks:
    def test_what_was_written_is_read_and_counted(self, batches: Batches, clock: FakeClock) -> None:
        batches.add(draft())
        assert batches.add_chunk(chunk(), COUNTERS) is None
        assert batches.chunk("bat_1", 2) == chunk()
        found = batches.get("bat_1")
        assert found
        assert found.progress.done == 3
        assert found.progress.outcomes == dict.fromkeys(OUTCOMES, 0) | {
            "match": 1,
            "duplicate": 1,
            "hopeless": 1,
        }
        assert found.progress.billed == {"yes": 1, "no": 2, "unknown": 0}
        assert found.progress.at == clock.now()

    def test_the_progress_survives_a_move(self, batches: Batches) -> None:
        batches.add(draft())
        batches.add_chunk(chunk(), COUNTERS)
        assert batches.replace(rules.cancel(draft(), START), draft())
        found = batches.get("bat_1")
        assert found
        assert (found.status, found.progress.done) == (BatchStatus.CANCELLED, 3)

    def test_the_first_one_counts(self, batches: Batches) -> None:
        batches.add(draft())
        batches.add_chunk(chunk(), COUNTERS)
        assert batches.add_chunk(chunk(), COUNTERS) is None, "its own, come again"
        shorter = chunk(end=30, ends=ENDS[:1])
        assert batches.add_chunk(shorter, tally([("match", "yes")])) == chunk()
        found = batches.get("bat_1")
        assert found
        assert found.progress.done == 3

    def test_they_come_in_order(self, batches: Batches) -> None:
        for row in (120, 2, 1_000_001, 9):
            batches.add_chunk(chunk(row), COUNTERS)
        batches.add_chunk(replace(chunk(), batch_id="bat_2"), COUNTERS)
        assert [one.row for one in batches.chunks("bat_1", 0)] == [2, 9, 120, 1_000_001]
        assert [one.row for one in batches.chunks("bat_1", 9, 120)] == [9, 120]
        before = batches.chunk_before("bat_1", 119)
        assert before
        assert before.row == 9
        assert batches.chunk_before("bat_1", 1) is None
        assert batches.chunk("bat_1", 3) is None

    def test_many_at_once_are_all_counted(self, batches: Batches) -> None:
        batches.add(draft())
        with ThreadPoolExecutor(16) as pool:
            rows = [row for row in range(2, 42) for _ in range(2)]
            done = [*pool.map(lambda row: batches.add_chunk(chunk(row), COUNTERS), rows)]
        assert done == [None] * 80
        found = batches.get("bat_1")
        assert found
        assert found.progress.done == 40 * 3


class TestLostReplies:
    def test_a_chunk_is_counted_once(
        self, dynamodb: Dynamodb, line: tuple["DynamoDBClient", Line], clock: FakeClock
    ) -> None:
        client, wire = line
        batches = DynamoBatches(Table(client, dynamodb.table, clock), clock)
        batches.add(draft())
        for lose in (1, 3, 5):
            wire.lose = lose
            assert batches.add_chunk(chunk(lose), COUNTERS) is None
        found = batches.get("bat_1")
        assert found
        assert found.progress.done == 9

    def test_out_of_reach(self, boto: boto3.Session, closed_url: str, clock: FakeClock) -> None:
        client = boto.client("dynamodb", endpoint_url=closed_url, config=QUICK)
        batches = DynamoBatches(Table(client, "table", clock), clock)
        for call in (
            lambda: batches.get("bat_1"),
            lambda: batches.add(draft()),
            lambda: batches.replace(draft(), draft()),
            lambda: batches.add_chunk(chunk(), COUNTERS),
            lambda: batches.chunk("bat_1", 2),
            lambda: [*batches.chunks("bat_1", 2)],
            lambda: batches.due(START, 1),
        ):
            with pytest.raises(UnavailableError, match="table table"):
                call()
        client.close()


texts = st.text(max_size=20)
ends = st.builds(
    RowEnd,
    st.integers(1, 2_000_000),
    texts,
    texts,
    st.none() | st.integers(0, 2_000_000),
    texts,
    texts,
    texts,
)


@settings(max_examples=60)
@given(st.lists(ends, min_size=1, max_size=20), st.none() | st.integers(1, 10**7))
def test_any_ends_survive_their_item(found: list[RowEnd], following: int | None) -> None:
    kept = Chunk("bat_1", found[0].number, 0, 10**9, tuple(found), following)
    assert chunk_of(chunk_item(kept, ttl=1)) == kept


def test_a_batch_survives_its_item() -> None:
    assert batch_of(batch_item(FULL, shards=4, record_days=730), None) == FULL
