"""The table: one contract for the fake and for DynamoDB's stand-ins, and what a network adds."""

from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.adapters.items import verification_item, verification_of
from chalicelib.adapters.keys import shard_of
from chalicelib.adapters.outbox import DynamoOutbox
from chalicelib.adapters.outbox_items import delivery_item, delivery_of
from chalicelib.adapters.repository import DynamoRepository
from chalicelib.adapters.table import Table
from chalicelib.domain import codes, usage
from chalicelib.domain import verification as rules
from chalicelib.domain.breaker import Breaker
from chalicelib.domain.caps import NO_LIMITS, Cap, CapCounter, Limits, in_force
from chalicelib.domain.codes import Billed, Outcome
from chalicelib.domain.usage import DayUsage, UsageChange
from chalicelib.domain.verification import (
    CHINA,
    Action,
    Answer,
    Attempt,
    Failure,
    Status,
    Verification,
    counted,
)
from chalicelib.services.ports import (
    CapReachedError,
    ConflictError,
    ContendedError,
    Hold,
    HoldConflictError,
    Outbox,
    Repository,
    UnavailableError,
    Write,
)
from chalicelib.services.store import store
from local_stack import dynoxide
from local_stack.resources import create_table
from tests.fakes.clock import FakeClock
from tests.fakes.outbox import FakeOutbox
from tests.fakes.repository import FakeRepository
from tests.integration.conftest import Dynamodb
from tests.integration.wire import (
    THREADS,
    TIMEOUT,
    Line,
    Real,
    Wire,
    cancelled,
    lost,
    refused,
    saying,
    undone,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

LEASE = timedelta(seconds=90)
URL = "https://shop.example/hooks/verified?of=shop"
UPSTREAM_ID = "9A1C2B3D-4E5F-6071-8293-A4B5C6D7E8F9"


def draft(clock: FakeClock, **fields: Any) -> Verification:
    """A new question, not yet claimed."""
    known: dict[str, Any] = {
        "id": f"vrf_{uuid4().hex[:26]}",
        "client": f"shop-{uuid4().hex[:8]}",
        "created_at": clock.now(),
        "status": Status.IN_PROGRESS,
        "revision": 0,
        "fingerprint": "f" * 64,
        "name_masked": "张*",
        "id_number_masked": "110***********002X",
        "reference": "order-9",
    }
    return Verification(**known | fields)


def claim(asked: Verification, clock: FakeClock, took: tuple[str, ...] = ()) -> Verification:
    return rules.claim(asked, token=uuid4().hex, now=clock.now(), lease=LEASE, took=took)


def answered(claimed: Verification, clock: FakeClock, code: str = "0000") -> Verification:
    """The latest attempt's answer, not yet counted."""
    answer = Answer(code, upstream_request_id=UPSTREAM_ID)
    return rules.record(claimed, claimed.attempts[-1].token, answer, codes.find(code), clock.now())


def full(clock: FakeClock) -> Verification:
    """One with something in every field; nothing ever looks like this."""
    now = clock.now() + timedelta(microseconds=1)
    found = draft(
        clock,
        status=Status.PENDING,
        attempts=(
            Attempt(
                "t",
                now,
                now + LEASE,
                "0010",
                UPSTREAM_ID,
                Billed.NO,
                counted=("0010", Billed.NO),
                took=("*day", "month"),
            ),
        ),
        revision=7,
        lease_until=now + 2 * LEASE,
        subject="s" * 64,
        warnings=("age_over_120", "name_short"),
        outcome=Outcome.MATCH,
        resp_code="0000",
        resp_message="身份证信息匹配",
        upstream_request_id=UPSTREAM_ID,
        problem=Failure("quota_exhausted", "d"),
        retryable=True,
        reused_from="vrf_1",
        ended_at=now + 3 * LEASE,
        erased=True,
        sealed=bytes(range(256)),
        due_at=now + 4 * LEASE,
        callback_url=URL,
        submission="entry-1",
        told=3,
    )
    assert all(getattr(found, field.name) != field.default for field in fields(Verification))
    assert all(getattr(found.attempts[0], field.name) != field.default for field in fields(Attempt))
    return found


def whole(ended: Verification, before: Verification | None, **beside: Any) -> Write:
    """The end and its usage, as the use cases write it."""
    return Write(counted(ended), before, usage.changes(ended), **beside)


def caps_of(*limits: int) -> tuple[Cap, ...]:
    """Caps that no other test's calls meet: the first of a day, then one of a month."""
    owner = f"capped-{uuid4().hex[:8]}"
    periods = (("day", "2026-11-24"), ("month", "2026-11"))
    return tuple(
        Cap(mark, CapCounter(period, owner), limit)
        for (mark, period), limit in zip(periods, limits, strict=False)
    )


class _Recorder:
    def write(self, write: Write) -> None:
        self.written = write


def by_store(after: Verification, before: Verification | None) -> Write:
    """The use cases' own write: its usage and its delivery are in it."""
    recorder = _Recorder()
    store(recorder, after, before)  # type: ignore[arg-type]
    return recorder.written


def new(repository: Repository, clock: FakeClock, **fields: Any) -> Verification:
    """One that is claimed."""
    claimed = claim(draft(clock, **fields), clock)
    repository.write(Write(claimed, None))
    return claimed


def ended(
    repository: Repository, clock: FakeClock, code: str = "0000", **fields: Any
) -> Verification:
    """One that was claimed, answered and counted."""
    claimed = new(repository, clock, **fields)
    write = whole(answered(claimed, clock, code), claimed)
    repository.write(write)
    return write.after


def held_subject(repository: Repository, clock: FakeClock) -> Hold:
    """A subject and its holder, which failed."""
    subject = uuid4().hex
    claimed = claim(draft(clock, subject=subject), clock)
    repository.write(Write(claimed, None, take=repository.holder(subject)))
    repository.write(whole(answered(claimed, clock, "B403MQ"), claimed))
    return repository.holder(subject)


def today(clock: FakeClock) -> date:
    return clock.now().astimezone(CHINA).date()


def used(repository: Repository, clock: FakeClock, client: str) -> DayUsage:
    (found,) = repository.usage([today(clock)], client)
    return found


def days_of(repository: Repository, day: date, limit: int) -> list[list[str]]:
    """The pages of a day."""
    pages, cursor = [], None
    while True:
        page = repository.of_day(day, limit, cursor)
        pages.append([item.id for item in page.items])
        cursor = page.next_cursor
        if cursor is None:
            return pages


def at_once(action: Callable[[int], object], threads: int = THREADS) -> list[object]:
    """The action in many threads: what each returned or raised."""

    def tried(number: int) -> object:
        try:
            return action(number)
        except (CapReachedError, ConflictError, HoldConflictError) as exc:
            return exc

    with ThreadPoolExecutor(threads) as pool:
        return [*pool.map(tried, range(threads))]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


class Contract:
    """What every repository does."""

    def test_a_claim_is_read_back_as_it_was_written(
        self, repository: Repository, clock: FakeClock
    ) -> None:
        claimed = claim(draft(clock), clock)
        assert repository.get(claimed.id) is None
        repository.write(Write(claimed, None))
        assert repository.get(claimed.id) == claimed

    def test_every_field_is_read_back(self, repository: Repository, clock: FakeClock) -> None:
        """A field that is added to the domain must be stored: histories alone may not use it."""
        found = full(clock)
        repository.write(Write(found, None))
        assert repository.get(found.id) == found

    def test_a_second_claim_loses_and_sees_the_first(
        self, repository: Repository, clock: FakeClock
    ) -> None:
        first = new(repository, clock)
        second = claim(replace(first, attempts=(), revision=0), clock)
        with pytest.raises(ConflictError) as conflict:
            repository.write(Write(second, None))
        assert conflict.value.current == first
        assert repository.get(first.id) == first

    def test_what_changed_since_it_was_read_is_not_overwritten(
        self, repository: Repository, clock: FakeClock
    ) -> None:
        claimed = new(repository, clock)
        expired = counted(rules.expire(claimed, clock.now()))
        repository.write(whole(rules.expire(claimed, clock.now()), claimed))
        with pytest.raises(ConflictError) as conflict:
            repository.write(whole(answered(claimed, clock), claimed, person=b"sealed"))
        assert conflict.value.current == expired
        assert used(repository, clock, claimed.client).codes == {codes.LEASE_EXPIRED: 1}
        assert repository.person(claimed.id) is None

    def test_what_is_gone_is_not_brought_back(
        self, repository: Repository, clock: FakeClock
    ) -> None:
        claimed = claim(draft(clock), clock)
        with pytest.raises(ConflictError) as conflict:
            repository.write(whole(answered(claimed, clock), claimed))
        assert conflict.value.current is None
        assert repository.get(claimed.id) is None
        assert used(repository, clock, claimed.client).calls == 0

    def test_a_write_that_finds_itself_done_succeeds_and_counts_once(
        self, repository: Repository, clock: FakeClock
    ) -> None:
        claimed = claim(draft(clock), clock)
        end = whole(answered(claimed, clock), claimed, person=b"sealed")
        for _ in range(3):
            repository.write(Write(claimed, None))
        for _ in range(3):
            repository.write(end)
        assert repository.get(claimed.id) == end.after
        assert used(repository, clock, claimed.client) == DayUsage(
            today(clock), 1, Counter(yes=1), Counter({"0000": 1})
        )

    def test_of_many_claims_one_wins(self, repository: Repository, clock: FakeClock) -> None:
        asked = draft(clock)
        claims = [claim(asked, clock) for _ in range(THREADS)]
        results = at_once(lambda n: repository.write(Write(claims[n], None)))
        (winner,) = [claims[n] for n, result in enumerate(results) if result is None]
        losers = [result for result in results if isinstance(result, ConflictError)]
        assert repository.get(asked.id) == winner
        assert [loser.current for loser in losers] == [winner] * (THREADS - 1)

    def test_of_many_ends_one_is_counted(self, repository: Repository, clock: FakeClock) -> None:
        claimed = new(repository, clock)
        ends = [answered(claimed, clock, code) for code in ("0000", "0007", "0008", "0010") * 2]
        results = at_once(lambda n: repository.write(whole(ends[n], claimed)), len(ends))
        assert None in results
        found = repository.get(claimed.id)
        assert found is not None
        assert used(repository, clock, claimed.client) == DayUsage(
            today(clock),
            1,
            Counter([found.attempts[0].billed]),
            Counter([found.attempts[0].code or ""]),
        )

    def test_nothing_of_many_counts_is_lost(self, repository: Repository, clock: FakeClock) -> None:
        at_once(lambda n: ended(repository, clock, client=f"busy-{n % 2}"), 10)
        assert [used(repository, clock, f"busy-{n}").calls for n in range(2)] == [5, 5]
        (found,) = repository.usage([today(clock)], None)
        assert found.codes == {"0000": 10}

    def test_usage_is_summed_by_day_and_client(
        self, repository: Repository, clock: FakeClock
    ) -> None:
        first, second = today(clock), today(clock) + timedelta(days=1)
        for day, client, counters in (
            (first, "shop", {"calls": 2, "billed#yes": 2, "code#0000": 1, "code#0008": 1}),
            (first, "shop", {"billed#yes": -1, "billed#no": 1}),
            (first, "shop-2", {"calls": 1, "billed#unknown": 1, "code#A b.c:d": 1}),
            (second, "shop", {"calls": 4, "billed#yes": 4, "code#0007": 4}),
        ):
            change = UsageChange(day, client, counters)
            repository.write(Write(claim(draft(clock), clock), None, (change,)))
        assert repository.usage([second, first], "shop") == [
            DayUsage(second, 4, Counter(yes=4), Counter({"0007": 4})),
            DayUsage(first, 2, Counter(yes=1, no=1), Counter({"0000": 1, "0008": 1})),
        ]
        assert repository.usage([first], None) == [
            DayUsage(
                first,
                3,
                Counter(yes=1, no=1, unknown=1),
                Counter({"0000": 1, "0008": 1, "A b.c:d": 1}),
            )
        ]
        assert repository.usage([first], "sho") == [DayUsage(first)]

    def test_one_write_may_change_several_days_and_one_day_twice(
        self, repository: Repository, clock: FakeClock
    ) -> None:
        days = [today(clock) - timedelta(days=n) for n in range(3)]
        changes = [UsageChange(day, "shop", {"calls": 1}) for day in (*days, *days)]
        changes.append(UsageChange(today(clock), "idle", {"calls": 0}))
        repository.write(Write(claim(draft(clock), clock), None, changes))
        assert [day.calls for day in repository.usage(days, "shop")] == [2, 2, 2]

    def test_what_was_not_counted_stays_open_until_it_is(
        self, repository: Repository, clock: FakeClock
    ) -> None:
        claimed = new(repository, clock)
        alone = answered(claimed, clock)
        repository.write(Write(alone, claimed))
        assert repository.get(claimed.id) == alone
        assert repository.open_until(clock.now(), 10) == [alone]
        assert used(repository, clock, claimed.client).calls == 0
        late = whole(replace(alone, revision=alone.revision + 1), alone)
        repository.write(late)
        assert repository.open_until(clock.now() + LEASE, 10) == []
        assert used(repository, clock, claimed.client).calls == 1

    def test_many_are_read_at_once(self, repository: Repository, clock: FakeClock) -> None:
        made = [new(repository, clock) for _ in range(120)]
        wanted = [one.id for one in made]
        assert repository.many([*wanted, "vrf_nobodys"]) == {one.id: one for one in made}
        assert repository.many([]) == {}

    def test_open_ones_are_found_once_they_are_due_the_earliest_first(
        self, repository: Repository, clock: FakeClock
    ) -> None:
        claims = []
        for _ in range(6):
            claims.append(new(repository, clock))
            clock.advance(1)
        ended(repository, clock)
        dues = [item.lease_until for item in claims if item.lease_until]
        assert repository.open_until(dues[0] - timedelta(microseconds=1), 10) == []
        assert repository.open_until(dues[3], 10) == claims[:4]
        assert repository.open_until(dues[5], 2) == claims[:2]

    def test_pending_ones_are_open_until_they_are_asked(
        self, repository: Repository, clock: FakeClock
    ) -> None:
        minute = timedelta(minutes=1)
        made = []
        for n in (3, 1, 2):
            pending = rules.accept(draft(clock), b"sealed", clock.now() + n * minute)
            repository.write(Write(pending, None))
            made.append(pending)
        claimed = new(repository, clock)  # its lease ends after 1.5 minutes
        late, first, second = made
        due = clock.now()
        assert repository.open_until(due + minute - timedelta(microseconds=1), 10) == []
        assert repository.open_until(due + 3 * minute, 10) == [first, claimed, second, late]
        assert repository.open_until(due + 3 * minute, 2) == [first, claimed]
        moved = rules.postpone(first, due + 4 * minute)
        repository.write(Write(moved, first))
        assert repository.open_until(due + 3 * minute, 10) == [claimed, second, late]
        asked = claim(second, clock)
        repository.write(Write(asked, second))
        assert repository.open_until(due + minute, 10) == []
        assert repository.open_until(due + LEASE, 10) in ([claimed, asked], [asked, claimed])
        failed = rules.give_up(late, Failure("quota_exhausted", "d"), due)
        repository.write(Write(failed, late))
        repository.write(whole(answered(asked, clock), asked))
        assert repository.open_until(due + 4 * minute, 10) == [claimed, moved]

    def test_what_waits_is_kept(self, repository: Repository, clock: FakeClock) -> None:
        pending = rules.accept(draft(clock), b"sealed", clock.now())
        repository.write(Write(pending, None))
        clock.advance(days=10_000)
        assert repository.get(pending.id) == pending

    def test_of_many_that_accept_one_wins(self, repository: Repository, clock: FakeClock) -> None:
        asked = draft(clock)
        each = [rules.accept(asked, bytes([n]) * 9, clock.now()) for n in range(THREADS)]
        results = at_once(lambda n: repository.write(Write(each[n], None)))
        (winner,) = [each[n] for n, result in enumerate(results) if result is None]
        assert repository.get(asked.id) == winner
        assert {getattr(result, "current", winner) for result in results} == {winner}

    def test_a_person_is_kept_replaced_and_removed(
        self, repository: Repository, clock: FakeClock
    ) -> None:
        claimed = new(repository, clock)
        assert repository.person(claimed.id) is None
        end = whole(answered(claimed, clock), claimed, person=bytes(range(256)))
        repository.write(end)
        assert repository.person(claimed.id) == bytes(range(256))
        again = replace(end.after, revision=end.after.revision + 1)
        repository.write(Write(again, end.after, person=b"new"))
        repository.write(Write(replace(again, revision=again.revision + 1), again))
        assert repository.person(claimed.id) == b"new"
        erased = replace(again, revision=again.revision + 2, erased=True)
        repository.write(Write(erased, replace(again, revision=again.revision + 1), person=b""))
        assert repository.person(claimed.id) is None
        assert repository.get(claimed.id) == erased

    def test_a_person_is_kept_for_30_days(self, repository: Repository, clock: FakeClock) -> None:
        claimed = new(repository, clock)
        repository.write(whole(answered(claimed, clock), claimed, person=b"sealed"))
        clock.advance(days=30)
        assert repository.person(claimed.id) == b"sealed"
        clock.advance(1)
        assert repository.person(claimed.id) is None

    def test_an_ended_one_is_kept_for_730_days_and_its_id_is_free_then(
        self, repository: Repository, clock: FakeClock
    ) -> None:
        kept = ended(repository, clock)
        day = today(clock)
        clock.advance(days=730)
        assert repository.get(kept.id) == kept
        clock.advance(1)
        assert repository.get(kept.id) is None
        assert repository.of_day(day, 10, None).items == []
        with pytest.raises(ConflictError) as conflict:
            repository.write(Write(replace(kept, revision=9), replace(kept, revision=8)))
        assert conflict.value.current is None
        fresh = claim(draft(clock, id=kept.id), clock)
        repository.write(Write(fresh, None))
        assert repository.get(kept.id) == fresh

    @pytest.mark.parametrize("how", ["claimed", "unknown", "uncounted"])
    def test_what_has_not_ended_is_kept(
        self, repository: Repository, clock: FakeClock, how: str
    ) -> None:
        found = new(repository, clock)
        if how == "unknown":
            repository.write(whole(rules.expire(found, clock.now()), found))
        if how == "uncounted":
            repository.write(Write(answered(found, clock), found))
        before = repository.get(found.id)
        clock.advance(days=10_000)
        assert repository.get(found.id) == before is not None


class ContractOfHolds:
    """Who answers for a subject."""

    def test_a_claim_takes_its_subject(self, repository: Repository, clock: FakeClock) -> None:
        subject = uuid4().hex
        free = repository.holder(subject)
        assert free == Hold(subject, None, None)
        claimed = claim(draft(clock, subject=subject), clock)
        repository.write(Write(claimed, None, take=free))
        assert repository.holder(subject) == Hold(subject, claimed.id, claimed)

    def test_of_many_for_a_subject_one_wins(self, repository: Repository, clock: FakeClock) -> None:
        subject = uuid4().hex
        free = repository.holder(subject)
        claims = [claim(draft(clock, subject=subject), clock) for _ in range(THREADS)]
        results = at_once(lambda n: repository.write(Write(claims[n], None, take=free)))
        (winner,) = [claims[n] for n, result in enumerate(results) if result is None]
        assert sum(isinstance(result, HoldConflictError) for result in results) == THREADS - 1
        assert repository.holder(subject) == Hold(subject, winner.id, winner)
        assert [item.id for item in claims if repository.get(item.id)] == [winner.id]

    def test_of_many_that_take_over_one_wins(
        self, repository: Repository, clock: FakeClock
    ) -> None:
        held = held_subject(repository, clock)
        claims = [claim(draft(clock), clock) for _ in range(10)]
        results = at_once(lambda n: repository.write(Write(claims[n], None, take=held)), 10)
        (winner,) = [claims[n] for n, result in enumerate(results) if result is None]
        assert repository.holder(held.subject).holder == winner

    def test_a_holder_that_changed_stops_the_claim(
        self, repository: Repository, clock: FakeClock
    ) -> None:
        held = held_subject(repository, clock)
        assert held.holder is not None
        repository.write(
            Write(replace(held.holder, revision=held.holder.revision + 1), held.holder)
        )
        claimed = claim(draft(clock), clock)
        change = UsageChange(today(clock), claimed.client, {"calls": 1})
        with pytest.raises(HoldConflictError):
            repository.write(Write(claimed, None, (change,), person=b"sealed", take=held))
        assert repository.get(claimed.id) is None
        assert repository.person(claimed.id) is None
        assert used(repository, clock, claimed.client).calls == 0
        assert repository.holder(held.subject).holder_id == held.holder_id
        repository.write(Write(claimed, None, take=repository.holder(held.subject)))
        assert repository.holder(held.subject).holder == claimed

    def test_a_hold_that_moved_stops_the_claim(
        self, repository: Repository, clock: FakeClock
    ) -> None:
        held = held_subject(repository, clock)
        winner, loser = claim(draft(clock), clock), claim(draft(clock), clock)
        repository.write(Write(winner, None, take=held))
        for seen in (held, Hold(held.subject, None, None)):
            with pytest.raises(HoldConflictError):
                repository.write(Write(loser, None, take=seen))
        assert repository.get(loser.id) is None

    def test_the_own_hold_is_taken_again(self, repository: Repository, clock: FakeClock) -> None:
        held = held_subject(repository, clock)
        assert held.holder is not None
        again = claim(held.holder, clock)
        clock.advance(days=20)
        repository.write(Write(again, held.holder, take=held))
        clock.advance(days=20)
        assert repository.holder(held.subject) == Hold(held.subject, again.id, again)

    def test_a_changed_verification_goes_before_a_changed_hold(
        self, repository: Repository, clock: FakeClock
    ) -> None:
        held = held_subject(repository, clock)
        assert held.holder is not None
        first, second = claim(held.holder, clock), claim(held.holder, clock)
        other = claim(draft(clock), clock)
        repository.write(Write(first, held.holder, take=held))
        repository.write(Write(other, None, take=repository.holder(held.subject)))
        with pytest.raises(ConflictError) as conflict:
            repository.write(Write(second, held.holder, take=held))
        assert conflict.value.current == first

    def test_a_hold_ends_after_31_days(self, repository: Repository, clock: FakeClock) -> None:
        held = held_subject(repository, clock)
        clock.advance(days=31)
        assert repository.holder(held.subject) == held
        clock.advance(1)
        free = repository.holder(held.subject)
        assert free == Hold(held.subject, None, None)
        claimed = claim(draft(clock), clock)
        repository.write(Write(claimed, None, take=free))
        assert repository.holder(held.subject).holder == claimed

    def test_a_holder_that_is_gone_is_replaced(
        self, repository: Repository, clock: FakeClock
    ) -> None:
        subject, other = uuid4().hex, uuid4().hex
        kept = ended(repository, clock)
        clock.advance(days=729)
        again = replace(kept, revision=kept.revision + 1)
        repository.write(Write(again, kept, take=repository.holder(subject)))
        also = replace(again, revision=again.revision + 1)
        repository.write(Write(also, again, take=repository.holder(other)))
        clock.advance(days=2)
        seen = repository.holder(subject)
        assert seen == Hold(subject, kept.id, None)
        claimed = claim(draft(clock), clock)
        repository.write(Write(claimed, None, take=seen))
        assert repository.holder(subject).holder == claimed
        # Somebody asks under the old key again, unseen by a third.
        seen = repository.holder(other)
        repository.write(Write(claim(draft(clock, id=kept.id), clock), None))
        with pytest.raises(HoldConflictError):
            repository.write(Write(claim(draft(clock), clock), None, take=seen))

    def test_a_hold_is_given_back(self, repository: Repository, clock: FakeClock) -> None:
        held = held_subject(repository, clock)
        assert held.holder is not None
        erased = rules.erase(held.holder, clock.now())
        repository.write(Write(erased, held.holder, person=b"", release=held))
        assert repository.holder(held.subject) == Hold(held.subject, None, None)
        assert repository.get(erased.id) == erased
        again = replace(erased, revision=erased.revision + 1)
        repository.write(Write(again, erased, release=held))
        assert repository.get(erased.id) == again

    def test_another_ones_hold_is_not_given_back(
        self, repository: Repository, clock: FakeClock
    ) -> None:
        held = held_subject(repository, clock)
        assert held.holder is not None
        winner = claim(draft(clock), clock)
        repository.write(Write(winner, None, take=held))
        erased = rules.erase(held.holder, clock.now())
        with pytest.raises(HoldConflictError):
            repository.write(Write(erased, held.holder, release=held))
        assert repository.get(held.holder.id) == held.holder
        assert repository.holder(held.subject).holder == winner


class ContractOfCaps:
    """Counters that go no further than their caps."""

    def test_one_is_taken_of_each_until_one_is_full(
        self, repository: Repository, clock: FakeClock
    ) -> None:
        day, month = caps_of(2, 9)
        for _ in range(2):
            repository.write(Write(claim(draft(clock), clock), None, caps=(day, month)))
        refused = claim(draft(clock), clock)
        with pytest.raises(CapReachedError) as reached:
            repository.write(Write(refused, None, caps=(day, month)))
        assert reached.value.full == [day.counter]
        assert repository.get(refused.id) is None
        assert repository.taken([month.counter, day.counter]) == {day.counter: 2, month.counter: 2}
        assert repository.taken([]) == {}
        repository.write(Write(refused, None, caps=(month,)))
        assert repository.taken([month.counter]) == {month.counter: 3}

    def test_of_many_claims_as_many_win_as_the_cap_allows(
        self, repository: Repository, clock: FakeClock
    ) -> None:
        (cap,) = caps_of(10)
        claims = [claim(draft(clock), clock) for _ in range(THREADS)]
        results = at_once(lambda n: repository.write(Write(claims[n], None, caps=(cap,))))
        won = [one for one, result in zip(claims, results, strict=True) if result is None]
        assert len(won) == 10
        assert [type(result) for result in results].count(CapReachedError) == THREADS - 10
        assert repository.taken([cap.counter]) == {cap.counter: 10}
        assert sorted(one.id for one in claims if repository.get(one.id)) == sorted(
            one.id for one in won
        )

    def test_a_write_that_finds_itself_done_takes_one(
        self, repository: Repository, clock: FakeClock
    ) -> None:
        (cap,) = caps_of(1)
        claimed = claim(draft(clock), clock)
        for _ in range(3):
            repository.write(Write(claimed, None, caps=(cap,)))
        assert repository.taken([cap.counter]) == {cap.counter: 1}

    def test_what_stands_there_is_told_rather_than_the_cap(
        self, repository: Repository, clock: FakeClock
    ) -> None:
        (cap,) = caps_of(1)
        first = claim(draft(clock), clock)
        repository.write(Write(first, None, caps=(cap,)))
        again = claim(draft(clock, id=first.id), clock)
        with pytest.raises(ConflictError) as conflict:
            repository.write(Write(again, None, caps=(cap,)))
        assert conflict.value.current == first

    def test_a_hold_that_changed_is_told_rather_than_the_cap(
        self, repository: Repository, clock: FakeClock
    ) -> None:
        (cap,) = caps_of(1)
        held = held_subject(repository, clock)
        repository.write(Write(claim(draft(clock), clock), None, take=held, caps=(cap,)))
        with pytest.raises(HoldConflictError):
            repository.write(Write(claim(draft(clock), clock), None, take=held, caps=(cap,)))
        assert repository.taken([cap.counter]) == {cap.counter: 1}

    def test_what_is_given_back_can_be_taken_again(
        self, repository: Repository, clock: FakeClock
    ) -> None:
        (cap,) = caps_of(2)
        claims = [claim(draft(clock), clock) for _ in range(2)]
        for claimed in claims:
            repository.write(Write(claimed, None, caps=(cap,)))
        end = whole(answered(claims[0], clock, "B403MQ"), claims[0])
        for _ in range(2):
            repository.write(replace(end, given_back={cap.counter: 2}))
        assert repository.taken([cap.counter]) == {cap.counter: 0}
        repository.write(Write(claim(draft(clock), clock), None, caps=(cap,)))
        assert repository.taken([cap.counter]) == {cap.counter: 1}

    def test_what_conflicts_gives_nothing_back(
        self, repository: Repository, clock: FakeClock
    ) -> None:
        (cap,) = caps_of(2)
        claimed = claim(draft(clock), clock)
        repository.write(Write(claimed, None, caps=(cap,)))
        end = whole(answered(claimed, clock, "B403MQ"), claimed)
        repository.write(replace(end, given_back={cap.counter: 1}))
        late = whole(answered(claimed, clock, "T429PA"), claimed)
        with pytest.raises(ConflictError):
            repository.write(replace(late, given_back={cap.counter: 1}))
        assert repository.taken([cap.counter]) == {cap.counter: 0}


class ContractOfLists:
    """Verifications of a day, and the breaker."""

    def test_a_day_is_listed_newest_first_page_by_page(
        self, repository: Repository, clock: FakeClock
    ) -> None:
        made = []
        for number in range(10):
            made.append(new(repository, clock, id=f"vrf_{number:02}"))
            clock.advance(0.001 * (number % 3))
        newest_first = [
            item.id
            for item in sorted(made, key=lambda item: (item.created_at, item.id), reverse=True)
        ]
        assert days_of(repository, today(clock), 100) == [newest_first]
        assert days_of(repository, today(clock), 10) == [newest_first]
        pages = days_of(repository, today(clock), 3)
        assert [len(page) for page in pages] == [3, 3, 3, 1]
        assert [*chain(*pages)] == newest_first

    def test_days_are_chinese_days(self, repository: Repository, clock: FakeClock) -> None:
        midnight = datetime(2026, 11, 24, 16, tzinfo=UTC)
        last = new(repository, clock, created_at=midnight - timedelta(microseconds=1))
        first = new(repository, clock, created_at=midnight.astimezone(CHINA))
        second = new(repository, clock, created_at=midnight + timedelta(hours=1))
        assert repository.of_day(date(2026, 11, 24), 10, None).items == [last]
        assert days_of(repository, date(2026, 11, 25), 1) == [[second.id], [first.id]]
        empty = repository.of_day(date(2026, 11, 26), 10, None)
        assert (empty.items, empty.next_cursor) == ([], None)

    def test_a_list_shows_how_things_stand(self, repository: Repository, clock: FakeClock) -> None:
        found = ended(repository, clock)
        assert repository.of_day(today(clock), 10, None).items == [found]

    def test_a_page_goes_on_behind_what_came_in_between(
        self, repository: Repository, clock: FakeClock
    ) -> None:
        made = []
        for _ in range(4):
            made.append(new(repository, clock))
            clock.advance(1)
        page = repository.of_day(today(clock), 2, None)
        new(repository, clock)
        assert page.next_cursor is not None
        rest = repository.of_day(today(clock), 2, page.next_cursor)
        assert rest.items == [made[1], made[0]]
        assert rest.next_cursor is None

    def test_a_cursor_is_safe_in_an_address_and_bound_to_its_day(
        self, repository: Repository, clock: FakeClock
    ) -> None:
        for _ in range(2):
            new(repository, clock)
        cursor = repository.of_day(today(clock), 1, None).next_cursor
        assert cursor is not None
        assert cursor.replace("-", "").replace("_", "").isalnum()
        with pytest.raises(ValueError, match="cursor"):
            repository.of_day(today(clock) + timedelta(days=1), 1, cursor)

    def test_a_broken_cursor_is_refused(self, repository: Repository, clock: FakeClock) -> None:
        keys = ("x", "#x", "2026-11-24", "9999-12-31T23:59:59Z#x", "2026-11-23T00:00:00.000Z#x")
        encoded = [urlsafe_b64encode(key.encode()).decode().rstrip("=") for key in keys]
        for cursor in (*encoded, "", "x", "!", "é", "_w"):
            with pytest.raises(ValueError, match="cursor"):
                repository.of_day(today(clock), 1, cursor)

    def test_the_breaker_is_replaced_by_who_saw_it_last(
        self, repository: Repository, clock: FakeClock
    ) -> None:
        assert repository.breaker() == Breaker()
        full = Breaker(1, "quota_exhausted", clock.now(), clock.now() + LEASE, "mark", 3)
        full = replace(full, faults_since=clock.now())
        assert repository.set_breaker(full, before=Breaker())
        assert repository.breaker() == full
        assert not repository.set_breaker(Breaker(1, "package_expired"), before=Breaker())
        assert not repository.set_breaker(Breaker(6), before=Breaker(5))
        assert repository.breaker() == full
        assert repository.set_breaker(Breaker(2), before=full)
        assert repository.breaker() == Breaker(2)

    def test_setting_the_breaker_again_is_no_conflict(
        self, repository: Repository, clock: FakeClock
    ) -> None:
        opened = Breaker(1, "upstream_maintenance", clock.now())
        assert repository.set_breaker(opened, before=Breaker())
        assert repository.set_breaker(opened, before=Breaker())
        assert not repository.set_breaker(replace(opened, faults=1), before=Breaker())


CODES = (*codes.ROWS, "0005", "T429GR", "X 999")
texts = st.none() | st.text(max_size=12)
steps = st.lists(
    st.tuples(
        st.integers(0, 9),  # which of the transitions that can follow
        st.builds(Answer, st.sampled_from(CODES), st.text(max_size=12), texts),
        st.sampled_from(Billed),
        st.integers(0, 10**10),  # microseconds that passed
        st.booleans(),  # whether the usage is written with it, and the delivery
        st.binary(min_size=1, max_size=64),  # the person, sealed
        st.sampled_from([NO_LIMITS, Limits(day=9), Limits(9, 9)]),  # the client's caps
    ),
    min_size=1,
    max_size=8,
)
moments = st.datetimes(
    datetime(2020, 1, 1),  # noqa: DTZ001 - the zone is drawn
    datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, CHINA]),
)
drafts = st.fixed_dictionaries(
    {},
    optional={
        "created_at": moments,
        "fingerprint": texts,
        "subject": texts,
        "name_masked": texts,
        "id_number_masked": texts,
        "reference": texts,
        "warnings": st.lists(st.text(max_size=9), max_size=3).map(tuple),
        "callback_url": st.none() | st.just(URL),
        "submission": texts,
    },
)


