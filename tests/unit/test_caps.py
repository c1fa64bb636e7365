"""Caps: nothing above them is paid for, and what was free does not count."""

import json
import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from chalicelib import bootstrap
from chalicelib.bootstrap import Container
from chalicelib.domain import caps, codes
from chalicelib.domain.caps import NO_LIMITS, Cap, CapCounter, Limits
from chalicelib.domain.codes import Billed
from chalicelib.domain.errors import (
    BreakerOpenError,
    BudgetExhaustedError,
    NotUnknownError,
    RequestError,
    VerificationEndedError,
    VerificationInProgressError,
)
from chalicelib.domain.messages import Repair
from chalicelib.domain.secret_fields import read_caps
from chalicelib.domain.verification import (
    CHINA,
    PENDING_TIME,
    Action,
    Answer,
    Status,
    Verification,
    VerificationRequest,
    counted,
)
from chalicelib.entrypoints import documents
from chalicelib.services import resolve, work
from chalicelib.services.caps import CapState, standing
from chalicelib.services.intake import accept
from chalicelib.services.ports import ContendedError
from chalicelib.services.sweep import sweep
from tests.examples import NAME, NUMBER
from tests.fakes.clock import FakeClock
from tests.hook_payloads import build
from tests.hook_sources import source_of
from tests.unit.conftest import OPS, OTHER, SECRET, SHOP, World, make_world
from tests.unit.test_async import run
from tests.unit.test_http import FORM, JSON, call, documented, event
from tests.unit.test_webhooks import configure
from tests.unit.test_webhooks import post as post_hook
from tests.unit.test_webhooks import run as run_queue

DAY, MONTH = CapCounter("2026-11-24", "*"), CapCounter("2026-11", "*")
SHOPS_DAY, SHOPS_MONTH = CapCounter("2026-11-24", "shop"), CapCounter("2026-11", "shop")
UNTIL_MIDNIGHT = 12 * 3600
"""Seconds: the fakes' clock starts at noon in China."""


def cap(world: World, everybodys: Limits = NO_LIMITS, shops: Limits = NO_LIMITS) -> None:
    """Configure caps, from now on."""
    clients = (replace(SHOP, caps=shops), OTHER, OPS)
    world.secrets.now = replace(SECRET, caps=everybodys, clients=clients)


def settle(world: World, verification_id: str, billed: Billed, action: Action) -> Verification:
    tools = world.tools
    return resolve.resolve(
        verification_id,
        billed=billed,
        action=action,
        client=OPS,
        repository=tools.repository,
        clock=tools.clock,
        tell=tools.tell,
    )


def refused(world: World, **asked: Any) -> BudgetExhaustedError:
    with pytest.raises(BudgetExhaustedError) as caught:
        world.verify(**asked)
    return caught.value


class TestPeriods:
    @given(st.datetimes(datetime(2000, 1, 1), datetime(2200, 1, 1)))  # noqa: DTZ001  # UTC is meant
    def test_a_moment_lies_in_its_day_and_month(self, naive: datetime) -> None:
        now = naive.replace(tzinfo=UTC)
        month, day = (one.counter for one in caps.in_force([("shop", Limits(1, 2))], now))
        assert date.fromisoformat(day.period) == now.astimezone(CHINA).date()
        assert day.period.startswith(month.period)
        assert now < day.until <= now + timedelta(days=1)
        assert day.until <= month.until <= now + timedelta(days=31)
        assert day.until.astimezone(CHINA).time() == month.until.astimezone(CHINA).time()
        assert month.until.astimezone(CHINA).day == 1
        (seconds,) = {caps.exhausted([day], now).retry_after}
        assert seconds is not None
        assert now + timedelta(seconds=seconds - 1) < day.until <= now + timedelta(seconds=seconds)

    def test_who_is_capped_by_what(self) -> None:
        now = FakeClock().now()
        found = caps.in_force([("*", Limits(day=5)), ("shop", Limits(3, 4))], now)
        assert found == (
            Cap("*day", DAY, 5),
            Cap("month", SHOPS_MONTH, 4),
            Cap("day", SHOPS_DAY, 3),
        )
        assert caps.in_force([("*", NO_LIMITS), ("shop", NO_LIMITS)], now) == ()

    def test_a_source_has_its_own(self) -> None:
        source = source_of("typeform", caps={"day": 7})
        secret = replace(SECRET, sources={source.id: source})
        now = FakeClock().now()
        (one,) = secret.caps_of(source.id, now)
        assert one == Cap("day", CapCounter("2026-11-24", source.id), 7)
        assert secret.caps_of("shop", now) == ()
        assert secret.all_caps(now) == (one,)

    def test_the_refusal_lasts_as_long_as_the_last_of_its_counters(self) -> None:
        now = FakeClock().now()
        error = caps.exhausted([SHOPS_DAY, MONTH], now)
        assert error.retry_after == (date(2026, 12, 1) - date(2026, 11, 24)).days * 86_400 - 43_200
        assert "month of all callers" in error.detail
        assert "day of this client" in caps.exhausted([SHOPS_DAY], now).detail


