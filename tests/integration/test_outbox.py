"""Deliveries and stored submissions: one contract for the fakes and for DynamoDB's stand-ins."""

from base64 import urlsafe_b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import MISSING, fields, replace
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any, Protocol
from uuid import uuid4

import pytest

from chalicelib.adapters.outbox import DynamoOutbox, DynamoSubmissions
from chalicelib.adapters.repository import DynamoRepository
from chalicelib.adapters.table import Table
from chalicelib.domain import delivery as deliveries
from chalicelib.domain import stored_submission
from chalicelib.domain import verification as rules
from chalicelib.domain.delivery import (
    CallbackResult,
    Delivery,
    DeliveryAttempt,
    DeliveryStatus,
    Fault,
)
from chalicelib.domain.source import Assurance
from chalicelib.domain.stored_submission import StoredSubmission, SubmissionStatus
from chalicelib.domain.verification import CHINA, Verification
from chalicelib.services.ports import (
    ConflictError,
    HoldConflictError,
    Outbox,
    Repository,
    Submissions,
    UnavailableError,
    Write,
)
from chalicelib.services.store import store
from tests.fakes.clock import FakeClock
from tests.fakes.outbox import FakeOutbox, FakeSubmissions
from tests.fakes.repository import FakeRepository
from tests.integration.conftest import Dynamodb
from tests.integration.test_repository import (
    CONTENTION,
    LEASE,
    QUICKEST,
    UNSURE,
    URL,
    answered,
    at_once,
    by_store,
    claim,
    draft,
    held_subject,
    new,
    today,
    used,
)
from tests.integration.wire import Line, Real, Wire, lost, refused, saying, undone

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

THREADS = 20
MICROSECOND = timedelta(microseconds=1)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def told(
    repository: Repository, clock: FakeClock, *, code: str = "0000", url: str = URL, **about: Any
) -> Verification:
    """A verification that ended, so that there is something to tell."""
    claimed = new(repository, clock, callback_url=url, **about)
    return store(repository, answered(claimed, clock, code), claimed)


def id_of(found: Verification) -> str:
    """The id of its latest delivery."""
    return deliveries.delivery_id(found.id, found.callback_url or "", found.told)


def made(repository: Repository, outbox: Outbox, clock: FakeClock, **about: Any) -> Delivery:
    delivery = outbox.get(id_of(told(repository, clock, **about)))
    assert delivery is not None
    return delivery


def attempted(delivery: Delivery, clock: FakeClock, code: int | Fault = 200) -> Delivery:
    return deliveries.attempted(delivery, CallbackResult(code, 48), clock.now(), 0.5)


def changed(outbox: Outbox, before: Delivery, after: Delivery) -> Delivery:
    assert outbox.replace(after, before)
    return after


def entry(clock: FakeClock, **about: Any) -> StoredSubmission:
    known: dict[str, Any] = {
        "id": f"vrf_{uuid4().hex[:26]}",
        "source": "survey-2026",
        "created_at": clock.now(),
        "status": SubmissionStatus.REJECTED,
        "reason": "fields_missing",
        "detail": "d",
        "assurance": Assurance.SIGNED,
    }
    return StoredSubmission(**known | about)


def all_set(found: object, *, but: tuple[str, ...] = ()) -> bool:
    """Whether every field that has a default has another value."""
    return all(
        getattr(found, field.name) != field.default
        for field in fields(found)  # type: ignore[arg-type]
        if field.default is not MISSING and field.name not in but
    )


