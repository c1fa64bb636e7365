"""cheroot around the app: a server for tests, in a thread, and for the command line."""

import errno
import logging
import selectors
import socket
import struct
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self

from cheroot import wsgi
from cheroot.server import HTTPConnection
from cheroot.workers import threadpool

from mock_server.wire import ENVIRON_KEY

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

log = logging.getLogger("mock_server")

# Threads are cheap while they wait, and a hanging call keeps one.
_THREADS = 160
_BACKLOG = 1024
# How soon a waiting call sees that its caller hung up, and a stop is seen by the listener.
_SLICE_SECONDS = 0.1
_IDLE_SECONDS = 60
_MOMENT_SECONDS = 0.0001
_RST_ON_CLOSE = struct.pack("ii", 1, 0)


class _SocketWire:
    """The connection under one request of cheroot's."""

    def __init__(self, req: Any, stopping: threading.Event) -> None:  # noqa: ANN401
        self._req = req
        self._stopping = stopping

    def pause(self, seconds: float) -> bool:
        """Wait; ends early, False, when the caller has hung up, and at once at a stop."""
        left = seconds
        while left > 0 and not self._stopping.wait(min(left, _SLICE_SECONDS)):
            left -= _SLICE_SECONDS
            if self._hung_up():
                return False
        return not self._hung_up()

    def reset(self) -> NoReturn:
        """Close without the usual farewell, so that the kernel sends an RST."""
        connection = self._req.conn
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST_ON_CLOSE)
        # Keeps cheroot from shutting the socket down first, which would send a FIN.
        connection.linger = True
        connection.socket.close()
        self.close()

    def close(self) -> NoReturn:
        """Have cheroot close the connection with nothing more sent."""
        self._req.sent_headers = True
        raise ConnectionResetError(errno.ECONNRESET, "closed on purpose")

    def close_after_answer(self) -> None:
        """Have cheroot close the connection after the answer."""
        self._req.close_connection = True

    def _hung_up(self) -> bool:
        sock = self._req.conn.socket
        with selectors.DefaultSelector() as selector:
            selector.register(sock, selectors.EVENT_READ)
            readable = bool(selector.select(0))
        try:
            return readable and sock.recv(1, socket.MSG_PEEK) == b""
        except OSError:
            return True


class _Gateway(wsgi.Gateway_10):
    """Puts the connection into the environ, for the faults that happen to it."""

    def __init__(self, req: Any) -> None:  # noqa: ANN401
        super().__init__(req)
        self.env[ENVIRON_KEY] = _SocketWire(req, req.server.stopping)


class _Threads(threadpool.ThreadPool):
    """cheroot's, which would sleep for 0.1 s at each start because one thread is not up yet."""

    def _spawn_worker(self) -> Any:  # noqa: ANN401
        worker = super()._spawn_worker()  # type: ignore[misc]  # not in its stubs
        while not worker.ready:
            time.sleep(_MOMENT_SECONDS)
        return worker


class Connection(HTTPConnection):
    """cheroot's, which leaves its writer to the garbage collector, unsent bytes and all.

    The collector then flushes into a closed socket, and Python 3.13 says so on stderr.
    """

    def close(self) -> None:
        """Close the socket, and the writer with whatever nobody is there to take."""
        super().close()
        with suppress(OSError):
            self.wfile.close()


class _Cheroot(wsgi.Server):
    """cheroot, set up for many calls at once of which some hang."""

    ConnectionClass = Connection
    keep_alive_conn_limit = 100_000
    expiration_interval = _SLICE_SECONDS

    def __init__(self, address: tuple[str, int], app: "WSGIApplication") -> None:
        super().__init__(address, app, request_queue_size=_BACKLOG, timeout=_IDLE_SECONDS)
        self.requests = _Threads(self, min=_THREADS)
        self.gateway = _Gateway
        self.stopping = threading.Event()

    def error_log(self, msg: str = "", level: int = logging.INFO, traceback: bool = False) -> None:  # noqa: FBT001, FBT002
        log.log(level, msg, exc_info=traceback)


class Server:
    """One mock on a port of its own.

    Use it as a context manager, or `start()` and `stop()`, or `start()` and `serve_forever()`.
    """

    def __init__(self, app: "WSGIApplication", host: str = "127.0.0.1", port: int = 0) -> None:
        self._server = _Cheroot((host, port), app)
        self._thread = threading.Thread(target=self._server.serve, name="mock-server", daemon=True)

    @property
    def url(self) -> str:
        """`http://host:port`, once started."""
        host, port = self._server.bind_addr[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def start(self) -> Self:
        """Listen, and serve in a thread.

        Raises:
            OSError: the address cannot be listened on.
        """
        self._server.prepare()
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop serving; calls that wait end at once."""
        self._server.stopping.set()
        self._server.stop()
        self._thread.join()

    def serve_forever(self) -> None:
        """Wait for `request_stop()`, then stop."""
        self._server.stopping.wait()
        self.stop()

    def request_stop(self) -> None:
        """Have `serve_forever()` return; safe in a signal handler."""
        self._server.stopping.set()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.stop()
