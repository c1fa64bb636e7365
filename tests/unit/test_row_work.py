"""Rows are paid for once, whatever happens to messages, workers and the batch meanwhile."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from chalicelib.domain import codes
from chalicelib.domain.batch import CHUNK_ROWS, BatchStatus
from chalicelib.domain.batch_messages import Dispatch, Rows
from chalicelib.domain.caps import Limits
from chalicelib.domain.errors import ServiceError
from chalicelib.domain.verification import CHINA, Answer, Person
from chalicelib.services import batches, row_work
from chalicelib.services.ports import UnavailableError
from tests.examples import NAME, OTHER_NAME
from tests.fakes.provider import answer
from tests.unit.batch_world import (
    COMPLETED,
    PAUSED,
    RUNNING,
    BatchWorld,
    csv_of,
    make_batch_world,
    number,
    people,
)
from tests.unit.conftest import SHOP, World


@pytest.fixture
def place(world: World) -> BatchWorld:
    return make_batch_world(world)


def during(do: Callable[[], object]) -> Callable[[Person], Answer]:
    """An answer of the upstream that comes after something else happened."""

    def asked(person: Person) -> Answer:
        do()
        return answer("0000", person)

    return asked


class TestAsked:
    def test_every_row_is_asked_once_and_has_its_end(self, place: BatchWorld) -> None:
        place.world.provider.people = {number(0): NAME, number(1): OTHER_NAME}
        batch = place.started(csv_of([*people(44), (NAME, "1", "")]))
        place.work_off()
        done = place.now(batch)
        assert done.status is COMPLETED
        assert done.progress.done == done.total == 45
        assert done.progress.outcomes == {
            "match": 1,
            "mismatch": 1,
            "no_record": 42,
            "unknown": 0,
            "failed": 0,
            "hopeless": 1,
            "duplicate": 0,
        }
        assert done.progress.billed == {"yes": 44, "no": 1, "unknown": 0}
        assert set(place.agrees(batch).values()) == {1}
        assert (done.files, place.files.objects, done.due_at) == ((), {}, None)

    def test_a_row_is_a_question_as_any_other(self, place: BatchWorld) -> None:
        batch = place.started(csv_of(people(1)), max_age_seconds=0)
        place.work_off()
        (found,) = place.world.repository.items.values()
        assert (found.client, found.reference) == ("shop", f"{batch.id}:2")
        assert (found.subject, place.world.repository.people) == (None, {})
        assert not place.world.sealer.sealed, "nothing is kept, so nothing is sealed"

    def test_an_earlier_outcome_serves_where_that_is_wanted(self, place: BatchWorld) -> None:
        place.world.verify(id_number=number(0), max_age=60)
        batch = place.started(csv_of(people(2)), max_age_seconds=60)
        place.work_off()
        assert [line.billed for line in place.results(batch)] == ["no", "yes"]
        assert place.now(batch).progress.outcomes["no_record"] == 2

    def test_an_earlier_question_whose_outcome_is_unknown_is_not_asked_again(
        self, place: BatchWorld
    ) -> None:
        place.world.script([codes.NO_ANSWER])
        with pytest.raises(ServiceError):
            place.world.verify(id_number=number(0), max_age=60)
        batch = place.started(csv_of(people(1)), max_age_seconds=60)
        place.work_off()
        done = place.now(batch)
        assert (done.status, done.progress.outcomes["unknown"]) == (COMPLETED, 1)
        (line,) = place.results(batch)
        assert (line.billed, line.reason) == ("no", "outcome_unknown")
        assert len(place.world.provider.asked) == 1

    def test_a_rotated_hash_key_changes_nothing(self, place: BatchWorld) -> None:
        batch = place.started(csv_of(people(3)))
        (message,) = place.messages()
        place.work(message)
        place.world.secrets.now = replace(place.world.secrets.now, hash_key=b"x" * 32)
        again = place.started(csv_of(people(3)))
        place.batches.ends.clear()
        place.batches.replace(replace(place.now(batch), status=RUNNING), place.now(batch))
        place.files.put(batch.rows_key or "", place.files.objects[again.rows_key or ""])
        place.work(message)
        assert set(place.agrees(batch).values()) == {1}


class TestDuplicates:
    def test_they_are_paid_once_whatever_the_order(self, place: BatchWorld) -> None:
        twice = people(25)
        batch = place.started(csv_of([*twice, *twice]))
        for message in reversed(place.messages()):
            place.work(message)
        assert batch.duplicates == 25
        assert set(place.agrees(batch).values()) == {1}
        progress = place.now(batch).progress
        assert (progress.outcomes["duplicate"], progress.billed["yes"]) == (25, 25)
        results = place.results(batch)
        for line in results:
            if line.reason:
                original = next(one for one in results if f"duplicate_of:{one.row}" == line.reason)
                assert not original.reason
                assert (line.outcome, line.billed) == (original.outcome, "no")
                assert line.verification_id == original.verification_id

    def test_spelt_differently_it_is_the_same_person(self, place: BatchWorld) -> None:
        spelt = [(NAME, number(1), ""), (f" {NAME} ", f"'{number(1)}", "")]
        batch = place.started(csv_of(spelt))
        place.work_off()
        assert sum(place.agrees(batch).values()) == 1

    def test_another_batch_asks_anew(self, place: BatchWorld) -> None:
        for _ in range(2):
            place.started(csv_of(people(1)))
            place.work_off()
        assert len(place.world.provider.asked) == 2

    def test_one_that_is_being_asked_right_now(self, place: BatchWorld) -> None:
        """The other row's worker is in the middle of its call."""
        same = people(1)
        batch = place.started(csv_of([*same, *people(19, first=50), *same]))
        first, second = place.messages()
        place.world.script([during(lambda: place.work(second, place.another()))])
        place.work(first)
        assert place.now(batch).status is COMPLETED
        assert set(place.agrees(batch).values()) == {1}
        assert place.results(batch)[-1].reason == "duplicate_of:2"


