"""The main use case: one question is paid for at most once and never silently lost."""

from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.domain import codes, errors
from chalicelib.domain import verification as rules
from chalicelib.domain.codes import Billed, Outcome
from chalicelib.domain.verification import Action, Answer, DerivedFields, Status, Verification
from chalicelib.services import lookup, resolve
from chalicelib.services.ports import ContendedError, UnavailableError, Write
from chalicelib.services.sweep import sweep
from tests.examples import NAME, NUMBER, OTHER_NAME
from tests.unit.conftest import OPS, OTHER, SECRET, SHOP, World

PERSON = DerivedFields("北京市", "北京市", "朝阳区", "19491231", "F", 76)
MATCH = Answer("0000", "身份证信息匹配", "req-1", PERSON)


def the_one(world: World) -> Verification:
    (found,) = world.repository.items.values()
    return found


def total(world: World) -> dict[str, int]:
    """The usage of all days."""
    return {
        name: number
        for counters in world.repository.days.values()
        for name, number in counters.items()
        if number
    }


class TestOutcome:
    @pytest.mark.parametrize(
        ("code", "outcome"),
        [("0000", Outcome.MATCH), ("0007", Outcome.NO_RECORD), ("0008", Outcome.MISMATCH)],
    )
    def test_an_outcome_is_stored_counted_and_answered(
        self, world: World, code: str, outcome: Outcome
    ) -> None:
        world.script([replace(MATCH, code=code)])
        result = world.verify(reference="order-9")
        assert result.verification == the_one(world)
        assert result.verification.outcome is outcome
        assert result.verification.billed is Billed.YES
        assert result.person == PERSON
        assert total(world) == {"calls": 1, "billed#yes": 1, f"code#{code}": 1}
        assert not the_one(world).uncounted

    def test_what_is_sent_is_normalised_and_what_is_kept_is_masked(self, world: World) -> None:
        world.script([MATCH])
        world.verify(name=" 张　三 ", id_number=" 110105 19491231 002x ")
        (asked,) = world.provider.asked
        assert (asked.name, asked.id_number) == (NAME, NUMBER)
        one = the_one(world)
        assert (one.name_masked, one.id_number_masked) == ("张*", "110***********002X")

    def test_the_derived_fields_rest_sealed_and_come_back_with_a_replay(self, world: World) -> None:
        world.script([MATCH])
        first = world.verify()
        (sealed,) = world.repository.people.values()
        assert "朝阳区".encode() not in sealed
        again = world.verify()
        assert again == first
        assert len(world.provider.asked) == 1

    def test_person_days_zero_keeps_nothing(self, world: World) -> None:
        world.script([MATCH])
        world.obey(keep_person=False)
        assert world.verify().person == PERSON
        assert not world.repository.people
        assert world.verify().person is None

    def test_an_answer_that_cannot_be_sealed_is_not_lost(self, world: World) -> None:
        world.script([MATCH])
        world.sealer.down = True
        result = world.verify()
        assert result.person == PERSON
        assert result.verification.warnings == ("person_not_kept",)
        assert the_one(world).outcome is Outcome.MATCH

    def test_configuration_says_what_is_billed(self, world: World) -> None:
        world.script([Answer("0007")])
        world.obey(billed={"0007": Billed.NO})
        assert world.verify().verification.billed is Billed.NO

    def test_without_a_key_every_post_is_a_new_question(self, world: World) -> None:
        world.script([MATCH, MATCH])
        ids = {world.verify(key=None).verification.id for _ in range(2)}
        assert len(ids) == len(world.provider.asked) == 2


