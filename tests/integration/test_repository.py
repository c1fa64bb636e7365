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


_days = count()


@pytest.fixture
def clock() -> FakeClock:
    """A day of its own for each test: they share a table."""
    start = datetime(2026, 1, 1, 4, 0, 0, 123456, tzinfo=UTC)
    return FakeClock(start + timedelta(days=2_000 * next(_days)))
