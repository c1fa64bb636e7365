"""The pytest plugin: the object that drives a mock, and the fixtures around it."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import requests

from mock_server import Options
from mock_server.upstream import Person, RefusedError, Upstream
from tests.mock_server.support import APPCODE, OTHER, PERSON, UNHELD, code
from tests.mock_server.support import Upstream as Caller

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]
NAME, NUMBER = PERSON


@pytest.fixture
def caller(start_session: Callable[[Options], Caller]) -> Caller:
    return start_session(Options(appcodes=(APPCODE,), admin_token="token"))


@pytest.fixture
def mock(caller: Caller) -> Upstream:
    mock = Upstream(caller.url, APPCODE, "token")
    mock.reset()
    return mock


class TestUpstream:
    def test_it_says_where_to_call_and_with_what(self, mock: Upstream) -> None:
        answer = requests.post(
            mock.endpoint,
            {"name": NAME, "idNo": NUMBER},
            headers={"Authorization": f"APPCODE {mock.appcode}"},
            timeout=20,
        )
        assert code(answer) == "0000"

    def test_it_shows_neither_appcode_nor_token(self, mock: Upstream) -> None:
        assert repr(mock) == f"Upstream(url={mock.url!r})"

    def test_it_counts_what_was_paid(self, mock: Upstream, caller: Caller) -> None:
        assert mock.paid_calls == 0
        caller.ask(*PERSON)
        caller.ask(OTHER[0], NUMBER)
        caller.ask("A", NUMBER)  # 0002 is free
        assert mock.paid_calls == 2
        assert mock.count(NUMBER) == 2
        assert mock.count(NUMBER, NAME) == 1
        assert mock.count(OTHER[1]) == 0

    def test_it_arms_and_clears_faults(self, mock: Upstream, caller: Caller) -> None:
        armed = mock.fault("resp_code:0010", times=1, match={"id_number": NUMBER})
        assert (armed["kind"], armed["times"]) == ("resp_code:0010", 1)
        assert [code(caller.ask(*PERSON)) for _ in range(2)] == ["0010", "0000"]
        mock.fault("http_500")
        assert caller.ask(*PERSON).status_code == 500
        assert mock.clear_faults() == 2
        assert code(caller.ask(*PERSON)) == "0000"

    def test_a_refusal_names_the_field_and_what_is_allowed(self, mock: Upstream) -> None:
        with pytest.raises(RefusedError, match="when is unknown; allowed: ") as refused:
            mock.fault("reset", when="later")
        assert refused.value.field == "when"
        assert refused.value.message == "is unknown"
        assert refused.value.allowed == ["before_charge", "after_charge"]
        with pytest.raises(RefusedError, match=r"^whom is unknown"):
            mock.fault("reset", whom=NUMBER)

    def test_it_adds_people(self, mock: Upstream, caller: Caller) -> None:
        assert code(caller.ask("张三", UNHELD)) == "0007"
        assert mock.people({UNHELD: "张三"}) == 1
        assert code(caller.ask("张三", UNHELD)) == "0000"

    @pytest.mark.parametrize(
        ("answers", "when", "expected"),
        [
            ("0000", None, Person("答码零一", "110101185001010114")),
            ("0007", None, Person("答码零四", "110101185001040102")),
            ("D504TO", None, Person("网关二八", "310101185101280100")),
            ("D504TO", "before_charge", Person("网关二八", "310101185101280100")),
            ("D504TO", "after_charge", Person("网扣零一", "31010118510701011X")),
            ("latency_ms", None, Person("故扣零一", "500101185207010112")),
        ],
    )
    def test_it_knows_who_is_answered_how(
        self, mock: Upstream, answers: str, when: str | None, expected: Person
    ) -> None:
        assert mock.identity(answers, when) == expected

    def test_nobody_is_answered_so(self, mock: Upstream) -> None:
        with pytest.raises(RefusedError, match="'0005' has no test identity") as refused:
            mock.identity("0005")
        assert isinstance(refused.value.allowed, list)
        assert {"0000", "hang after_charge"} < set(refused.value.allowed)
        with pytest.raises(RefusedError, match="'0007 after_charge' has no"):
            mock.identity("0007", "after_charge")

    def test_it_lists_requests(self, mock: Upstream, caller: Caller) -> None:
        caller.ask(*PERSON)
        caller.ask(*OTHER)
        caller.ask("张三", UNHELD)
        assert [r["fields"]["name"] for r in mock.requests()] == ["李**", "王**", "张*"]
        assert [r["fields"]["name"] for r in mock.requests(limit=1)] == ["张*"]
        assert [r["fields"]["name"] for r in mock.requests(resp_code="0007")] == ["张*"]
        now = datetime.now(UTC)
        assert len(mock.requests(since=now - timedelta(hours=1))) == 3
        assert mock.requests(since=(now + timedelta(hours=1)).isoformat()) == []

    def test_it_verifies(self, mock: Upstream, caller: Caller) -> None:
        mock.verify(0)
        caller.ask(*PERSON)
        mock.verify()
        mock.verify(name=NAME, id_number=NUMBER, resp_code="0000", charged=True, status=200)
        mock.verify(0, id_number=OTHER[1])

    def test_a_failed_verification_shows_the_near_misses(
        self, mock: Upstream, caller: Caller
    ) -> None:
        caller.ask(*OTHER)
        caller.ask(OTHER[0], NUMBER)
        mock.fault("gateway:D504TO", times=1)
        caller.ask(*PERSON)
        with pytest.raises(AssertionError) as failed:
            mock.verify(name=NAME, id_number=NUMBER, resp_code="0008")
        message, *misses = str(failed.value).splitlines()
        assert message == "expected 1 request, found 0"
        asked = "POST /idenAuthentication name="
        number = "idNo=120***********0249"
        assert set(misses[:2]) == {
            f"  differs in name: {asked}王** {number} -> 0008",
            f"  differs in resp_code: {asked}李** {number} -> D504TO, fault gateway:D504TO",
        }
        assert len(misses) == 3

    def test_it_verifies_only_what_the_mock_knows(self, mock: Upstream) -> None:
        with pytest.raises(RefusedError, match=r"^colour is unknown"):
            mock.verify(colour="red")

    def test_it_changes_settings(self, mock: Upstream, caller: Caller) -> None:
        assert mock.quota(used=1, expires_at=date(2027, 1, 31)) == {
            "used": 1,
            "total": None,
            "expires_at": "2027-01-31",
        }
        assert mock.quota(total=1)["used"] == 1
        assert caller.ask(*PERSON).status_code == 403
        mock.reset()
        assert mock.clock(date(1900, 1, 1))["today"] == "1900-01-01"
        assert mock.clock("1901-01-01")["today"] == "1901-01-01"
        assert mock.clock(None)["fixed"] is False
        mock.maintenance()
        assert code(caller.ask(*PERSON)) == "0010"
        mock.maintenance(on=False)
        assert code(caller.ask(*PERSON)) == "0000"
        assert mock.throttle(5) == {"calls_per_second": 5}
        assert mock.throttle(None) == {"calls_per_second": None}

    def test_no_proxy_comes_between(self, mock: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
        for variable in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(variable, "http://127.0.0.1:9")
        assert mock.paid_calls == 0

    def test_any_other_failure_says_what_came_back(self, caller: Caller) -> None:
        with pytest.raises(RuntimeError, match=r"POST /__admin/reset: 401 .*admin token"):
            Upstream(caller.url, APPCODE, "wrong").reset()


@pytest.fixture
def elsewhere(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Another project's tests, with the plugin and no other but what a test names."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeini("[pytest]\naddopts = -p mock_server.pytest_plugin -p xdist -W error")
    return pytester


def test_the_fixture(elsewhere: pytest.Pytester) -> None:
    elsewhere.makepyfile(
        """
        import sys
        from http.client import HTTPConnection
        from urllib.parse import urlencode, urlsplit

        def call(upstream, appcode):
            name, number = upstream.identity("0000")
            connection = HTTPConnection(urlsplit(upstream.url).netloc, timeout=20)
            connection.request(
                "POST",
                urlsplit(upstream.endpoint).path,
                urlencode({"name": name, "idNo": number}),
                {
                    "Authorization": f"APPCODE {appcode}",
                    "Content-Type": "application/x-www-form-urlencoded",
                },
            )
            status = connection.getresponse().status
            connection.close()
            return status

        def test_who_does_not_use_it_does_not_pay_for_it():
            assert "mock_server.upstream" in sys.modules
            assert not {"flask", "werkzeug", "uvicorn", "a2wsgi"} & set(sys.modules)

        def test_it_is_there(upstream):
            assert call(upstream, upstream.appcode) == 200
            assert call(upstream, "another") == 400
            assert upstream.paid_calls == 1

        def test_it_is_reset(upstream, upstream_session):
            assert upstream.paid_calls == 0
            assert upstream is upstream_session

        def test_a_failed_verification_is_shown_at_its_line(upstream):
            upstream.verify(3)
        """
    )
    result = elsewhere.runpytest_subprocess("-p", "no:randomly")
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines([">*upstream.verify(3)", "E*AssertionError: expected 3 requests*"])
    result.stdout.no_fnmatch_line("*near_misses*")


def test_options_of_ones_own(elsewhere: pytest.Pytester) -> None:
    elsewhere.makeconftest(
        """
        import pytest
        from mock_server import Options

        @pytest.fixture(scope="session")
        def upstream_options():
            return Options(appcodes=("mine", "other"), quota=7, admin_token="token")
        """
    )
    elsewhere.makepyfile(
        """
        def test_options(upstream):
            assert upstream.appcode == "mine"
            assert upstream.quota()["total"] == 7
        """
    )
    elsewhere.runpytest_subprocess().assert_outcomes(passed=1)


def test_a_scenario_beside_the_ini_file(
    elsewhere: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere.makepyfile(
        """
        def test_scenario(upstream):
            assert upstream.quota()["total"] == 7
            assert upstream.appcode
        """
    )
    scenario = elsewhere.path / "vendor.toml"
    scenario.write_text("[quota]\ntotal = 7\n", "utf-8")
    ini = elsewhere.path / "tox.ini"
    ini.write_text(ini.read_text("utf-8") + "\nupstream_scenario = vendor.toml\n", "utf-8")
    monkeypatch.chdir(elsewhere.mkdir("below"))
    elsewhere.runpytest_subprocess(elsewhere.path).assert_outcomes(passed=1)
    scenario.write_text("[quota]\nsum = 7\n", "utf-8")
    result = elsewhere.runpytest_subprocess(elsewhere.path)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["E*ScenarioError: *vendor.toml:2: *sum*"])


def test_each_worker_has_its_own(elsewhere: pytest.Pytester) -> None:
    elsewhere.makepyfile(
        """
        from pathlib import Path

        def test_url(upstream, worker_id):
            Path(worker_id).write_text(upstream.url)
            upstream.quota(total=int(worker_id[2:]))
            assert upstream.quota()["total"] == int(worker_id[2:])
        """
    )
    elsewhere.runpytest_subprocess("-n", "2", "--dist", "each").assert_outcomes(passed=2)
    assert len({(elsewhere.path / worker).read_text() for worker in ("gw0", "gw1")}) == 2


def test_without_the_extra_it_says_what_to_install(elsewhere: pytest.Pytester) -> None:
    elsewhere.makeconftest("import sys; sys.modules['flask'] = None")
    elsewhere.makepyfile("def test_url(upstream): pass")
    result = elsewhere.runpytest_subprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*flask is not installed: pip install 'eryaosu?mock?'"])
