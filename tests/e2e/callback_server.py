"""The endpoint of whoever wants the results: keeps what it is told, and can be made to fail."""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from standardwebhooks import Webhook

from tests.e2e.conftest import until

GOOD = 204


@dataclass(frozen=True)
class Told:
    """One request as it came; ``headers`` by name in lower case."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def data(self) -> Any:
        return json.loads(self.body)["data"]

    def verified(self, secret: str) -> Any:
        """The body, once the reference implementation took signature and time."""
        return Webhook(secret).verify(self.body, dict(self.headers))

    def is_signed(self, secret: str) -> bool:
        """The same, by a receiver whose clock goes as the sender's does."""
        stamp = datetime.fromtimestamp(int(self.headers["webhook-timestamp"]), UTC)
        signature = Webhook(secret).sign(self.id, stamp, self.body.decode())
        return self.headers["webhook-signature"] == signature


class CallbackServer:
    """A server on loopback; ``status`` is its answer to all, None hangs up without any."""

    def __init__(self) -> None:
        self.status: int | None = GOOD
        self.told: list[Told] = []
        self.refused: list[Told] = []
        self._server = _Server(self._take)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def _take(self, told: Told) -> int | None:
        status = self.status
        (self.told if status == GOOD else self.refused).append(told)
        return status

    def at(self, path: str) -> list[Told]:
        """What it was told there, and took."""
        return [told for told in self.told if told.path == path]

    def about(self, verification_id: str) -> list[Told]:
        """What it was told of a verification, and took."""
        return [told for told in self.told if told.data["verification_id"] == verification_id]

    def first_about(self, verification_id: str) -> Told:
        """The first of it, once it comes."""
        return until(lambda: self.about(verification_id))[0]

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, take: Callable[[Told], int | None]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.take = take


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, _Server)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        status = server.take(Told(self.path, headers, body))
        if status is not None:
            self.send_response(status)
            self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # http.server's name
        """Quiet."""
