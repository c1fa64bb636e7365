"""Batches as their owners handle them, the sweeper's part, and the result file."""

from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.domain import batch as rules
from chalicelib.domain.batch import (
    FILES_TIME,
    REQUESTED,
    Batch,
    BatchStatus,
    FileLayout,
    Pause,
)
from chalicelib.domain.batch_messages import Dispatch
from chalicelib.domain.codes import Billed
from chalicelib.domain.errors import (
    BatchFileError,
    BatchStateError,
    IdempotencyKeyReusedError,
    NotFoundError,
    ServiceUnavailableError,
)
from chalicelib.domain.verification import Action
from chalicelib.entrypoints import batch_documents
from chalicelib.services import batch_results, batches
from chalicelib.services.batches import BatchRequest
from chalicelib.services.resolve import erase, resolve
from tests.examples import NAME
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
from tests.unit.conftest import OPS, OTHER, SHOP, World

LIST = csv_of(people(3))
CSV = FileLayout("csv")


@pytest.fixture
def place(world: World) -> BatchWorld:
    return make_batch_world(world)


def act(place: BatchWorld, name: str, batch: Batch, client: object = SHOP) -> Batch:
    done: Batch = getattr(batches, name)(
        batch.id, client=client, tools=place.world.tools, batching=place.batching
    )
    return done


class TestCreated:
    def test_a_small_one_comes_with_its_file(self, place: BatchWorld) -> None:
        batch = place.made(LIST, label="april")
        assert batch.id.startswith("bat_")
        assert (batch.status, batch.label) == (BatchStatus.AWAITING_UPLOAD, "april")
        assert place.files.objects == {f"uploads/{batch.id}": LIST}
        tools, batching = place.world.tools, place.batching
        assert batches.upload(batch, tools=tools, batching=batching) is None

    def test_a_large_one_says_where_its_file_is_put(self, place: BatchWorld) -> None:
        batch = place.made(None)
        tools, batching = place.world.tools, place.batching
        upload = batches.upload(batch, tools=tools, batching=batching)
        assert upload
        assert upload.url.endswith(f"uploads/{batch.id}?for=3600")
        place.advance(minutes=59)
        upload = batches.upload(batch, tools=tools, batching=batching)
        assert upload
        assert upload.url.endswith("?for=60")
        place.advance(minutes=1)
        assert batches.upload(batch, tools=tools, batching=batching) is None

    def test_a_key_leads_to_one(self, place: BatchWorld) -> None:
        request = BatchRequest(CSV, LIST, idempotency_key="k")

        def create(wanted: BatchRequest, client: object = SHOP) -> tuple[str, bool]:
            place.advance(seconds=1)
            made = batches.create(
                wanted,
                client=client,  # type: ignore[arg-type]
                tools=place.world.tools,
                batching=place.batching,
            )
            return made.batch.id, made.new

        first = create(request)
        assert first[1]
        assert create(request) == (first[0], False)
        assert create(request, OTHER)[0] != first[0]
        for other in (
            replace(request, content=LIST + b" "),
            replace(request, content=None),
            replace(request, dry_run=True),
            replace(request, max_age_seconds=1),
            replace(request, label="x"),
            replace(request, layout=replace(CSV, columns={"name": 1})),
            replace(request, layout=replace(CSV, encoding="gb18030")),
        ):
            with pytest.raises(IdempotencyKeyReusedError):
                create(other)

    def test_one_whose_file_could_not_be_put_goes_on(self, place: BatchWorld) -> None:
        place.files.down = True
        with pytest.raises(ServiceUnavailableError):
            place.made(LIST, key="k")
        place.files.down = False
        batch = place.made(LIST, key="k")
        assert place.split(batch).total == 3
        assert place.made(LIST, key="k").status is RUNNING
        assert batch.upload_key not in place.files.objects, "a replay puts nothing any more"


class TestOwners:
    def test_each_client_its_own_an_admin_everybodys(self, place: BatchWorld) -> None:
        batch = place.started(LIST)
        for client in (SHOP, OPS):
            assert batches.get(batch.id, client=client, batching=place.batching) == batch
        for name in ("pause", "resume", "cancel"):
            with pytest.raises(NotFoundError):
                act(place, name, batch, OTHER)
        with pytest.raises(NotFoundError):
            batches.get(batch.id, client=OTHER, batching=place.batching)
        day = place.world.clock.now().date()
        for client, seen in ((SHOP, [batch]), (OPS, [batch]), (OTHER, [])):
            page = batches.listing(
                day, limit=5, cursor=None, client=client, batching=place.batching
            )
            assert [*page.items] == seen