class TestAsking:
    def test_the_cap_is_reached_and_a_new_day_begins(self, world: World) -> None:
        cap(world, Limits(day=2))
        for key in ("a", "b"):
            world.verify(key=key)
        error = refused(world, key="c")
        assert error.retry_after == UNTIL_MIDNIGHT
        assert len(world.provider.asked) == 2
        assert len(world.repository.items) == 2
        assert world.repository.caps == {DAY: 2}
        world.clock.advance(UNTIL_MIDNIGHT)
        assert world.verify(key="c").verification.status is Status.COMPLETED

    def test_each_of_several_holds(self, world: World) -> None:
        cap(world, Limits(day=3), Limits(day=2, month=9))
        for key in ("a", "b"):
            world.verify(key=key)
        refused(world, key="c")
        world.verify(key="c", client=OTHER)
        refused(world, key="d", client=OTHER)
        assert world.repository.caps == {DAY: 3, SHOPS_DAY: 2, SHOPS_MONTH: 2}

    def test_replays_and_reused_outcomes_take_nothing(self, world: World) -> None:
        cap(world, Limits(day=1))
        first = world.verify(max_age=60).verification
        assert world.verify(max_age=60).verification == first
        assert world.verify(key="k2", max_age=60).verification.reused_from == first.id
        assert world.repository.caps == {DAY: 1}
        refused(world, key="k3")

    def test_what_is_refused_before_the_claim_takes_nothing(self, world: World) -> None:
        cap(world, Limits(day=1))
        with pytest.raises(RequestError):
            world.verify(id_number=NUMBER[:-1] + "0")
        assert not world.repository.caps

    @pytest.mark.parametrize("code", ["T429PA", codes.NOT_SENT, "D504CO", "B403MQ", "I400PL"])
    def test_what_was_free_is_given_back(self, world: World, code: str) -> None:
        cap(world, Limits(day=1), Limits(month=1))
        world.script([code] * 3)
        with pytest.raises(VerificationEndedError):
            world.verify()
        assert world.repository.caps == {DAY: 0, SHOPS_MONTH: 0}
        (one,) = world.repository.items.values()
        assert [attempt.took for attempt in one.attempts] == [()]

    def test_what_may_be_charged_is_kept_until_a_human_says_no(self, world: World) -> None:
        cap(world, Limits(day=1))
        world.script([codes.NO_ANSWER])
        with pytest.raises(VerificationEndedError) as caught:
            world.verify()
        refused(world, key="k2")
        settle(world, caught.value.verification.id, Billed.NO, Action.CLOSE)
        assert world.repository.caps == {DAY: 0}
        world.verify(key="k2")

    def test_a_yes_of_a_human_keeps_it(self, world: World) -> None:
        cap(world, Limits(day=1))
        world.script([codes.NO_ANSWER])
        with pytest.raises(VerificationEndedError) as caught:
            world.verify()
        settle(world, caught.value.verification.id, Billed.YES, Action.CLOSE)
        assert world.repository.caps == {DAY: 1}

    def test_doubts_settled_together_are_given_back_together(self, world: World) -> None:
        cap(world, Limits(day=2))
        asked: dict[str, Any] = {"key": "k"}
        for _ in range(2):
            world.script([codes.NO_ANSWER])
            with pytest.raises(VerificationEndedError) as caught:
                world.verify(**asked)
            found = caught.value.verification
            if len(found.attempts) == 1:
                # A human allows one more although nobody knows of the first.
                unsettled = replace(found, revision=9, status=Status.FAILED, retryable=True)
                world.repository.items[found.id] = unsettled
        assert world.repository.caps == {DAY: 2}
        settle(world, found.id, Billed.NO, Action.CLOSE)
        assert world.repository.caps == {DAY: 0}

    def test_it_is_given_back_on_the_day_that_it_was_taken(self, world: World) -> None:
        cap(world, Limits(day=1))
        world.script([codes.NO_ANSWER])
        with pytest.raises(VerificationEndedError) as caught:
            world.verify()
        world.clock.advance(days=3)
        world.verify(key="k2")
        settle(world, caught.value.verification.id, Billed.NO, Action.CLOSE)
        assert world.repository.caps == {DAY: 0, CapCounter("2026-11-27", "*"): 1}

    def test_what_was_not_taken_is_not_given_back(self, world: World) -> None:
        world.script([codes.NO_ANSWER])
        with pytest.raises(VerificationEndedError) as caught:
            world.verify()
        cap(world, Limits(day=5), Limits(day=5))
        settle(world, caught.value.verification.id, Billed.NO, Action.CLOSE)
        assert not +world.repository.caps
        assert not -world.repository.caps

    def test_what_was_taken_is_given_back_without_a_cap_too(self, world: World) -> None:
        cap(world, Limits(day=5))
        world.script([codes.NO_ANSWER])
        with pytest.raises(VerificationEndedError) as caught:
            world.verify()
        cap(world)
        settle(world, caught.value.verification.id, Billed.NO, Action.CLOSE)
        assert world.repository.caps == {DAY: 0}

    def test_given_back_is_for_good(self, world: World) -> None:
        """A charge that comes to light after a human's no is counted as usage, not once more."""
        cap(world, Limits(day=1))

        def late(_: object) -> Answer:
            world.clock.advance(100)
            sweep(tools=world.tools)
            (one,) = world.repository.items.values()
            settle(world, one.id, Billed.NO, Action.CLOSE)
            return Answer("0000")

        world.script([late])
        assert world.verify().verification.billed is Billed.YES
        assert world.repository.caps == {DAY: 0}

    def test_contention_at_the_end_leaves_it_to_the_sweeper(self, world: World) -> None:
        cap(world, Limits(day=1))

        def contended(_: object) -> Answer:
            world.repository.fail_next.append(ContendedError())
            return Answer("T429PA")

        world.script([contended])
        with pytest.raises(VerificationEndedError):
            world.verify()
        assert world.repository.caps == {DAY: 1}
        assert sweep(tools=world.tools).counted == 1
        assert world.repository.caps == {DAY: 0}
        assert sweep(tools=world.tools).counted == 0

    def test_a_lost_reply_takes_one(self, world: World) -> None:
        cap(world, Limits(day=2))
        real = world.repository.write

        def twice(write: Any) -> None:
            real(write)
            real(write)

        world.repository.write = twice  # type: ignore[method-assign]
        world.verify()
        assert world.repository.caps == {DAY: 1}

    def test_without_caps_a_claim_is_what_it_was(self, world: World) -> None:
        world.verify()
        claim, end = world.repository.writes
        assert (claim.caps, claim.usage, claim.delivery) == ((), (), None)
        assert not end.given_back
        assert [attempt.took for attempt in end.after.attempts] == [()]
        assert not world.repository.caps

    def test_the_breaker_goes_first(self, world: World) -> None:
        cap(world, Limits(day=1))
        world.script(["0010"])
        with pytest.raises(VerificationEndedError):
            world.verify()
        with pytest.raises(BreakerOpenError):
            world.verify(key="k2")


