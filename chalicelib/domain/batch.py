"""A batch: a file of people, asked one by one; its states, and what is counted of it.

    awaiting_upload ──▶ splitting ──▶ checked ──▶ running ⇄ paused
                            │        (dry run)      │        │
                            └────────────────────▶  ├────────┘
                                                    ▼
    completed    every row has its end
    cancelled    by a human: what was asked stays, nothing more is asked
    failed       the file cannot be read, or lay for too long; says why

Every transition is a function from a batch to the next one and counts ``revision`` up, which is
what a conditional write compares. ``run`` counts how often its rows were sent to the workers: a
message of an earlier run does nothing. A row's end is written once, in a ``Chunk``, and counted in
the same transaction; the paid call itself is a verification's business.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from chalicelib.domain.errors import BatchStateError

MAX_UPLOAD = 200 * 1024 * 1024
MAX_INLINE = 4 * 1024 * 1024
CHUNK_ROWS = 20
"""Rows that a worker is given at once: some seconds of calls."""

FILES_TIME = timedelta(days=7)
"""How long a batch's files may lie in the bucket, whose lifecycle says the same."""

UPLOAD_TIME = timedelta(hours=1)
"""How long the address for an upload is good."""

SPLIT_TIME = timedelta(minutes=50)
"""Longer than the splitter's three tries together; after that it is taken for dead."""

STALLED_TIME = timedelta(minutes=15)
"""A running batch in which nothing moves for so long is sent to the workers again."""

REQUESTED = "requested"
"""The cause of a pause that a human asked for."""


class BatchStatus(StrEnum):
    """Where a batch stands."""

    AWAITING_UPLOAD = "awaiting_upload"
    SPLITTING = "splitting"
    CHECKED = "checked"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"


ENDED = frozenset({BatchStatus.COMPLETED, BatchStatus.CANCELLED, BatchStatus.FAILED})

OUTCOMES = ("match", "mismatch", "no_record", "unknown", "failed", "hopeless", "duplicate")
"""How a row can end: an outcome, no outcome, or never asked."""

BILLED = ("yes", "no", "unknown")


@dataclass(frozen=True, slots=True)
class FileLayout:
    """How the file is to be read; what is None is found out by the reader."""

    format: str
    columns: Mapping[str, str | int] | None = None
    sheet: str | None = None
    encoding: str | None = None

    def text(self) -> bytes:
        """As it lies in the bucket."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def of(cls, text: bytes) -> "FileLayout":
        """The layout of a text that ``text`` made."""
        return cls(**json.loads(text))


class Pause(NamedTuple):
    """Why nothing is asked; ``until`` None means until a human resumes it."""

    cause: str
    until: datetime | None = None


class FileProblem(NamedTuple):
    """Why a batch failed; ``row`` as a spreadsheet numbers it, where one row is to blame."""

    code: str
    detail: str
    row: int | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """What the ended rows add up to, and when the last ones were written."""

    done: int = 0
    outcomes: Mapping[str, int] = field(default_factory=dict)
    billed: Mapping[str, int] = field(default_factory=dict)
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Times are aware; ``rows_key`` and ``index_key`` name the objects of the winning splitter.

    ``layout_key`` is that of its layout, where it is more than a format: in a column's title,
    too, somebody may have typed a person. ``files`` are all objects that may lie in the bucket
    because of it. ``due_at`` is when the sweeper has to look at it, None when nothing is left.
    """

    id: str
    client: str
    created_at: datetime
    status: BatchStatus
    format: str
    revision: int = 1
    due_at: datetime | None = None
    fingerprint: str | None = None
    label: str | None = None
    max_age_seconds: int = 0
    dry_run: bool = False
    inline: bool = False
    layout_key: str | None = None
    files: tuple[str, ...] = ()
    rows_key: str | None = None
    index_key: str | None = None
    chunks: int = 0
    run: int = 0
    total: int = 0
    hopeless: int = 0
    duplicates: int = 0
    flaws: Mapping[str, int] = field(default_factory=dict)
    paused: Pause | None = None
    problem: FileProblem | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    progress: Progress = field(default_factory=Progress)

    @property
    def upload_key(self) -> str:
        """Where its file is put."""
        return f"{UPLOADS}{self.id}"

    @property
    def files_until(self) -> datetime:
        """When its files are gone at the latest."""
        return self.created_at + FILES_TIME

    @property
    def upload_until(self) -> datetime:
        """Until when a file may be put."""
        return self.created_at + UPLOAD_TIME

    @property
    def payable(self) -> int:
        """Rows that lead to a call, unless an earlier outcome serves."""
        return self.total - self.hopeless - self.duplicates

    @property
    def all_done(self) -> bool:
        """Whether every row has its end."""
        return self.rows_key is not None and self.progress.done >= self.total


