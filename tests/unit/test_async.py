"""What nobody waits for: accepted, queued, asked later, never twice and never lost."""

from datetime import timedelta

import pytest

from chalicelib.domain import codes
from chalicelib.domain.codes import Billed
from chalicelib.domain.errors import (
    ErasedError,
    IdempotencyKeyReusedError,
    ResidentIdCheckCharacterError,
    ServiceUnavailableError,
    VerificationEndedError,
)
from chalicelib.domain.messages import Ask, Repair
from chalicelib.domain.verification import (
    PENDING_TIME,
    Action,
    Answer,
    Status,
    Verification,
    VerificationRequest,
    pause_before,
)
from chalicelib.services import resolve, work
from chalicelib.services.intake import RESEND_AFTER, accept
from chalicelib.services.ports import UnavailableError
from chalicelib.services.sweep import sweep
from tests.examples import NAME, NUMBER
from tests.unit.conftest import OPS, SHOP, World


def post(world: World, *, key: str | None = "k1", name: str = NAME, age: int = 0) -> Verification:
    request = VerificationRequest(name, NUMBER, "order-9", age, key)
    return accept(request, client=SHOP, tools=world.tools, policy=world.policy)


def run(world: World) -> None:
    """Let the worker have everything that is queued now."""
    messages, world.queue.sent = world.queue.messages, []
    for message in messages:
        if isinstance(message, Ask):
            work.ask(message, tools=world.tools, policy=world.policy)
        if isinstance(message, Repair):
            work.repair(message, tools=world.tools, policy=world.policy)


def standing(world: World, found: Verification) -> Verification:
    return world.repository.items[found.id]


class TestAccepting:
    def test_it_is_written_sealed_and_queued(self, world: World) -> None:
        pending = post(world)
        assert (pending.status, pending.name_masked) == (Status.PENDING, "张*")
        assert world.repository.items[pending.id] == pending
        assert world.queue.sent == [(Ask(pending.id), 0)]
        assert pending.sealed is not None
        assert NAME.encode() not in pending.sealed
        assert NUMBER.encode() not in pending.sealed
        assert pending.due_at == world.clock.now() + RESEND_AFTER
        assert not world.provider.asked

    def test_the_worker_asks_once_however_often_it_is_told(self, world: World) -> None:
        pending = post(world)
        world.queue.sent *= 3
        run(world)
        done = standing(world, pending)
        assert (done.status, done.billed, done.reference) == (
            Status.COMPLETED,
            Billed.YES,
            "order-9",
        )
        assert (done.sealed, done.due_at) == (None, None)
        assert len(world.provider.asked) == 1

    def test_the_same_key_again(self, world: World) -> None:
        first = post(world)
        assert post(world) == first
        assert len(world.queue.sent) == 1
        assert world.verify(reference="order-9").verification == first
        run(world)
        assert post(world) == standing(world, first)
        assert world.verify(reference="order-9").verification.status is Status.COMPLETED
        assert len(world.provider.asked) == 1

    def test_another_payload_under_the_key(self, world: World) -> None:
        post(world)
        with pytest.raises(IdempotencyKeyReusedError):
            post(world, name="李四")

    def test_without_a_key_each_is_a_new_question(self, world: World) -> None:
        assert post(world, key=None).id != post(world, key=None).id

    def test_what_is_hopeless_is_refused_at_once(self, world: World) -> None:
        request = VerificationRequest(NAME, NUMBER[:-1] + "0")
        with pytest.raises(ResidentIdCheckCharacterError):
            accept(request, client=SHOP, tools=world.tools, policy=world.policy)
        assert not world.repository.items

    @pytest.mark.parametrize("part", ["repository", "sealer"])
    def test_what_cannot_be_kept_is_not_accepted(self, world: World, part: str) -> None:
        getattr(world, part).down = True
        with pytest.raises(ServiceUnavailableError):
            post(world)
        assert not world.queue.sent

    def test_a_message_that_is_lost_is_sent_again(self, world: World) -> None:
        world.queue.down = True
        pending = post(world)
        world.queue.down = False
        assert sweep(tools=world.tools).queued == 0
        world.clock.advance(RESEND_AFTER.total_seconds())
        assert sweep(tools=world.tools).queued == 1
        assert sweep(tools=world.tools).queued == 0
        run(world)
        assert standing(world, pending).status is Status.COMPLETED

    def test_a_retryable_failure_is_accepted_again(self, world: World) -> None:
        world.script(["T429PA"])
        with pytest.raises(VerificationEndedError):
            world.verify(reference="order-9")
        assert post(world).status is Status.PENDING
        run(world)
        assert world.verify(reference="order-9").verification.status is Status.COMPLETED

    def test_an_unknown_is_not(self, world: World) -> None:
        world.script([codes.NO_ANSWER])
        with pytest.raises(VerificationEndedError):
            world.verify(reference="order-9")
        with pytest.raises(VerificationEndedError):
            post(world)