def post(world: World, key: str = "k1") -> Verification:
    request = VerificationRequest(NAME, NUMBER, None, 0, key)
    return accept(request, client=SHOP, tools=world.tools, policy=world.policy)


def pass_time(world: World, hours: int) -> None:
    """Let the schedules run meanwhile."""
    for _ in range(hours):
        world.clock.advance(3600)
        sweep(tools=world.tools)
        run(world)


class TestWithoutWaiting:
    def test_it_waits_until_the_day_is_over(self, world: World) -> None:
        cap(world, Limits(day=1))
        world.verify(key="first")
        pending = post(world)
        run(world)
        waiting = world.repository.items[pending.id]
        assert (waiting.status, waiting.attempts) == (Status.PENDING, ())
        assert waiting.due_at == DAY.until
        assert waiting.problem is not None
        assert waiting.problem.code == "budget_exhausted"
        told = world.observer.events[-1]
        assert (told.name, told.members["problem"]) == ("queued_again", "budget_exhausted")
        pass_time(world, 11)
        assert len(world.provider.asked) == 1
        pass_time(world, 1)
        assert world.repository.items[pending.id].status is Status.COMPLETED

    def test_those_without_room_wait_for_another_day(self, world: World) -> None:
        cap(world, Limits(day=1))
        world.verify(key="first")
        ids = [post(world, key).id for key in ("a", "b")]
        run(world)
        pass_time(world, 12)
        statuses = {world.repository.items[one].status for one in ids}
        assert statuses == {Status.COMPLETED, Status.PENDING}
        pass_time(world, 24)
        assert {world.repository.items[one].status for one in ids} == {Status.COMPLETED}
        assert len(world.provider.asked) == 3

    def test_a_months_cap_is_looked_at_each_hour_for_a_day(self, world: World) -> None:
        cap(world, Limits(month=1))
        world.verify(key="first")
        pending = post(world)
        run(world)
        assert world.repository.items[pending.id].due_at == world.clock.now() + timedelta(hours=1)
        pass_time(world, int(PENDING_TIME / timedelta(hours=1)))
        failed = world.repository.items[pending.id]
        assert (failed.status, failed.sealed, failed.retryable) == (Status.FAILED, None, True)
        assert failed.problem is not None
        assert failed.problem.code == "budget_exhausted"
        world.clock.advance(days=10)
        assert post(world).status is Status.PENDING

    def test_a_months_cap_that_is_raised_lets_it_go_on(self, world: World) -> None:
        cap(world, Limits(month=1))
        world.verify(key="first")
        pending = post(world)
        run(world)
        cap(world, Limits(month=2))
        pass_time(world, 1)
        assert world.repository.items[pending.id].status is Status.COMPLETED

    def test_a_month_that_is_over_within_a_day_is_waited_for(self, world: World) -> None:
        world.clock.advance(days=6)
        cap(world, Limits(month=1))
        world.verify(key="first")
        pending = post(world)
        run(world)
        assert world.repository.items[pending.id].due_at == MONTH.until

    def test_a_forms_entry_meets_its_sources_caps(self, world: World) -> None:
        source = replace(source_of("typeform"), caps=Limits(day=1))
        bootstrap.override(Container(world.tools, world.policy))
        configure(world, source)
        for entry in ("one", "two"):
            hook = build("typeform", now=world.clock.now(), dedupe=entry)
            assert post_hook(hook, source.id)["statusCode"] == 200
        run_queue(world)
        bootstrap.override(None)
        assert world.repository.caps == {CapCounter("2026-11-24", source.id): 1}
        statuses = {found.status for found in world.repository.items.values()}
        assert statuses == {Status.COMPLETED, Status.PENDING}


