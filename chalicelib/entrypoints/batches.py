"""Batches: thin, since a cold start of anything else must not pay for what they need."""

from chalice.app import Blueprint, Request

from chalicelib.entrypoints.http import Call, answering

batches = Blueprint(__name__)

_ANY = ["*/*"]


def _request() -> Request:
    return batches.current_request


@batches.route("/v1/batches", methods=["POST"], content_types=_ANY)
@answering(_request, "verify")
def create_batch(call: Call) -> object:
    """Take a small file, or say where a large one is to be put."""
    from chalicelib.entrypoints import batch_views

    return batch_views.create(call)


@batches.route("/v1/batches", methods=["GET"], content_types=_ANY)
@answering(_request, "verify", "admin")
def list_batches(call: Call) -> object:
    """Those of a day, newest first."""
    from chalicelib.entrypoints import batch_views

    return batch_views.listing(call)


@batches.route("/v1/batches/{batch_id}", methods=["GET"], content_types=_ANY)
@answering(_request, "verify", "admin")
def get_batch(call: Call, batch_id: str) -> object:
    """How far it is, and what the rest of it would cost."""
    from chalicelib.entrypoints import batch_views

    return batch_views.get(call, batch_id)


@batches.route("/v1/batches/{batch_id}/pause", methods=["POST"], content_types=_ANY)
@answering(_request, "verify", "admin")
def pause_batch(call: Call, batch_id: str) -> object:
    """Ask nothing more for now."""
    from chalicelib.entrypoints import batch_views

    return batch_views.pause(call, batch_id)


@batches.route("/v1/batches/{batch_id}/resume", methods=["POST"], content_types=_ANY)
@answering(_request, "verify")
def resume_batch(call: Call, batch_id: str) -> object:
    """Ask on, or begin to after a dry run."""
    from chalicelib.entrypoints import batch_views

    return batch_views.resume(call, batch_id)


@batches.route("/v1/batches/{batch_id}/cancel", methods=["POST"], content_types=_ANY)
@answering(_request, "verify", "admin")
def cancel_batch(call: Call, batch_id: str) -> object:
    """Ask nothing more, for good."""
    from chalicelib.entrypoints import batch_views

    return batch_views.cancel(call, batch_id)


@batches.route("/v1/batches/{batch_id}/results", methods=["GET"], content_types=_ANY)
@answering(_request, "verify", "admin")
def batch_results(call: Call, batch_id: str) -> object:
    """How its rows stand now, as CSV."""
    from chalicelib.entrypoints import batch_views

    return batch_views.results(call, batch_id)
