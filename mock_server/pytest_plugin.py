"""The pytest fixture `upstream`: a mock of its own for each session, reset before each test.

Nothing but this and what it imports here is loaded before a test asks for the fixture.
"""

import secrets
from collections.abc import Iterator
from dataclasses import replace

import pytest

from mock_server.options import Options
from mock_server.upstream import Upstream

_SCENARIO = "upstream_scenario"
_APPCODE_BYTES = 16


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the ini option."""
    parser.addini(_SCENARIO, "the mock upstream's scenario, relative to this file", type="string")


@pytest.fixture(scope="session")
def upstream_options(pytestconfig: pytest.Config) -> Options:
    """How the mock is at each test's start: as the scenario says; a fixture of yours goes over it.

    Raises:
        scenario.ScenarioError: one line that says what is wrong with it and where.
    """
    path = pytestconfig.getini(_SCENARIO)
    if not path:
        return Options()
    from mock_server import scenario

    ini = pytestconfig.inipath
    return scenario.load((ini.parent if ini else pytestconfig.invocation_params.dir) / path)


@pytest.fixture(scope="session")
def upstream_session(upstream_options: Options) -> Iterator[Upstream]:
    """The session's mock, for fixtures that live as long; it is not reset.

    Without an AppCode in its options it accepts one made up for this session, and no other.
    """
    try:
        from mock_server import create_app
        from mock_server.serving import Server
    except ModuleNotFoundError as exc:
        pytest.fail(f"{exc.name} is not installed: pip install 'eryaosu[mock]'", pytrace=False)
    appcodes = upstream_options.appcodes or (secrets.token_hex(_APPCODE_BYTES),)
    options = replace(upstream_options, appcodes=appcodes)
    with Server(create_app(options)) as server:
        yield Upstream(server.url, appcodes[0], options.admin_token)


@pytest.fixture
def upstream(upstream_session: Upstream) -> Upstream:
    """The mock upstream, as if just started."""
    upstream_session.reset()
    return upstream_session
