"""The app: Flask for /__admin, and for the upstream's call where another server runs it."""

import time
from collections.abc import Iterator
from contextlib import suppress

from flask import Flask, Response, request
from flask.json.provider import DefaultJSONProvider

from mock_server import admin, call, delivery
from mock_server.delivery import Pause, Send, Steps
from mock_server.options import Options
from mock_server.state import set_up
from mock_server.world import World

_EXTENSION = "mock_server"


class _Json(DefaultJSONProvider):
    ensure_ascii = False
    sort_keys = False


def create_app(options: Options | None = None) -> Flask:
    """Build one mock, a world of its own.

    `mock_server.serving.Server` carries out every fault; under another WSGI server waits block a
    thread, and a broken connection is a ConnectionResetError for that server to see to.

    Raises:
        people.PeopleFileError: one line that says what is wrong with `options.people` and where.
    """
    app = Flask(__name__, static_folder=None)
    # A redirect would be Flask's answer, not the gateway's.
    app.url_map.merge_slashes = False
    # For people who read it in a shell: names as they are, fields in their order.
    app.json = _Json(app)
    world = World(set_up(options or Options()))
    app.extensions[_EXTENSION] = world

    # Before routing's verdict counts: unknown paths and methods are the gateway's to answer.
    @app.before_request
    def upstream() -> Response | None:
        if admin.owns(request.path):
            return None
        return _respond(delivery.steps(world, call.from_environ(request.environ)))

    admin.register(app, world)
    return app


def world_of(app: Flask) -> World:
    """Give the world of a mock's app."""
    world: World = app.extensions[_EXTENSION]
    return world


def _respond(steps: Steps) -> Response:
    step = next(steps)
    while isinstance(step, Pause):
        time.sleep(step.seconds)
        step = steps.send(True)
    if not isinstance(step, Send):
        # In the body, because an exception there passes Flask and ends at the server.
        return Response(_broken())
    response = Response(_body(step, steps), step.answer.status)
    response.headers.clear()
    response.headers.extend((*step.answer.headers, delivery.SERVER))
    response.headers["Content-Length"] = str(step.length)
    if not step.answer.bare:
        response.headers[delivery.REQUEST_ID] = step.request_id
    return response


def _body(send: Send, steps: Steps) -> Iterator[bytes]:
    yield send.body
    stayed: bool | None = None
    with suppress(StopIteration):
        while True:
            step = steps.send(stayed)
            stayed = None
            if isinstance(step, Pause):
                time.sleep(step.seconds)
                stayed = True
            elif isinstance(step, bytes):
                yield step


def _broken() -> Iterator[bytes]:
    raise ConnectionResetError("closed on purpose")
    yield b""