class TestHttp:
    @pytest.fixture
    def capped(self, world: World) -> Any:
        cap(world, Limits(day=1), Limits(day=5, month=9))
        bootstrap.override(Container(world.tools, world.policy))
        yield world
        bootstrap.override(None)

    def test_a_refusal(self, capped: World) -> None:
        body = json.dumps({"name": NAME, "id_number": NUMBER})
        ask = event("POST", "/v1/verifications", body=body, headers=JSON)
        assert call(ask)["statusCode"] == 200
        answer = call(ask)
        document = documented(answer)
        assert (document["code"], document["status"]) == ("budget_exhausted", 429)
        assert (document["billed"], document["retryable"]) == ("no", True)
        assert answer["headers"]["Retry-After"] == str(UNTIL_MIDNIGHT)
        told = capped.observer.events[-1]
        assert (told.name, told.level, told.result) == ("refused", "INFO", "budget_exhausted")
        assert told.metrics

    def test_the_drop_in(self, capped: World) -> None:
        capped.verify()
        answer = call(
            event("POST", "/idenAuthentication", body=f"name={NAME}&idNo={NUMBER}", headers=FORM)
        )
        assert (answer["statusCode"], answer["body"]) == (403, "")
        assert answer["headers"]["X-Ca-Error-Code"] == "B403MQ"
        assert answer["headers"]["X-Billed"] == "no"
        assert answer["headers"]["Retry-After"] == str(UNTIL_MIDNIGHT)

    def test_what_is_set_and_taken(self, capped: World) -> None:
        capped.verify()
        midnight, first = "2026-11-24T16:00:00.000Z", "2026-11-30T16:00:00.000Z"
        month = ["shop", "month", "2026-11", 9, 1, 8, first]
        day = ["shop", "day", "2026-11-24", 5, 1, 4, midnight]
        everybodys = [None, "day", "2026-11-24", 1, 1, 0, midnight]
        for key, seen in (("shop", [month, day]), ("ops", [everybodys, month, day]), ("other", [])):
            headers = {"authorization": f"Bearer {key}-key"}
            found = documented(call(event("GET", "/v1/caps", headers=headers)))
            assert [[*one.values()] for one in found["caps"]] == seen

    def test_a_cap_that_was_lowered_leaves_nothing(self, world: World) -> None:
        cap(world, Limits(day=2))
        world.verify(key="a")
        world.verify(key="b")
        cap(world, Limits(day=1))
        tools = world.tools
        (one,) = standing(
            OPS, secrets=world.secrets, repository=tools.repository, clock=tools.clock
        )
        assert (one.taken, one.left) == (2, 0)
        refused(world, key="c")