class ContractOfTelling:
    """A delivery stands exactly where the end that it tells was written."""

    def test_both_are_written_at_once(
        self, repository: Repository, outbox: Outbox, clock: FakeClock
    ) -> None:
        claimed = new(repository, clock, callback_url=URL)
        write = by_store(answered(claimed, clock), claimed)
        assert write.delivery is not None
        assert outbox.get(write.delivery.id) is None
        repository.write(write)
        assert repository.get(claimed.id) == write.after
        assert outbox.get(write.delivery.id) == write.delivery
        assert used(repository, clock, claimed.client).calls == 1

    def test_who_comes_second_tells_nothing(
        self, repository: Repository, outbox: Outbox, clock: FakeClock
    ) -> None:
        claimed = new(repository, clock, callback_url=URL)
        first = by_store(answered(claimed, clock), claimed)
        repository.write(first)
        clock.advance(1)
        for url in (URL, "https://other.example/"):
            asked = replace(claimed, callback_url=url)
            second = by_store(answered(asked, clock, "0007"), asked)
            assert second.delivery is not None
            with pytest.raises(ConflictError) as conflict:
                repository.write(second)
            assert conflict.value.current == first.after
            stands = outbox.get(second.delivery.id)
            assert stands == (first.delivery if url == URL else None)
        assert outbox.due(clock.now(), 10) == [first.delivery]

    def test_of_many_ends_one_is_told(
        self, repository: Repository, outbox: Outbox, clock: FakeClock
    ) -> None:
        claimed = new(repository, clock, callback_url=URL)
        writes = []
        for code in ("0000", "0007", "0008", "0010") * 2:
            clock.advance(0.001)
            writes.append(by_store(answered(claimed, clock, code), claimed))
        results = at_once(lambda n: repository.write(writes[n]), len(writes))
        (winner,) = [writes[n] for n, result in enumerate(results) if result is None]
        assert repository.get(claimed.id) == winner.after
        assert outbox.due(clock.now(), 10) == [winner.delivery]

    def test_a_write_that_fails_for_its_hold_tells_nothing(
        self, repository: Repository, outbox: Outbox, clock: FakeClock
    ) -> None:
        held = held_subject(repository, clock)
        repository.write(Write(claim(draft(clock), clock), None, take=held))
        claimed = new(repository, clock, callback_url=URL)
        write = replace(by_store(answered(claimed, clock), claimed), take=held)
        assert write.delivery is not None
        with pytest.raises(HoldConflictError):
            repository.write(write)
        assert repository.get(claimed.id) == claimed
        assert outbox.get(write.delivery.id) is None

    def test_a_write_that_finds_itself_done_leaves_the_delivery_as_it_stands(
        self, repository: Repository, outbox: Outbox, clock: FakeClock
    ) -> None:
        claimed = new(repository, clock, callback_url=URL)
        write = by_store(answered(claimed, clock), claimed)
        assert write.delivery is not None
        repository.write(write)
        done = changed(outbox, write.delivery, attempted(write.delivery, clock))
        repository.write(write)
        assert outbox.get(write.delivery.id) == done

    def test_what_an_earlier_life_left_behind_is_replaced(
        self, repository: Repository, outbox: Outbox, clock: FakeClock
    ) -> None:
        first = told(repository, clock)
        left = outbox.get(id_of(first))
        clock.advance(days=731)
        assert repository.get(first.id) is None
        assert outbox.due(clock.now(), 10) == [left]
        again = told(repository, clock, id=first.id, client=first.client)
        (delivery,) = outbox.due(clock.now(), 10)
        assert (delivery.id, delivery.created_at) == (id_of(again), clock.now())

    def test_each_end_has_its_own(
        self, repository: Repository, outbox: Outbox, clock: FakeClock
    ) -> None:
        lost_one = told(repository, clock, code="no_answer")
        clock.advance(1)
        late = store(repository, answered(lost_one, clock), lost_one)
        assert (lost_one.told, late.told) == (1, 2)
        found = outbox.due(clock.now(), 10)
        assert [one.id for one in found] == [id_of(lost_one), id_of(late)]
        assert {one.verification_id for one in found} == {late.id}
        counted_again = replace(late, revision=late.revision + 1)
        assert store(repository, counted_again, late).told == 2
        assert len(outbox.due(clock.now(), 10)) == 2

    def test_verifications_deliveries_and_submissions_do_not_mix(
        self, repository: Repository, outbox: Outbox, submissions: Submissions, clock: FakeClock
    ) -> None:
        delivery = made(repository, outbox, clock)
        pending = rules.accept(draft(clock), b"sealed", clock.now())
        repository.write(Write(pending, None))
        stored = entry(clock, id=pending.id)  # the id may be the same
        assert submissions.add(stored)
        day, later = today(clock), clock.now() + LEASE
        assert outbox.due(later, 10) == [delivery]
        assert repository.open_until(later, 10) == [pending]
        listed = {item.id for item in repository.of_day(day, 10, None).items}
        assert listed == {pending.id, delivery.verification_id}
        assert outbox.of_day(day, 10, None).items == [delivery]
        assert submissions.of_day(day, 10, None).items == [stored]
        assert repository.get(pending.id) == pending
        assert submissions.get(pending.id) == stored
        assert submissions.get(delivery.verification_id) is None


