"""The table: one contract for the fake and for DynamoDB's stand-ins, and what a network adds."""

import json
import socket
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ReadTimeoutError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.adapters.repository import DynamoRepository
from chalicelib.domain import codes, usage
from chalicelib.domain import verification as rules
from chalicelib.domain.breaker import Breaker
from chalicelib.domain.codes import Billed
from chalicelib.domain.usage import DayUsage, UsageChange
from chalicelib.domain.verification import CHINA, Action, Answer, Status, Verification, counted
from chalicelib.services.ports import (
    ConflictError,
    ContendedError,
    Hold,
    HoldConflictError,
    Repository,
    UnavailableError,
    Write,
)
from tests.fakes.clock import FakeClock
from tests.fakes.repository import FakeRepository

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

LEASE = timedelta(seconds=90)
THREADS = 50
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


def claim(asked: Verification, clock: FakeClock) -> Verification:
    return rules.claim(asked, token=uuid4().hex, now=clock.now(), lease=LEASE)


def answered(claimed: Verification, clock: FakeClock, code: str = "0000") -> Verification:
    """The latest attempt's answer, not yet counted."""
    answer = Answer(code, upstream_request_id=UPSTREAM_ID)
    return rules.record(
        claimed, claimed.attempts[-1].token, answer, codes.find(code), clock.now()
    )


def whole(ended: Verification, before: Verification | None, **beside: Any) -> Write:
    """The end and its usage, as the use cases write it."""
    return Write(counted(ended), before, usage.changes(ended), **beside)


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


