"""How an answer reaches the caller, unharmed or not."""

from collections.abc import Callable, Iterator

from flask import Response

from mock_server.answer import Answer
from mock_server.effects import Effect
from mock_server.wire import Wire

_SERVER = "Kaede/3.5.3.523"
_PADDING = b" " * 65_536
_MS = 1000


def respond(
    answer: Answer, request_id: str, effect: Effect | None, wire: Wire, lost: Callable[[], None]
) -> Response:
    """Build the response; `lost` is called if the caller hangs up while the body drips."""
    kind, value = (effect.kind, effect.value) if effect else ("", 0)
    amount = int(value) if isinstance(value, int) else 0
    match kind:
        case "reset":
            return _broken(wire.reset)
        case "close":
            return _broken(wire.close)
        case "truncated_json":
            wire.close_after_answer()
            return _response(answer, request_id, iter([answer.body[: len(answer.body) // 2]]))
        case "slow_drip":
            return _response(answer, request_id, _drip(answer.body, amount, wire, lost))
        case "oversize":
            return _response(answer, request_id, _padded(answer.body, amount), length=amount)
        case _:
            return _response(answer, request_id)


def hung_up(wire: Wire) -> Response:
    """Build the response for nobody."""
    return _broken(wire.close)


def _response(
    answer: Answer, request_id: str, body: Iterator[bytes] | None = None, length: int | None = None
) -> Response:
    response = Response(answer.body if body is None else body, answer.status)
    response.headers.clear()
    response.headers.extend(answer.headers)
    response.headers["Content-Length"] = str(len(answer.body) if length is None else length)
    response.headers["Server"] = _SERVER
    if not answer.bare:
        response.headers["X-Ca-Request-Id"] = request_id
    return response


def _broken(act: Callable[[], object]) -> Response:
    # In the body, because an exception there passes Flask and ends at the server.
    def body() -> Iterator[bytes]:
        act()
        yield b""

    return Response(body())


def _drip(body: bytes, ms: int, wire: Wire, lost: Callable[[], None]) -> Iterator[bytes]:
    try:
        for i in range(len(body)):
            # Not after the last byte: whoever has it all may hang up.
            if i and not wire.pause(ms / _MS):
                lost()
                return
            yield body[i : i + 1]
    except GeneratorExit:
        lost()
        raise


def _padded(body: bytes, size: int) -> Iterator[bytes]:
    """Give valid JSON of that many bytes: blanks after it; cut where it is too long for them."""
    yield body[:size]
    left = size - len(body)
    while left > 0:
        yield _PADDING[:left]
        left -= len(_PADDING)
