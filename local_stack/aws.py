"""AWS on a laptop: moto's server in this process, one request at a time.

moto's DynamoDB has no lock: conditional writes let two winners through and transactions lose
acknowledged writes. One lock around all of it is what makes it keep its word. moto keeps what it
stores in the process, so two servers in one process show the same things, and share the lock.
"""

import logging
import threading
from concurrent.futures import Future
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Self

from cheroot import wsgi
from cheroot.server import HTTPConnection

if TYPE_CHECKING:
    import socket
    from types import TracebackType
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

logger = logging.getLogger("eryaosu.local")

_HOST = "127.0.0.1"
# They read and write beside the one request that is served.
_THREADS = 10
_BACKLOG = 1024
# Longer than a client keeps a connection, so that none is closed under its next request.
_IDLE_SECONDS = 300

_one_at_a_time = threading.Lock()


class AwsServer:
    """DynamoDB, KMS and Secrets Manager in memory, on loopback; port 0 takes a free one.

    Use it as a context manager, or ``start()`` and ``stop()``. It keeps no process alive.
    """

    def __init__(self, port: int = 0) -> None:
        self._server = _Cheroot(
            (_HOST, port),
            _locked,
            numthreads=_THREADS,
            request_queue_size=_BACKLOG,
            timeout=_IDLE_SECONDS,
        )
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """``http://127.0.0.1:<port>``, once started."""
        return f"http://{_HOST}:{self._server.bind_addr[1]}"

    def start(self) -> Self:
        """Listen, and serve in a thread; raises OSError for a port that is taken."""
        listening: Future[None] = Future()
        # cheroot's workers are made in this thread and inherit that it is a daemon.
        self._thread = threading.Thread(
            target=self._serve, args=(listening,), name="aws", daemon=True
        )
        self._thread.start()
        listening.result()
        _moto()
        return self

    def _serve(self, listening: "Future[None]") -> None:
        try:
            self._server.prepare()
        except Exception as exc:  # noqa: BLE001  # raised again by the one who waits
            listening.set_exception(exc)
            return
        listening.set_result(None)
        self._server.serve()

    def stop(self) -> None:
        """Stop serving; what is stored stays until the process ends."""
        if self._thread is not None:
            self._server.stop()
            self._thread.join()
            self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: "TracebackType | None",
    ) -> None:
        self.stop()


class _Connection(HTTPConnection):
    """cheroot's, which leaves its writer to the garbage collector, unsent bytes and all.

    The collector then flushes into a closed socket, and Python 3.13 says so on stderr.
    """

    def close(self) -> None:
        """Close the socket, and the writer with whatever nobody is there to take."""
        super().close()
        with suppress(OSError):
            self.wfile.close()


class _Cheroot(wsgi.Server):
    ConnectionClass = _Connection
    nodelay = True
    keep_alive_conn_limit = 10_000
    expiration_interval = 0.1  # how soon a stop is seen

    @staticmethod
    def bind_socket(socket_: "socket.socket", bind_addr: tuple[str, int]) -> "socket.socket":
        try:
            socket_.bind(bind_addr)
        except OSError:
            socket_.close()  # cheroot would leave it open
            raise
        return socket_

    def error_log(self, msg: str = "", level: int = logging.INFO, traceback: bool = False) -> None:  # noqa: FBT001, FBT002
        logger.log(level, msg, exc_info=traceback)


@cache
def _moto() -> "WSGIApplication":
    # Most of a second to import, and only this server needs it.
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    return DomainDispatcherApplication(create_backend_app)


def _locked(environ: "WSGIEnvironment", start_response: "StartResponse") -> list[bytes]:
    with _one_at_a_time:
        answer = _moto()(environ, start_response)
        try:
            return list(answer)
        finally:
            close = getattr(answer, "close", None)
            if close is not None:
                close()
