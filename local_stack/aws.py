"""AWS on a laptop: moto's server in this process, one request at a time.

moto's DynamoDB has no lock: conditional writes let two winners through and transactions lose
acknowledged writes. One lock around the whole application is what makes it keep its word.
"""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Self

from cheroot import wsgi

if TYPE_CHECKING:
    from types import TracebackType
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

# They read and write beside the one request that is served.
_THREADS = 10
_BACKLOG = 1024
# Longer than a client keeps a connection, so that none is closed under its next request.
_IDLE_SECONDS = 300


class _Cheroot(wsgi.Server):
    nodelay = True
    keep_alive_conn_limit = 10_000
    expiration_interval = 0.1


class AwsServer:
    """DynamoDB, KMS and Secrets Manager, in memory; port 0 takes a free one.

    ``start()`` and ``stop()`` it, or use it as a context manager. It holds no process open.
    """

    def __init__(self, port: int = 0) -> None:
        self._address = ("127.0.0.1", port)
        self._server: _Cheroot | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """``http://127.0.0.1:<port>``, once started."""
        if self._server is None:
            raise RuntimeError("the server is not started")
        return f"http://127.0.0.1:{self._server.bind_addr[1]}"

    def start(self) -> Self:
        """Listen, and serve in a thread; raises OSError for a port that is taken."""
        self._server = server = _Cheroot(
            self._address,
            one_at_a_time(_moto),
            numthreads=_THREADS,
            request_queue_size=_BACKLOG,
            timeout=_IDLE_SECONDS,
        )
        ready: Future[None] = Future()
        self._thread = threading.Thread(
            target=_serve, args=(server, ready), name="aws", daemon=True
        )
        self._thread.start()
        ready.result()
        return self

    def stop(self) -> None:
        """Stop serving and forget everything that was stored in this server's moto."""
        if self._server is None or self._thread is None:
            return
        self._server.stop()
        self._thread.join()
        self._server = self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: "TracebackType | None",
    ) -> None:
        self.stop()