class ContractOfDeliveries:
    """What every outbox does."""

    def test_every_field_is_read_back(
        self, repository: Repository, outbox: Outbox, clock: FakeClock
    ) -> None:
        delivery = made(repository, outbox, clock)
        assert delivery == deliveries.new(
            told_of(repository, delivery), url=URL, number=1, now=clock.now()
        )
        codes: tuple[int | Fault, ...] = (200, 999, *Fault)
        moments = (clock.now() + n * MICROSECOND for n in range(len(codes)))
        attempts = tuple(
            DeliveryAttempt(at, code, duration)
            for duration, (at, code) in enumerate(zip(moments, codes, strict=True))
        )
        for status in DeliveryStatus:
            due_at = None if status is not DeliveryStatus.PENDING else clock.now() + MICROSECOND
            after = replace(
                delivery,
                status=status,
                due_at=due_at,
                attempts=attempts,
                tries=9,
                revision=delivery.revision + 1,
            )
            assert all_set(after, but=("status",))
            delivery = changed(outbox, delivery, after)
            found = outbox.get(delivery.id)
            assert found == delivery
            assert found is not None
            assert [type(one.code) for one in found.attempts] == [type(code) for code in codes]

    def test_what_is_not_there(self, outbox: Outbox) -> None:
        for text in (deliveries.delivery_id("vrf_" + "0" * 26, URL, 1), "dlv_x", "", "vrf_1", "é"):
            assert outbox.get(text) is None

    def test_what_moved_is_not_overwritten(
        self, repository: Repository, outbox: Outbox, clock: FakeClock
    ) -> None:
        first = made(repository, outbox, clock)
        taken = changed(outbox, first, deliveries.taken(first, clock.now(), LEASE))
        clock.advance(1)
        assert not outbox.replace(deliveries.replayed(first, clock.now()), first)
        assert outbox.get(first.id) == taken

    def test_what_is_not_there_is_not_brought_back(
        self, repository: Repository, outbox: Outbox, clock: FakeClock
    ) -> None:
        first = made(repository, outbox, clock)
        nobodys = replace(first, number=2)
        assert not outbox.replace(attempted(nobodys, clock), nobodys)
        assert outbox.get(nobodys.id) is None

    def test_written_again_is_done(
        self, repository: Repository, outbox: Outbox, clock: FakeClock
    ) -> None:
        """A reply may be lost, and the call repeated."""
        first = made(repository, outbox, clock)
        after = attempted(first, clock, 500)
        assert outbox.replace(after, first)
        assert outbox.replace(after, first)
        assert outbox.get(first.id) == after

    def test_of_many_that_replace_one_wins(
        self, repository: Repository, outbox: Outbox, clock: FakeClock
    ) -> None:
        first = made(repository, outbox, clock)
        each = [
            deliveries.taken(first, clock.now() + n * MICROSECOND, LEASE) for n in range(THREADS)
        ]
        with ThreadPoolExecutor(THREADS) as pool:
            won = [*pool.map(lambda after: outbox.replace(after, first), each)]
        assert won.count(True) == 1
        assert outbox.get(first.id) == each[won.index(True)]

    def test_what_is_due_comes_the_earliest_first(
        self, repository: Repository, outbox: Outbox, clock: FakeClock
    ) -> None:
        start, each = clock.now(), []
        for _ in range(6):
            each.append(made(repository, outbox, clock))
            clock.advance(1)
        assert outbox.due(start - MICROSECOND, 10) == []
        assert outbox.due(start, 10) == each[:1]
        assert outbox.due(clock.now(), 10) == each
        assert outbox.due(clock.now(), 2) == each[:2]
        first = changed(outbox, each[0], deliveries.taken(each[0], clock.now(), LEASE))
        changed(outbox, each[1], attempted(each[1], clock))
        assert outbox.due(clock.now(), 10) == each[2:]
        assert outbox.due(clock.now() + LEASE, 10) == [*each[2:], first]

    def test_only_pending_ones_are_due(
        self, repository: Repository, outbox: Outbox, clock: FakeClock
    ) -> None:
        for code in (200, 410, Fault.MALFORMED_URL):
            delivery = made(repository, outbox, clock)
            done = changed(outbox, delivery, attempted(delivery, clock, code))
            assert done.due_at is None
            assert outbox.due(clock.now() + timedelta(days=99), 10) == []
        again = changed(outbox, done, deliveries.replayed(done, clock.now()))
        assert outbox.due(clock.now(), 10) == [again]

    def test_it_is_kept_for_730_days_once_it_ended(
        self, repository: Repository, outbox: Outbox, clock: FakeClock
    ) -> None:
        waits, done = (made(repository, outbox, clock) for _ in range(2))
        done, day = changed(outbox, done, attempted(done, clock)), today(clock)
        clock.advance(days=730)
        assert outbox.get(done.id) == done
        clock.advance(1)
        assert outbox.get(done.id) is None
        assert outbox.get(waits.id) == waits
        assert outbox.of_day(day, 10, None).items == [waits]

    def test_an_endpoint_is_disabled_until_it_is_not(self, outbox: Outbox) -> None:
        others = (("shop", "b"), ("shop-2", "a"), ("sho", "pa"))
        assert not outbox.is_disabled("shop", "a")
        for disabled in (True, True, False, False, True):
            outbox.set_disabled("shop", "a", disabled=disabled)
            assert outbox.is_disabled("shop", "a") == disabled
            assert not any(outbox.is_disabled(*other) for other in others)


