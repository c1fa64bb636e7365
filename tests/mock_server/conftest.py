from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from mock_server import Options, create_app
from mock_server.serving import Server
from tests.mock_server.support import Json, Upstream


@pytest.fixture(scope="session")
def start_session() -> Iterator[Callable[[Options], Upstream]]:
    """One server for each distinct set of options, for the whole session."""
    with ExitStack() as stack:
        running: dict[Options, Upstream] = {}

        def start(options: Options) -> Upstream:
            if options not in running:
                server = stack.enter_context(Server(create_app(options)))
                running[options] = stack.enter_context(Upstream(server.url))
            return running[options]

        yield start


@pytest.fixture
def start(start_session: Callable[[Options], Upstream]) -> Callable[..., Upstream]:
    def start_with(**options: Json) -> Upstream:
        upstream = start_session(Options(**options))
        upstream.do("/reset")
        return upstream

    return start_with


@pytest.fixture
def upstream(start: Callable[..., Upstream]) -> Upstream:
    return start()