class TestMoved:
    def test_paused_and_resumed(self, place: BatchWorld) -> None:
        batch = place.started(LIST)
        paused = act(place, "pause", batch)
        assert (paused.status, paused.paused) == (PAUSED, Pause(REQUESTED))
        place.rows.taken()
        resumed = act(place, "resume", batch)
        assert (resumed.status, resumed.run) == (RUNNING, 2)
        assert place.rows.sent == [(Dispatch(batch.id, 2), 0)]
        assert place.world.observer.names == ["batch_moved"] * 3

    def test_a_human_outweighs_the_clock(self, place: BatchWorld) -> None:
        batch = place.started(LIST)
        place.world.script(["0010"])
        place.work_off()
        waiting = place.now(batch).paused
        assert waiting
        assert waiting.until
        act(place, "pause", batch)
        place.advance(minutes=6)
        assert place.sweep().sent == 0
        assert place.now(batch).paused == Pause(REQUESTED)

    def test_what_does_not_fit(self, place: BatchWorld) -> None:
        batch = place.made(LIST)
        for name in ("pause", "resume"):
            with pytest.raises(BatchStateError):
                act(place, name, batch)
        place.split(batch)
        with pytest.raises(BatchStateError):
            act(place, "resume", batch)
        place.work_off()
        for name in ("pause", "resume", "cancel"):
            with pytest.raises(BatchStateError, match="completed"):
                act(place, name, batch)

    def test_a_dry_run_begins_when_it_is_resumed(self, place: BatchWorld) -> None:
        batch = place.started(LIST, dry_run=True)
        assert not place.rows.sent
        act(place, "resume", batch)
        place.work_off()
        assert place.now(batch).status is COMPLETED

    def test_cancelled_its_files_are_gone(self, place: BatchWorld) -> None:
        batch = place.started(LIST)
        cancelled = act(place, "cancel", batch)
        assert (cancelled.status, cancelled.files, place.files.objects) == (
            BatchStatus.CANCELLED,
            (),
            {},
        )
        assert act(place, "cancel", batch) == cancelled
        place.work_off()
        assert not place.world.provider.asked

    def test_a_message_that_is_lost_is_the_sweepers(self, place: BatchWorld) -> None:
        batch = place.started(LIST, dry_run=True)
        place.rows.down = True
        assert act(place, "resume", batch).status is RUNNING
        place.rows.down = False
        place.advance(minutes=16)
        assert place.sweep().sent == 1
        place.work_off()
        assert place.now(batch).status is COMPLETED


class TestSweep:
    def test_a_file_that_never_came(self, place: BatchWorld) -> None:
        batch = place.made(None)
        place.advance(minutes=119)
        assert place.sweep().ended == 0
        place.advance(minutes=2)
        assert place.sweep().ended == 1
        failed = place.now(batch)
        assert failed.status is BatchStatus.FAILED
        assert failed.problem
        assert "No file was put" in failed.problem.detail

    def test_a_splitter_that_never_ends(self, place: BatchWorld) -> None:
        batch = place.made(LIST)
        begun = rules.split_begun(batch, ("rows/x",), place.world.clock.now())
        place.batches.replace(begun, batch)
        place.files.put("rows/x", b"half")
        place.advance(minutes=51)
        assert place.sweep().ended == 1
        assert place.now(batch).status is BatchStatus.FAILED
        assert not place.files.objects

    def test_one_that_moves_is_left_alone(self, place: BatchWorld) -> None:
        batch = place.started(csv_of(people(60)))
        first, second, third = place.messages()
        place.advance(minutes=14)
        place.work(first)
        place.advance(minutes=2)
        assert place.sweep().sent == 0
        assert place.now(batch).run == 1
        place.work(second)
        place.advance(minutes=16)
        assert place.sweep().sent == 1
        assert place.now(batch).run == 1
        place.work(third)
        assert len(place.world.provider.asked) == 60, "a message that only waited is still good"
        place.work_off()
        assert len(place.world.provider.asked) == 60
        assert place.now(batch).status is COMPLETED
        assert set(place.agrees(batch).values()) == {1}

    def test_whoever_wrote_the_last_row_died(self, place: BatchWorld) -> None:
        batch = place.started(LIST)
        (message,) = place.messages()
        real = place.batches.add_chunk

        def dies(*given: object) -> None:
            real(*given)  # type: ignore[arg-type]
            raise KeyboardInterrupt

        place.batches.add_chunk = dies  # type: ignore[method-assign, assignment]
        with pytest.raises(KeyboardInterrupt):
            place.work(message)
        place.advance(minutes=16)
        assert place.sweep().ended == 1
        assert place.now(batch).status is COMPLETED
        assert not place.files.objects

    @pytest.mark.parametrize("resumed", [False, True])
    def test_after_seven_days_the_files_are_gone(self, place: BatchWorld, resumed: bool) -> None:
        batch = place.started(LIST, dry_run=True)
        if resumed:
            act(place, "resume", batch)
        place.advance(days=FILES_TIME.days, minutes=-1)
        place.sweep()
        assert place.files.objects
        place.advance(minutes=2)
        assert place.sweep().ended == 1
        failed = place.now(batch)
        assert failed.status is BatchStatus.FAILED
        assert failed.problem
        assert "seven days" in failed.problem.detail
        assert not place.files.objects

    def test_files_that_could_not_be_deleted(self, place: BatchWorld) -> None:
        batch = place.started(LIST)
        place.files.down = True
        assert act(place, "cancel", batch).files
        assert place.sweep().deleted == 1
        place.files.down = False
        assert place.files.objects
        assert place.sweep().deleted == 1
        assert (place.files.objects, place.now(batch).files) == ({}, ())
        assert place.sweep().deleted == 0


