"""The splitter: what it writes, what it counts, and what it survives."""

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import pytest

from chalicelib.domain import batch as rules
from chalicelib.domain import batch_index
from chalicelib.domain.batch import CHUNK_ROWS, MAX_UPLOAD, BatchStatus, FileLayout
from chalicelib.domain.batch_file import FileError
from chalicelib.domain.batch_messages import Dispatch
from chalicelib.domain.batch_rows import Row
from chalicelib.services.ports import UnavailableError
from chalicelib.services.split import _Seen, split
from tests.examples import NAME
from tests.unit.batch_world import BatchWorld, csv_of, make_batch_world, number, people
from tests.unit.conftest import World


@pytest.fixture
def place(world: World) -> BatchWorld:
    return make_batch_world(world)


class TestWritten:
    def test_rows_index_and_counts(self, place: BatchWorld) -> None:
        listed = [*people(45), (NAME, "123", ""), *people(2), ("", number(9), "")]
        batch = place.started(csv_of(listed))
        assert batch.status is BatchStatus.RUNNING
        assert (batch.total, batch.hopeless, batch.duplicates) == (49, 2, 2)
        assert batch.flaws == {"id_number_invalid": 1, "name_empty": 1}
        assert batch.chunks == 3
        data = place.files.objects[batch.rows_key or ""]
        lines = [*batch_index.lines(data)]
        assert [line.number for line in lines] == [*range(2, 51)]
        assert (lines[0].name, lines[0].id_number, lines[0].reference) == (NAME, number(0), "r-0")
        entries = batch_index.entries(place.files.objects[batch.index_key or ""])
        assert [entry.row for entry in entries] == [2, 22, 42, 0]
        starts = [entry.start for entry in entries]
        assert starts[-1] == len(data)
        for start, end in pairwise(starts):
            assert 0 < len([*batch_index.lines(data[start:end])]) <= CHUNK_ROWS

    def test_the_upload_is_gone_and_the_rows_are_sent(self, place: BatchWorld) -> None:
        batch = place.started(csv_of(people(1)))
        assert f"uploads/{batch.id}" not in place.files.objects
        assert place.rows.sent == [(Dispatch(batch.id, 1), 0)]

    def test_of_a_hopeless_row_only_masked_forms_are_kept(self, place: BatchWorld) -> None:
        flawed = [("赵钱孙", "110101199003070017", ""), (number(1), "13800138000", "")]
        batch = place.started(csv_of(flawed))
        text = place.files.objects[batch.rows_key or ""].decode()
        assert [json.loads(line)[1:3] for line in text.splitlines()] == [
            ["赵**", "110***********0017"],
            ["1" + "*" * 17, "*" * 11],
        ]

    def test_columns_that_were_chosen(self, place: BatchWorld) -> None:
        """They lie in the bucket too: somebody may take a person for a title."""
        layout = FileLayout("csv", {"name": NAME, "id_number": 2}, encoding="utf-8")
        batch = place.made(f"{NAME},x\n甲,{number(1)}\n".encode(), layout=layout)
        assert NAME not in str(place.batches.items)
        done = place.split(batch)
        assert (done.total, done.hopeless) == (1, 0)
        assert set(place.files.objects) == {done.rows_key, done.index_key}

    def test_a_dry_run_sends_nothing(self, place: BatchWorld) -> None:
        batch = place.started(csv_of(people(3)), dry_run=True)
        assert (batch.status, batch.payable) == (BatchStatus.CHECKED, 3)
        assert not place.rows.sent
        assert batch.rows_key in place.files.objects

    def test_test_identities_are_hopeless_where_they_cost_money(self, place: BatchWorld) -> None:
        place.world.obey(live=True)
        batch = place.started(csv_of(people(2)))
        assert batch.flaws == {"test_identity": 2}


class TestFileProblems:
    @pytest.mark.parametrize(
        ("content", "says"),
        [
            (b"", "no rows"),
            ("姓名,身份证号\n".encode(), "no rows"),
            (b"a,b\n1,2\n", "columns"),
            (b"PK\x03\x04", "workbook"),
        ],
    )
    def test_it_fails_and_says_why(self, place: BatchWorld, content: bytes, says: str) -> None:
        batch = place.made(b"x")
        place.files.put(batch.upload_key, content)
        failed = place.split(batch)
        assert failed.status is BatchStatus.FAILED
        assert failed.problem
        assert failed.problem.code == "batch_file_unreadable"
        assert says in failed.problem.detail
        assert (place.files.objects, failed.files) == ({}, ())
        assert not place.rows.sent

    def test_a_problem_in_the_middle_leaves_nothing(self, place: BatchWorld) -> None:
        def rows(*_: object) -> Iterator[Row]:
            yield Row(2, NAME, number(1), None, None)
            raise FileError("broken", 3)

        place.batching = replace(place.batching, read_rows=rows)
        failed = place.started(b"x")
        assert failed.problem == ("batch_file_unreadable", "Row 3: broken", 3)
        assert not place.files.objects

    def test_too_large(self, place: BatchWorld, monkeypatch: pytest.MonkeyPatch) -> None:
        assert MAX_UPLOAD == 200 * 1024 * 1024
        monkeypatch.setattr(rules, "MAX_UPLOAD", 100)
        failed = place.started(csv_of(people(30)))
        assert failed.problem
        assert "MiB" in failed.problem.detail