def history(fields: dict[str, Any], played: list[Any], clock: FakeClock) -> Iterator[Write]:
    """A verification's writes, by real transitions only."""
    before, found = None, draft(clock, **fields)
    for which, answer, billed, microseconds, by_use_case, sealed, limits in played:
        clock.advance(microseconds / 10**6)
        capped = in_force([(found.client, limits)], clock.now())
        took = tuple(cap.mark for cap in capped)
        possible = [*following(found, clock, answer, billed, sealed, took)]
        if not possible:
            return
        after = possible[which % len(possible)]
        if len(after.attempts) > len(found.attempts):
            write = Write(after, before, caps=capped)
        else:
            write = by_store(after, before) if by_use_case else Write(after, before)
        yield write
        before = found = write.after


def following(
    found: Verification,
    clock: FakeClock,
    answer: Answer,
    billed: Billed,
    sealed: bytes,
    took: tuple[str, ...],
) -> Iterator[Verification]:
    now, status, new = clock.now(), found.status, found.revision == 0
    if new or (status is Status.FAILED and found.retryable and not found.erased):
        yield rules.accept(found, sealed, now + LEASE)
    if status is Status.PENDING:
        yield rules.postpone(found, now + LEASE)
        yield rules.give_up(found, Failure("quota_exhausted", "d"), now)
    if (
        new
        or status is Status.PENDING
        or (status is Status.FAILED and found.retryable and not found.erased)
    ):
        yield claim(found, clock, took)
        yield rules.reuse(found, answered(claim(draft(clock), clock), clock, "0008"), now)
    for attempt in found.attempts[:1] + found.attempts[-1:]:
        yield rules.record(found, attempt.token, answer, codes.find(answer.code), now)
    if status is Status.IN_PROGRESS and not new:
        yield rules.expire(found, now)
    if status is Status.UNKNOWN:
        yield rules.resolve(found, billed=billed, action=Action.CLOSE, now=now)
        if not found.erased:
            yield rules.resolve(found, billed=billed, action=Action.RETRY, now=now)
    if status is not Status.IN_PROGRESS and not found.erased:
        yield rules.erase(found, now)
    if found.uncounted:
        yield replace(found, revision=found.revision + 1)


