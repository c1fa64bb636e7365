"""The part of /__admin that holds no data, and so is anyone's: the page, the OpenAPI document."""

from pathlib import Path

from flask import Response, jsonify, send_from_directory
from werkzeug.exceptions import NotFound

_FOLDER = Path(__file__).parent / "ui"
_INDEX = "index.html"
# Not guessed: some systems take .js for plain text, and a browser then runs no module.
_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def index() -> Response:
    """Give the page."""
    return part(_INDEX)


def part(name: str) -> Response:
    """Give one file of the page."""
    mimetype = _TYPES.get(Path(name).suffix)
    if mimetype is None:
        raise NotFound
    response = send_from_directory(_FOLDER, name, mimetype=mimetype, etag=False)
    del response.headers["Last-Modified"]
    response.headers.update(_HEADERS)
    return response


def document() -> Response:
    """Give the OpenAPI document."""
    from mock_server import openapi

    return jsonify(openapi.document())