class TestRefusedBeforeTheClaim:
    @pytest.mark.parametrize(
        ("name", "number", "error"),
        [
            ("", NUMBER, errors.NameEmptyError),
            ("张三1", NUMBER, errors.NameSpecialCharacterError),
            (NAME, "", errors.ResidentIdEmptyError),
            (NAME, NUMBER[:-1], errors.ResidentIdLengthError),
            (NAME, NUMBER[:-1] + "1", errors.ResidentIdCheckCharacterError),
            (NAME, "3.40421E+17", errors.ResidentIdNotTextError),
        ],
    )
    def test_a_hopeless_question_costs_nothing_and_binds_nothing(
        self, world: World, name: str, number: str, error: type[errors.ServiceError]
    ) -> None:
        with pytest.raises(error):
            world.verify(name=name, id_number=number)
        assert not world.repository.items
        world.script([MATCH])
        assert world.verify().verification.outcome is Outcome.MATCH

    def test_the_check_character_is_behind_a_switch(self, world: World) -> None:
        world.script([MATCH])
        world.obey(check_character=False)
        result = world.verify(id_number=NUMBER[:-1] + "1")
        assert result.verification.warnings == ("check_character",)

    def test_a_test_identity_never_meets_the_paid_upstream(self, world: World) -> None:
        from chalicelib.domain import resident_id

        number = "11010118500101011"
        number += resident_id.check_character(number)
        world.obey(live=True)
        with pytest.raises(errors.TestIdentityError):
            world.verify(id_number=number)
        assert not world.provider.asked
        world.obey(live=False)
        world.script([MATCH])
        assert world.verify(id_number=number).verification.outcome is Outcome.MATCH

    def test_nothing_is_sent_without_secret_or_table(self, world: World) -> None:
        world.secrets.down = True
        with pytest.raises(errors.ServiceUnavailableError):
            world.verify()
        world.secrets.down = False
        world.repository.down = True
        with pytest.raises(errors.ServiceUnavailableError):
            world.verify()
        assert not world.provider.asked

    def test_no_claim_is_made_without_time_for_the_call(self, world: World) -> None:
        world.obey(deadline=2.0)
        with pytest.raises(errors.ServiceUnavailableError):
            world.verify()
        assert not world.repository.items

    def test_contention_on_the_claim_is_tried_again_until_no_time_is_left(
        self, world: World
    ) -> None:
        world.script([MATCH])
        world.repository.fail_next = [ContendedError(), ContendedError()]
        assert world.verify().verification.outcome is Outcome.MATCH
        world.repository.fail_next = [ContendedError() for _ in range(10_000)]
        with pytest.raises(errors.ServiceUnavailableError):
            world.verify(key="k2")
        assert len(world.provider.asked) == 1


class TestIdempotency:
    def test_another_payload_under_the_key_is_refused(self, world: World) -> None:
        world.script([MATCH])
        world.verify()
        for change in ({"name": OTHER_NAME}, {"reference": "r"}, {"max_age": 5}):
            with pytest.raises(errors.IdempotencyKeyReusedError):
                world.verify(**change)

    def test_a_new_key_costs_no_read(self, world: World) -> None:
        world.script([MATCH])
        world.verify()
        assert world.repository.reads == 0

    def test_what_stands_there_comes_before_what_a_new_question_would_be_told(
        self, world: World
    ) -> None:
        world.script([MATCH])
        world.obey(check_character=False)
        first = world.verify(id_number=NUMBER[:-1] + "1")
        world.obey(check_character=True)
        assert world.verify(id_number=NUMBER[:-1] + "1") == first
        world.obey(deadline=2.0, check_character=False)
        assert world.verify(id_number=NUMBER[:-1] + "1") == first
        with pytest.raises(errors.IdempotencyKeyReusedError):
            world.verify(id_number="no number at all")

    def test_a_retryable_failure_that_may_not_be_tried_now_stays_as_it_is(
        self, world: World
    ) -> None:
        world.script([Answer("0010")])
        with pytest.raises(errors.VerificationEndedError):
            world.verify()
        before = the_one(world)
        with pytest.raises(errors.BreakerOpenError):
            world.verify()
        assert the_one(world) == before

    def test_keys_of_two_clients_are_apart(self, world: World) -> None:
        world.script([MATCH, MATCH])
        assert world.verify().verification.id != world.verify(client=OTHER).verification.id

    def test_a_retryable_failure_is_tried_again_under_the_same_id(self, world: World) -> None:
        world.script([Answer("0010"), MATCH])
        with pytest.raises(errors.VerificationEndedError) as caught:
            world.verify()
        assert caught.value.code == "upstream_maintenance"
        world.clock.advance(600)
        result = world.verify()
        assert result.verification.id == caught.value.verification_id
        assert [a.code for a in result.verification.attempts] == ["0010", "0000"]
        assert len({a.token for a in result.verification.attempts}) == 2
        assert total(world)["calls"] == 2

    @pytest.mark.parametrize("code", ["0004", "I400PA"])
    def test_a_final_failure_is_told_again_without_a_call(self, world: World, code: str) -> None:
        world.script([Answer(code)])
        for _ in range(2):
            with pytest.raises(errors.VerificationEndedError) as caught:
                world.verify()
            assert caught.value.code == codes.find(code).problem
        assert len(world.provider.asked) == 1

    @pytest.mark.parametrize("code", ["no_answer", "bad_answer", "D504TO", "0005"])
    def test_an_unknown_is_never_sent_again_by_itself(self, world: World, code: str) -> None:
        world.script([Answer(code)])
        for _ in range(3):
            with pytest.raises(errors.VerificationEndedError) as caught:
                world.verify()
            assert caught.value.code == "outcome_unknown"
            assert caught.value.verification.billed is Billed.UNKNOWN
        assert len(world.provider.asked) == 1
        assert total(world) == {"calls": 1, "billed#unknown": 1, f"code#{code}": 1}

    def test_a_duplicate_waits_and_gets_the_same_answer(self, world: World) -> None:
        seen = []

        def duplicate(_: object) -> Answer:
            with pytest.raises(errors.VerificationInProgressError) as caught:
                world.verify()
            seen.append(caught.value)
            return MATCH

        world.script([duplicate])
        first = world.verify()
        (refused,) = seen
        assert refused.verification_id == first.verification.id
        assert refused.retry_after
        assert 9 < sum(world.clock.slept) <= 10
        assert len(world.provider.asked) == 1

    def test_a_duplicate_that_meets_a_dead_claim_makes_it_unknown(self, world: World) -> None:
        world.script([Answer("no_answer")])
        world.repository.items.clear()
        draft = _dead_claim(world)
        world.clock.advance(91)
        with pytest.raises(errors.VerificationEndedError) as caught:
            world.verify()
        assert caught.value.verification_id == draft.id
        assert the_one(world).status is Status.UNKNOWN
        assert not world.provider.asked
        assert total(world) == {"calls": 1, "billed#unknown": 1, "code#lease_expired": 1}