UPLOADS = "uploads/"


class Split(NamedTuple):
    """What the splitter found, and where it wrote it."""

    rows_key: str
    index_key: str
    chunks: int
    total: int
    hopeless: int
    duplicates: int
    flaws: Mapping[str, int]


def new(batch: Batch, layout: FileLayout | None = None) -> Batch:
    """One that waits for its file."""
    simple = layout is None or layout == FileLayout(batch.format)
    layout_key = None if simple else f"layouts/{batch.id}"
    return replace(
        batch,
        status=BatchStatus.AWAITING_UPLOAD,
        layout_key=layout_key,
        files=(batch.upload_key,) if layout_key is None else (batch.upload_key, layout_key),
        # A little later than the address for it: an upload may just have begun.
        due_at=batch.upload_until + UPLOAD_TIME,
    )


def split_begun(batch: Batch, files: tuple[str, ...], now: datetime) -> Batch:
    """A splitter has it, and may write these; a later one takes it over, since nothing is paid."""
    _refuse_unless(batch, BatchStatus.AWAITING_UPLOAD, BatchStatus.SPLITTING)
    return replace(
        _next(batch),
        status=BatchStatus.SPLITTING,
        files=(*batch.files, *files),
        due_at=now + SPLIT_TIME,
    )


def split_done(batch: Batch, split: Split, now: datetime) -> Batch:
    """Its rows are known; a dry run stops here."""
    _refuse_unless(batch, BatchStatus.SPLITTING)
    found = replace(batch, **split._asdict())
    if batch.dry_run:
        return replace(_next(found), status=BatchStatus.CHECKED, due_at=batch.files_until)
    return _running(found, now)


def resume(batch: Batch, now: datetime) -> Batch:
    """Ask on, or begin to after a dry run; raises BatchStateError."""
    _refuse_unless(batch, BatchStatus.CHECKED, BatchStatus.PAUSED)
    return _running(batch, now)


def send_again(batch: Batch, now: datetime) -> Batch:
    """To be sent once more for the rows that have no end yet; raises BatchStateError.

    The run stays as it is. What was sent before may only wait behind another list, and would all
    be in vain under a new one, again and again.
    """
    _refuse_unless(batch, BatchStatus.RUNNING)
    return look_later(batch, now + STALLED_TIME)


def _running(batch: Batch, now: datetime) -> Batch:
    return replace(
        _next(batch),
        status=BatchStatus.RUNNING,
        run=batch.run + 1,
        paused=None,
        started_at=batch.started_at or now,
        due_at=_sooner(now + STALLED_TIME, batch.files_until),
    )


def look_later(batch: Batch, when: datetime) -> Batch:
    """Nothing to do with it before then."""
    return replace(_next(batch), due_at=_sooner(when, batch.files_until))


def pause(batch: Batch, why: Pause) -> Batch:
    """Ask nothing more for now; what a human asked for is not undone by time.

    Raises BatchStateError.
    """
    _refuse_unless(batch, BatchStatus.RUNNING, BatchStatus.PAUSED)
    return replace(
        _next(batch),
        status=BatchStatus.PAUSED,
        paused=why,
        due_at=_sooner(why.until or batch.files_until, batch.files_until),
    )