def told_of(repository: Repository, delivery: Delivery) -> Verification:
    found = repository.get(delivery.verification_id)
    assert found is not None
    return found


class ContractOfSubmissions:
    """What every store of submissions does."""

    def test_every_field_of_an_entry_is_read_back(
        self, submissions: Submissions, clock: FakeClock
    ) -> None:
        bare = entry(clock, detail="", created_at=clock.now() + MICROSECOND)
        whole = entry(
            clock,
            missing=("name", "id_number"),
            name_masked="张*",
            id_number_masked="110***********002X",
            sealed=bytes(range(256)),
            revision=7,
        )
        assert all_set(whole)
        for stored in (bare, whole):
            assert submissions.get(stored.id) is None
            assert submissions.add(stored)
            assert submissions.get(stored.id) == stored

    def test_the_first_of_an_id_stays(self, submissions: Submissions, clock: FakeClock) -> None:
        first = entry(clock, sealed=b"first")
        assert submissions.add(first)
        clock.advance(1)
        assert not submissions.add(replace(first, sealed=b"second", created_at=clock.now()))
        assert submissions.get(first.id) == first

    def test_an_entry_that_is_written_again_is_done(
        self, submissions: Submissions, clock: FakeClock
    ) -> None:
        """A reply may be lost, and the call repeated."""
        first = entry(clock, sealed=bytes(range(256)), missing=("name",))
        replayed = stored_submission.replayed(first)
        assert [submissions.add(first) for _ in range(2)] == [True, True]
        assert [submissions.replace(replayed, first) for _ in range(2)] == [True, True]
        assert submissions.get(first.id) == replayed

    def test_an_entry_that_moved_is_not_overwritten(
        self, submissions: Submissions, clock: FakeClock
    ) -> None:
        first = entry(clock, sealed=b"sealed")
        assert submissions.add(first)
        replayed = stored_submission.replayed(first)
        assert submissions.replace(replayed, first)
        again = stored_submission.refused_again(
            first, SubmissionStatus.REJECTED, reason="length", detail="d", missing=()
        )
        assert not submissions.replace(again, first)
        assert submissions.get(first.id) == replayed

    def test_an_entry_that_is_not_there_is_not_brought_back(
        self, submissions: Submissions, clock: FakeClock
    ) -> None:
        nobodys = entry(clock)
        assert not submissions.replace(stored_submission.replayed(nobodys), nobodys)
        assert submissions.get(nobodys.id) is None

    def test_of_many_entries_one_wins(self, submissions: Submissions, clock: FakeClock) -> None:
        start = entry(clock)
        each = [replace(start, detail=str(n)) for n in range(THREADS)]
        with ThreadPoolExecutor(THREADS) as pool:
            won = [*pool.map(submissions.add, each)]
        assert won.count(True) == 1
        first = each[won.index(True)]
        assert submissions.get(start.id) == first
        moved = [replace(first, detail=str(-n), revision=2) for n in range(THREADS)]
        with ThreadPoolExecutor(THREADS) as pool:
            won = [*pool.map(lambda after: submissions.replace(after, first), moved)]
        assert won.count(True) == 1
        assert submissions.get(start.id) == moved[won.index(True)]

    def test_an_entry_is_kept_for_30_days_and_its_id_is_free_then(
        self, submissions: Submissions, clock: FakeClock
    ) -> None:
        first, day = entry(clock), today(clock)
        submissions.add(first)
        clock.advance(days=30)
        assert submissions.get(first.id) == first
        clock.advance(1)
        assert submissions.get(first.id) is None
        assert submissions.of_day(day, 10, None).items == []
        second = entry(clock, id=first.id)
        assert submissions.add(second)
        assert submissions.get(first.id) == second