class TestRepeated:
    def test_a_second_event_changes_nothing(self, place: BatchWorld) -> None:
        batch = place.started(csv_of(people(3)))
        place.files.put(batch.upload_key, csv_of(people(9, first=100)))
        assert place.split(batch) == batch
        assert batch.upload_key not in place.files.objects, "nobody reads it, so it does not stay"

    def test_what_is_no_batchs_is_deleted(self, place: BatchWorld) -> None:
        place.files.put("uploads/bat_nobody", b"1")
        place.files.put("elsewhere", b"1")
        for key in ("uploads/bat_nobody", "elsewhere"):
            split(key, tools=place.world.tools, batching=place.batching, policy=place.world.policy)
        assert place.files.objects == {"elsewhere": b"1"}

    def test_one_that_died_is_done_again(self, place: BatchWorld) -> None:
        batch = place.made(csv_of(people(3)))
        real = place.files.writer

        def dies(key: str) -> object:
            writer = real(key)
            writer.write(b"half")
            raise KeyboardInterrupt

        place.files.writer = dies  # type: ignore[method-assign, assignment]
        with pytest.raises(KeyboardInterrupt):
            place.split(batch)
        assert place.now(batch).status is BatchStatus.SPLITTING
        place.files.writer = real  # type: ignore[method-assign]
        done = place.split(batch)
        assert (done.status, done.total) == (BatchStatus.RUNNING, 3)
        assert len(done.files) == 5, "the first one's may lie there as well"

    def test_of_two_at_once_one_is_used(self, place: BatchWorld) -> None:
        """A slow one wakes up when another one, with another idea of the file, is through."""
        batch = place.made(csv_of(people(3)))
        outer = place.batching.read_rows

        def rows(file: object, layout: FileLayout) -> Iterator[Row]:
            place.batching = replace(place.batching, read_rows=outer)
            place.split(batch)
            yield Row(7, NAME, number(77), None, None)

        place.batching = replace(place.batching, read_rows=rows)  # type: ignore[arg-type]
        done = place.split(batch)
        assert (done.total, done.run) == (3, 1)
        kept = {key for key in place.files.objects if key.startswith("rows/")}
        assert kept == {done.rows_key, done.index_key}
        assert place.rows.sent == [(Dispatch(batch.id, 1), 0)]

    def test_a_file_that_is_replaced_meanwhile_is_read_anew(self, place: BatchWorld) -> None:
        batch = place.made(csv_of(people(3)))
        place.files.put_next[batch.upload_key] = csv_of(people(5))
        done = place.split(batch)
        assert (done.status, done.total) == (BatchStatus.RUNNING, 5)
        assert len([*batch_index.lines(place.files.objects[done.rows_key or ""])]) == 5

    def test_one_that_is_replaced_again_and_again_fails(self, place: BatchWorld) -> None:
        batch = place.made(csv_of(people(3)))
        real = place.files.open

        def replaced(key: str) -> object:
            place.files.put_next[key] = csv_of(people(3))
            return real(key)

        place.files.open = replaced  # type: ignore[method-assign, assignment]
        failed = place.split(batch)
        assert failed.status is BatchStatus.FAILED
        assert not place.files.objects

    def test_a_cancelled_one_leaves_nothing(self, place: BatchWorld) -> None:
        batch = place.made(csv_of(people(3)))
        outer = place.batching.read_rows

        def rows(file: object, layout: FileLayout) -> Iterator[Row]:
            cancelled = rules.cancel(place.now(batch), place.world.clock.now())
            assert place.batches.replace(cancelled, place.now(batch))
            yield from outer(file, layout)  # type: ignore[arg-type]

        place.batching = replace(place.batching, read_rows=rows)  # type: ignore[arg-type]
        done = place.split(batch)
        assert done.status is BatchStatus.CANCELLED
        assert not [key for key in place.files.objects if key.startswith("rows/")]
        assert not place.rows.sent

    def test_what_is_out_of_reach_is_tried_again(self, place: BatchWorld) -> None:
        batch = place.made(csv_of(people(3)))
        place.files.down = True
        with pytest.raises(UnavailableError):
            place.split(batch)
        place.files.down = False
        assert place.split(batch).status is BatchStatus.RUNNING

    def test_a_lost_message_is_the_sweepers(self, place: BatchWorld) -> None:
        place.rows.down = True
        batch = place.started(csv_of(people(3)))
        place.rows.down = False
        place.advance(minutes=16)
        assert place.sweep().sent == 1
        place.work_off()
        assert place.now(batch).status is BatchStatus.COMPLETED


def test_people_are_told_apart() -> None:
    seen = _Seen()
    assert [seen.before(NAME, number(n % 500)) for n in range(1000)] == [False] * 500 + [True] * 500
    assert not seen.before(NAME + "甲", number(1))