def _dead_claim(world: World, *, key: str = "k1", max_age: int = 0) -> Verification:
    """What a process leaves that was killed right after its claim."""

    class Killed(BaseException):
        pass

    def kill(_: object) -> Answer:
        raise Killed

    asked = len(world.provider.asked)
    answers = list(world.provider.answers)
    world.script([kill])
    with pytest.raises(Killed):
        world.verify(key=key, max_age=max_age)
    del world.provider.asked[asked:]
    world.script(answers)
    return list(world.repository.items.values())[-1]


class TestSending:
    def test_what_was_not_sent_is_sent_again_at_once(self, world: World) -> None:
        world.script([Answer(codes.NOT_SENT), Answer(codes.NOT_SENT), MATCH])
        assert world.verify().verification.outcome is Outcome.MATCH
        assert len(the_one(world).attempts) == 1

    def test_not_for_ever(self, world: World) -> None:
        world.script([Answer(codes.NOT_SENT)] * 9)
        with pytest.raises(errors.VerificationEndedError) as caught:
            world.verify()
        one = caught.value.verification
        assert (caught.value.code, one.billed) == ("upstream_unreachable", Billed.NO)
        assert one.retryable
        assert len(world.provider.asked) == 3

    def test_a_process_that_slept_after_its_claim_does_not_send(self, world: World) -> None:
        original = world.repository.write

        def slow(write: Write) -> None:
            original(write)
            world.clock.advance(4)

        world.repository.write = slow  # type: ignore[method-assign]
        with pytest.raises(errors.VerificationEndedError) as caught:
            world.verify()
        one = caught.value.verification
        assert (one.status, one.billed, one.retryable) == (Status.FAILED, Billed.NO, True)
        assert one.attempts[0].sent is False
        assert not world.provider.asked

    def test_a_rotated_appcode_is_fetched_once_and_the_call_goes_on(self, world: World) -> None:
        world.script([Answer("A401AC"), MATCH])
        world.secrets.next = replace(SECRET, appcode="new-appcode")
        assert world.verify().verification.outcome is Outcome.MATCH
        assert world.provider.appcodes == ["an-appcode", "new-appcode"]
        assert total(world) == {"calls": 1, "billed#yes": 1, "code#0000": 1}

    def test_a_wrong_appcode_stops_all_calls_until_it_changes(self, world: World) -> None:
        world.script([Answer("A401AC"), MATCH])
        with pytest.raises(errors.VerificationEndedError) as caught:
            world.verify()
        assert caught.value.code == "appcode_invalid"
        assert world.secrets.refreshed == 1
        with pytest.raises(errors.BreakerOpenError) as stopped:
            world.verify(key="k2")
        assert stopped.value.code == "appcode_invalid"
        assert len(world.provider.asked) == 1
        world.secrets.now = replace(SECRET, appcode="new-appcode")
        assert world.verify(key="k2").verification.outcome is Outcome.MATCH