class TestPages:
    """What the two pages show is true, and the same."""

    PAGES = tuple(
        (Path(__file__).parents[2] / "docs" / name).read_text("utf-8")
        for name in ("spending.md", "spending.zh-CN.md")
    )

    def shown(self, name: str) -> Any:
        marked = rf"<!-- {name} -->\n```json\n(.*?)```\n<!-- /{name} -->"
        (one,) = {re.findall(marked, page, re.DOTALL)[0] for page in self.PAGES}
        return json.loads(one if one.startswith("{") else f"{{{one}}}")

    def test_the_caps_that_are_shown_can_be_set(self) -> None:
        found = self.shown("caps")
        assert read_caps(found, "secret") == Limits(1000, 20_000)
        assert read_caps(found["clients"][0], "clients[0]") == Limits(500)
        assert read_caps(found["sources"]["survey-2026"], "sources.survey") == Limits(None, 3000)

    def test_the_answer_that_is_shown_is_given(self) -> None:
        cap = Cap("day", SHOPS_DAY, 500)
        assert self.shown("standing") == {"caps": [documents.cap(CapState(cap, 120))]}

    @pytest.mark.parametrize("part", [r"^#+ ", r"^\|", r"^```", r"`[^`\n]+`"])
    def test_both_have_the_same_parts(self, part: str) -> None:
        english, chinese = (re.findall(part, page, re.MULTILINE) for page in self.PAGES)
        assert sorted(english) == sorted(chinese)


ANSWERS = ["0000", "0008", "0010", "T429PA", "B403MQ", "0001", codes.NO_ANSWER, codes.NOT_SENT]
KEYS = st.sampled_from("abcde")
EXPECTED = (
    BudgetExhaustedError,
    BreakerOpenError,
    NotUnknownError,
    VerificationEndedError,
    VerificationInProgressError,
)
LIMITS = st.builds(Limits, st.none() | st.integers(1, 4), st.none() | st.integers(1, 6))


