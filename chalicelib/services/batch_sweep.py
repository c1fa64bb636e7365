"""The sweeper's part in batches: what nobody came back for is sent again, ended, or deleted."""

from dataclasses import dataclass

from chalicelib.domain import batch as rules
from chalicelib.domain import events
from chalicelib.domain.batch import ENDED, Batch, BatchStatus, FileProblem
from chalicelib.services.batch_ports import Batching
from chalicelib.services.batches import complete_if_done, delete_files, send_run
from chalicelib.services.verify import Tools

_NEVER_CAME = "No file was put within the time for it. Make a new batch."
_NOT_READ = (
    "The file could not be read in time. Make a new batch, of a smaller file if it is large."
)
_LAY_TOO_LONG = (
    "Its files have lain for seven days and are deleted. The rows that have no end were not asked; "
    "make a new batch of them."
)


@dataclass(slots=True)
class SweptBatches:
    """How many batches were sent to the workers again, ended, and rid of their files."""

    sent: int = 0
    ended: int = 0
    deleted: int = 0


def sweep(*, tools: Tools, batching: Batching, limit: int = 100) -> SweptBatches:
    """One round over what is due; raises UnavailableError."""
    swept = SweptBatches()
    for batch in batching.batches.due(tools.clock.now(), limit):
        _settle(batch, swept, tools, batching)
    return swept


def _settle(batch: Batch, swept: SweptBatches, tools: Tools, batching: Batching) -> None:
    now = tools.clock.now()
    if batch.status in ENDED:
        delete_files(batch, batching)
        swept.deleted += 1
    elif complete_if_done(batch, tools=tools, batching=batching):
        swept.ended += 1
    elif batch.status is BatchStatus.AWAITING_UPLOAD:
        _fail(batch, _NEVER_CAME, swept, tools, batching)
    elif batch.status is BatchStatus.SPLITTING:
        _fail(batch, _NOT_READ, swept, tools, batching)
    elif batch.files_until <= now:
        _fail(batch, _LAY_TOO_LONG, swept, tools, batching)
    elif batch.status is BatchStatus.PAUSED:
        _send(rules.resume(batch, now), batch, swept, tools, batching)
    elif batch.progress.at is not None and batch.progress.at + rules.STALLED_TIME > now:
        later = rules.look_later(batch, batch.progress.at + rules.STALLED_TIME)
        batching.batches.replace(later, batch)
    else:
        _send(rules.send_again(batch, now), batch, swept, tools, batching)


def _send(
    after: Batch, batch: Batch, swept: SweptBatches, tools: Tools, batching: Batching
) -> None:
    # Not if it was moved since it was read: a human may have paused it for good.
    if batching.batches.replace(after, batch):
        tools.tell(events.batch_moved(after))
        send_run(after, tools, batching)
        swept.sent += 1


def _fail(batch: Batch, why: str, swept: SweptBatches, tools: Tools, batching: Batching) -> None:
    failed = rules.fail(batch, FileProblem("batch_file_unreadable", why), tools.clock.now())
    if batching.batches.replace(failed, batch):
        tools.tell(events.batch_moved(failed))
        delete_files(failed, batching)
        swept.ended += 1
