"""A batch's states, its index, its messages: pure."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain import batch as rules
from chalicelib.domain import batch_index, batch_messages
from chalicelib.domain.batch import (
    BILLED,
    ENDED,
    OUTCOMES,
    Batch,
    BatchStatus,
    FileLayout,
    FileProblem,
    Pause,
    Progress,
    Split,
)
from chalicelib.domain.batch_index import Entry, Line
from chalicelib.domain.batch_messages import Dispatch, Rows
from chalicelib.domain.errors import BatchStateError
from tests.fakes.clock import START

NOW = START + timedelta(minutes=1)
DRAFT = rules.new(Batch("bat_1", "shop", START, BatchStatus.AWAITING_UPLOAD, "csv"))
SPLIT = Split("rows", "rows.index", 1, 3, 1, 0, {"id_number_empty": 1})
SPLITTING = rules.split_begun(DRAFT, ("rows", "rows.index"), NOW)
CHECKED = rules.split_done(replace(SPLITTING, dry_run=True), SPLIT, NOW)
RUNNING = rules.split_done(SPLITTING, SPLIT, NOW)
PAUSED = rules.pause(RUNNING, Pause("quota_exhausted"))
STATES = {
    one.status: one
    for one in (
        DRAFT,
        SPLITTING,
        CHECKED,
        RUNNING,
        PAUSED,
        rules.complete(RUNNING, NOW),
        rules.cancel(RUNNING, NOW),
        rules.fail(SPLITTING, FileProblem("batch_file_unreadable", "x"), NOW),
    )
}
S = BatchStatus
MOVES: dict[str, tuple[Callable[[Batch], Batch], set[BatchStatus]]] = {
    "split_begun": (lambda b: rules.split_begun(b, (), NOW), {S.AWAITING_UPLOAD, S.SPLITTING}),
    "split_done": (lambda b: rules.split_done(b, SPLIT, NOW), {S.SPLITTING}),
    "resume": (lambda b: rules.resume(b, NOW), {S.CHECKED, S.PAUSED}),
    "send_again": (lambda b: rules.send_again(b, NOW), {S.RUNNING}),
    "pause": (lambda b: rules.pause(b, Pause("x")), {S.RUNNING, S.PAUSED}),
    "complete": (lambda b: rules.complete(b, NOW), {S.RUNNING, S.PAUSED}),
    "cancel": (lambda b: rules.cancel(b, NOW), set(S) - ENDED),
    "fail": (lambda b: rules.fail(b, FileProblem("x", "x"), NOW), set(S) - ENDED),
}


class TestStates:
    def test_there_is_one_of_each(self) -> None:
        assert STATES.keys() == set(BatchStatus)

    @pytest.mark.parametrize("name", MOVES)
    @pytest.mark.parametrize("status", BatchStatus)
    def test_what_fits(self, name: str, status: BatchStatus) -> None:
        move, fitting = MOVES[name]
        before = STATES[status]
        if status not in fitting:
            with pytest.raises(BatchStateError, match=status):
                move(before)
            return
        assert move(before).revision == before.revision + 1

    def test_a_dry_run_stops_before_the_first_row(self) -> None:
        assert (CHECKED.status, CHECKED.run, CHECKED.started_at) == (S.CHECKED, 0, None)
        resumed = rules.resume(CHECKED, NOW)
        assert (resumed.status, resumed.run, resumed.started_at) == (S.RUNNING, 1, NOW)
        assert (RUNNING.payable, RUNNING.total) == (2, 3)

    def test_each_run_has_a_number_of_its_own(self) -> None:
        assert RUNNING.run == 1
        assert rules.resume(PAUSED, NOW).run == 2
        assert rules.send_again(RUNNING, NOW).run == 1
        assert rules.resume(PAUSED, NOW).started_at == RUNNING.started_at

    def test_a_pause_that_a_time_ends_is_due_then(self) -> None:
        until = NOW + timedelta(minutes=5)
        assert rules.pause(RUNNING, Pause("upstream_maintenance", until)).due_at == until
        assert PAUSED.due_at == RUNNING.files_until
        late = replace(RUNNING, created_at=NOW - timedelta(days=6, hours=23))
        beyond = rules.pause(late, Pause("x", NOW + timedelta(days=1)))
        assert beyond.due_at == late.files_until

    def test_one_that_ended_is_due_until_its_files_are_gone(self) -> None:
        for status in ENDED:
            ended = STATES[status]
            assert (ended.due_at, ended.ended_at, ended.paused) == (NOW, NOW, None)
            clean = rules.files_deleted(ended)
            assert (clean.files, clean.due_at, clean.status) == ((), None, status)

    def test_a_layout_lies_beside_its_file(self) -> None:
        layout = FileLayout("xlsx", {"name": "姓名", "id_number": 2}, "表1", None)
        assert FileLayout.of(layout.text()) == layout
        made = rules.new(replace(DRAFT, format="xlsx"), layout)
        assert (
            made.files == ("uploads/bat_1", made.layout_key) == (*made.files[:1], "layouts/bat_1")
        )
        assert rules.new(DRAFT, FileLayout("csv")) == DRAFT

    def test_all_of_its_files_are_known(self) -> None:
        assert DRAFT.files == ("uploads/bat_1",)
        again = rules.split_begun(SPLITTING, ("more",), NOW)
        assert again.files == ("uploads/bat_1", "rows", "rows.index", "more")

    def test_it_is_done_with_its_last_row(self) -> None:
        assert not RUNNING.all_done
        assert replace(RUNNING, progress=Progress(3)).all_done
        assert not replace(DRAFT, progress=Progress()).all_done, "nobody knows its rows yet"


@given(st.lists(st.tuples(st.sampled_from(OUTCOMES), st.sampled_from(BILLED)), max_size=50))
def test_a_tally_adds_up(words: list[tuple[str, str]]) -> None:
    progress = rules.progress_of(rules.tally(words), None)
    assert progress.done == sum(progress.outcomes.values()) == sum(progress.billed.values())
    assert progress.done == len(words)


@pytest.mark.parametrize(
    ("reference", "row"),
    [
        ("bat_1:17", 17),
        ("bat_2:17", 0),
        ("bat_1:x", 0),
        ("bat_1:", 0),
        ("17", 0),
        (None, 0),
        ("bat_1:17:18", 0),
    ],
)
def test_whose_row_it_is(reference: str | None, row: int) -> None:
    assert rules.row_of(reference, "bat_1") == row


texts = st.text(max_size=30)
rows = st.builds(Line, st.integers(1, 10**7), texts, texts, texts, texts)


class TestIndex:
    @given(st.lists(rows, max_size=10))
    def test_any_rows_survive_their_lines(self, found: list[Line]) -> None:
        data = b"".join(map(batch_index.line, found))
        again = [*batch_index.lines(data)]
        assert [one[:-1] for one in again] == [one[:-1] for one in found]
        assert sum(one.size for one in again) == len(data)

    def test_half_a_character_does_no_harm(self) -> None:
        (found,) = batch_index.lines(batch_index.line(Line(2, "\ud800", "", "", "name_invalid")))
        assert found.number == 2

    @given(st.lists(st.builds(Entry, st.integers(0, 2**40), st.integers(0, 2**31)), max_size=9))
    def test_any_entries_survive(self, found: list[Entry]) -> None:
        data = b"".join(batch_index.entry(*one) for one in found)
        assert len(data) == len(found) * batch_index.ENTRY_BYTES
        assert batch_index.entries(data) == found


class TestMessages:
    @pytest.mark.parametrize(
        "message",
        [
            Rows("bat_1", 2, 0, 90, 2),
            Dispatch("bat_1", 2, 200),
            Rows("bat_1", 2, 0, 90, 2, "a-request"),
            Dispatch("bat_1", 2, 200, "a-request"),
        ],
    )
    def test_what_is_sent_is_read(self, message: batch_messages.RowMessage) -> None:
        assert batch_messages.decode(batch_messages.encode(message)) == message

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "[]",
            "{}",
            '{"ask": "vrf_1"}',
            '{"rows": "bat_1", "run": 1, "start": 5, "end": 5, "row": 2}',
            '{"rows": "bat_1", "run": 1, "start": -1, "end": 5, "row": 2}',
            '{"rows": "bat_1", "run": 1, "start": 0, "end": 5}',
            '{"rows": 1, "run": 1, "start": 0, "end": 5, "row": 2}',
            '{"dispatch": "bat_1", "run": 1, "from": -1}',
            '{"dispatch": "bat_1", "run": "1", "from": 0}',
        ],
    )
    def test_nothing_else(self, text: str) -> None:
        with pytest.raises(ValueError):  # json's own too
            batch_messages.decode(text)