class TestRedelivered:
    def test_a_second_copy_does_nothing(self, place: BatchWorld) -> None:
        batch = place.started(csv_of(people(30)))
        messages = place.messages()
        for message in (*messages, *messages):
            place.work(message)
        assert set(place.agrees(batch).values()) == {1}
        assert place.now(batch).progress.done == 30
        assert not place.rows.sent

    def test_two_workers_on_one_stretch(self, place: BatchWorld) -> None:
        """The second begins while the first asks its third row, and is through before it."""
        batch = place.started(csv_of(people(10)))
        (message,) = place.messages()
        another = during(lambda: place.work(message, place.another()))
        place.world.script(["0000", "0000", another])
        place.work(message)
        self.end(place, batch.id)
        assert set(place.agrees(batch).values()) == {1}

    def test_whoever_writes_first_counts(self, place: BatchWorld) -> None:
        """The first worker's ends meet a shorter stretch, and are written behind it."""
        batch = place.started(csv_of(people(10)))
        (message,) = place.messages()

        def short() -> None:
            other, calls = place.another(), iter([1e9] * 3 + [0.0] * 20)
            place.work(message, replace(other, seconds_left=lambda: next(calls)))

        place.world.script(["0000"] * 9 + [during(short)])
        place.work(message)
        self.end(place, batch.id)
        assert [chunk.row for chunk in place.batches.chunks(batch.id, 0)][:2] == [2, 5]
        assert place.now(batch).progress.done == 10
        assert [line.row for line in place.results(batch)] == [*range(2, 12)]
        assert set(place.agrees(batch).values()) == {1}

    @staticmethod
    def end(place: BatchWorld, batch_id: str) -> None:
        while place.rows.sent:
            place.advance(seconds=10)
            place.work(place.rows.sent.pop(0)[0])
        found = place.batches.get(batch_id)
        assert found
        assert found.status is COMPLETED

    @pytest.mark.parametrize("paused", [False, True])
    def test_a_worker_that_died_behind_the_last_end(
        self, place: BatchWorld, monkeypatch: pytest.MonkeyPatch, *, paused: bool
    ) -> None:
        batch = place.started(csv_of(people(3)))
        (message,) = place.messages()
        with monkeypatch.context() as dying:
            dying.setattr(row_work, "complete_if_done", lambda *_, **__: 1 // 0)
            with pytest.raises(ZeroDivisionError):
                place.work(message)
        if paused:
            tools, batching = place.world.tools, place.batching
            batches.pause(batch.id, client=SHOP, tools=tools, batching=batching)
            batches.resume(batch.id, client=SHOP, tools=tools, batching=batching)
            place.work_off()
        else:
            place.work(message)
        assert place.now(batch).status is COMPLETED

    def test_late_messages_of_one_that_ended(self, place: BatchWorld) -> None:
        batch = place.started(csv_of(people(3)))
        (message,) = place.messages()
        place.work(message)
        assert place.now(batch).status is COMPLETED
        for late in (message, Dispatch(batch.id, 1), Rows("bat_nobody", 1, 0, 1, 2)):
            place.work(late)
        assert len(place.world.provider.asked) == 3
        assert not place.rows.sent

    def test_messages_of_an_earlier_run(self, place: BatchWorld) -> None:
        batch = place.started(csv_of(people(3)))
        (message,) = place.messages()
        for act in (batches.pause, batches.resume):
            act(batch.id, client=SHOP, tools=place.world.tools, batching=place.batching)
        place.work(message)
        assert not place.world.provider.asked
        place.work_off()
        assert place.now(batch).status is COMPLETED

    @pytest.mark.parametrize("part", ["batches", "files", "repository", "secrets"])
    def test_what_is_out_of_reach_comes_again(self, place: BatchWorld, part: str) -> None:
        batch = place.started(csv_of(people(3)))
        (message,) = place.messages()
        owner = place.world if part in {"repository", "secrets"} else place
        getattr(owner, part).down = True
        try:
            place.work(message)
        except (UnavailableError, ServiceError):
            place.rows.send(message)
        getattr(owner, part).down = False
        place.work_off()
        assert place.now(batch).status is COMPLETED
        assert set(place.agrees(batch).values()) == {1}

    def test_a_lost_reply_counts_once(self, place: BatchWorld) -> None:
        batch = place.started(csv_of(people(3)))
        (message,) = place.messages()
        place.batches.lose_reply_next = 1
        with pytest.raises(UnavailableError):
            place.work(message)
        place.work(message)
        place.sweep()
        place.advance(minutes=16)
        place.sweep()
        assert place.now(batch).status is COMPLETED
        assert place.now(batch).progress.done == 3

    def test_a_rest_that_cannot_be_sent_comes_with_its_message(self, place: BatchWorld) -> None:
        batch = place.started(csv_of(people(3)))
        (message,) = place.messages()
        place.world.script(["0000", "T429GR"])
        place.rows.down = True
        with pytest.raises(UnavailableError):
            place.work(message)
        place.rows.down = False
        place.work(message)
        assert place.now(batch).status is COMPLETED
        assert sum(line.billed == "yes" for line in place.results(batch)) == 3


class TestStopped:
    def test_a_killed_worker_leaves_an_unknown(self, place: BatchWorld) -> None:
        """Its message comes again; the row it was asking is never asked again by itself."""
        batch = place.started(csv_of(people(5)))
        (message,) = place.messages()

        def die(_: Person) -> Answer:
            raise KeyboardInterrupt

        place.world.script(["0000", "0000", die])
        with pytest.raises(KeyboardInterrupt):
            place.work(message)
        place.work(message)
        assert place.now(batch).progress.done == 2, "somebody may still be asking"
        place.advance(seconds=91)
        place.work_off()
        done = place.now(batch)
        assert (done.status, done.progress.outcomes["unknown"]) == (COMPLETED, 1)
        assert [line.reason for line in place.results(batch)] == ["", "", "outcome_unknown", "", ""]
        assert max(place.agrees(batch).values()) == 1

    def test_time_is_nearly_over(self, place: BatchWorld) -> None:
        batch = place.started(csv_of(people(5)))
        (message,) = place.messages()
        left = iter([100.0, 100.0, 29.0])
        place.work(message, place.worker(seconds_left=lambda: next(left)))
        assert len(place.world.provider.asked) == 2
        ((rest, delay),) = place.rows.sent
        assert isinstance(rest, Rows)
        assert (rest.row, delay) == (4, 0)
        place.work_off()
        assert place.now(batch).status is COMPLETED
        assert set(place.agrees(batch).values()) == {1}

    @pytest.mark.parametrize("act", [batches.pause, batches.cancel])
    def test_while_a_row_is_being_asked(
        self, place: BatchWorld, act: Callable[..., object]
    ) -> None:
        batch = place.started(csv_of(people(5)))
        (message,) = place.messages()

        def stopped() -> None:
            act(batch.id, client=SHOP, tools=place.world.tools, batching=place.batching)
            place.advance(seconds=row_work.LOOK_SECONDS)

        place.world.script(["0000", during(stopped)])
        place.work(message)
        found = place.now(batch)
        assert found.status in {PAUSED, BatchStatus.CANCELLED}
        assert (len(place.world.provider.asked), found.progress.done) == (2, 2)
        assert not place.rows.sent
        assert [line.outcome for line in place.results(batch)][:2] == ["match", "match"]
        if found.status is PAUSED:
            batches.resume(batch.id, client=SHOP, tools=place.world.tools, batching=place.batching)
            place.work_off()
            assert place.now(batch).status is COMPLETED
            assert set(place.agrees(batch).values()) == {1}
        else:
            assert len(place.results(batch)) == 2
            assert not place.files.objects

    def test_the_last_row_of_a_paused_batch_ends_it(self, place: BatchWorld) -> None:
        batch = place.started(csv_of(people(1)))
        (message,) = place.messages()

        def stopped() -> None:
            batches.pause(batch.id, client=SHOP, tools=place.world.tools, batching=place.batching)

        place.world.script([during(stopped)])
        place.work(message)
        assert place.now(batch).status is COMPLETED


class TestTroubles:
    @pytest.mark.parametrize(
        ("code", "cause"),
        [
            ("B403MQ", "quota_exhausted"),
            ("B403ME", "package_expired"),
            ("B403OD", "account_in_arrears"),
            ("A401AC", "appcode_invalid"),
        ],
    )
    def test_what_a_human_has_to_mend_pauses_the_batch(
        self, place: BatchWorld, code: str, cause: str
    ) -> None:
        batch = place.started(csv_of(people(45)))
        messages = place.messages()
        place.world.script(["0000", code])
        for message in messages:
            place.work(message)
        paused = place.now(batch)
        assert (paused.status, paused.paused) == (PAUSED, (cause, None))
        assert len(place.world.provider.asked) == 2
        assert paused.progress.done == 1
        place.advance(hours=100)
        assert place.sweep().sent == 0, "time does not mend it"
        # Resumed too early it pauses again, without a call.
        self.resume(place, batch.id)
        place.work_off()
        assert place.now(batch).paused == (cause, None)
        assert len(place.world.provider.asked) == 2
        place.world.tools.breaker.close()
        self.resume(place, batch.id)
        place.work_off()
        assert place.now(batch).status is COMPLETED
        assert place.now(batch).progress.billed["yes"] == 45
        place.agrees(batch)

    @staticmethod
    def resume(place: BatchWorld, batch_id: str) -> None:
        batches.resume(batch_id, client=SHOP, tools=place.world.tools, batching=place.batching)

    def test_maintenance_pauses_until_it_is_over(self, place: BatchWorld) -> None:
        batch = place.started(csv_of(people(3)))
        (message,) = place.messages()
        place.world.script(["0010"])
        place.work(message)
        paused = place.now(batch).paused
        assert paused
        assert paused.cause == "upstream_maintenance"
        assert paused.until == place.world.clock.now() + timedelta(minutes=5)
        place.sweep()
        assert place.now(batch).status is PAUSED
        place.advance(minutes=5, seconds=1)
        assert place.sweep().sent == 1
        place.work_off()
        assert place.now(batch).status is COMPLETED

    def test_throttling_holds_up_a_stretch(self, place: BatchWorld) -> None:
        batch = place.started(csv_of(people(3)))
        place.world.script(["0000", *["T429GR"] * 11])
        delays = place.work_off()
        assert place.now(batch).status is COMPLETED
        assert delays[2:] == [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]
        assert {line.billed for line in place.results(batch)} == {"yes"}

    def test_what_was_not_sent_is_tried_again(self, place: BatchWorld) -> None:
        batch = place.started(csv_of(people(2)))
        place.world.script([codes.NOT_SENT] * 3)
        assert place.work_off()[2:] == [2]
        assert place.now(batch).status is COMPLETED

    def test_a_row_that_the_upstream_refuses_ends(self, place: BatchWorld) -> None:
        batch = place.started(csv_of(people(2)))
        place.world.script(["0004"])
        place.work_off()
        assert [line.reason for line in place.results(batch)] == ["id_number_invalid", ""]
        assert place.now(batch).progress.outcomes["failed"] == 1

    def test_a_days_cap_waits_for_the_next_day(self, place: BatchWorld) -> None:
        self.cap(place, Limits(day=20))
        batch = place.started(csv_of(people(45)))
        place.work_off()
        paused = place.now(batch).paused
        assert paused
        assert paused.cause == "budget_exhausted"
        midnight = datetime(2026, 11, 25, tzinfo=CHINA)
        assert paused.until == midnight
        assert len(place.world.provider.asked) == 20
        place.sweep()
        assert place.now(batch).status is PAUSED
        for _ in range(2):
            place.advance(hours=24)
            assert place.sweep().sent == 1
            place.work_off()
        assert place.now(batch).status is COMPLETED
        assert set(place.agrees(batch).values()) == {1}

    def test_a_months_cap_waits_for_a_human(self, place: BatchWorld) -> None:
        self.cap(place, Limits(month=1))
        batch = place.started(csv_of(people(2)))
        place.work_off()
        assert place.now(batch).paused == ("budget_exhausted", None)
        self.cap(place, Limits(month=2))
        self.resume(place, batch.id)
        place.work_off()
        assert place.now(batch).status is COMPLETED

    @staticmethod
    def cap(place: BatchWorld, limits: Limits) -> None:
        place.world.secrets.now = replace(place.world.secrets.now, caps=limits)


class TestDispatch:
    def test_in_portions(self, place: BatchWorld, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(row_work, "PORTION", 3)
        batch = place.started(csv_of(people(CHUNK_ROWS * 7 + 5)))
        assert batch.chunks == 8
        messages = place.messages()
        assert len(messages) == 8
        assert [message.row for message in messages if isinstance(message, Rows)] == [
            *range(2, 150, CHUNK_ROWS)
        ]
        ends = [message.end for message in messages if isinstance(message, Rows)]
        starts = [message.start for message in messages if isinstance(message, Rows)]
        assert starts == [0, *ends[:-1]]

    def test_only_what_has_no_end(self, place: BatchWorld) -> None:
        batch = place.started(csv_of(people(60)))
        first, second, _ = place.messages()
        place.work(first)
        left = iter([100.0] * 7 + [0.0])
        place.work(second, place.worker(seconds_left=lambda: next(left)))
        for act in (batches.pause, batches.resume):
            act(batch.id, client=SHOP, tools=place.world.tools, batching=place.batching)
        place.rows.sent = place.rows.sent[-1:]
        again = place.messages()
        assert [message.row for message in again if isinstance(message, Rows)] == [29, 42]
        for message in again:
            place.work(message)
        assert place.now(batch).status is COMPLETED
        assert set(place.agrees(batch).values()) == {1}