class _Item(Protocol):
    @property
    def id(self) -> str: ...


class _Page(Protocol):
    @property
    def items(self) -> Any: ...

    @property
    def next_cursor(self) -> str | None: ...


class _Shelf(Protocol):
    def of_day(self, day: date, limit: int, cursor: str | None) -> _Page: ...


Put = Callable[..., _Item]


def pages_of(shelf: _Shelf, day: date, limit: int) -> list[list[str]]:
    pages, cursor = [], None
    while True:
        page = shelf.of_day(day, limit, cursor)
        pages.append([item.id for item in page.items])
        cursor = page.next_cursor
        if cursor is None:
            return pages


class ContractOfDays:
    """Lists by day, of deliveries and of submissions alike."""

    @pytest.fixture(params=["deliveries", "submissions"])
    def listed(
        self,
        request: pytest.FixtureRequest,
        repository: Repository,
        outbox: Outbox,
        submissions: Submissions,
        clock: FakeClock,
    ) -> tuple[_Shelf, Put]:
        """A shelf, and what puts one thing more on it, made now."""

        def stored() -> StoredSubmission:
            one = entry(clock)
            assert submissions.add(one)
            return one

        if request.param == "submissions":
            return submissions, stored
        return outbox, lambda: made(repository, outbox, clock)

    def test_newest_first_page_by_page(self, listed: tuple[_Shelf, Put], clock: FakeClock) -> None:
        shelf, put = listed
        ids: list[str] = []
        for _ in range(7):
            ids.insert(0, put().id)
            clock.advance(0.001)
        assert pages_of(shelf, today(clock), 100) == [ids]
        assert pages_of(shelf, today(clock), 7) == [ids]
        pages = pages_of(shelf, today(clock), 3)
        assert [len(page) for page in pages] == [3, 3, 1]
        assert [*chain(*pages)] == ids

    def test_what_came_at_once_is_listed_once(
        self, listed: tuple[_Shelf, Put], clock: FakeClock
    ) -> None:
        shelf, put = listed
        ids = {put().id for _ in range(7)}
        pages = pages_of(shelf, today(clock), 2)
        assert [len(page) for page in pages] == [2, 2, 2, 1]
        assert set(chain(*pages)) == ids

    def test_days_are_chinese_days(self, listed: tuple[_Shelf, Put], clock: FakeClock) -> None:
        shelf, put = listed
        midnight = datetime(2026, 11, 24, 16, tzinfo=UTC)
        clock.advance((midnight - clock.now()).total_seconds() - 0.001)
        last = put()
        clock.advance(0.001)
        first = put()
        assert clock.now().astimezone(CHINA).hour == 0
        assert shelf.of_day(date(2026, 11, 24), 10, None).items == [last]
        assert shelf.of_day(date(2026, 11, 25), 10, None).items == [first]
        empty = shelf.of_day(date(2026, 11, 26), 10, None)
        assert (empty.items, empty.next_cursor) == ([], None)

    def test_a_page_goes_on_behind_what_came_in_between(
        self, listed: tuple[_Shelf, Put], clock: FakeClock
    ) -> None:
        shelf, put = listed
        each = []
        for _ in range(4):
            each.append(put())
            clock.advance(1)
        cursor = shelf.of_day(today(clock), 2, None).next_cursor
        put()
        rest = shelf.of_day(today(clock), 2, cursor)
        assert (rest.items, rest.next_cursor) == ([each[1], each[0]], None)

    def test_a_cursor_is_safe_in_an_address_and_bound_to_its_day(
        self, listed: tuple[_Shelf, Put], clock: FakeClock
    ) -> None:
        shelf, put = listed
        put()
        put()
        cursor = shelf.of_day(today(clock), 1, None).next_cursor
        assert cursor is not None
        assert cursor.replace("-", "").replace("_", "").isalnum()
        with pytest.raises(ValueError, match="cursor"):
            shelf.of_day(today(clock) + timedelta(days=1), 1, cursor)

    def test_a_broken_cursor_is_refused(self, listed: tuple[_Shelf, Put], clock: FakeClock) -> None:
        shelf, _ = listed
        keys = ("x", "#x", "2026-11-24", "9999-12-31T23:59:59Z#x", "2026-11-23T00:00:00.000Z#x")
        encoded = [urlsafe_b64encode(key.encode()).decode().rstrip("=") for key in keys]
        for cursor in (*encoded, "", "x", "!", "é", "_w"):
            with pytest.raises(ValueError, match="cursor"):
                shelf.of_day(today(clock), 1, cursor)