def said_by_attempts(found: Verification) -> list[DayUsage]:
    """The usage of the days of its attempts, by how these are marked as counted."""
    days = sorted({attempt.day for attempt in found.attempts})
    marks = [
        [attempt.counted for attempt in found.attempts if attempt.counted and attempt.day == day]
        for day in days
    ]
    return [
        DayUsage(
            day, len(seen), Counter(billed for _, billed in seen), Counter(code for code, _ in seen)
        )
        for day, seen in zip(days, marks, strict=True)
    ]


def held_by_attempts(found: Verification) -> Counter[CapCounter]:
    """The places that its attempts say they hold."""
    days = [(a.started_at.astimezone(CHINA).date().isoformat(), a.took) for a in found.attempts]
    return Counter(
        CapCounter(day if mark == "day" else day[:7], found.client)
        for day, took in days
        for mark in took
    )


class ContractOfHistories:
    """Whatever happens to a verification, it is stored exactly, and counted as its attempts say."""

    # The table and its clock serve all examples; each has a verification and client of its own.
    @settings(
        max_examples=6,
        deadline=None,
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.differing_executors,
        ],
    )
    @given(drafts, steps)
    def test_every_history_is_stored_as_it_is(
        self,
        repository: Repository,
        outbox: Outbox,
        clock: FakeClock,
        fields: dict[str, Any],
        played: list[Any],
    ) -> None:
        for write in history(fields, played, clock):
            repository.write(write)
            found = write.after
            assert repository.get(found.id) == found
            if write.delivery is not None:
                assert outbox.get(write.delivery.id) == write.delivery
        expected = said_by_attempts(found)
        assert repository.usage([usage.day for usage in expected], found.client) == expected
        days = {attempt.day.isoformat() for attempt in found.attempts}
        periods = sorted(days | {day[: len("2026-11")] for day in days})
        counters = [CapCounter(period, found.client) for period in periods]
        held = held_by_attempts(found)
        assert repository.taken(counters) == {counter: held[counter] for counter in counters}
        day = found.created_at.astimezone(CHINA).date()
        assert found in repository.of_day(day, 1_000, None).items
        opened = repository.open_until(clock.now() + timedelta(hours=1), 1_000)
        assert [item for item in opened if item.id == found.id] == [found] * found.open


