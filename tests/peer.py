"""A peer that a decent server cannot play: it does to each connection whatever a test wants."""

import gzip
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import TracebackType
from typing import Self


class Peer:
    """A listener that does ``behave`` on each connection, for as long as it returns True."""

    def __init__(
        self, behave: Callable[[socket.socket], object], tls: ssl.SSLContext | None = None
    ) -> None:
        self.behave = behave
        self.requests: list[bytes] = []
        self.accepted = 0
        self.dripped_out = False
        self.stopping = threading.Event()
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.stopping.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        self._listener.close()
        for sock in self._open:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            self._open.append(sock)
            thread = threading.Thread(target=self._serve, args=(sock,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, plain: socket.socket) -> None:
        sock = plain
        with suppress(OSError):
            if self._tls:
                sock = self._tls.wrap_socket(plain, server_side=True)
                self._open.append(sock)
            while (request := read_request(sock)) is not None:
                self.requests.append(request)
                if self.behave(sock) is not True:
                    break
        for each in (sock, plain):
            with suppress(OSError):
                each.shutdown(socket.SHUT_WR)
            each.close()


def read_request(sock: socket.socket) -> bytes | None:
    data = b""
    while True:
        head, found, body = data.partition(b"\r\n\r\n")
        if found:
            lengths = [
                int(line.split(b":")[1])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length")
            ]
            if len(body) >= sum(lengths):
                return data
        more = sock.recv(65_536)
        if not more:
            return None
        data += more


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


@contextmanager
def silent() -> Iterator[tuple[str, int]]:
    """An address that neither takes nor refuses connections: its backlog is full."""
    with socket.socket() as listener, ExitStack() as waiting:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(8):
            sock = waiting.enter_context(socket.socket())
            sock.setblocking(False)
            sock.connect_ex(listener.getsockname())
        yield listener.getsockname()


def drip(peer: Peer, head: bytes, again: bytes) -> Callable[[socket.socket], None]:
    """Send ``head`` at once, then ``again`` bit by bit, until nobody listens or all is out."""

    def behave(sock: socket.socket) -> None:
        sock.sendall(head)
        for _ in range(300):
            if peer.stopping.wait(0.02):
                return
            sock.sendall(again)
        peer.dripped_out = True

    return behave


# What is sent at once, and what drips after it.
DRIPS = {
    "status line": (b"", b"H"),
    "headers": (b"HTTP/1.1 200 OK\r\nX-Header: ", b"a"),
    "header lines": (b"HTTP/1.1 200 OK\r\n", b"A:b\r\n"),
    "continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "body": (b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n{", b" "),
    "body without length": (b"HTTP/1.1 200 OK\r\n\r\n{", b" "),
    "chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "chunk size": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
    "gzip": (
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"")[:10],
        b"\x00\x00\x00\xff\xff",
    ),
}