def calls_of(
    outbox: Outbox, submissions: Submissions, clock: FakeClock
) -> list[Callable[[], object]]:
    """One call of each method."""
    fake = FakeRepository(clock)
    delivery, stored = made(fake, fake.outbox, clock), entry(clock)
    return [
        lambda: outbox.get(delivery.id),
        lambda: outbox.replace(attempted(delivery, clock), delivery),
        lambda: outbox.due(clock.now(), 10),
        lambda: outbox.of_day(today(clock), 10, None),
        lambda: outbox.set_disabled("shop", "a", disabled=True),
        lambda: outbox.set_disabled("shop", "a", disabled=False),
        lambda: outbox.is_disabled("shop", "a"),
        lambda: submissions.get(stored.id),
        lambda: submissions.add(stored),
        lambda: submissions.replace(stored_submission.replayed(stored), stored),
        lambda: submissions.of_day(today(clock), 10, None),
    ]


class TestFakes(ContractOfTelling, ContractOfDeliveries, ContractOfSubmissions, ContractOfDays):
    """The fakes keep the contract, and fail as they are told."""

    @pytest.fixture
    def outbox(self, clock: FakeClock) -> FakeOutbox:
        return FakeOutbox(clock)

    @pytest.fixture
    def submissions(self, clock: FakeClock) -> FakeSubmissions:
        return FakeSubmissions(clock)

    @pytest.fixture
    def repository(self, clock: FakeClock, outbox: FakeOutbox) -> FakeRepository:
        return FakeRepository(clock, outbox)

    def test_they_go_down(
        self, outbox: FakeOutbox, submissions: FakeSubmissions, clock: FakeClock
    ) -> None:
        outbox.down = submissions.down = True
        for call in calls_of(outbox, submissions, clock):
            with pytest.raises(UnavailableError):
                call()

    def test_a_write_that_fails_tells_nothing(
        self, repository: FakeRepository, outbox: FakeOutbox, clock: FakeClock
    ) -> None:
        claimed = new(repository, clock, callback_url=URL)
        repository.fail_next = [UnavailableError()]
        with pytest.raises(UnavailableError):
            store(repository, answered(claimed, clock), claimed)
        assert not outbox.items


# DynamoDB's own part


@pytest.fixture
def repository(dynamodb: Dynamodb, wire: Any, clock: FakeClock) -> DynamoRepository:
    return DynamoRepository(wire, dynamodb.table, clock)


@pytest.fixture
def outbox(dynamodb: Dynamodb, wire: Any, clock: FakeClock) -> DynamoOutbox:
    return DynamoOutbox(Table(wire, dynamodb.table, clock), clock)


@pytest.fixture
def submissions(dynamodb: Dynamodb, wire: Any, clock: FakeClock) -> DynamoSubmissions:
    return DynamoSubmissions(Table(wire, dynamodb.table, clock), clock)


