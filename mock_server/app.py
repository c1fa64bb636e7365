"""Flask around it: one hook for everything that is not /__admin."""

from flask import Flask, Response, request

from mock_server import admin, call, delivery
from mock_server.effects import AFTER, BEFORE, PAUSES
from mock_server.options import Options
from mock_server.state import set_up
from mock_server.wire import ENVIRON_KEY, NoWire, Wire
from mock_server.world import Exchange, World

_MS = 1000
_NO_WIRE = NoWire()


def create_app(options: Options | None = None) -> Flask:
    """Build one mock, a world of its own.

    Raises:
        people.PeopleFileError: one line that says what is wrong with `options.people` and where.
    """
    app = Flask(__name__, static_folder=None)
    # A redirect would be Flask's answer, not the gateway's.
    app.url_map.merge_slashes = False
    world = World(set_up(options or Options()))
    app.extensions["mock_server"] = world

    # Before routing's verdict counts: unknown paths and methods are the gateway's to answer.
    @app.before_request
    def upstream() -> Response | None:
        return None if admin.owns(request.path) else _answer(world)

    admin.register(app, world)
    return app


def _answer(world: World) -> Response:
    wire: Wire = request.environ.get(ENVIRON_KEY, _NO_WIRE)
    exchange = world.answer(call.from_environ(request.environ))
    stayed = _wait(world, exchange, wire)
    world.finish(exchange)
    answer, effect = exchange.decision.answer, exchange.decision.effect
    if not stayed or answer is None:
        return delivery.hung_up(wire)
    return delivery.respond(answer, exchange.request_id, effect, wire, lambda: world.lost(exchange))


def _wait(world: World, exchange: Exchange, wire: Wire) -> bool:
    """Do the waiting that options and faults ask for; False when the caller hung up meanwhile."""
    effect = exchange.decision.effect
    if effect is not None and effect.kind in PAUSES and effect.when == BEFORE:
        if not wire.pause(int(effect.value) / _MS):
            return False
        world.resume(exchange)
    ms = world.setup.options.latency_ms
    if effect is not None and effect.kind in PAUSES and effect.when == AFTER:
        ms += int(effect.value)
    if ms and not wire.pause(ms / _MS):
        world.lost(exchange)
        return False
    return True