class TestAskingAgain:
    @pytest.mark.parametrize("code", ["T429PA", "0010", codes.NOT_SENT, "D504CO", "B403MQ"])
    def test_what_is_free_goes_back_to_pending(self, world: World, code: str) -> None:
        pending = post(world)
        world.script([code] * 3)
        run(world)
        waiting = standing(world, pending)
        assert (waiting.status, waiting.retryable) == (Status.PENDING, True)
        assert waiting.due_at == world.clock.now() + pause_before(1)
        assert waiting.sealed == pending.sealed
        assert waiting.problem

    def test_maintenance_then_an_outcome(self, world: World) -> None:
        pending = post(world)
        world.script(["0010"])
        run(world)
        world.script([])
        for _ in range(30):
            world.clock.advance(60)
            sweep(tools=world.tools)
            run(world)
        done = standing(world, pending)
        assert done.status is Status.COMPLETED
        assert [attempt.code for attempt in done.attempts] == ["0010", "0007"]

    def test_maintenance_that_is_billed_is_not_asked_again(self, world: World) -> None:
        world.obey(billed={"0010": Billed.YES})
        pending = post(world)
        world.script(["0010"])
        run(world)
        failed = standing(world, pending)
        assert (failed.status, failed.billed, failed.sealed) == (Status.FAILED, Billed.YES, None)

    def test_an_open_breaker_costs_no_attempt(self, world: World) -> None:
        world.script(["B403MQ"])
        with pytest.raises(VerificationEndedError):
            world.verify(key="other")
        pending = post(world)
        run(world)
        waiting = standing(world, pending)
        assert (waiting.status, waiting.attempts) == (Status.PENDING, ())
        assert waiting.problem is not None
        assert waiting.problem.code == "quota_exhausted"
        assert waiting.due_at is not None
        assert waiting.due_at > world.clock.now()
        assert len(world.provider.asked) == 1

    def test_it_fails_after_a_day(self, world: World) -> None:
        world.script(["B403MQ"])
        with pytest.raises(VerificationEndedError):
            world.verify(key="other")
        pending = post(world)
        run(world)
        world.clock.advance(PENDING_TIME.total_seconds())
        sweep(tools=world.tools)
        run(world)
        failed = standing(world, pending)
        assert (failed.status, failed.sealed, failed.retryable) == (Status.FAILED, None, True)
        assert failed.problem is not None
        assert failed.problem.code == "quota_exhausted"

    def test_pauses_grow_to_an_hour(self) -> None:
        pauses = [pause_before(n) for n in range(1, 40)]
        assert pauses[0] == timedelta(seconds=30)
        assert pauses == sorted(pauses)
        assert pauses[-1] == timedelta(hours=1)

    def test_what_is_ambiguous_is_unknown_and_stays_sealed(self, world: World) -> None:
        pending = post(world)
        world.script([codes.NO_ANSWER])
        run(world)
        unknown = standing(world, pending)
        assert (unknown.status, unknown.sealed) == (Status.UNKNOWN, pending.sealed)
        sweep(tools=world.tools)
        run(world)
        assert len(world.provider.asked) == 1

    def test_retry_queues_it_again(self, world: World) -> None:
        pending = post(world)
        world.script([codes.NO_ANSWER])
        run(world)
        again = settle(world, pending, Action.RETRY)
        assert again.status is Status.PENDING
        sweep(tools=world.tools)
        run(world)
        assert standing(world, pending).status is Status.COMPLETED

    def test_close_drops_the_person(self, world: World) -> None:
        pending = post(world)
        world.script([codes.NO_ANSWER])
        run(world)
        closed = settle(world, pending, Action.CLOSE)
        assert (closed.status, closed.sealed) == (Status.FAILED, None)

    def test_a_worker_that_died_leaves_an_unknown(self, world: World) -> None:
        pending = post(world)

        def die(_: object) -> Answer:
            raise SystemExit

        world.script([die])
        with pytest.raises(SystemExit):
            run(world)
        world.queue.sent = [(Ask(pending.id), 0)]
        run(world)
        assert standing(world, pending).status is Status.IN_PROGRESS
        world.clock.advance(120)
        world.queue.sent = [(Ask(pending.id), 0)]
        run(world)
        assert standing(world, pending).status is Status.UNKNOWN
        assert len(world.provider.asked) == 1

    def test_reuse_is_free(self, world: World) -> None:
        first = post(world, age=600)
        run(world)
        second = post(world, key="k2", age=600)
        run(world)
        assert standing(world, second).reused_from == first.id
        assert len(world.provider.asked) == 1

    def test_a_subject_whose_outcome_is_unknown_waits(self, world: World) -> None:
        first = post(world, age=600)
        world.script([codes.NO_ANSWER])
        run(world)
        second = post(world, key="k2", age=600)
        run(world)
        assert standing(world, second).status is Status.PENDING
        assert len(world.provider.asked) == 1
        settle(world, first, Action.CLOSE)
        world.clock.advance(3600)
        sweep(tools=world.tools)
        run(world)
        assert standing(world, second).status is Status.COMPLETED

    def test_what_became_hopeless_meanwhile_fails(self, world: World) -> None:
        request = VerificationRequest("王建国", "110104185303050217", idempotency_key="k1")
        pending = accept(request, client=SHOP, tools=world.tools, policy=world.policy)
        world.obey(live=True)
        run(world)
        failed = standing(world, pending)
        assert failed.problem is not None
        assert (failed.status, failed.problem.code) == (Status.FAILED, "test_identity")
        assert not world.provider.asked

    def test_erasing_what_is_pending(self, world: World) -> None:
        pending = post(world)
        resolve.erase(
            pending.id,
            client=OPS,
            repository=world.repository,
            clock=world.clock,
            tell=world.tools.tell,
        )
        erased = standing(world, pending)
        assert (erased.status, erased.sealed, erased.erased) == (Status.FAILED, None, True)
        run(world)
        assert not world.provider.asked
        with pytest.raises(ErasedError):
            post(world)

    def test_what_is_out_of_reach_leaves_the_message(self, world: World) -> None:
        post(world)
        world.sealer.down = True
        with pytest.raises(UnavailableError):
            run(world)

    def test_what_cannot_be_opened_for_a_day_fails(self, world: World) -> None:
        pending = post(world)
        world.sealer.down = True
        world.clock.advance(PENDING_TIME.total_seconds())
        run(world)
        failed = standing(world, pending)
        assert failed.problem is not None
        assert (failed.status, failed.problem.code) == (Status.FAILED, "service_unavailable")
        assert (failed.sealed, failed.billed) == (None, Billed.NO)
        assert not world.provider.asked

    def test_a_message_for_nothing(self, world: World) -> None:
        work.ask(Ask("vrf_nothing"), tools=world.tools, policy=world.policy)


