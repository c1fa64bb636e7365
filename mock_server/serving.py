"""uvicorn around the app: a server for tests, in a thread, and for the command line.

The upstream's call is answered in the event loop, straight from `delivery.steps()`: thousands of
calls may hang at once, a caller that hangs up is noticed, and the connection itself can be harmed.
/__admin is Flask's, in threads beside it.
"""

import asyncio
import socket
import threading
from concurrent.futures import Future
from types import TracebackType
from typing import TYPE_CHECKING, Self

import uvicorn
from a2wsgi import WSGIMiddleware

from mock_server.app import world_of
from mock_server.connection import protocol

if TYPE_CHECKING:
    from flask import Flask

    from mock_server.tls import Certificate

_ADMIN_THREADS = 4
_BACKLOG = 1024
_IDLE_SECONDS = 60


class _Uvicorn(uvicorn.Server):
    """uvicorn's, which says when it listens, and whose end waits for no call."""

    def __init__(self, config: uvicorn.Config, listening: "Future[None]") -> None:
        super().__init__(config)
        self._listening = listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        self._listening.set_result(None)

    def end(self) -> None:
        """Hang up on everybody, and stop; safe in any thread."""
        self._loop.call_soon_threadsafe(self._hang_up)

    def _hang_up(self) -> None:
        self.should_exit = True
        for connection in list(self.server_state.connections):
            connection.transport.abort()


class Server:
    """One mock on a port of its own; port 0 takes a free one.

    Use it as a context manager, or `start()` and `stop()`, or `start()` and `serve_forever()`.
    """

    def __init__(
        self,
        app: "Flask",
        host: str = "127.0.0.1",
        port: int = 0,
        tls: "Certificate | None" = None,
    ) -> None:
        self._address = (host, port)
        self._tls = tls
        self._config = uvicorn.Config(
            WSGIMiddleware(app, workers=_ADMIN_THREADS),  # type: ignore[arg-type]
            http=protocol(world_of(app)),
            loop="asyncio",
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=_IDLE_SECONDS,
            timeout_graceful_shutdown=1,
            backlog=_BACKLOG,
        )
        self._socket: socket.socket | None = None
        self._stopping = threading.Event()

    @property
    def url(self) -> str:
        """`http://host:port`, once started."""
        if self._socket is None:
            raise RuntimeError("the server has not been started")
        host, port = self._socket.getsockname()[:2]
        scheme = "https" if self._tls else "http"
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"

    def start(self) -> Self:
        """Listen, and serve in a thread.

        Raises:
            OSError: the address cannot be listened on.
        """
        self._config.load()
        self._config.ssl = self._tls.context() if self._tls else None
        self._socket = _listener(self._address)
        listening: Future[None] = Future()
        self._server = _Uvicorn(self._config, listening)
        self._thread = threading.Thread(target=self._serve, name="mock-server", daemon=True)
        self._thread.start()
        listening.result()
        return self

    def _serve(self) -> None:
        self._server.run([self._socket] if self._socket else None)

    def stop(self) -> None:
        """Stop serving; calls that wait end at once."""
        self._stopping.set()
        self._server.end()
        self._thread.join()

    def serve_forever(self) -> None:
        """Wait for `request_stop()`, then stop."""
        self._stopping.wait()
        self.stop()

    def request_stop(self) -> None:
        """Have `serve_forever()` return; safe in a signal handler."""
        self._stopping.set()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.stop()


def _listener(address: tuple[str, int]) -> socket.socket:
    """Listen; raises OSError."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    # TCP by its number: only then does asyncio turn off Nagle's algorithm, which would hold each
    # answer's second segment back for 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener
