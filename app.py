"""The Lambda application: registers the HTTP blueprints and holds the event handlers."""

import gc

# What is imported stays, so looking through it again and again meanwhile would be in vain.
gc.disable()

import math
import sys
from collections.abc import Callable
from dataclasses import asdict

from chalice.app import Chalice, CloudWatchEvent, Rate, SQSEvent

from chalicelib import bootstrap
from chalicelib.entrypoints.api import api
from chalicelib.entrypoints.batches import batches
from chalicelib.entrypoints.books import books
from chalicelib.entrypoints.compat import compat
from chalicelib.entrypoints.errors import as_problem, with_correlation_id
from chalicelib.entrypoints.queue import work_off
from chalicelib.entrypoints.records import records
from chalicelib.entrypoints.webhooks import webhooks
from chalicelib.services.deliver import send_due
from chalicelib.services.sweep import sweep as sweep_due

# The log is ours: chalice would write errors only, and what an exception says.
bootstrap.log_to(sys.stdout)
app = Chalice(app_name="eryaosu", configure_logs=False)
# Multipart has to survive API Gateway; urlencoded and JSON are texts.
app.api.binary_types.append("multipart/form-data")
app.register_blueprint(api)
app.register_blueprint(books)
app.register_blueprint(compat)
app.register_blueprint(records)
app.register_blueprint(webhooks)
app.register_blueprint(batches)
app.register_middleware(with_correlation_id, "http")
app.register_middleware(as_problem, "http")


def _scheduled(event: CloudWatchEvent) -> bootstrap.Container:
    return bootstrap.container().traced(bootstrap.trace(event.event_id))


def _seconds_left(event: SQSEvent) -> Callable[[], float]:
    left = getattr(event.context, "get_remaining_time_in_millis", lambda: math.inf)
    return lambda: left() / 1000


@app.schedule(Rate(1, unit=Rate.MINUTES))
def sweep(event: CloudWatchEvent) -> dict[str, int]:
    """Give what nobody came back for its end, and count what was not counted."""
    from chalicelib.services.batch_sweep import sweep as sweep_batches

    container = _scheduled(event)
    swept = sweep_due(tools=container.tools)
    batches_swept = sweep_batches(tools=container.tools, batching=container.batching())
    return asdict(swept) | asdict(batches_swept)


@app.schedule(Rate(1, unit=Rate.MINUTES))
def sender(event: CloudWatchEvent) -> dict[str, int]:
    """Send on the results that are due."""
    return send_due(tools=_scheduled(event).tools)._asdict()


@app.on_sqs_message(queue="verifications", batch_size=10)
def worker(event: SQSEvent) -> dict[str, object]:
    """Ask what was accepted; what could not be worked on comes again."""
    return work_off(event.to_dict()["Records"], _seconds_left(event))


@app.on_sqs_message(queue="rows", batch_size=1)
def row_worker(event: SQSEvent) -> dict[str, object]:
    """Ask rows of a batch; what could not be worked on comes again."""
    from chalicelib.entrypoints.batch_events import work_off_rows

    return work_off_rows(event.to_dict()["Records"], _seconds_left(event))


@app.on_cw_event(
    {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"object": {"key": [{"prefix": "uploads/"}]}},
    }
)
def splitter(event: CloudWatchEvent) -> None:
    """Read an uploaded file; a failure is Lambda's to repeat."""
    from chalicelib.entrypoints.batch_events import split_upload

    split_upload(event.event_id, event.detail)


bootstrap.preload()
gc.freeze()
gc.enable()