def complete(batch: Batch, now: datetime) -> Batch:
    """Every row has its end; raises BatchStateError."""
    _refuse_unless(batch, BatchStatus.RUNNING, BatchStatus.PAUSED)
    return _ended(batch, BatchStatus.COMPLETED, now)


def cancel(batch: Batch, now: datetime) -> Batch:
    """Nothing more is asked; raises BatchStateError for one that ended."""
    _refuse_unless(batch, *(set(BatchStatus) - ENDED))
    return _ended(batch, BatchStatus.CANCELLED, now)


def fail(batch: Batch, problem: FileProblem, now: datetime) -> Batch:
    """Its file cannot be worked on; raises BatchStateError for one that ended."""
    _refuse_unless(batch, *(set(BatchStatus) - ENDED))
    return replace(_ended(batch, BatchStatus.FAILED, now), problem=problem)


def files_deleted(batch: Batch) -> Batch:
    """Nothing of it lies in the bucket any more."""
    return replace(_next(batch), files=(), due_at=None)


def _ended(batch: Batch, status: BatchStatus, now: datetime) -> Batch:
    # Due at once, should whoever ends it not come to delete its files.
    return replace(_next(batch), status=status, paused=None, ended_at=now, due_at=now)


def _next(batch: Batch) -> Batch:
    return replace(batch, revision=batch.revision + 1)


def _sooner(one: datetime, other: datetime) -> datetime:
    return min(one, other)


def _refuse_unless(batch: Batch, *fitting: BatchStatus) -> None:
    if batch.status not in fitting:
        raise BatchStateError(f"This does not fit a batch whose status is {batch.status.value}.")


class RowEnd(NamedTuple):
    """How a row ended, as it is kept; a verification says itself whom it is about.

    ``duplicate_of`` is the row whose verification it is, 0 if that is none of this batch.
    Masked forms are kept only where there is no verification.
    """

    number: int
    reference: str = ""
    verification_id: str = ""
    duplicate_of: int | None = None
    flaw: str = ""
    name_masked: str = ""
    id_number_masked: str = ""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Ends of rows that follow one another; ``row`` is the first, ``start`` to ``end`` its bytes.

    ``next_row`` is the number of the row behind it, where the worker knew it.
    """

    batch_id: str
    row: int
    start: int
    end: int
    ends: tuple[RowEnd, ...]
    next_row: int | None = None


def tally(words: "list[tuple[str, str]]") -> Mapping[str, int]:
    """Counters of rows that ended, each given as (a word of OUTCOMES, a word of BILLED).

    >>> tally([("match", "yes"), ("duplicate", "no")])["done"]
    2
    """
    counters: Counter[str] = Counter({"done": len(words)})
    for outcome, billed in words:
        counters[f"outcome#{outcome}"] += 1
        counters[f"billed#{billed}"] += 1
    return counters


def progress_of(counters: Mapping[str, int], at: datetime | None) -> Progress:
    """What counters named as in ``tally`` add up to."""
    return Progress(
        counters.get("done", 0),
        {word: counters.get(f"outcome#{word}", 0) for word in OUTCOMES},
        {word: counters.get(f"billed#{word}", 0) for word in BILLED},
        at,
    )


REFERENCE_MARK = ":"


def row_reference(batch_id: str, number: int) -> str:
    """What the verification of a row is called."""
    return f"{batch_id}{REFERENCE_MARK}{number}"


def row_of(reference: str | None, batch_id: str) -> int:
    """The row of this batch that a verification was made for; 0 for any other's.

    >>> row_of("bat_1:17", "bat_1"), row_of("order-9", "bat_1")
    (17, 0)
    """
    batch, _, number = (reference or "").rpartition(REFERENCE_MARK)
    return int(number) if batch == batch_id and number.isdigit() else 0
