"""The upstream's calls in uvicorn's event loop, each with the connection it came by.

Not through ASGI: that would put the names of the answer's headers in lower case, while callers are
out there who look for `X-Ca-Error-Code` by that spelling; and it has no way to break a connection.
"""

import asyncio
import logging
import re
import socket
import struct
from functools import lru_cache
from http import HTTPStatus

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from mock_server import admin, answer, call, delivery
from mock_server.answer import Headers
from mock_server.call import MAX_BODY
from mock_server.delivery import Break, Pause, Send, Steps
from mock_server.gateway_errors import TABLE
from mock_server.world import World, new_request_id

log = logging.getLogger("mock_server")

_UPGRADE = re.compile(rb"\r\n(?i:Upgrade):[^\r\n]*")
# The parser takes no longer one, be it shorter than the gateway's own limit.
_PARSABLE_URL = 65_535
_RST_ON_CLOSE = struct.pack("ii", 1, 0)


def protocol(world: World) -> type[HttpToolsProtocol]:
    """Give uvicorn's protocol, with the upstream's calls answered by that world."""

    class Protocol(HttpToolsProtocol):
        def data_received(self, data: bytes) -> None:
            awaits_head = self.cycle is None or self.cycle.response_complete
            super().data_received(_without_offer(data) if awaits_head else data)

        def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
            if admin.owns(cycle.scope["path"]):
                super()._start_asgi_task(cycle, app)
                return
            task = self.loop.create_task(_answer(world, _Connection(cycle)))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

        def send_400_response(self, msg: str) -> None:  # noqa: ARG002  # the gateway's words instead
            code = "I413UL" if len(self.url) > _PARSABLE_URL else "I400PA"
            refusal = answer.gateway(TABLE[code], world.setup.options.gateway)
            head = _beginning(refusal.status, refusal.headers)
            mark = b"X-Ca-Request-Id: %b\r\n" % new_request_id().encode()
            self.transport.write(
                b"%bContent-Length: 0\r\n%bConnection: close\r\n\r\n" % (head, mark)
            )
            self.transport.close()

    return Protocol


def _without_offer(data: bytes) -> bytes:
    """Take the offer of another protocol out of a request's head, as a server may that has none.

    Java's HttpClient offers h2c with its first request, and the parser then takes the body for
    the other protocol's.
    """
    if b"pgrade:" not in data:
        return data
    head, blank_line, body = data.partition(b"\r\n\r\n")
    return _UPGRADE.sub(b"", head) + blank_line + body


class _Connection:
    """The connection under one request, and what of the request comes by it."""

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle

    async def call(self) -> call.Call | None:
        """Read the request to its end; None when its caller hung up before that."""
        cycle, total = self._cycle, 0
        chunks: list[bytes] = []
        more = True
        while more:
            message = await cycle.receive()
            if message["type"] != "http.request":
                return None
            total += len(message["body"])
            if total <= MAX_BODY:
                chunks.append(message["body"])
            more = message["more_body"]
        scope = cycle.scope
        return call.build(
            scope["method"],
            scope["path"],
            scope["query_string"].decode("latin-1"),
            scope["headers"],  # type: ignore[arg-type]  # a list, whatever ASGI promises
            b"".join(chunks) if total <= MAX_BODY else None,
        )

    async def pause(self, seconds: float) -> bool:
        """Wait; False as soon as the caller has hung up."""
        try:
            # The request is read: all that can come is the news that its caller is gone.
            await asyncio.wait_for(self._cycle.receive(), seconds)
        except TimeoutError:
            return True
        return False

    def send(self, step: Send) -> None:
        """Write status, headers and what of the body goes with them."""
        cycle, sent = self._cycle, step.answer
        ((_, date),) = cycle.default_headers
        cycle.response_started = True
        cycle.transport.write(
            b"%bContent-Length: %d\r\nDate: %b\r\n%b%b\r\n%b"
            % (
                _beginning(sent.status, sent.headers),
                step.length,
                date,
                b"" if sent.bare else b"X-Ca-Request-Id: %b\r\n" % step.request_id.encode(),
                b"" if cycle.keep_alive else b"Connection: close\r\n",
                step.body,
            )
        )

    async def write(self, chunk: bytes) -> bool:
        """Write more of the body; False when the caller has hung up."""
        if self._cycle.flow.write_paused:
            await self._cycle.flow.drain()
        if self._cycle.disconnected:
            return False
        self._cycle.transport.write(chunk)
        return True

    def finish(self) -> None:
        """Take the next request, as uvicorn does after an answer."""
        cycle = self._cycle
        cycle.response_complete = True
        if not cycle.keep_alive:
            cycle.transport.close()
        cycle.on_response()

    def drop(self, *, reset: bool = False) -> None:
        """Close after what is written; by a TCP RST, at once, with `reset`."""
        transport = self._cycle.transport
        if not reset:
            transport.close()
            return
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST_ON_CLOSE)
        transport.abort()


async def _answer(world: World, connection: _Connection) -> None:
    request = await connection.call()
    if request is None:
        return
    steps = delivery.steps(world, request)
    try:
        await _carry_out(steps, connection)
    except Exception:
        log.exception("a call could not be answered")
        connection.drop()
    finally:
        steps.close()


async def _carry_out(steps: Steps, connection: _Connection) -> None:
    begun: Send | None = None
    stayed: bool | None = None
    while True:
        try:
            step = steps.send(stayed)
        except StopIteration:
            break
        stayed = None
        match step:
            case Send():
                begun = step
                connection.send(step)
            case bytes():
                if not await connection.write(step):
                    return
            case Pause(seconds):
                stayed = await connection.pause(seconds)
            case Break(reset):
                connection.drop(reset=reset)
                return
    if begun is not None:
        connection.drop() if begun.cut else connection.finish()


@lru_cache(maxsize=256)
def _beginning(status: int, headers: Headers) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in (*headers, delivery.SERVER))
    return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n{lines}".encode("latin-1")
