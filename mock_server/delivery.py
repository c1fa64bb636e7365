"""How an answer reaches the caller, unharmed or not: steps for whoever holds the connection.

`steps()` decides and books; the server carries its steps out. After a Pause it sends back whether
the caller stayed; when the caller hangs up later it closes the generator.
"""

from collections.abc import Generator, Iterator
from typing import NamedTuple

from mock_server.answer import Answer
from mock_server.call import Call
from mock_server.effects import AFTER, BEFORE, BREAKS, PAUSES
from mock_server.world import Exchange, World

SERVER = ("Server", "Kaede/3.5.3.523")
REQUEST_ID = "X-Ca-Request-Id"
_PADDING = b" " * 65_536
_MS = 1000


class Pause(NamedTuple):
    """Wait; send back False as soon as the caller has hung up."""

    seconds: float


class Send(NamedTuple):
    """Begin the answer; the chunks that follow, if any, belong to the body.

    Attributes:
        length: of the whole body, as announced.
        body: what of it goes out at once.
        cut: close after what is sent, although less than `length`.
    """

    answer: Answer
    request_id: str
    length: int
    body: bytes
    cut: bool = False


class Break(NamedTuple):
    """Close the connection with nothing sent; by a TCP RST with `reset`."""

    reset: bool


Step = Pause | Send | Break | bytes
Steps = Generator[Step, bool | None, None]


def steps(world: World, call: Call) -> Steps:
    """Decide a call, book it, and deliver the answer."""
    exchange = world.answer(call)
    try:
        stayed = yield from _wait(world, exchange)
    finally:
        world.finish(exchange)
    if not stayed:
        world.lost(exchange, unsent=True)
        return
    answer, effect = exchange.decision.answer, exchange.decision.effect
    if answer is None:
        raise AssertionError("a call that was put off has been decided by now")
    if effect is None:
        yield Send(answer, exchange.request_id, len(answer.body), answer.body)
    elif effect.kind in BREAKS:
        yield Break(reset=effect.kind == "reset")
    else:
        yield from _harmed(world, exchange, answer, effect.kind, effect.value)


def _wait(world: World, exchange: Exchange) -> Generator[Step, bool | None, bool]:
    """Do the waiting that options and faults ask for; False when the caller hung up meanwhile."""
    effect = exchange.decision.effect
    ms = world.setup.options.latency_ms
    if effect is not None and effect.kind in PAUSES:
        if effect.when == BEFORE:
            if not (yield Pause(int(effect.value) / _MS)):
                return False
            world.resume(exchange)
        elif effect.when == AFTER:
            ms += int(effect.value)
    return not ms or bool((yield Pause(ms / _MS)))


def _harmed(world: World, exchange: Exchange, answer: Answer, kind: str, value: int | str) -> Steps:
    body, amount = answer.body, int(value) if isinstance(value, int) else 0
    match kind:
        case "truncated_json":
            half = body[: len(body) // 2]
            yield Send(answer, exchange.request_id, len(body), half, cut=True)
        case "slow_drip":
            yield Send(answer, exchange.request_id, len(body), body[:1])
            yield from _drip(world, exchange, body[1:], amount / _MS)
        case "oversize":
            yield Send(answer, exchange.request_id, amount, body[:amount])
            yield from _padding(amount - len(body))
        case _:
            yield Send(answer, exchange.request_id, len(body), body)


def _drip(world: World, exchange: Exchange, body: bytes, seconds: float) -> Steps:
    try:
        for i in range(len(body)):
            if not (yield Pause(seconds)):
                world.lost(exchange)
                return
            yield body[i : i + 1]
    except GeneratorExit:
        world.lost(exchange)
        raise


def _padding(size: int) -> Iterator[bytes]:
    """Give blanks, so that what is oversize is still JSON unless it was cut."""
    left = size
    while left > 0:
        yield _PADDING[:left]
        left -= len(_PADDING)
