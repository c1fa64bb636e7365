"""Batches as their owners handle them: made, looked at, paused, resumed, cancelled.

A batch is written down first and its file put afterwards, so that no file lies in the bucket that
nobody knows of. What moves a batch is a conditional write, so that of two at once one wins and the
other one looks again.
"""

import secrets as randomness
from collections.abc import Callable, Container
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from chalicelib.domain import batch as rules
from chalicelib.domain import events
from chalicelib.domain.batch import Batch, BatchStatus, FileLayout, Pause
from chalicelib.domain.batch_messages import Dispatch
from chalicelib.domain.errors import (
    BatchStateError,
    IdempotencyKeyReusedError,
    NotFoundError,
    ServiceUnavailableError,
)
from chalicelib.domain.secret import Client, Secret, id_from
from chalicelib.services.batch_ports import Batching, BatchPage, Upload
from chalicelib.services.lookup import filled
from chalicelib.services.ports import UnavailableError
from chalicelib.services.verify import Tools


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """A batch as its owner asks for it; ``content`` is a small file, None if it is put later."""

    layout: FileLayout
    content: bytes | None = None
    max_age_seconds: int = 0
    dry_run: bool = False
    label: str | None = None
    idempotency_key: str | None = None


class Made(NamedTuple):
    """A batch, and whether it came about just now."""

    batch: Batch
    new: bool


def create(request: BatchRequest, *, client: Client, tools: Tools, batching: Batching) -> Made:
    """Write it down, and put its file if it came along.

    Raises IdempotencyKeyReusedError; ServiceUnavailableError, after which the same key goes on
    where this ended.
    """
    try:
        draft = _draft(request, client, tools)
        new = batching.batches.add(draft)
        found = draft if new else batching.batches.get(draft.id) or draft
        if found.fingerprint != draft.fingerprint:
            raise IdempotencyKeyReusedError(
                "This Idempotency-Key came before with another file or other options; use a new "
                "key for a new batch."
            )
        if found.status is BatchStatus.AWAITING_UPLOAD:
            if found.layout_key is not None:
                batching.files.put(found.layout_key, request.layout.text())
            if request.content is not None:
                batching.files.put(found.upload_key, request.content)
    except UnavailableError as exc:
        raise ServiceUnavailableError(
            "A part of the service is out of reach. Nothing is asked yet; post again with the "
            "same Idempotency-Key."
        ) from exc
    return Made(found, new)


def _draft(request: BatchRequest, client: Client, tools: Tools) -> Batch:
    key, layout = request.idempotency_key, request.layout
    secret: Secret = tools.secrets.current()
    return rules.new(
        Batch(
            id=id_from(randomness.token_bytes(17), "bat")
            if key is None
            else secret.batch_id(client.name, key),
            client=client.name,
            created_at=tools.clock.now(),
            status=BatchStatus.AWAITING_UPLOAD,
            format=layout.format,
            fingerprint=None
            if key is None
            else secret.fingerprint(
                layout.format,
                None if layout.columns is None else sorted(layout.columns.items()),
                layout.sheet,
                layout.encoding,
                None if request.content is None else request.content.hex(),
                request.max_age_seconds,
                request.dry_run,
                request.label,
            ),
            label=request.label,
            max_age_seconds=request.max_age_seconds,
            dry_run=request.dry_run,
            inline=request.content is not None,
        ),
        layout,
    )


def upload(batch: Batch, *, tools: Tools, batching: Batching) -> Upload | None:
    """Where its file is to be put, while that is waited for."""
    left = (batch.upload_until - tools.clock.now()).total_seconds()
    if batch.inline or batch.status is not BatchStatus.AWAITING_UPLOAD or left < 1:
        return None
    return batching.files.upload(batch.upload_key, int(left))


def get(batch_id: str, *, client: Client, batching: Batching) -> Batch:
    """One batch; raises NotFoundError, for another client's as well."""
    found = batching.batches.get(batch_id)
    if found is None or not _may_see(found, client):
        raise NotFoundError("There is no such batch for this client.")
    return found