@settings(deadline=None)
@given(drafts, steps)
def test_every_history_passes_through_items_unchanged(
    fields: dict[str, Any], played: list[Any]
) -> None:
    for write in history(fields, played, FakeClock()):
        item = verification_item(write.after, shards=4, record_days=730)
        found = verification_of(item)
        assert found == write.after
        if write.delivery is not None:
            kept = delivery_item(write.delivery, shards=4, record_days=730)
            assert delivery_of(kept) == write.delivery
        # An enum's text is equal to it, and yet no enum.
        assert usage.changes(found) == usage.changes(write.after)
        assert found.billed is write.after.billed
        waits = not write.after.open and write.after.status is Status.UNKNOWN
        assert ("open_due" in item) == ("open_shard" in item) == (write.after.open or waits)
        assert item.get("open_shard", {"S": ""})["S"].startswith("U") == waits
        assert not ("ttl" in item and write.after.open)


class TestFake(Contract, ContractOfHolds, ContractOfCaps, ContractOfLists, ContractOfHistories):
    """The fake keeps the contract, and fails as it is told."""

    @pytest.fixture
    def repository(self, clock: FakeClock) -> FakeRepository:
        return FakeRepository(clock)

    @pytest.fixture
    def outbox(self, repository: FakeRepository) -> FakeOutbox:
        return repository.outbox

    def test_it_fails_before_anything_is_written(
        self, repository: FakeRepository, clock: FakeClock
    ) -> None:
        claimed = claim(draft(clock), clock)
        repository.fail_next = [ContendedError(), UnavailableError()]
        for error in (ContendedError, UnavailableError):
            with pytest.raises(error):
                repository.write(Write(claimed, None))
        assert not repository.items
        repository.write(Write(claimed, None))
        assert repository.writes == [Write(claimed, None)]

    def test_it_loses_replies(self, repository: FakeRepository, clock: FakeClock) -> None:
        claimed = claim(draft(clock), clock)
        end = whole(answered(claimed, clock), claimed)
        for write in (Write(claimed, None), end):
            repository.lose_reply_next = 1
            with pytest.raises(UnavailableError):
                repository.write(write)
            repository.write(write)
        assert repository.writes == [Write(claimed, None), end]
        assert repository.days == {
            (today(clock), claimed.client): {"calls": 1, "billed#yes": 1, "code#0000": 1}
        }

    def test_it_goes_down(self, repository: FakeRepository, clock: FakeClock) -> None:
        repository.down = True
        for call in calls_of(repository, clock):
            with pytest.raises(UnavailableError):
                call()


