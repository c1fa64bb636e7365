"""The Lambda application: registers the HTTP blueprints and holds the event handlers."""

import gc

# What is imported stays, so looking through it again and again meanwhile would be in vain.
gc.disable()

import math
import sys
from dataclasses import asdict

from chalice.app import Chalice, CloudWatchEvent, Rate, SQSEvent

from chalicelib import bootstrap
from chalicelib.entrypoints.alerts import alerts
from chalicelib.entrypoints.api import api
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
app.register_blueprint(alerts)
app.register_blueprint(api)
app.register_blueprint(books)
app.register_blueprint(compat)
app.register_blueprint(records)
app.register_blueprint(webhooks)
app.register_middleware(with_correlation_id, "http")
app.register_middleware(as_problem, "http")


def _scheduled(event: CloudWatchEvent) -> bootstrap.Container:
    return bootstrap.container().traced(bootstrap.trace(event.event_id))


@app.schedule(Rate(1, unit=Rate.MINUTES))
def sweep(event: CloudWatchEvent) -> dict[str, int]:
    """Give what nobody came back for its end, and count what was not counted."""
    return asdict(sweep_due(tools=_scheduled(event).tools))


@app.schedule(Rate(1, unit=Rate.MINUTES))
def sender(event: CloudWatchEvent) -> dict[str, int]:
    """Send on the results that are due."""
    return send_due(tools=_scheduled(event).tools)._asdict()


@app.schedule(Rate(1, unit=Rate.MINUTES))
def watch(event: CloudWatchEvent) -> dict[str, int]:
    """Tell the owner what has to be known before it hurts."""
    from chalicelib.services import watch as watching

    container = _scheduled(event)
    return watching.watch(tools=container.tools, watching=container.watching())._asdict()


@app.on_sqs_message(queue="verifications", batch_size=10)
def worker(event: SQSEvent) -> dict[str, object]:
    """Ask what was accepted; what could not be worked on comes again."""
    left = getattr(event.context, "get_remaining_time_in_millis", lambda: math.inf)
    return work_off(event.to_dict()["Records"], lambda: left() / 1000)


bootstrap.preload()
gc.freeze()
gc.enable()