class TestResults:
    def test_while_it_runs(self, place: BatchWorld) -> None:
        listed = [*people(25), (NAME, "1", "bad"), *people(34, first=100)]
        batch = place.started(csv_of(listed))
        _, second, third = place.messages()
        place.work(third)
        calls = iter([1e9] * 7 + [0.0])
        place.work(second, place.worker(seconds_left=lambda: next(calls)))
        results = place.results(batch)
        assert [line.row for line in results] == [*range(2, 62)]
        reasons = [line.reason for line in results]
        assert reasons == (
            ["waiting"] * 20
            + [""] * 5
            + ["id_number_invalid"]
            + [""] * 2
            + ["waiting"] * 12
            + [""] * 20
        )
        assert results[0] == (
            2,
            "r-0",
            "张*",
            "110***********" + number(0)[-4:],
            "",
            "",
            "no",
            "waiting",
            "",
        )
        for from_row in (1, 2, 3, 21, 22, 26, 27, 31, 42, 60, 61, 62, 90):
            part = place.results(batch, from_row)
            assert [*part] == [line for line in results if line.row >= from_row], from_row

    def test_part_by_part(self, place: BatchWorld) -> None:
        batch = place.started(csv_of(people(50)))
        (first, *_) = place.messages()
        place.work(first)
        whole, row = place.results(batch), 1
        parts: list[batch_results.ResultLine] = []
        while row:
            page = batch_results.page(
                place.now(batch),
                row,
                7,
                repository=place.world.repository,
                batching=place.batching,
            )
            parts += page.lines
            assert len(page.lines) <= 7
            row = page.next_row or 0
        assert parts == [*whole]

    def test_numbers_are_the_spreadsheets(self, place: BatchWorld) -> None:
        lines = ["姓名,身份证号", "", f"{NAME},{number(1)}", ",,", f"{NAME},{number(2)}", ""]
        batch = place.started("\n".join(lines).encode())
        place.work_off()
        assert [line.row for line in place.results(batch)] == [3, 5]

    def test_what_became_of_it_later_shows(self, place: BatchWorld) -> None:
        batch = place.started(csv_of([*people(2), *people(1)]))
        place.world.script(["no_answer"])
        place.work_off()
        first, _, third = place.results(batch)
        assert (first.outcome, first.billed, first.reason) == ("", "unknown", "outcome_unknown")
        assert (third.billed, third.reason) == ("no", "duplicate_of:2")
        resolve(
            first.verification_id,
            billed=Billed.YES,
            action=Action.CLOSE,
            client=OPS,
            repository=place.world.repository,
            clock=place.world.clock,
            tell=place.world.tools.tell,
        )
        first, second, _ = place.results(batch)
        assert (first.billed, first.reason) == ("yes", "closed_without_outcome")
        place.agrees(batch)
        erase(
            second.verification_id,
            client=OPS,
            repository=place.world.repository,
            clock=place.world.clock,
            tell=place.world.tools.tell,
        )
        erased = place.results(batch)[1]
        assert (erased.reference, erased.name, erased.id_number) == ("", "", "")

    def test_there_are_none_before_it_is_split(self, place: BatchWorld) -> None:
        batch = place.made(LIST)
        with pytest.raises(BatchStateError, match="awaiting_upload"):
            place.results(batch)
        place.files.put(batch.upload_key, b"a,b\n1,2\n")
        place.split(batch)
        with pytest.raises(BatchFileError, match="columns"):
            place.results(batch)

    def test_a_verification_whose_time_is_over(self, place: BatchWorld) -> None:
        batch = place.started(csv_of(people(1)))
        place.work_off()
        place.world.repository.items.clear()
        (line,) = place.results(batch)
        assert (line.outcome, line.reason) == ("", "gone")

    def test_formulas_are_only_text(self, place: BatchWorld) -> None:
        line = batch_results.ResultLine(2, "=cmd()", "@张", "+1", "", "", "no", "-x", "")
        text = batch_documents.results([line])
        assert text.splitlines() == [
            "row,reference,name,id_number,outcome,code,billed,reason,verification_id",
            "2,'=cmd(),'@张,'+1,,,no,'-x,",
        ]


def test_files_live_as_long_as_the_bucket_lets_them() -> None:
    assert timedelta(days=7) == FILES_TIME