class TestBreaker:
    @pytest.mark.parametrize("code", ["B403MQ", "B403ME", "B403OD"])
    def test_quota_and_its_like_stop_calls_in_every_container(
        self, world: World, code: str
    ) -> None:
        world.script([Answer(code), MATCH])
        with pytest.raises(errors.VerificationEndedError):
            world.verify()
        elsewhere = world.another_container()
        with pytest.raises(errors.BreakerOpenError) as stopped:
            elsewhere(key="k2")
        assert stopped.value.code == codes.find(code).problem
        world.tools.breaker.close()
        assert world.verify(key="k2").verification.outcome is Outcome.MATCH

    def test_maintenance_pauses_with_a_retry_after(self, world: World) -> None:
        world.script([Answer("0010"), MATCH])
        with pytest.raises(errors.VerificationEndedError):
            world.verify()
        with pytest.raises(errors.BreakerOpenError) as stopped:
            world.verify(key="k2")
        assert stopped.value.retry_after == 300
        world.clock.advance(301)
        assert world.verify(key="k2").verification.outcome is Outcome.MATCH

    def test_mismatches_never_stop_anything(self, world: World) -> None:
        world.script([Answer("0008")] * 20)
        for n in range(20):
            world.verify(key=f"k{n}")

    def test_replays_are_served_while_it_is_open(self, world: World) -> None:
        world.script([MATCH, Answer("B403MQ")])
        first = world.verify()
        with pytest.raises(errors.VerificationEndedError):
            world.verify(key="k2")
        assert world.verify() == first


class TestReuse:
    def test_an_earlier_outcome_is_free(self, world: World) -> None:
        world.script([MATCH])
        first = world.verify(max_age=60)
        second = world.verify(key="k2", max_age=60)
        assert second.verification.reused_from == first.verification.id
        assert second.verification.billed is Billed.NO
        assert second.person == PERSON
        assert total(world)["calls"] == 1
        third = world.verify(key="k2", max_age=60)
        assert third == second

    def test_a_key_that_comes_again_after_years_shows_nobody_else(self, world: World) -> None:
        world.script([MATCH, MATCH])
        world.verify(max_age=86_400)
        world.clock.advance(days=0.9)
        reused = world.verify(key="k2", max_age=86_400)
        world.clock.advance(days=729.5)
        somebody_else = world.verify(name=OTHER_NAME)
        assert somebody_else.verification.id == reused.verification.reused_from
        assert somebody_else.person == PERSON
        assert world.verify(key="k2", max_age=86_400).person is None

    def test_not_beyond_its_age_nor_without_being_asked_for(self, world: World) -> None:
        world.script([MATCH] * 3)
        world.verify(max_age=60)
        world.verify(key="k2")
        world.clock.advance(61)
        assert world.verify(key="k3", max_age=60).verification.reused_from is None
        assert len(world.provider.asked) == 3

    def test_not_across_clients_names_or_a_rotated_hash_key(self, world: World) -> None:
        world.script([MATCH] * 4)
        world.verify(max_age=60)
        world.verify(max_age=60, client=OTHER)
        world.verify(key="k2", max_age=60, name=OTHER_NAME)
        world.secrets.now = replace(SECRET, hash_key=b"g" * 32)
        world.verify(key="k3", max_age=60)
        assert len(world.provider.asked) == 4

    def test_who_asks_while_the_holder_is_asking_waits_for_it(self, world: World) -> None:
        seen = []

        def meanwhile(_: object) -> Answer:
            with pytest.raises(errors.VerificationInProgressError) as caught:
                world.verify(key="k2", max_age=60)
            seen.append(caught.value.verification_id)
            return MATCH

        world.script([meanwhile])
        first = world.verify(max_age=60)
        assert seen == [first.verification.id]
        assert len(world.provider.asked) == 1

    def test_an_unknown_holder_blocks_while_it_is_young(self, world: World) -> None:
        world.script([Answer("no_answer"), MATCH])
        with pytest.raises(errors.VerificationEndedError) as first:
            world.verify(max_age=60)
        with pytest.raises(errors.VerificationEndedError) as second:
            world.verify(key="k2", max_age=60)
        assert second.value.verification_id == first.value.verification_id
        assert len(world.provider.asked) == 1
        world.clock.advance(61)
        assert world.verify(key="k2", max_age=60).verification.outcome is Outcome.MATCH

    def test_a_failed_holder_is_taken_over(self, world: World) -> None:
        world.script([Answer("T429GR"), MATCH])
        with pytest.raises(errors.VerificationEndedError):
            world.verify(max_age=60)
        second = world.verify(key="k2", max_age=60)
        assert second.verification.reused_from is None
        # The first key comes back: its subject has an outcome by now, and nothing is paid.
        first = world.verify(max_age=60)
        assert first.verification.reused_from == second.verification.id
        assert len(world.provider.asked) == 2

    def test_a_dead_holder_becomes_unknown_by_whoever_meets_it(self, world: World) -> None:
        dead = _dead_claim(world, max_age=60)
        world.clock.advance(91)
        with pytest.raises(errors.VerificationEndedError) as caught:
            world.verify(key="k2", max_age=1_000)
        assert caught.value.verification_id == dead.id
        assert world.repository.items[dead.id].status is Status.UNKNOWN

    def test_an_erased_holder_is_no_source(self, world: World) -> None:
        world.script([MATCH, MATCH])
        first = world.verify(max_age=60)
        _erase(world, first.verification.id)
        assert not world.repository.holders
        second = world.verify(key="k2", max_age=60)
        assert second.verification.reused_from is None