class TestDynamo(ContractOfTelling, ContractOfDeliveries, ContractOfSubmissions, ContractOfDays):
    """The adapters keep the contract on every stand-in, even when replies get lost."""

    @pytest.mark.parametrize("how", [lost, undone])
    def test_a_lost_reply_of_an_end_tells_it_once(
        self,
        repository: Repository,
        outbox: Outbox,
        clock: FakeClock,
        wire: Wire,
        how: Callable[[Exception], Callable[[Real], Any]],
    ) -> None:
        each = []
        for error in UNSURE:
            claimed = new(repository, clock, callback_url=URL)
            wire.script["transact_write_items"].append(how(error))
            after = store(repository, answered(claimed, clock), claimed)
            assert repository.get(claimed.id) == after
            assert after.told == 1
            each.append(outbox.get(id_of(after)))
            clock.advance(1)
        assert None not in each
        assert outbox.due(clock.now(), 10) == each

    def test_where_counters_are_contended_the_end_is_told_all_the_same(
        self, repository: Repository, outbox: Outbox, clock: FakeClock, wire: Wire
    ) -> None:
        claimed = new(repository, clock, callback_url=URL)
        wire.script["transact_write_items"].extend([undone(CONTENTION[0])] * 6)
        alone = store(repository, answered(claimed, clock), claimed)
        assert alone.uncounted
        assert repository.get(claimed.id) == alone
        assert [one.id for one in outbox.due(clock.now(), 10)] == [id_of(alone)]

    def test_the_table_holds_what_the_layout_says(
        self,
        repository: Repository,
        outbox: Outbox,
        submissions: Submissions,
        clock: FakeClock,
        dynamodb: Dynamodb,
        wire: Wire,
    ) -> None:
        def rows() -> dict[tuple[str, str], dict[str, Any]]:
            scanned = wire.client.scan(TableName=dynamodb.table)["Items"]
            assert not [row for row in scanned for value in row.values() if "NULL" in value]
            return {(row["PK"]["S"], row["SK"]["S"]): dict(row) for row in scanned}

        delivery, stored = made(repository, outbox, clock), entry(clock)
        submissions.add(stored)
        key = (f"V#{delivery.verification_id}", f"DLV#{delivery.endpoint}#1")
        day, row = today(clock).isoformat(), rows()[key]
        assert row.keys() == {
            *("PK", "SK", "day_shard", "day_sort", "open_shard", "open_due", "verification_id"),
            *("url", "number", "client", "created_at", "due_at", "status", "tries", "revision"),
        }
        shard = row["day_shard"]["S"][-1]
        assert row["day_shard"] == {"S": f"DD#{day}#{shard}"}
        assert row["day_sort"] == {"S": f"{rules.utc(clock.now())}#{delivery.id}"}
        assert row["open_shard"] == {"S": f"DO#{shard}"}
        assert row["open_due"] == {"S": "2026-11-24T04:00:00.000000Z"}
        places = {name: row[name] for name in ("day_shard", "day_sort")}
        clock.advance(days=2.5)
        changed(outbox, delivery, attempted(delivery, clock))
        row = rows()[key]
        assert {name: row[name] for name in places} == places
        assert not row.keys() & {"open_shard", "open_due", "due_at"}
        ends = int((delivery.created_at + timedelta(days=730)).timestamp())
        assert row["ttl"] == {"N": str(ends)}

        outbox.set_disabled("shop", delivery.endpoint, disabled=True)
        found = rows()
        assert found["E#shop", delivery.endpoint].keys() == {"PK", "SK", "disabled_at"}
        row = found[f"F#{stored.id}", "F"]
        assert row["day_shard"]["S"].startswith(f"FD#{day}#")
        assert row["ttl"] == {"N": str(int((stored.created_at + timedelta(days=30)).timestamp()))}
        assert not row.keys() & {"open_shard", "sealed", "missing", "name_masked"}