def calls_of(repository: Repository, clock: FakeClock) -> list[Callable[[], object]]:
    """One call of each method."""
    found = ended(FakeRepository(clock), clock)
    return [
        lambda: repository.get("vrf_1"),
        lambda: repository.person("vrf_1"),
        lambda: repository.holder("s"),
        lambda: repository.write(Write(found, None)),
        lambda: repository.write(whole(answered(claim(found, clock), clock), found, person=b"p")),
        lambda: repository.of_day(today(clock), 10, None),
        lambda: repository.open_until(clock.now(), 10),
        lambda: repository.usage([today(clock)], "shop"),
        lambda: repository.taken([caps_of(1)[0].counter]),
        repository.breaker,
        lambda: repository.set_breaker(Breaker(1), before=Breaker()),
    ]


# DynamoDB's own part: what a network, contention and throttling do, and what stands in the table.

CONTENTION = (
    cancelled("None", "TransactionConflict"),
    cancelled("TransactionConflict", "None"),
    cancelled("None", "ThrottlingError"),
    cancelled("None", "ProvisionedThroughputExceeded"),
    cancelled("None", "RequestLimitExceeded"),
    refused("ProvisionedThroughputExceededException"),
    refused("RequestLimitExceeded"),
    refused("ThrottlingException"),
    refused("TransactionInProgressException"),
)
UNSURE = (
    TIMEOUT,
    refused("InternalServerError", status=500),
    refused("503", status=503),
    refused("ThrottlingException", repeated=2),
    refused("AccessDeniedException", repeated=1),
)


