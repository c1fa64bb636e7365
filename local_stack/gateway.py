"""API Gateway's place on a laptop: chalice's local server, made quick, strict and quiet.

Chalice's own server sends headers and body in two packets, which costs 44 ms a request with
Nagle's algorithm against delayed acknowledgements, and answers an unknown path in API Gateway's
words. Here answers are buffered, and every refusal is a problem document, as the deployed
gateway is told to give it.
"""

import base64
import logging
import re
import threading
import uuid
from collections.abc import Callable
from http import HTTPStatus
from http.server import ThreadingHTTPServer
from typing import Any

from chalice.app import Chalice
from chalice.config import Config
from chalice.local import (
    ChaliceRequestHandler,
    LambdaEventConverter,
    LocalChalice,
    LocalGatewayException,
    RouteMatcher,
)

from chalicelib.domain.errors import (
    MalformedRequestError,
    NotFoundError,
    PayloadTooLargeError,
    ServiceError,
)
from chalicelib.entrypoints.errors import respond

MAX_BODY = 10 * 1024 * 1024
"""What API Gateway lets through at most, in bytes."""

_MAX_LINE = 1024
_HEX = re.compile(rb"[0-9A-Fa-f]{1,8}")

logger = logging.getLogger("eryaosu.local")


class _Events(LambdaEventConverter):
    """Bodies as API Gateway hands them on: base64 for binary types, text for all others."""

    def __init__(self, app: Chalice) -> None:
        super().__init__(RouteMatcher(list(app.routes)))
        self._binary = frozenset(app.api.binary_types)

    def create_lambda_event(
        self, method: str, path: str, headers: dict[str, str], body: bytes | None = None
    ) -> dict[str, Any]:
        """The event of one request; what is no UTF-8 in a text is lost, as it is there."""
        event: dict[str, Any] = super().create_lambda_event(method, path, headers)
        event["requestContext"]["requestId"] = str(uuid.uuid4())
        if body is not None:
            kind = event["headers"].get("content-type", "").partition(";")[0].strip().lower()
            binary = kind in self._binary
            event["isBase64Encoded"] = binary
            event["body"] = (
                base64.b64encode(body).decode("ascii")
                if binary
                else body.decode("utf-8", "replace")
            )
        return event


class _Handler(ChaliceRequestHandler):
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = 60

    def setup(self) -> None:
        """Read requests as API Gateway does."""
        super().setup()
        self.local_gateway.event_converter = self.server.events

    def parse_request(self) -> bool:
        """Refuse what API Gateway would not hand on."""
        if not super().parse_request():
            return False
        try:
            self._body = self._read_body()
        except ServiceError as refusal:
            self._send_problem(refusal)
            self.wfile.flush()
            self.close_connection = True
            return False
        return True

    def _read_body(self) -> bytes | None:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return self._read_chunks()
        length = self.headers.get("Content-Length", "0")
        if not length.isascii() or not length.isdigit():
            raise MalformedRequestError("Content-Length: must be the number of the body's bytes.")
        return self._read(int(length), 0) or None

    def _read_chunks(self) -> bytes:
        """A chunked body, which API Gateway would put together as well."""
        body = b""
        while True:
            size = self.rfile.readline(_MAX_LINE).partition(b";")[0].strip()
            if not _HEX.fullmatch(size):
                raise MalformedRequestError("The body's chunks cannot be read.")
            if not int(size, 16):
                break
            body += self._read(int(size, 16), len(body))
            self.rfile.readline(_MAX_LINE)
        while self.rfile.readline(_MAX_LINE).strip():
            pass  # trailers mean nothing here
        return body

    def _read(self, size: int, before: int) -> bytes:
        if before + size > MAX_BODY:
            raise PayloadTooLargeError(f"The body must have at most {MAX_BODY} bytes.")
        body: bytes = self.rfile.read(size)
        return body

    def _parse_payload(self) -> tuple[dict[str, Any], bytes | None]:
        # Of a header that is repeated the last one counts, as in API Gateway's event.
        return {name: value for name, value in self.headers.items()}, self._body  # noqa: C416

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # as object's own
        """``http.server`` looks for ``do_METHOD``: the app answers for every method."""
        if name.startswith("do_"):
            return self.do_GET
        raise AttributeError(name)

    def _send_error_response(self, error: LocalGatewayException) -> None:
        self._send_problem(NotFoundError("There is no such path; /docs lists them."))

    def _send_problem(self, problem: ServiceError) -> None:
        response = respond(problem)
        self._send_http_response(
            response.status_code, dict(response.headers), str(response.body).encode()
        )

    def _send_http_response_no_body(self, code: int, headers: dict[str, Any]) -> None:
        if code == HTTPStatus.NO_CONTENT:
            self.send_response(code)
            self._send_headers(headers)
        else:
            super()._send_http_response_no_body(code, headers)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the HTTP parser refuses is a problem document as well, never an HTML page."""
        self.close_connection = True
        if not hasattr(self, "requestline"):
            self.requestline = ""
        self.request_version = "HTTP/1.1"
        self.command = getattr(self, "command", None) or ""
        self._send_problem(MalformedRequestError("This is not a request that HTTP/1.1 allows."))

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Method and status only: a path may hold a form's token, or a person."""
        logger.debug("%s %s", self.command, code)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # http.server's name
        """A caller that was too slow is no news."""


class _Server(ThreadingHTTPServer):
    events: _Events
    request_queue_size = 128
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """A caller that hung up is no news."""
        logger.debug("a connection ended early")


class ApiServer:
    """The chalice app on a threaded server; ``url`` is known once it is made.

    Raises OSError for a port that is taken.
    """

    def __init__(self, app: Chalice, host: str = "127.0.0.1", port: int = 0) -> None:
        # As ``chalice local`` does: the current request belongs to a thread.
        app.__class__ = LocalChalice
        config = Config.create(lambda_timeout=29)
        try:
            self._server = _Server((host, port), _handler_for(app, config))
        except OSError as exc:
            raise OSError(exc.errno, f"cannot listen on {host}:{port}: {exc.strerror}") from exc
        self._server.events = _Events(app)
        self.url = f"http://{host}:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def start(self) -> "ApiServer":
        """Serve in the background."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Take no more connections."""
        self._server.shutdown()
        self._server.server_close()


def _handler_for(app: Chalice, config: Config) -> Callable[..., _Handler]:
    def handler(request: Any, client_address: Any, server: Any) -> _Handler:  # noqa: ANN401
        return _Handler(request, client_address, server, app_object=app, config=config)

    return handler