def settle(world: World, found: Verification, action: Action) -> Verification:
    return resolve.resolve(
        found.id,
        billed=Billed.NO,
        action=action,
        client=OPS,
        repository=world.repository,
        clock=world.clock,
        tell=world.tools.tell,
    )


class TestRepair:
    def test_an_answer_that_could_not_be_written_comes_back(self, world: World) -> None:
        pending = post(world)
        real = world.repository.write

        def claims_only(write: object) -> None:
            if getattr(write, "usage", ()):
                raise UnavailableError("the table is out of reach")
            real(write)  # type: ignore[arg-type]

        world.repository.write = claims_only  # type: ignore[method-assign]
        run(world)
        world.repository.write = real  # type: ignore[method-assign]
        assert standing(world, pending).status is Status.IN_PROGRESS
        (repair,) = world.queue.messages
        assert isinstance(repair, Repair)
        world.queue.sent *= 2
        run(world)
        done = standing(world, pending)
        assert (done.status, done.resp_code, done.billed) == (
            Status.COMPLETED,
            "0007",
            Billed.YES,
        )
        assert len(world.provider.asked) == 1

    def test_it_comes_after_the_lease(self, world: World) -> None:
        pending = post(world)
        real = world.repository.write
        world.repository.write = lambda write: real(write) if not write.usage else _down()  # type: ignore[method-assign]
        run(world)
        world.repository.write = real  # type: ignore[method-assign]
        world.clock.advance(200)
        sweep(tools=world.tools)
        assert standing(world, pending).status is Status.UNKNOWN
        run(world)
        assert standing(world, pending).status is Status.COMPLETED

    def test_for_an_attempt_that_nobody_made(self, world: World) -> None:
        pending = post(world)
        repair = Repair(pending.id, "no-token", Answer("0000"))
        work.repair(repair, tools=world.tools, policy=world.policy)
        assert standing(world, pending) == pending


def _down() -> None:
    raise UnavailableError("the table is out of reach")