@pytest.fixture
def repository(dynamodb: Dynamodb, wire: Any, clock: FakeClock) -> DynamoRepository:
    return DynamoRepository(wire, dynamodb.table, clock)


@pytest.fixture
def outbox(dynamodb: Dynamodb, wire: Any, clock: FakeClock) -> DynamoOutbox:
    return DynamoOutbox(Table(wire, dynamodb.table, clock), clock)


class TestDynamo(Contract, ContractOfHolds, ContractOfCaps, ContractOfLists, ContractOfHistories):
    """The adapter keeps the contract on every stand-in, even when replies get lost."""

    @pytest.mark.parametrize("how", [lost, undone])
    def test_a_lost_reply_is_looked_for_in_the_item(
        self,
        repository: Repository,
        clock: FakeClock,
        wire: Wire,
        how: Callable[[Exception], Callable[[Real], Any]],
    ) -> None:
        for error in UNSURE:
            claimed = claim(draft(clock), clock)
            wire.script["put_item"].append(how(error))
            repository.write(Write(claimed, None))
            assert repository.get(claimed.id) == claimed
            wire.script["transact_write_items"].append(how(error))
            end = whole(answered(claimed, clock), claimed, person=b"sealed")
            repository.write(end)
            assert repository.get(claimed.id) == end.after
            assert used(repository, clock, claimed.client).calls == 1
            assert repository.person(claimed.id) == b"sealed"

    @pytest.mark.parametrize("how", [lost, undone])
    def test_what_moved_on_after_a_lost_reply_is_a_conflict(
        self,
        dynamodb: Dynamodb,
        clock: FakeClock,
        wire: Wire,
        how: Callable[[], Callable[[Real], Any]],
    ) -> None:
        repository: Repository = DynamoRepository(wire, dynamodb.table, clock)  # type: ignore[arg-type]
        meddler: Repository = DynamoRepository(wire.client, dynamodb.table, clock)
        claimed = new(meddler, clock)
        end = whole(answered(claimed, clock), claimed)
        seen = end.after if how is lost else claimed
        moved = replace(seen, revision=seen.revision + 5, reference="moved")

        def meddled(real: Real) -> Any:
            try:
                how()(real)
            finally:
                meddler.write(Write(moved, seen))

        wire.script["transact_write_items"].append(meddled)
        with pytest.raises(ConflictError) as conflict:
            repository.write(end)
        assert conflict.value.current == moved

    def test_a_first_try_that_comes_late_is_found_by_the_second(
        self, repository: Repository, clock: FakeClock, wire: Wire
    ) -> None:
        claimed = new(repository, clock)
        end = whole(answered(claimed, clock), claimed)
        late: list[Real] = []

        def delayed(real: Real) -> Any:
            late.append(real)
            raise TIMEOUT

        def overtaken(real: Real) -> Any:
            late.pop()()
            return real()

        wire.script["transact_write_items"].extend([delayed, overtaken])
        repository.write(end)
        assert repository.get(claimed.id) == end.after
        assert used(repository, clock, claimed.client).calls == 1

    def test_the_table_holds_what_the_layout_says(
        self, repository: Repository, clock: FakeClock, dynamodb: Dynamodb, wire: Wire
    ) -> None:
        held = held_subject(repository, clock)
        (claimed, item) = self.raw(repository, wire, dynamodb, new(repository, clock))
        assert item.keys() == {
            *("PK", "SK", "day_shard", "day_sort", "open_shard", "open_due"),
            *("client", "created_at", "status", "attempts", "revision", "lease_until"),
            *("fingerprint", "name_masked", "id_number_masked", "reference"),
        }
        assert item["PK"] == {"S": f"V#{claimed.id}"}
        assert item["SK"] == {"S": "V"}
        day, shard = today(clock).isoformat(), item["day_shard"]["S"][-1]
        assert item["day_shard"] == {"S": f"D#{day}#{shard}"}
        assert item["day_sort"] == {"S": f"{rules.utc(claimed.created_at)}#{claimed.id}"}
        assert item["open_shard"] == {"S": f"O#{shard}"}
        assert item["open_due"] == {"S": "2026-11-24T04:01:30.000000Z"}
        places = {name: item[name] for name in ("day_shard", "day_sort")}

        clock.advance(days=2.5)
        end = whole(answered(claimed, clock), claimed, person=b"sealed")
        repository.write(end)
        _, item = self.raw(repository, wire, dynamodb, end.after)
        assert {name: item[name] for name in places} == places
        assert not item.keys() & {"open_shard", "open_due", "lease_until"}
        ends = int((clock.now() + timedelta(days=730)).timestamp())
        assert item["ttl"] == {"N": str(ends)}

        rows = {
            (row["PK"]["S"], row["SK"]["S"]): row
            for row in wire.client.scan(TableName=dynamodb.table)["Items"]
        }
        person_ends = int((clock.now() + timedelta(days=30)).timestamp())
        assert rows[f"V#{claimed.id}", "PERSON"].keys() == {"PK", "SK", "sealed", "ttl"}
        assert rows[f"V#{claimed.id}", "PERSON"]["ttl"] == {"N": str(person_ends)}
        assert rows[f"S#{held.subject}", "S"]["holder"] == {"S": held.holder_id}
        (sort,) = [key for day_key, key in rows if day_key == f"U#{day}" and claimed.client in key]
        assert sort.startswith(f"{claimed.client}#")
        assert rows[f"U#{day}", sort]["billed#yes"] == {"N": "1"}
        assert rows[f"U#{day}", sort]["code#0000"] == {"N": "1"}
        assert not [row for row in rows.values() for value in row.values() if "NULL" in value]

    def test_derived_fields_never_outlive_their_verification(
        self, clock: FakeClock, dynamodb: Dynamodb, wire: Wire
    ) -> None:
        kept = DynamoRepository(wire.client, dynamodb.table, clock, record_days=31, person_days=99)
        claimed = new(kept, clock)
        kept.write(whole(answered(claimed, clock), claimed, person=b"sealed"))
        assert kept.person(claimed.id) == b"sealed"
        clock.advance(days=32)
        # The key comes again, with somebody else.
        again = claim(draft(clock, id=claimed.id), clock)
        kept.write(Write(again, None))
        kept.write(whole(answered(again, clock, "0008"), again))
        assert kept.person(claimed.id) is None

    def raw(
        self, repository: Repository, wire: Wire, dynamodb: Dynamodb, found: Verification
    ) -> tuple[Verification, dict[str, Any]]:
        key: Any = {"PK": {"S": f"V#{found.id}"}, "SK": {"S": "V"}}
        return found, dict(wire.client.get_item(TableName=dynamodb.table, Key=key)["Item"])


