"""How a question's bytes travel: in time, over a fresh enough connection, and never twice.

requests' timeouts are for one read each, so an answer that drips in never meets them. Here every
read of an answer gets what is left of the whole, which needs no thread and no timer. Until
``connect`` is through, TLS included, no byte of a question can have left: NotSentError says so.

Nothing in this module logs, and what urllib3 logs is kept free of the answer's bytes.
"""

import io
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from http.client import HTTPResponse
from typing import Any, NamedTuple, Protocol, Self
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3 import HTTPResponse as RawResponse
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.util.ssl_ import create_urllib3_context

MAX_CONNECTIONS = 32

Guard = Callable[[Sequence[str]], None]


class NotSentError(Exception):
    """No byte of the question left; ``kind`` is the class of what went wrong."""

    def __init__(self, text: str, kind: type[Exception] = Exception) -> None:
        super().__init__(text)
        self.kind = kind


class _Moment(NamedTuple):
    """A moment on two clocks: either may stand still or jump while a container is frozen."""

    monotonic: float
    wall: float

    @classmethod
    def now(cls) -> Self:
        """This moment."""
        return cls(time.monotonic(), time.time())

    def ago(self) -> float:
        """Seconds since, by the clock that saw more."""
        return max(time.monotonic() - self.monotonic, time.time() - self.wall)


class _Readable(Protocol):
    def readinto(self, buffer: memoryview, /) -> int | None: ...
    def close(self) -> None: ...


class _UntilDeadline(io.RawIOBase):
    """A socket's bytes, each read allowed only what is left until ``ends``."""

    def __init__(self, raw: _Readable, sock: socket.socket, ends: float) -> None:
        self._raw = raw
        self._sock = sock
        self._ends = ends

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int | None:  # type: ignore[override]
        left = self._ends - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        super().close()
        self._raw.close()


class _Reply(HTTPResponse):
    """An answer that has to be there by ``ends``, headers and body."""

    def __init__(self, sock: socket.socket, *, method: str | None, ends: float) -> None:
        super().__init__(sock, method=method)
        self.fp = io.BufferedReader(_UntilDeadline(self.fp.detach(), sock, ends))

    def begin(self) -> None:
        """Forget what is malformed in the headers: urllib3 would log it word by word."""
        super().begin()
        self.msg.defects = []
        self.msg.set_payload("")


class _Connection(HTTPConnection):
    """One that connects in time, is not reused when stale, and reads until a deadline."""

    def __init__(
        self, *args: object, max_idle: float, guard: Guard | None, **kwargs: object
    ) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self._max_idle = max_idle
        self._guard = guard
        self._last_answer: _Moment | None = None

    @property
    def is_connected(self) -> bool:
        """Asked before each reuse. One closed by idling fails after the question left."""
        if self._last_answer is None or self._last_answer.ago() >= self._max_idle:
            return False
        return super().is_connected

    def connect(self) -> None:
        """Whatever fails in here, nothing was sent; neither is it by one that comes too late."""
        began, allowed = _Moment.now(), self.timeout or 0.0
        try:
            super().connect()
        except (OSError, ValueError, RuntimeError, HTTPError) as error:
            raise NotSentError(type(error).__name__, type(error)) from None
        if began.ago() > allowed:
            self.close()
            raise NotSentError("connected too late", TimeoutError)

    def _new_conn(self) -> socket.socket:
        """Every address gets its share of the time; urllib3 would give all of it to each.

        The addresses that the guard saw are the ones that are connected to: nothing asks again.
        """
        allowed = self.timeout or 0.0
        ends = time.monotonic() + allowed
        found = _addresses(self._dns_host.strip("[]"), self.port, allowed)
        if self._guard:
            self._guard([str(address[0]) for *_, address in found])
        failed: type[OSError] = OSError
        for position, (family, kind, proto, _, address) in enumerate(found):
            left = ends - time.monotonic()
            try:
                sock = socket.socket(family, kind, proto)
            except OSError:
                continue
            try:
                for option in self.socket_options or ():
                    sock.setsockopt(*option)
                sock.settimeout(max(left / (len(found) - position), 0.001))
                sock.connect(address)
                sock.settimeout(max(ends - time.monotonic(), 0.001))
            except OSError as error:
                failed = type(error)
                sock.close()
            else:
                return sock
        raise failed("no address could be reached")

    def getresponse(self) -> RawResponse:  # type: ignore[override]  # as urllib3 does
        """The timeout is by now what urllib3 counts to be left of the whole."""
        ends = time.monotonic() + (self.timeout or 0.0)
        self.response_class = partial(_Reply, ends=ends)  # type: ignore[assignment]
        response = super().getresponse()
        self._last_answer = _Moment.now()
        return response


class _TlsConnection(_Connection, HTTPSConnection):
    """The same over TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


def trusting() -> ssl.SSLContext:
    """What verifies certificates and host names."""
    context = create_urllib3_context()
    context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    return context


class Transport(HTTPAdapter):
    """requests' way to one host, without its session.

    ``guard`` sees the host's addresses before one is connected to, and raises to refuse them.

    A session reads proxies, netrc and certificates from the environment, keeps cookies, and reads
    the whole body of a redirect even where it must not follow it.
    """

    def __init__(
        self,
        url: str,
        max_idle: float,
        *,
        guard: Guard | None = None,
        context: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(max_retries=0)
        parts = urlsplit(url)
        host = parts.hostname or ""
        ways: dict[str, Any] = {"maxsize": MAX_CONNECTIONS, "max_idle": max_idle, "guard": guard}
        self._pool: HTTPConnectionPool
        if parts.scheme == "https":
            # Made once: requests reads the authorities anew for each connection, some 10 ms each.
            context = context or trusting()
            self._pool = _TlsPool(host, parts.port, ssl_context=context, **ways)
        else:
            self._pool = _Pool(host, parts.port, **ways)

    def get_connection_with_tls_context(
        self,
        request: requests.PreparedRequest,  # noqa: ARG002 - the signature is requests'
        verify: bool | str | None,  # noqa: ARG002, FBT001
        proxies: Mapping[str, str] | None = None,  # noqa: ARG002
        cert: tuple[str, str] | str | None = None,  # noqa: ARG002
    ) -> HTTPConnectionPool:
        """The one pool, whatever the environment says."""
        return self._pool

    def cert_verify(self, conn: object, url: object, verify: object, cert: object) -> None:
        """Left to the pool's context, which verifies certificate and host name."""

    def close(self) -> None:
        """Close what is kept alive."""
        super().close()
        self._pool.close()


_Address = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[object, ...]]


def _addresses(host: str, port: int, seconds: float) -> Sequence[_Address]:
    """Every address of the host; in a thread, because the resolver knows no timeout.

    A resolver that hangs holds its thread until it gives up by itself, which it always does.
    """
    try:
        return socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST)
    except socket.gaierror:
        pass
    found: queue.SimpleQueue[Sequence[_Address] | Exception] = queue.SimpleQueue()

    def resolve() -> None:
        try:
            found.put(socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM))
        except Exception as error:  # noqa: BLE001 - handed to whoever waits
            found.put(error)

    threading.Thread(target=resolve, name="resolve", daemon=True).start()
    try:
        result = found.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError("the name was not resolved in time") from None
    if isinstance(result, Exception):
        raise result
    return result
