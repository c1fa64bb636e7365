"""Batches and the ends of their rows as DynamoDB items and back.

A chunk of 20 rows takes about 1 kB where each has a verification.
"""

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from chalicelib.adapters.keys import BATCHES, batch_key, chunk_key, day_place, open_place
from chalicelib.adapters.notation import Item, epoch, fields_of, item_of, moment_of
from chalicelib.domain.batch import (
    Batch,
    BatchStatus,
    Chunk,
    FileProblem,
    Pause,
    Progress,
    RowEnd,
    progress_of,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef


def batch_item(
    batch: Batch, *, shards: int, record_days: int
) -> "dict[str, AttributeValueTypeDef]":
    """The batch with its places in the two indexes and its end of retention."""
    paused, problem = batch.paused, batch.problem
    over = batch.due_at is None and batch.ended_at is not None
    fields = item_of(
        {
            **day_place(batch.id, batch.created_at, shards, BATCHES),
            **(
                open_place(batch.id, batch.due_at, shards, BATCHES)
                if batch.due_at is not None
                else {}
            ),
            "ttl": epoch(batch.ended_at + timedelta(days=record_days))
            if over and batch.ended_at
            else None,
            "client": batch.client,
            "created_at": batch.created_at,
            "status": batch.status,
            "revision": batch.revision,
            "due_at": batch.due_at,
            "fingerprint": batch.fingerprint,
            "label": batch.label,
            "format": batch.format,
            "layout_key": batch.layout_key,
            "max_age_seconds": batch.max_age_seconds or None,
            "dry_run": batch.dry_run,
            "inline": batch.inline,
            "files": batch.files,
            "rows_key": batch.rows_key,
            "index_key": batch.index_key,
            "chunks": batch.chunks or None,
            "run": batch.run or None,
            "total": batch.total or None,
            "hopeless": batch.hopeless or None,
            "duplicates": batch.duplicates or None,
            "flaws": dict(batch.flaws) or None,
            "paused": None if paused is None else paused._asdict(),
            "problem": None if problem is None else problem._asdict(),
            "started_at": batch.started_at,
            "ended_at": batch.ended_at,
        }
    )
    return {**batch_key(batch.id), **fields}


def batch_of(item: Item, counters: Item | None) -> Batch:
    """The batch that an item holds, and what is counted of it."""
    fields = fields_of(item)
    paused, problem = fields.get("paused"), fields.get("problem")
    return Batch(
        id=fields["PK"][2:],
        client=fields["client"],
        created_at=datetime.fromisoformat(fields["created_at"]),
        status=BatchStatus(fields["status"]),
        format=fields["format"],
        layout_key=fields.get("layout_key"),
        revision=fields["revision"],
        due_at=moment_of(fields.get("due_at")),
        fingerprint=fields.get("fingerprint"),
        label=fields.get("label"),
        max_age_seconds=fields.get("max_age_seconds", 0),
        dry_run=fields.get("dry_run", False),
        inline=fields.get("inline", False),
        files=tuple(fields.get("files", ())),
        rows_key=fields.get("rows_key"),
        index_key=fields.get("index_key"),
        chunks=fields.get("chunks", 0),
        run=fields.get("run", 0),
        total=fields.get("total", 0),
        hopeless=fields.get("hopeless", 0),
        duplicates=fields.get("duplicates", 0),
        flaws=fields.get("flaws", {}),
        paused=None if paused is None else Pause(paused["cause"], moment_of(paused.get("until"))),
        problem=None
        if problem is None
        else FileProblem(problem["code"], problem["detail"], problem.get("row")),
        started_at=moment_of(fields.get("started_at")),
        ended_at=moment_of(fields.get("ended_at")),
        progress=_progress_of(counters),
    )


def _progress_of(item: Item | None) -> Progress:
    if item is None:
        return Progress()
    fields = fields_of(item)
    return progress_of(fields, moment_of(fields.get("at")))


def chunk_item(chunk: Chunk, *, ttl: int) -> "dict[str, AttributeValueTypeDef]":
    """The ends as one text: their attributes' names would take more room than they do."""
    fields = {
        "start": chunk.start,
        "end": chunk.end,
        "next_row": chunk.next_row,
        "ends": json.dumps(
            [_short(end) for end in chunk.ends], ensure_ascii=False, separators=(",", ":")
        ),
        "ttl": ttl,
    }
    return {**chunk_key(chunk.batch_id, chunk.row), **item_of(fields)}


def _short(end: RowEnd) -> list[object]:
    """Without what is empty at its end."""
    values: list[object] = list(end)
    while values[-1] in {"", None}:
        values.pop()
    return values


def chunk_of(item: Item) -> Chunk:
    """The chunk that an item holds."""
    fields = fields_of(item)
    return Chunk(
        batch_id=fields["PK"][2:],
        row=int(fields["SK"][2:]),
        start=fields["start"],
        end=fields["end"],
        ends=tuple(RowEnd(*end) for end in json.loads(fields["ends"])),
        next_row=fields.get("next_row"),
    )