def at_once(action: Callable[[int], object]) -> list[object]:
    """The action in many threads: what each returned or raised."""

    def tried(number: int) -> object:
        try:
            return action(number)
        except (ConflictError, HoldConflictError) as exc:
            return exc

    with ThreadPoolExecutor(THREADS) as pool:
        return [*pool.map(tried, range(THREADS))]


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
        ends = [answered(claimed, clock, code) for code in ("0000", "0007", "0008", "0010") * 12]
        results = at_once(lambda n: repository.write(whole(ends[n % len(ends)], claimed)))
        assert None in results
        found = repository.get(claimed.id)
        assert found is not None
        assert used(repository, clock, claimed.client) == DayUsage(
            today(clock),
            1,
            Counter([found.attempts[0].billed]),
            Counter([found.attempts[0].code or ""]),
        )

    def test_nothing_of_many_counts_is_lost(
        self, repository: Repository, clock: FakeClock
    ) -> None:
        at_once(lambda n: ended(repository, clock, client=f"busy-{n % 2}"))
        assert [used(repository, clock, f"busy-{n}").calls for n in range(2)] == [THREADS // 2] * 2
        (found,) = repository.usage([today(clock)], None)
        assert found.codes == {"0000": THREADS}

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
        repository.write(
            Write(erased, replace(again, revision=again.revision + 1), person=b"")
        )
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

    def test_of_many_for_a_subject_one_wins(
        self, repository: Repository, clock: FakeClock
    ) -> None:
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
        held = self.held(repository, clock)
        claims = [claim(draft(clock), clock) for _ in range(THREADS)]
        results = at_once(lambda n: repository.write(Write(claims[n], None, take=held)))
        (winner,) = [claims[n] for n, result in enumerate(results) if result is None]
        assert repository.holder(held.subject).holder == winner

    def held(self, repository: Repository, clock: FakeClock) -> Hold:
        """A subject and its holder, which failed."""
        subject = uuid4().hex
        claimed = claim(draft(clock, subject=subject), clock)
        repository.write(Write(claimed, None, take=repository.holder(subject)))
        repository.write(whole(answered(claimed, clock, "A403"), claimed))
        return repository.holder(subject)

    def test_a_holder_that_changed_stops_the_claim(
        self, repository: Repository, clock: FakeClock
    ) -> None:
        held = self.held(repository, clock)
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
        held = self.held(repository, clock)
        winner, loser = claim(draft(clock), clock), claim(draft(clock), clock)
        repository.write(Write(winner, None, take=held))
        for seen in (held, Hold(held.subject, None, None)):
            with pytest.raises(HoldConflictError):
                repository.write(Write(loser, None, take=seen))
        assert repository.get(loser.id) is None

    def test_the_own_hold_is_taken_again(self, repository: Repository, clock: FakeClock) -> None:
        held = self.held(repository, clock)
        assert held.holder is not None
        again = claim(held.holder, clock)
        clock.advance(days=20)
        repository.write(Write(again, held.holder, take=held))
        clock.advance(days=20)
        assert repository.holder(held.subject) == Hold(held.subject, again.id, again)

    def test_a_changed_verification_goes_before_a_changed_hold(
        self, repository: Repository, clock: FakeClock
    ) -> None:
        held = self.held(repository, clock)
        assert held.holder is not None
        first, second = claim(held.holder, clock), claim(held.holder, clock)
        other = claim(draft(clock), clock)
        repository.write(Write(first, held.holder, take=held))
        repository.write(Write(other, None, take=repository.holder(held.subject)))
        with pytest.raises(ConflictError) as conflict:
            repository.write(Write(second, held.holder, take=held))
        assert conflict.value.current == first

    def test_a_hold_ends_after_31_days(self, repository: Repository, clock: FakeClock) -> None:
        held = self.held(repository, clock)
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
        held = self.held(repository, clock)
        assert held.holder is not None
        erased = rules.erase(held.holder)
        repository.write(Write(erased, held.holder, person=b"", release=held))
        assert repository.holder(held.subject) == Hold(held.subject, None, None)
        assert repository.get(erased.id) == erased
        again = replace(erased, revision=erased.revision + 1)
        repository.write(Write(again, erased, release=held))
        assert repository.get(erased.id) == again

    def test_another_ones_hold_is_not_given_back(
        self, repository: Repository, clock: FakeClock
    ) -> None:
        held = self.held(repository, clock)
        assert held.holder is not None
        winner = claim(draft(clock), clock)
        repository.write(Write(winner, None, take=held))
        with pytest.raises(HoldConflictError):
            repository.write(Write(rules.erase(held.holder), held.holder, release=held))
        assert repository.get(held.holder.id) == held.holder
        assert repository.holder(held.subject).holder == winner


class ContractOfLists:
    """Verifications of a day, and the breaker."""

    def test_a_day_is_listed_newest_first_page_by_page(
        self, repository: Repository, clock: FakeClock
    ) -> None:
        made = []
        for number in range(25):
            made.append(new(repository, clock, id=f"vrf_{number:02}"))
            clock.advance(0.001 * (number % 3))
        newest_first = [
            item.id
            for item in sorted(made, key=lambda item: (item.created_at, item.id), reverse=True)
        ]
        assert days_of(repository, today(clock), 100) == [newest_first]
        assert days_of(repository, today(clock), 25) == [newest_first]
        pages = days_of(repository, today(clock), 7)
        assert [len(page) for page in pages] == [7, 7, 7, 4]
        assert sum(pages, []) == newest_first
        assert sum(days_of(repository, today(clock), 1), []) == newest_first

    def test_days_are_chinese_days(self, repository: Repository, clock: FakeClock) -> None:
        midnight = datetime(2026, 11, 25, tzinfo=CHINA)
        last = new(repository, clock, created_at=midnight - timedelta(microseconds=1))
        first = new(repository, clock, created_at=midnight)
        assert repository.of_day(date(2026, 11, 24), 10, None).items == [last]
        assert repository.of_day(date(2026, 11, 25), 10, None).items == [first]
        empty = repository.of_day(date(2026, 11, 26), 10, None)
        assert (empty.items, empty.next_cursor) == ([], None)

    def test_a_list_shows_how_things_stand(
        self, repository: Repository, clock: FakeClock
    ) -> None:
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

    @pytest.mark.parametrize(
        "cursor",
        ["", "x", "!", "é", "eA", "I3g", "MjAyNi0xMS0yNA", "OTk5OS0xMi0zMVQyMzo1OTo1OVojeA", "_w"],
    )
    def test_a_broken_cursor_is_refused(
        self, repository: Repository, clock: FakeClock, cursor: str
    ) -> None:
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