def _erase(world: World, verification_id: str) -> None:
    resolve.erase(
        verification_id,
        client=OPS,
        repository=world.repository,
        clock=world.clock,
        tell=world.tools.tell,
    )


def _resolve(world: World, verification_id: str, billed: Billed, action: Action) -> Verification:
    return resolve.resolve(
        verification_id,
        billed=billed,
        action=action,
        client=OPS,
        repository=world.repository,
        clock=world.clock,
        tell=world.tools.tell,
    )


class TestTheEnd:
    def test_contended_counters_never_hold_up_a_result(self, world: World) -> None:
        def contended(_: object) -> Answer:
            world.repository.fail_next = [ContendedError()]
            return MATCH

        world.script([contended])
        assert world.verify().verification.outcome is Outcome.MATCH
        assert the_one(world).uncounted
        assert not total(world)
        swept = sweep(tools=world.tools)
        assert (swept.expired, swept.counted) == (0, 1)
        assert total(world) == {"calls": 1, "billed#yes": 1, "code#0000": 1}
        assert sweep(tools=world.tools).counted == 0

    def test_a_lost_reply_of_the_last_write_counts_once(self, world: World) -> None:
        def losing(_: object) -> Answer:
            world.repository.lose_reply_next = 1
            return MATCH

        world.script([losing])
        assert world.verify().verification.outcome is Outcome.MATCH
        assert "not_recorded" not in the_one(world).warnings
        assert total(world)["calls"] == 1

    def test_an_outage_after_the_call_still_answers_and_ends_as_unknown(self, world: World) -> None:
        def outage(_: object) -> Answer:
            world.repository.down = True
            return MATCH

        world.script([outage])
        result = world.verify()
        assert result.verification.outcome is Outcome.MATCH
        assert "not_recorded" in result.verification.warnings
        world.repository.down = False
        assert the_one(world).status is Status.IN_PROGRESS
        world.clock.advance(91)
        assert sweep(tools=world.tools).expired == 1
        assert (the_one(world).status, the_one(world).billed) == (Status.UNKNOWN, Billed.UNKNOWN)

    def test_a_late_answer_is_written_to_its_own_attempt(self, world: World) -> None:
        def late(_: object) -> Answer:
            world.clock.advance(95)
            assert sweep(tools=world.tools).expired == 1
            assert the_one(world).status is Status.UNKNOWN
            return MATCH

        world.script([late])
        assert world.verify().verification.outcome is Outcome.MATCH
        assert the_one(world).status is Status.COMPLETED
        assert total(world) == {"calls": 1, "billed#yes": 1, "code#0000": 1}

    def test_a_late_answer_corrects_the_attempts_own_day(self, world: World) -> None:
        def late(_: object) -> Answer:
            world.clock.advance(days=1)
            sweep(tools=world.tools)
            return MATCH

        world.script([late])
        world.verify()
        ((day, _),) = world.repository.days
        assert day == the_one(world).attempts[0].day

    def test_a_late_answer_to_someone_erased_keeps_no_person(self, world: World) -> None:
        def late(_: object) -> Answer:
            world.clock.advance(95)
            sweep(tools=world.tools)
            _erase(world, the_one(world).id)
            return MATCH

        world.script([late])
        world.verify()
        one = the_one(world)
        assert (one.erased, one.billed, one.name_masked) == (True, Billed.YES, None)
        assert not world.repository.people