class Days(RuleBasedStateMachine):
    """Whatever happens in whatever order: a counter is what was taken and not given back."""

    def __init__(self) -> None:
        super().__init__()
        self.world = make_world(FakeClock())
        self.lost: list[tuple[str, str]] = []
        self.highest: Counter[CapCounter] = Counter()
        self.seen = 0

    @rule(everybodys=LIMITS, shops=LIMITS)
    def configure(self, everybodys: Limits, shops: Limits) -> None:
        cap(self.world, everybodys, shops)

    @rule(hours=st.sampled_from([0, 1, 5, 13, 24, 24 * 7]))
    def pass_time(self, hours: int) -> None:
        self.world.clock.advance(hours * 3600 + 1)

    @rule()
    def mend(self) -> None:
        self.world.tools.breaker.close()

    @rule(
        key=KEYS,
        code=st.sampled_from(ANSWERS),
        client=st.sampled_from([SHOP, OTHER]),
        contended=st.booleans(),
        max_age=st.sampled_from([0, 0, 3600]),
    )
    def ask(self, key: str, code: str, client: Any, contended: bool, max_age: int) -> None:
        def answer(_: object) -> Answer:
            if contended:
                self.world.repository.fail_next.append(ContendedError())
            return Answer(code)

        self.world.script([answer, code, code])
        asked = f"{key}-{max_age}"
        self.attempt(lambda: self.world.verify(key=asked, client=client, max_age=max_age))

    @rule(key=KEYS)
    def die(self, key: str) -> None:
        """The process is gone after its claim; its answer may come to light later."""

        def kill(_: object) -> Answer:
            raise SystemExit

        self.world.script([kill])
        try:
            self.attempt(lambda: self.world.verify(key=f"{key}-0"))
        except SystemExit:
            last = self.world.repository.writes[-1].after
            self.lost.append((last.id, last.attempts[-1].token))

    @rule(key=KEYS)
    def queue(self, key: str) -> None:
        self.attempt(lambda: post(self.world, f"later-{key}"))

    @rule(code=st.sampled_from(ANSWERS))
    def work(self, code: str) -> None:
        self.world.script([code] * 30)
        run(self.world)

    @precondition(lambda self: self.lost)
    @rule(which=st.integers(0, 99), code=st.sampled_from(ANSWERS))
    def late_answer(self, which: int, code: str) -> None:
        found, token = self.lost.pop(which % len(self.lost))
        repair = Repair(found, token, Answer(code))
        work.repair(repair, tools=self.world.tools, policy=self.world.policy)

    @rule()
    def sweep(self) -> None:
        sweep(tools=self.world.tools)

    @precondition(lambda self: self.unknowns())
    @rule(
        which=st.integers(0, 99),
        billed=st.sampled_from([Billed.YES, Billed.NO]),
        action=st.sampled_from(Action),
    )
    def resolve(self, which: int, billed: Billed, action: Action) -> None:
        found = self.unknowns()
        self.attempt(lambda: settle(self.world, found[which % len(found)], billed, action))

    def unknowns(self) -> list[str]:
        items = self.world.repository.items.values()
        return sorted(one.id for one in items if one.status is Status.UNKNOWN)

    def attempt(self, what: Any) -> None:
        try:
            what()
        except EXPECTED:
            pass
        finally:
            self.world.repository.fail_next.clear()

    @invariant()
    def each_write_kept_to_the_cap_of_its_time(self) -> None:
        writes = self.world.repository.writes
        for write in writes[self.seen :]:
            for one in write.caps:
                self.highest[one.counter] += 1
                assert self.highest[one.counter] <= one.limit
            self.highest.subtract(write.given_back)
        self.seen = len(writes)
        assert self.highest == self.world.repository.caps

    @invariant()
    def a_counter_is_the_attempts_that_hold_a_place(self) -> None:
        held: Counter[CapCounter] = Counter()
        for one in self.world.repository.items.values():
            for attempt in one.attempts:
                day = attempt.started_at.astimezone(CHINA).date().isoformat()
                for mark in attempt.took:
                    owner = "*" if mark[0] == "*" else one.client
                    held[CapCounter(day if "day" in mark else day[:7], owner)] += 1
                free = attempt.ended_at is not None and attempt.billed is Billed.NO
                assert not (free and attempt.took) or one.uncounted
            assert counted(one) == one or one.uncounted
        found = self.world.repository.caps
        assert held == +found
        assert min(found.values(), default=0) >= 0


TestDays = Days.TestCase
TestDays.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