def _may_see(batch: Batch, client: Client) -> bool:
    return "admin" in client.scopes or batch.client == client.name


def listing(
    day: date, *, limit: int, cursor: str | None, client: Client, batching: Batching
) -> BatchPage:
    """Those of a day, newest first; a page can be short, or empty, before the last.

    Raises ValueError for a broken cursor.
    """

    def some(limit: int, cursor: str | None) -> tuple[list[Batch], str | None]:
        page = batching.batches.of_day(day, limit, cursor)
        return [*page.items], page.next_cursor

    return BatchPage(*filled(some, lambda found: _may_see(found, client), limit, cursor))


def pause(batch_id: str, *, client: Client, tools: Tools, batching: Batching) -> Batch:
    """Ask nothing more until it is resumed; rows that are being asked get their end.

    Raises NotFoundError, BatchStateError.
    """
    get(batch_id, client=client, batching=batching)
    return _moved(
        batch_id, lambda found: rules.pause(found, Pause(rules.REQUESTED)), tools, batching
    )


def resume(batch_id: str, *, client: Client, tools: Tools, batching: Batching) -> Batch:
    """Ask on, or begin to after a dry run; raises NotFoundError, BatchStateError."""
    get(batch_id, client=client, batching=batching)
    resumed = _moved(
        batch_id, lambda found: rules.resume(found, tools.clock.now()), tools, batching
    )
    send_run(resumed, tools, batching)
    return resumed


def send_run(batch: Batch, tools: Tools, batching: Batching) -> None:
    """Have the run that it is in sent; the sweeper does, should this get lost."""
    with suppress(UnavailableError):
        batching.rows.send(Dispatch(batch.id, batch.run, correlation=tools.correlation))


def cancel(batch_id: str, *, client: Client, tools: Tools, batching: Batching) -> Batch:
    """Ask nothing more, and delete its files; what was asked stays.

    Raises NotFoundError, BatchStateError.
    """
    found = get(batch_id, client=client, batching=batching)
    if found.status is BatchStatus.CANCELLED:
        return found
    cancelled = _moved(
        batch_id, lambda found: rules.cancel(found, tools.clock.now()), tools, batching
    )
    return delete_files(cancelled, batching)


def _moved(
    batch_id: str, change: Callable[[Batch], Batch], tools: Tools, batching: Batching
) -> Batch:
    after = move(batch_id, change, batching)
    if after is None:
        raise BatchStateError("The batch is gone.")
    tools.tell(events.batch_moved(after))
    return after


def move(
    batch_id: str,
    change: Callable[[Batch], Batch],
    batching: Batching,
    fitting: Container[BatchStatus] = frozenset(BatchStatus),
) -> Batch | None:
    """Change it as it stands now; None if it is gone or its status does not fit.

    Raises what ``change`` does, and UnavailableError.
    """
    while True:
        found = batching.batches.get(batch_id)
        if found is None or found.status not in fitting:
            return None
        after = change(found)
        if batching.batches.replace(after, found):
            return after


def delete_files(batch: Batch, batching: Batching) -> Batch:
    """Delete what lies in the bucket of one that ended; the sweeper tries again if that fails."""
    try:
        batching.files.delete(batch.files)
        after = rules.files_deleted(batch)
        return after if batching.batches.replace(after, batch) else batch
    except UnavailableError:
        return batch


def complete_if_done(batch: Batch, *, tools: Tools, batching: Batching) -> bool:
    """End it if every row has its end; whether that is so."""
    if not batch.all_done:
        return False
    fitting = {BatchStatus.RUNNING, BatchStatus.PAUSED}
    ended = move(
        batch.id, lambda found: rules.complete(found, tools.clock.now()), batching, fitting
    )
    if ended is not None:
        tools.tell(events.batch_moved(ended))
        delete_files(ended, batching)
    return True
