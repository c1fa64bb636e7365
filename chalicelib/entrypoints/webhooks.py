"""Forms' webhooks; what answers them is loaded by the first one."""

from chalice.app import Blueprint, Response

webhooks = Blueprint(__name__)


@webhooks.route("/hooks/{source}", methods=["POST"], content_types=["*/*"])
def hook(source: str) -> Response:
    """An entry whose request is signed, or carries a secret."""
    return _answered(source, None)


@webhooks.route("/hooks/{source}/{token}", methods=["POST"], content_types=["*/*"])
def hook_with_token(source: str, token: str) -> Response:
    """An entry of a vendor that signs nothing."""
    return _answered(source, token)


def _answered(source: str, token: str | None) -> Response:
    from chalicelib.entrypoints.hook import answered

    return answered(webhooks.current_request, source, token)
