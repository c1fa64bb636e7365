"""What was paid for and what is left; what answers is loaded by the first call."""

from chalice.app import Blueprint, Request

from chalicelib.entrypoints.http import Call, answering

books = Blueprint(__name__)

_ANY = ["*/*"]


def _request() -> Request:
    return books.current_request


@books.route("/v1/packages", methods=["POST"], content_types=_ANY)
@answering(_request, "admin")
def post_package(call: Call) -> object:
    """Record what was bought."""
    from chalicelib.entrypoints import bookkeeping

    return bookkeeping.recorded(call)


@books.route("/v1/packages", methods=["GET"], content_types=_ANY)
@answering(_request, "admin")
def list_packages(call: Call) -> object:
    """The packages and what is left of them."""
    from chalicelib.entrypoints import bookkeeping

    return bookkeeping.outlook(call)


@books.route("/v1/packages/{package_id}", methods=["DELETE"], content_types=_ANY)
@answering(_request, "admin")
def delete_package(call: Call, package_id: str) -> object:
    """Take out what was recorded wrongly."""
    from chalicelib.entrypoints import bookkeeping

    return bookkeeping.removed(call, package_id)


@books.route("/v1/packages/advice", methods=["GET"], content_types=_ANY)
@answering(_request, "admin")
def get_advice(call: Call) -> object:
    """What to buy next."""
    from chalicelib.entrypoints import bookkeeping

    return bookkeeping.advice(call)


@books.route("/v1/usage/reconcile", methods=["POST"], content_types=_ANY)
@answering(_request, "admin")
def reconcile_usage(call: Call) -> object:
    """Compare with the seller's console."""
    from chalicelib.entrypoints import bookkeeping

    return bookkeeping.compared(call)


@books.route("/v1/export", methods=["GET"], content_types=_ANY)
@answering(_request, "read")
def export_verifications(call: Call) -> object:
    """Verifications as CSV."""
    from chalicelib.entrypoints import bookkeeping

    return bookkeeping.exported(call)