@pytest.mark.parametrize("dynamodb", [QUICKEST], indirect=True)
class TestFaults:
    """What the adapters make of replies that no stand-in gives by itself."""

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
        name = "no-such-table" if peer == "no-table" else dynamodb.table
        if peer == "denied":
            for operation in ("get_item", "put_item", "delete_item", "query", "batch_get_item"):
                wire.script[operation].extend([undone(refused("AccessDeniedException"))] * 9)
        table = Table(client, name, clock)
        for call in calls_of(DynamoOutbox(table, clock), DynamoSubmissions(table, clock), clock):
            with pytest.raises(UnavailableError) as unavailable:
                call()
            assert name in str(unavailable.value)
            assert unavailable.value.__cause__ is not None
            assert "张" not in str(unavailable.value)

    @pytest.mark.parametrize("how", [lost, undone])
    def test_a_reply_that_stays_away_is_made_good_by_the_next_call(
        self,
        repository: Repository,
        outbox: Outbox,
        submissions: Submissions,
        clock: FakeClock,
        wire: Wire,
        how: Callable[[], Callable[[Real], Any]],
    ) -> None:
        first, stored = made(repository, outbox, clock), entry(clock)
        after, replayed = attempted(first, clock), stored_submission.replayed(stored)
        calls: tuple[Callable[[], bool], ...] = (
            lambda: outbox.replace(after, first),
            lambda: submissions.add(stored),
            lambda: submissions.replace(replayed, stored),
        )
        for call in calls:
            wire.script["put_item"].append(how())
            with pytest.raises(UnavailableError):
                call()
            assert call()
        assert outbox.get(first.id) == after
        assert submissions.get(stored.id) == replayed

    def test_what_the_indexes_still_name_is_passed_over(
        self,
        repository: Repository,
        outbox: Outbox,
        clock: FakeClock,
        dynamodb: Dynamodb,
        wire: Wire,
    ) -> None:
        """They lag behind: one that is gone, one that is delivered, one named twice."""
        gone, done, kept = (made(repository, outbox, clock) for _ in range(3))
        wire.calls.clear()
        outbox.due(clock.now(), 10)
        queries = [request for name, request in wire.calls if name == "query"]
        stale = [wire.client.query(**request)["Items"] for request in queries]
        key = {"PK": f"V#{gone.verification_id}", "SK": f"DLV#{gone.endpoint}#1"}
        wire.client.delete_item(
            TableName=dynamodb.table, Key={name: {"S": text} for name, text in key.items()}
        )
        changed(outbox, done, attempted(done, clock))
        assert len([*chain(*stale)]) == 3
        for items in stale:
            wire.script["query"].append(saying({"Items": items + items}))
        assert outbox.due(clock.now(), 10) == [kept]


class TestRepetitionsByBotocore:
    """What botocore repeats by itself is done once, and counts as done."""

    @pytest.mark.parametrize("lose", [1, 2])
    def test_a_put_meets_itself(
        self,
        dynamodb: Dynamodb,
        line: tuple["DynamoDBClient", Line],
        clock: FakeClock,
        lose: int,
    ) -> None:
        client, broken = line
        table = Table(client, dynamodb.table, clock)
        outbox, submissions = DynamoOutbox(table, clock), DynamoSubmissions(table, clock)
        first = made(DynamoRepository(client, dynamodb.table, clock), outbox, clock)
        stored = entry(clock, sealed=bytes(range(256)), missing=("name",), detail="")
        after, replayed = attempted(first, clock), stored_submission.replayed(stored)
        calls: tuple[Callable[[], bool], ...] = (
            lambda: outbox.replace(after, first),
            lambda: submissions.add(stored),
            lambda: submissions.replace(replayed, stored),
        )
        for call in calls:
            broken.bodies.clear()
            broken.lose = lose
            assert call()
            assert len(broken.bodies) == lose + 1
        broken.lose = lose
        outbox.set_disabled("shop", "a", disabled=True)
        assert outbox.is_disabled("shop", "a")
        assert outbox.get(first.id) == after
        assert submissions.get(stored.id) == replayed

    @pytest.mark.parametrize("lose", [1, 2, 3])
    def test_an_end_is_told_once(
        self,
        dynamodb: Dynamodb,
        line: tuple["DynamoDBClient", Line],
        clock: FakeClock,
        lose: int,
    ) -> None:
        client, broken = line
        repository = DynamoRepository(client, dynamodb.table, clock)
        outbox = DynamoOutbox(Table(client, dynamodb.table, clock), clock)
        claimed = new(repository, clock, callback_url=URL)
        broken.lose = lose
        after = store(repository, answered(claimed, clock), claimed)
        assert repository.get(claimed.id) == after
        assert [one.id for one in outbox.due(clock.now(), 10)] == [id_of(after)]
        assert used(repository, clock, claimed.client).calls == 1