class TestResolveAndErase:
    def unknown(self, world: World) -> str:
        world.script([Answer("no_answer"), *world.provider.answers])
        with pytest.raises(errors.VerificationEndedError) as caught:
            world.verify()
        assert caught.value.verification_id
        return caught.value.verification_id

    @pytest.mark.parametrize("billed", [Billed.YES, Billed.NO])
    def test_close_settles_the_money_and_the_key(self, world: World, billed: Billed) -> None:
        one = self.unknown(world)
        assert _resolve(world, one, billed, Action.CLOSE).billed is billed
        assert total(world) == {"calls": 1, f"billed#{billed.value}": 1, "code#no_answer": 1}
        with pytest.raises(errors.VerificationEndedError) as caught:
            world.verify()
        assert caught.value.code == "closed_without_outcome"
        with pytest.raises(errors.NotUnknownError):
            _resolve(world, one, billed, Action.CLOSE)

    def test_retry_lets_the_next_post_ask_again(self, world: World) -> None:
        world.script([MATCH])
        one = self.unknown(world)
        assert _resolve(world, one, Billed.NO, Action.RETRY).retryable
        assert world.verify().verification.id == one
        assert len(world.provider.asked) == 2

    def test_after_an_erasure_the_key_answers_gone_and_never_calls(self, world: World) -> None:
        world.script([MATCH])
        one = world.verify().verification.id
        _erase(world, one)
        _erase(world, one)
        assert not world.repository.people
        with pytest.raises(errors.ErasedError):
            world.verify()
        assert len(world.provider.asked) == 1

    def test_a_call_under_way_is_not_erased(self, world: World) -> None:
        def during(_: object) -> Answer:
            with pytest.raises(errors.VerificationInProgressError):
                _erase(world, the_one(world).id)
            return MATCH

        world.script([during])
        world.verify()

    def test_nobody_sees_another_clients(self, world: World) -> None:
        world.script([MATCH])
        one = world.verify().verification.id
        seen = {"repository": world.repository, "clock": world.clock, "tell": world.tools.tell}
        assert lookup.get(one, client=SHOP, **seen).id == one  # type: ignore[arg-type]
        assert lookup.get(one, client=OPS, **seen).id == one  # type: ignore[arg-type]
        with pytest.raises(errors.NotFoundError):
            lookup.get(one, client=OTHER, **seen)  # type: ignore[arg-type]

    def test_reading_a_dead_claim_makes_it_unknown(self, world: World) -> None:
        dead = _dead_claim(world)
        world.clock.advance(91)
        found = lookup.get(
            dead.id,
            client=SHOP,
            repository=world.repository,
            clock=world.clock,
            tell=world.tools.tell,
        )
        assert found.status is Status.UNKNOWN


def test_the_sweeper_leaves_the_living_alone(world: World) -> None:
    def during(_: object) -> Answer:
        world.clock.advance(30)
        assert sweep(tools=world.tools).expired == 0
        return MATCH

    world.script([during])
    world.verify()


def test_an_outage_is_told_to_who_sweeps(world: World) -> None:
    world.repository.down = True
    with pytest.raises(UnavailableError):
        sweep(tools=world.tools)


def test_listing_filters_and_pages(world: World) -> None:
    world.script([Answer(code) for code in ("0000", "0008") * 5])
    for n in range(10):
        world.verify(key=f"k{n}")
        world.clock.advance(1)
    day = world.clock.now().astimezone(rules.CHINA).date()
    wanted = lookup.Filter(day=day, outcome=Outcome.MISMATCH)
    seen: list[Verification] = []
    cursor: str | None = None
    while True:
        page = lookup.listing(
            wanted, limit=2, cursor=cursor, client=SHOP, repository=world.repository
        )
        assert len(page.items) <= 2
        seen += page.items
        cursor = page.next_cursor
        if cursor is None:
            break
    assert [one.outcome for one in seen] == [Outcome.MISMATCH] * 5
    assert seen == sorted(seen, key=lambda one: one.created_at, reverse=True)
    others = lookup.listing(
        wanted, limit=100, cursor=None, client=OTHER, repository=world.repository
    )
    assert not others.items
    tomorrow = lookup.Filter(day=day + timedelta(days=1))
    assert not lookup.listing(
        tomorrow, limit=100, cursor=None, client=SHOP, repository=world.repository
    ).items