QUICKEST = "moto" if dynoxide.find() is None else "dynoxide"


@pytest.mark.parametrize("dynamodb", [QUICKEST], indirect=True)
class TestFaults:
    """What the adapter makes of replies that no stand-in gives by itself."""

    def test_a_contended_transaction_is_repeated_on_another_shard(
        self, repository: Repository, clock: FakeClock, wire: Wire
    ) -> None:
        for error in CONTENTION:
            claimed = new(repository, clock)
            wire.calls.clear()
            clock.slept.clear()
            wire.script["transact_write_items"].extend([undone(error)] * 3)
            repository.write(whole(answered(claimed, clock), claimed))
            assert used(repository, clock, claimed.client).calls == 1
            assert wire.writes() == ["transact_write_items"] * 4
            assert len(set(shards_of(wire))) == 4
            for slept, pause in zip(clock.slept, (0.025, 0.05, 0.1), strict=True):
                assert pause / 2 <= slept <= pause * 3 / 2

    def test_a_transaction_that_always_loses_is_contended(
        self, repository: Repository, clock: FakeClock, wire: Wire
    ) -> None:
        claimed = new(repository, clock)
        for error in CONTENTION:
            wire.calls.clear()
            clock.slept.clear()
            wire.script["transact_write_items"].extend([undone(error)] * 6)
            with pytest.raises(ContendedError) as contended:
                repository.write(whole(answered(claimed, clock), claimed))
            assert contended.value.__cause__ is error
            assert "张三" not in str(contended.value)
            assert wire.writes() == ["transact_write_items"] * 6
            assert sum(clock.slept) < 1.2
        assert repository.get(claimed.id) == claimed

    def test_a_put_that_meets_a_transaction_is_repeated(
        self, repository: Repository, clock: FakeClock, wire: Wire
    ) -> None:
        claimed = claim(draft(clock), clock)
        wire.script["put_item"].extend([undone(refused("TransactionConflictException"))] * 5)
        repository.write(Write(claimed, None))
        assert repository.get(claimed.id) == claimed
        wire.script["put_item"].extend([undone(refused("TransactionConflictException"))] * 6)
        with pytest.raises(ContendedError):
            repository.write(Write(answered(claimed, clock), claimed))

    def test_a_throttled_put_is_not_repeated(
        self, repository: Repository, clock: FakeClock, wire: Wire
    ) -> None:
        error = refused("ThrottlingException")
        error.operation_name = "PutItem"
        wire.script["put_item"].append(undone(error))
        with pytest.raises(UnavailableError):
            repository.write(Write(claim(draft(clock), clock), None))
        assert [name for name, _ in wire.calls] == ["put_item"]

    def test_two_lost_replies_are_enough(
        self, repository: Repository, clock: FakeClock, wire: Wire
    ) -> None:
        claimed = claim(draft(clock), clock)
        wire.script["put_item"].extend([undone()] * 2)
        with pytest.raises(UnavailableError) as unavailable:
            repository.write(Write(claimed, None))
        assert unavailable.value.__cause__ is TIMEOUT
        assert [name for name, _ in wire.calls] == ["put_item", "get_item"] * 2

    def test_a_full_counter_ends_the_contention_for_it(
        self, repository: Repository, clock: FakeClock, wire: Wire
    ) -> None:
        (cap,) = caps_of(1)
        repository.write(Write(claim(draft(clock), clock), None, caps=(cap,)))
        for error in CONTENTION:
            refused = claim(draft(clock), clock)
            wire.calls.clear()
            wire.script["transact_write_items"].append(undone(error))
            with pytest.raises(CapReachedError) as reached:
                repository.write(Write(refused, None, caps=(cap,)))
            assert reached.value.full == [cap.counter]
            assert wire.writes() == ["transact_write_items"]
            assert repository.get(refused.id) is None

    def test_room_is_contended_for_again(
        self, repository: Repository, clock: FakeClock, wire: Wire
    ) -> None:
        caps = caps_of(1, 1)
        claimed = claim(draft(clock), clock)
        wire.script["transact_write_items"].extend([undone(CONTENTION[0])] * 5)
        repository.write(Write(claimed, None, caps=caps))
        assert repository.get(claimed.id) == claimed
        assert set(repository.taken([cap.counter for cap in caps]).values()) == {1}
        wire.script["transact_write_items"].extend([undone(CONTENTION[0])] * 6)
        with pytest.raises(ContendedError):
            repository.write(Write(claim(draft(clock), clock), None, caps=caps_of(1)))

    def test_a_replay_that_is_contended_is_told_what_stands_there(
        self, repository: Repository, clock: FakeClock, wire: Wire
    ) -> None:
        (cap,) = caps_of(1)
        first = claim(draft(clock), clock)
        repository.write(Write(first, None, caps=(cap,)))
        wire.script["transact_write_items"].append(undone(CONTENTION[0]))
        with pytest.raises(ConflictError) as conflict:
            repository.write(Write(claim(draft(clock, id=first.id), clock), None, caps=(cap,)))
        assert conflict.value.current == first

    def test_who_is_contended_and_could_wait_for_another_is_told_so(
        self, repository: Repository, clock: FakeClock, wire: Wire
    ) -> None:
        (cap,) = caps_of(1)
        held = held_subject(repository, clock)
        repository.write(Write(claim(draft(clock), clock), None, take=held, caps=(cap,)))
        wire.script["transact_write_items"].append(undone(CONTENTION[0]))
        with pytest.raises(HoldConflictError):
            repository.write(Write(claim(draft(clock), clock), None, take=held, caps=(cap,)))

    def test_the_last_place_may_have_been_taken_by_a_try_that_came_late(
        self, repository: Repository, clock: FakeClock, wire: Wire
    ) -> None:
        (cap,) = caps_of(1)
        claimed = claim(draft(clock), clock)
        late: list[Real] = []

        def delayed(real: Real) -> Any:
            late.append(real)
            raise TIMEOUT

        def overtaken(_: Real) -> Any:
            late.pop()()
            raise CONTENTION[0]

        wire.script["transact_write_items"].extend([delayed, overtaken])
        repository.write(Write(claimed, None, caps=(cap,)))
        assert repository.get(claimed.id) == claimed
        assert repository.taken([cap.counter]) == {cap.counter: 1}

    def test_without_caps_a_claim_is_one_put(
        self, repository: Repository, clock: FakeClock, wire: Wire
    ) -> None:
        claimed = claim(draft(clock), clock)
        repository.write(Write(claimed, None))
        ((name, request),) = wire.calls
        assert name == "put_item"
        (attempt,) = request["Item"]["attempts"]["L"]
        assert attempt["M"].keys() == {"token", "started_at", "billed"}

    def test_a_lost_reply_and_contention_leave_it_open(
        self, repository: Repository, clock: FakeClock, wire: Wire
    ) -> None:
        claimed = new(repository, clock)
        script = wire.script["transact_write_items"]
        script.append(undone())
        script.extend([undone(cancelled("None", "TransactionConflict"))] * 5)
        with pytest.raises(UnavailableError):
            repository.write(whole(answered(claimed, clock), claimed))

    def test_a_lost_reply_and_an_outage_leave_it_open(
        self, repository: Repository, clock: FakeClock, wire: Wire
    ) -> None:
        claimed = claim(draft(clock), clock)
        wire.script["put_item"].append(lost())
        wire.script["get_item"].append(undone())
        with pytest.raises(UnavailableError):
            repository.write(Write(claimed, None))
        assert repository.get(claimed.id) == claimed

    @pytest.mark.parametrize("peer", ["outage", "no-table", "denied"])
    def test_every_call_says_that_the_table_is_out_of_reach(
        self,
        dynamodb: Dynamodb,
        clients: Callable[[str], "DynamoDBClient"],
        closed_url: str,
        clock: FakeClock,
        wire: Wire,
        peer: str,
    ) -> None:
        client: Any = clients(closed_url) if peer == "outage" else wire
        table = "no-such-table" if peer == "no-table" else dynamodb.table
        if peer == "denied":
            for operation in ("get_item", "put_item", "query", "transact_write_items"):
                wire.script[operation].extend([undone(refused("AccessDeniedException"))] * 9)
        repository = DynamoRepository(client, table, clock)
        for call in calls_of(repository, clock):
            with pytest.raises(UnavailableError) as unavailable:
                call()
            assert table in str(unavailable.value)
            assert unavailable.value.__cause__ is not None
            assert "张" not in str(unavailable.value)
        assert sum(clock.slept) < 1.2

    def test_keys_that_a_batch_left_out_are_asked_for_again(
        self, repository: Repository, clock: FakeClock, dynamodb: Dynamodb, wire: Wire
    ) -> None:
        made = [new(repository, clock).id for _ in range(4)]

        def half(real: Real) -> Any:
            keys = wire.calls[-1][1]["RequestItems"][dynamodb.table]["Keys"]
            left = {"Keys": keys[2:], "ConsistentRead": True}
            kept: Any = {dynamodb.table: {"Keys": keys[:2], "ConsistentRead": True}}
            return {
                **wire.client.batch_get_item(RequestItems=kept),
                "UnprocessedKeys": {dynamodb.table: left},
            }

        wire.script["batch_get_item"].append(half)
        found = repository.of_day(today(clock), 10, None)
        assert {item.id for item in found.items} == set(made)
        assert len(clock.slept) == 1
        wire.script["batch_get_item"].extend([half] * 6)
        with pytest.raises(UnavailableError):
            repository.of_day(today(clock), 10, None)

    def test_long_lists_are_loaded_in_batches(
        self,
        repository: Repository,
        clock: FakeClock,
        wire: Wire,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("chalicelib.adapters.table._BATCH", 2)
        made = sorted(new(repository, clock).id for _ in range(5))
        wire.calls.clear()
        found = repository.open_until(clock.now() + LEASE, 500)
        assert sorted(item.id for item in found) == made
        assert [name for name, _ in wire.calls].count("batch_get_item") == 3

    def test_queries_go_on_page_by_page(
        self, repository: Repository, clock: FakeClock, wire: Wire
    ) -> None:
        day = today(clock)
        for number in range(5):
            change = UsageChange(day, f"shop-{number}", {"calls": 1})
            repository.write(Write(claim(draft(clock), clock), None, (change,)))

        def one(real: Real) -> Any:
            request = wire.calls[-1][1]
            return wire.client.query(**request, Limit=1)

        wire.script["query"].extend([one] * 6)
        assert [found.calls for found in repository.usage([day], None)] == [5]
        assert len(wire.script["query"]) <= 1

    def test_what_an_index_still_names_is_passed_over(
        self, repository: Repository, clock: FakeClock, dynamodb: Dynamodb, wire: Wire
    ) -> None:
        """The indexes lag behind: a deleted one, one that is counted by now, one named twice."""
        gone, settled, kept = (new(repository, clock) for _ in range(3))
        due = clock.now() + LEASE
        stale = [
            wire.client.query(**request)["Items"]
            for _, request in self.queries(repository, wire, due)
        ]
        wire.client.delete_item(
            TableName=dynamodb.table, Key={"PK": {"S": f"V#{gone.id}"}, "SK": {"S": "V"}}
        )
        repository.write(whole(answered(settled, clock), settled))
        assert len([*chain(*stale)]) == 3
        for items in stale:
            wire.script["query"].append(saying({"Items": items + items}))
        assert repository.open_until(due, 10) == [kept]
        listed = repository.of_day(today(clock), 10, None).items
        assert sorted(item.id for item in listed) == sorted([settled.id, kept.id])

    def queries(
        self, repository: Repository, wire: Wire, due: datetime
    ) -> list[tuple[str, dict[str, Any]]]:
        wire.calls.clear()
        repository.open_until(due, 10)
        return [call for call in wire.calls if call[0] == "query"]


def test_an_index_shard_outlives_the_process() -> None:
    ids = (f"vrf_{n:026}" for n in range(8))
    assert [shard_of(each, 4) for each in ids] == [1, 3, 1, 3, 0, 2, 0, 2]


def shards_of(wire: Wire) -> list[str]:
    return [
        action["Update"]["Key"]["SK"]["S"]
        for name, request in wire.calls
        if name == "transact_write_items"
        for action in request["TransactItems"]
        if "Update" in action
    ]


class TestRepetitionsByBotocore:
    """What botocore repeats by itself is done once."""

    @pytest.mark.parametrize("lose", [1, 2, 3])
    def test_a_put_meets_itself(
        self,
        dynamodb: Dynamodb,
        line: tuple["DynamoDBClient", Line],
        clock: FakeClock,
        lose: int,
    ) -> None:
        repository = DynamoRepository(line[0], dynamodb.table, clock)
        claimed = claim(draft(clock), clock)
        line[1].lose = lose
        repository.write(Write(claimed, None))
        assert repository.get(claimed.id) == claimed
        opened = Breaker(1, "quota_exhausted", clock.now())
        line[1].lose = min(lose, 2)
        assert repository.set_breaker(opened, before=Breaker())

    @pytest.mark.parametrize("lose", [1, 2, 3])
    def test_a_transaction_keeps_its_token_and_counts_once(
        self,
        dynamodb: Dynamodb,
        line: tuple["DynamoDBClient", Line],
        clock: FakeClock,
        lose: int,
    ) -> None:
        repository = DynamoRepository(line[0], dynamodb.table, clock)
        claimed = new(repository, clock)
        line[1].bodies.clear()
        line[1].lose = lose
        end = whole(answered(claimed, clock), claimed, person=b"sealed")
        repository.write(end)
        tokens = [body["ClientRequestToken"] for body in line[1].bodies[: min(lose + 1, 3)]]
        assert len(tokens) == min(lose + 1, 3)
        assert len(set(tokens)) == 1
        assert repository.get(claimed.id) == end.after
        assert used(repository, clock, claimed.client).calls == 1


def test_capacity(dynoxide_url: str, boto: boto3.Session, clock: FakeClock) -> None:
    """Units consumed by each step: the cost per 1,000 goes by them."""
    client = boto.client("dynamodb", endpoint_url=dynoxide_url)
    units: list[float] = []
    events = client.meta.events
    for operation in ("PutItem", "TransactWriteItems", "GetItem", "Query", "BatchGetItem"):
        events.register(
            f"provide-client-params.dynamodb.{operation}",
            lambda params, **_: params.update(ReturnConsumedCapacity="TOTAL"),
        )
        events.register(
            f"after-call.dynamodb.{operation}", lambda parsed, **_: units.extend(units_of(parsed))
        )
    repository = DynamoRepository(client, create_table(client), clock)

    def spent(step: Callable[[], object]) -> float:
        units.clear()
        step()
        return sum(units)

    def cycle(code: str, *, subject: str | None = None, person: int | None = None) -> list[float]:
        """Units of the claim and of the end."""
        hold = repository.holder(subject) if subject else None
        claimed = claim(draft(clock, subject=subject), clock)
        end = whole(answered(claimed, clock, code), claimed, person=person and bytes(person))
        return [
            spent(lambda: repository.write(Write(claimed, None, take=hold))),
            spent(lambda: repository.write(end)),
        ]

    assert cycle("0008") == [3, 5]
    assert cycle("0000", person=300) == [3, 7]
    subject = "s" * 64
    assert cycle("0008", subject=subject) == [6, 5]
    assert cycle("0000", subject=subject, person=300) == [8, 7]  # another's hold taken over
    day, month = caps_of(5, 5)
    for capped, units_of_it in (((day,), 6), ((day, month), 8)):
        write = Write(claim(draft(clock), clock), None, caps=capped)
        assert spent(lambda write=write: repository.write(write)) == units_of_it  # type: ignore[misc]
    assert spent(lambda: repository.taken([day.counter, month.counter])) == 2
    found = repository.of_day(today(clock), 1, None).items[0]
    assert spent(lambda: repository.get(found.id)) == 1
    assert spent(lambda: repository.person(found.id)) == 1
    assert spent(lambda: repository.holder(subject)) == 2
    assert spent(repository.breaker) == 1
    assert spent(lambda: repository.set_breaker(Breaker(1), before=Breaker())) == 1
    assert spent(lambda: repository.of_day(today(clock), 4, None)) == 4 * 0.5 + 4
    assert spent(lambda: repository.open_until(clock.now(), 500)) == 4 * 0.5
    client.close()


def units_of(reply: dict[str, Any]) -> list[float]:
    consumed = reply.get("ConsumedCapacity", [])
    return [
        each["CapacityUnits"] for each in (consumed if isinstance(consumed, list) else [consumed])
    ]
