"""The upstream's adapter: one contract for it and its fake, the mock's faults, and rude peers."""

import gc
import gzip
import ipaddress
import json
import logging
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from chalicelib.adapters import provider as module
from chalicelib.adapters import transport
from chalicelib.adapters.provider import HttpProvider
from chalicelib.domain import codes
from chalicelib.domain.codes import Billed, Outcome
from chalicelib.domain.verification import Answer, DerivedFields, Person
from chalicelib.services.ports import Provider
from mock_server import Options, create_app
from mock_server.serving import Server
from tests.fakes.provider import FakeProvider
from tests.peer import DRIPS, Peer, drip, reset, silent

PATH = "/idenAuthentication"
APPCODE = "0123456789abcdef0123456789abcdef"
PERSON = Person("张三", "340421190710145412")
SAMPLE = {
    "name": "张三",
    "idNo": "340421190710145412",
    "respMessage": "身份证信息匹配",
    "respCode": "0000",
    "province": "安徽省",
    "city": "淮南市",
    "county": "凤台县",
    "birthday": "19071014",
    "sex": "M",
    "age": "111",
}
DERIVED = DerivedFields("安徽省", "淮南市", "凤台县", "19071014", "M", 111)
PLENTY = 5.0
SOON = 0.3  # half of it is for connecting, which a loaded machine must manage
UNKNOWN = {codes.NO_ANSWER, codes.BAD_ANSWER}


# The mock, and what is asked of it.


class Mock:
    """A running mock, driven over HTTP as anyone would."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._session = requests.Session()
        self._session.trust_env = False
        self.identities = self.get("identities")

    def close(self) -> None:
        self._session.close()

    def get(self, path: str) -> Any:
        return self._session.get(f"{self.url}/__admin/{path}", timeout=PLENTY).json()

    def post(self, path: str, body: object = None) -> Any:
        return self._session.post(f"{self.url}/__admin/{path}", json=body, timeout=PLENTY).json()

    @property
    def paid_calls(self) -> int:
        paid: int = self.get("ledger")["paid_calls"]
        return paid

    @property
    def calls(self) -> int:
        return len(self.get("requests")["requests"])


@contextmanager
def running(options: Options) -> Iterator[Mock]:
    with Server(create_app(options)) as server, closing(Mock(server.url)) as mock:
        yield mock
    gc.collect()  # so that what the server leaves behind is not laid at another module's door


@pytest.fixture(scope="module")
def new_mock() -> Iterator[Mock]:
    with running(Options()) as mock:
        yield mock


@pytest.fixture(scope="module")
def old_mock() -> Iterator[Mock]:
    with running(Options(gateway="old")) as mock:
        yield mock


@pytest.fixture
def mock(new_mock: Mock) -> Mock:
    new_mock.post("reset")
    return new_mock


@pytest.fixture(params=["new", "old"])
def either(request: pytest.FixtureRequest) -> Mock:
    mock: Mock = request.getfixturevalue(f"{request.param}_mock")
    mock.post("reset")
    return mock


def provider_at(url: str, **options: Any) -> closing[HttpProvider]:
    return closing(HttpProvider(url + PATH, **options))


@pytest.fixture
def http(mock: Mock) -> Iterator[HttpProvider]:
    with provider_at(mock.url) as provider:
        yield provider


# The contract, for the fake and the real one.


@dataclass
class Upstream:
    """A provider and the test identities it knows: number to name, number to code."""

    provider: Provider
    people: dict[str, str]
    always: dict[str, str]


@pytest.fixture(params=["fake", "http"])
def upstream(request: pytest.FixtureRequest, mock: Mock) -> Upstream:
    rows = mock.identities
    people = {row["id_number"]: row["name"] for row in rows if not row["any_name"]}
    always = {
        row["id_number"]: row["answers"]
        for row in rows
        if row["any_name"] and codes.is_listed(row["answers"])
    }
    if request.param == "fake":
        return Upstream(FakeProvider(people=people, always=always), people, always)
    return Upstream(request.getfixturevalue("http"), people, always)


def ask(provider: Provider, name: str, id_number: str, timeout: float = PLENTY) -> Answer:
    return provider.ask(Person(name, id_number), APPCODE, timeout)


class TestContract:
    def test_the_right_name_matches_and_derived_fields_come_with_it(
        self, upstream: Upstream
    ) -> None:
        for number, name in list(upstream.people.items())[:8]:
            answer = ask(upstream.provider, name, number)
            assert codes.find(answer.code).outcome is Outcome.MATCH
            assert answer.message
            assert answer.upstream_request_id
            assert answer.person is not None
            assert answer.person.birthday == number[6:14]
            assert answer.person.sex == ("M" if int(number[16]) % 2 else "F")
            assert isinstance(answer.person.age, int)

    def test_another_name_is_a_mismatch_with_derived_fields(self, upstream: Upstream) -> None:
        number = next(iter(upstream.people))
        answer = ask(upstream.provider, "别的名字", number)
        assert codes.find(answer.code).outcome is Outcome.MISMATCH
        assert answer.person is not None

    def test_an_unknown_number_has_no_record_and_no_derived_fields(
        self, upstream: Upstream
    ) -> None:
        answer = ask(upstream.provider, "无名氏", "11010119900307109X")
        assert codes.find(answer.code).outcome is Outcome.NO_RECORD
        assert answer.person is None

    def test_every_code_arrives(self, upstream: Upstream) -> None:
        got = {
            number: ask(upstream.provider, "不论姓名", number).code for number in upstream.always
        }
        assert got == upstream.always
        assert {"0002", "0010", "B403MQ", "T429GR", "D504CO", "D504TO"} <= set(got.values())

    def test_only_match_and_mismatch_bring_derived_fields(self, upstream: Upstream) -> None:
        for number, code in upstream.always.items():
            answer = ask(upstream.provider, "不论姓名", number)
            assert (answer.person is not None) == (code in {"0000", "0008"}), code

    @pytest.mark.parametrize(
        "person", [Person("", ""), Person("\ud800", "1"), Person("a" * 99, "x")]
    )
    def test_odd_persons_raise_nothing_and_have_no_outcome_of_a_match(
        self, upstream: Upstream, person: Person
    ) -> None:
        answer = upstream.provider.ask(person, APPCODE, PLENTY)
        assert codes.find(answer.code).outcome in {None, Outcome.NO_RECORD}

    def test_nothing_about_the_person_is_in_the_answer_as_printed(self, upstream: Upstream) -> None:
        number, name = next(iter(upstream.people.items()))
        printed = repr(ask(upstream.provider, name, number))
        assert name not in printed
        assert number[6:14] not in printed


def test_the_fake_gives_what_it_is_told_and_shows_what_it_was_asked() -> None:
    scripted = Answer("0000", "信息匹配")
    fake = FakeProvider([scripted, codes.NO_ANSWER, lambda person: Answer("0008", person.name)])
    assert fake.ask(PERSON, APPCODE, 1) is scripted
    assert fake.ask(PERSON, APPCODE, 2) == Answer(codes.NO_ANSWER)
    assert fake.ask(PERSON, APPCODE, 3) == Answer("0008", "张三")
    assert fake.ask(PERSON, APPCODE, 4).code == "0007"
    assert fake.asked == [PERSON] * 4
    assert fake.timeouts == [1, 2, 3, 4]


# The mock: its ledger must agree with what the answer says about money.


def check_money(mock: Mock, answer: Answer) -> None:
    """Paid once at most; never called free when it was charged, never an outcome for nothing."""
    row, paid = codes.find(answer.code), mock.paid_calls
    assert paid in {0, 1}
    if paid:
        assert row.billed is not Billed.NO
    if row.outcome is not None:
        assert paid == 1
    if row.billed is Billed.YES:
        assert paid == 1


@pytest.mark.parametrize(
    ("name", "code"), [("张三", "0000"), ("李四", "0008")], ids=["match", "mismatch"]
)
def test_the_documented_samples(mock: Mock, http: HttpProvider, name: str, code: str) -> None:
    answer = ask(http, name, PERSON.id_number)
    assert (answer.code, answer.person) == (code, DERIVED)
    assert mock.calls == 1
    check_money(mock, answer)


def test_identities_charge_as_published(mock: Mock) -> None:
    """All of them, those that hang and drip too: what is charged is never called free."""
    rows = mock.identities

    def check(row: dict[str, Any]) -> tuple[str, str, int, bool]:
        # Patience where an answer comes, so that a busy machine is not taken for a fault.
        patience = 0.5 if row["answers"] in {"hang", "slow_drip"} else 10
        with provider_at(mock.url) as provider:
            answer = ask(provider, row["name"], row["id_number"], patience)
        paid = mock.post("ledger/count", {"id_number": row["id_number"]})["paid_calls"]
        return row["answers"], answer.code, paid, row["charged"]

    with ThreadPoolExecutor(16) as pool:
        results = list(pool.map(check, rows))
    for answers, code, paid, charged in results:
        row = codes.find(code)
        assert paid == charged, answers
        assert code != codes.NOT_SENT, answers
        assert not (paid and row.billed is Billed.NO), answers
        assert not (row.outcome and not paid), answers
        assert not (row.billed is Billed.YES and not paid), answers


FAULTS = {
    # kind, value -> what becomes of a match
    ("latency_ms", 20): "0000",
    ("slow_drip", 0): "0000",
    ("oversize", 65_536): "0000",
    ("oversize", 65_537): codes.BAD_ANSWER,
    ("oversize", 10): codes.BAD_ANSWER,
    ("reset", None): codes.NO_ANSWER,
    ("close", None): codes.NO_ANSWER,
    ("truncated_json", None): codes.BAD_ANSWER,
    ("not_json", None): codes.BAD_ANSWER,
    ("empty_200", None): codes.BAD_ANSWER,
    ("http_500", None): codes.BAD_ANSWER,
    ("wrong_types", None): codes.BAD_ANSWER,
    ("wrong_charset", None): codes.BAD_ANSWER,
    ("unknown_code", "0005"): "0005",
    ("unknown_code", "E999"): "E999",
}
TOO_SLOW = (("latency_ms", 60_000), ("hang", 60_000), ("slow_drip", 50))
# Armed before the charge, these send what looks paid although nothing was; a real one could not.
UNPAID_LOOK_ALIKES = {"slow_drip", "oversize"}


@pytest.mark.parametrize("when", ["before_charge", "after_charge"])
@pytest.mark.parametrize(("kind", "value"), FAULTS)
def test_faults(
    mock: Mock, http: HttpProvider, kind: str, value: int | str | None, when: str
) -> None:
    mock.post("faults", {"kind": kind, "value": value, "when": when})
    answer = http.ask(PERSON, APPCODE, PLENTY)
    assert answer.code == FAULTS[kind, value]
    assert mock.calls == 1
    if when == "after_charge":
        assert mock.paid_calls == 1
    if when == "after_charge" or kind not in UNPAID_LOOK_ALIKES:
        check_money(mock, answer)


def test_faults_that_outlast_the_deadline(mock: Mock, http: HttpProvider) -> None:
    cases = [(*fault, when) for fault in TOO_SLOW for when in ("before_charge", "after_charge")]
    rows = [row for row in mock.identities if not row["any_name"]]

    def run(case: tuple[str, int, str], row: dict[str, Any]) -> tuple[str, int]:
        kind, value, when = case
        number = {"id_number": row["id_number"]}
        mock.post("faults", {"kind": kind, "value": value, "when": when, "match": number})
        answer = ask(http, row["name"], row["id_number"], SOON)
        return answer.code, mock.post("ledger/count", number)["paid_calls"]

    with ThreadPoolExecutor(len(cases)) as pool:
        results = list(pool.map(run, cases, rows))
    assert results == [(codes.NO_ANSWER, when == "after_charge") for *_, when in cases]
    assert mock.calls <= len(cases)


def test_no_kind_of_fault_is_left_out(mock: Mock) -> None:
    kinds = mock.post("faults", {"kind": "?"})["allowed"]
    plain = {kind for kind in kinds if ":" not in kind}
    assert plain == {kind for kind, _ in (*FAULTS, *TOO_SLOW)}


@pytest.mark.parametrize("when", [None, "after_charge"])
def test_every_gateway_error_in_every_wording_of_both_generations(
    either: Mock, when: str | None
) -> None:
    kinds = either.post("faults", {"kind": "?"})["allowed"]
    asked = 0
    with provider_at(either.url) as provider:
        for kind in (kind for kind in kinds if kind.startswith("gateway:")):
            wanted = codes.find(kind.removeprefix("gateway:"))
            messages = either.post("faults", {"kind": kind, "value": "?"})["allowed"]
            for message in messages:
                either.post("reset")
                fault = {"kind": kind, "value": message, "when": when}
                if "field" in either.post("faults", fault):
                    continue  # it knows no before and after
                answer = provider.ask(PERSON, APPCODE, PLENTY)
                assert answer.message == message
                row = codes.find(answer.code)
                # The older generation has one message for all backend trouble, D504CO included.
                assert row.problem in {wanted.problem, "outcome_unknown"}
                assert codes.is_listed(answer.code), (kind, message)
                check_money(either, answer)
                asked += 1
    assert asked > 8


def test_quota_expiry_throttle_and_appcode_of_both_generations(either: Mock) -> None:
    with provider_at(either.url) as provider:
        either.post("quota", {"used": 1, "total": 1})
        assert provider.ask(PERSON, APPCODE, PLENTY).code == "B403MQ"
        either.post("quota", {"total": None, "expires_at": "2000-01-01"})
        assert provider.ask(PERSON, APPCODE, PLENTY).code == "B403ME"
    assert either.paid_calls == 0


@pytest.mark.parametrize("generation", ["new", "old"])
def test_a_wrong_appcode(generation: Any) -> None:
    options = Options(appcodes=(APPCODE,), gateway=generation)
    with running(options) as mock, provider_at(mock.url) as provider:
        refused = provider.ask(PERSON, "f" * 32, PLENTY)
        assert codes.find(refused.code).problem == "appcode_invalid"
        assert provider.ask(PERSON, APPCODE, PLENTY).code == "0000"
        assert mock.paid_calls == 1


def test_threads_get_their_own_answers(mock: Mock, http: HttpProvider) -> None:
    people = [row for row in mock.identities if not row["any_name"]][:40]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda row: ask(http, row["name"], row["id_number"]), people))
    assert [a.person.birthday for a in answers if a.person] == [
        row["id_number"][6:14] for row in people
    ]
    assert mock.paid_calls == len(people)


# Peers that a decent server cannot play.


def reply(
    body: object = SAMPLE, status: str = "200 OK", headers: tuple[str, ...] = ()
) -> Callable[[socket.socket], bool]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = (f"HTTP/1.1 {status}", f"Content-Length: {len(raw)}", *headers)
    whole = "\r\n".join((*lines, "", "")).encode("utf-8") + raw

    def behave(sock: socket.socket) -> bool:
        sock.sendall(whole)
        return True

    return behave


def ask_peer(
    behave: Callable[[socket.socket], object],
    timeout: float = PLENTY,
    **options: Any,
) -> Answer:
    with Peer(behave) as peer, provider_at(peer.url, **options) as provider:
        answer = provider.ask(PERSON, APPCODE, timeout)
        assert len(peer.requests) == 1
    return answer


def test_the_request_is_the_documented_one() -> None:
    person = Person("古丽·阿不都", "11010119900307109X")
    with Peer(reply({"respCode": "0000"})) as peer, provider_at(peer.url) as provider:
        assert provider.ask(person, APPCODE, PLENTY).code == "0000"
    head, _, body = peer.requests[0].decode("ascii").partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    assert first == f"POST {PATH} HTTP/1.1"
    assert headers["authorization"] == f"appcode {APPCODE}"
    assert headers["content-type"] == "application/x-www-form-urlencoded; charset=utf-8"
    assert headers["content-length"] == str(len(body))
    assert headers["accept-encoding"] == "identity"
    assert "cookie" not in headers
    assert parse_qsl(body, strict_parsing=True) == [
        ("idNo", person.id_number),
        ("name", person.name),
    ]


def test_the_deadline_ends_what_drips() -> None:
    def run(what: str) -> tuple[str, int, bool]:
        with Peer(lambda _: None) as peer, provider_at(peer.url) as provider:
            peer.behave = drip(peer, *DRIPS[what])
            code = provider.ask(PERSON, APPCODE, SOON).code
            return code, len(peer.requests), peer.dripped_out

    with ThreadPoolExecutor(len(DRIPS)) as pool:
        results = dict(zip(DRIPS, pool.map(run, DRIPS), strict=True))
    assert results == dict.fromkeys(DRIPS, (codes.NO_ANSWER, 1, False))


def test_an_answer_that_began_leaves_its_request_id_for_support() -> None:
    head = b"HTTP/1.1 200 OK\r\nX-Ca-Request-Id: 78377A8F\r\nContent-Length: 9999\r\n\r\n"
    unanswered = Answer(codes.NO_ANSWER, upstream_request_id="78377A8F")
    with Peer(lambda _: None) as peer, provider_at(peer.url) as provider:
        peer.behave = drip(peer, head, b" ")
        assert provider.ask(PERSON, APPCODE, SOON) == unanswered


def test_a_gateway_error_needs_no_body() -> None:
    head = b"HTTP/1.1 403 Forbidden\r\nX-Ca-Error-Code: B403MQ\r\nContent-Length: 9999\r\n\r\n"
    with Peer(lambda _: None) as peer, provider_at(peer.url) as provider:
        peer.behave = drip(peer, head, b" ")
        assert provider.ask(PERSON, APPCODE, PLENTY).code == "B403MQ"
        assert not peer.dripped_out


@pytest.mark.parametrize("behave", [reset, lambda _: None], ids=["reset", "close"])
def test_broken_after_the_request_was_read(behave: Callable[[socket.socket], None]) -> None:
    assert ask_peer(behave).code == codes.NO_ANSWER


def test_silence() -> None:
    with Peer(lambda _: None) as peer, provider_at(peer.url) as provider:
        peer.behave = lambda _: peer.stopping.wait()
        assert provider.ask(PERSON, APPCODE, SOON).code == codes.NO_ANSWER
        assert len(peer.requests) == 1


def test_a_refused_connection_was_not_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with provider_at(f"http://127.0.0.1:{port}") as provider:
        assert provider.ask(PERSON, APPCODE, PLENTY) == Answer(codes.NOT_SENT)


@pytest.mark.parametrize("host", ["nobody.invalid", "a" * 64 + ".invalid"])
def test_an_unknown_name_was_not_sent(host: str) -> None:
    with provider_at(f"https://{host}") as provider:
        assert provider.ask(PERSON, APPCODE, PLENTY) == Answer(codes.NOT_SENT)


def test_a_resolver_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    release, given_up = threading.Event(), threading.Event()
    resolve = socket.getaddrinfo

    def hang(host: str, *args: Any) -> Any:
        if host == "localhost" and not args[-1] & socket.AI_NUMERICHOST:
            release.wait(PLENTY)
            given_up.set()
        return resolve(host, *args)

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    with Peer(reply()) as peer, provider_at(f"http://localhost:{peer.port}") as provider:
        assert provider.ask(PERSON, APPCODE, SOON) == Answer(codes.NOT_SENT)
        assert not given_up.is_set()
        release.set()
        for thread in threading.enumerate():
            if thread.name == "resolve":
                thread.join()
        assert peer.accepted == 0
        assert provider.ask(PERSON, APPCODE, PLENTY).code == "0000"


def test_a_connection_that_takes_too_long_was_not_sent() -> None:
    with silent() as (host, port), provider_at(f"http://{host}:{port}") as provider:
        assert provider.ask(PERSON, APPCODE, SOON) == Answer(codes.NOT_SENT)


def test_connecting_has_a_shorter_limit_and_leaves_half_the_time() -> None:
    assert module._limits(20).connect_timeout == 5
    assert module._limits(4).connect_timeout == 2


def test_an_address_that_is_silent_leaves_time_for_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Peer(reply()) as peer, silent() as dead, provider_at(peer.url) as provider:
        alive = ("127.0.0.1", peer.port)
        found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", at) for at in (dead, alive)]
        monkeypatch.setattr(transport, "_addresses", lambda *_: found)
        assert provider.ask(PERSON, APPCODE, 2 * SOON).code == "0000"


def test_one_that_was_paused_while_connecting_does_not_send(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Peer(reply()) as peer, provider_at(peer.url) as provider:
        with monkeypatch.context() as frozen:
            frozen.setattr(transport._Moment, "ago", lambda _: 60.0)
            assert provider.ask(PERSON, APPCODE, PLENTY) == Answer(codes.NOT_SENT)
        assert provider.ask(PERSON, APPCODE, PLENTY).code == "0000"
    assert len(peer.requests) == 1


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf")])
def test_without_time_nothing_is_sent(timeout: float) -> None:
    with Peer(reply()) as peer, provider_at(peer.url) as provider:
        assert provider.ask(PERSON, APPCODE, timeout) == Answer(codes.NOT_SENT)
        assert peer.accepted == 0


@pytest.mark.parametrize("appcode", ["", "a b", "a\r\nX-Injected: 1", "密码", "a\x00"])
def test_an_appcode_that_cannot_be_one_is_not_sent(appcode: str) -> None:
    with Peer(reply()) as peer, provider_at(peer.url) as provider:
        assert provider.ask(PERSON, appcode, PLENTY) == Answer(codes.NOT_SENT)
        assert peer.accepted == 0


@pytest.mark.parametrize(
    "error", [RuntimeError(), KeyError(), requests.ConnectTimeout(), requests.exceptions.SSLError()]
)
def test_what_is_not_recognised_may_have_been_sent(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    with provider_at("http://127.0.0.1:9") as provider:
        monkeypatch.setattr(provider._transport, "send", fail)
        assert provider.ask(PERSON, APPCODE, PLENTY) == Answer(codes.NO_ANSWER)


# Connections kept alive.


def test_a_connection_is_kept_alive() -> None:
    with Peer(reply()) as peer, provider_at(peer.url) as provider:
        for _ in range(3):
            assert provider.ask(PERSON, APPCODE, PLENTY).code == "0000"
        assert peer.accepted == 1


def test_one_that_idled_too_long_is_not_reused() -> None:
    with Peer(reply()) as peer, provider_at(peer.url, max_idle_seconds=0) as provider:
        for _ in range(3):
            assert provider.ask(PERSON, APPCODE, PLENTY).code == "0000"
        assert peer.accepted == 3


@pytest.mark.parametrize("clock", ["monotonic", "time"])
def test_either_clock_makes_it_too_old(monkeypatch: pytest.MonkeyPatch, clock: str) -> None:
    with Peer(reply()) as peer, provider_at(peer.url) as provider:
        assert provider.ask(PERSON, APPCODE, PLENTY).code == "0000"
        now = getattr(time, clock)
        with monkeypatch.context() as later:
            later.setattr(time, clock, lambda: now() + 16)
            assert provider.ask(PERSON, APPCODE, PLENTY).code == "0000"
        assert peer.accepted == 2


def test_one_that_the_peer_closed_meanwhile_is_replaced() -> None:
    with Peer(reply()) as peer, provider_at(peer.url) as provider:
        assert provider.ask(PERSON, APPCODE, PLENTY).code == "0000"
        kept = peer._open[0]
        kept.shutdown(socket.SHUT_RDWR)
        assert provider.ask(PERSON, APPCODE, PLENTY).code == "0000"
        assert peer.accepted == 2


def test_an_answer_that_strayed_in_is_nobodys() -> None:
    """A late second answer on a connection must not become the next person's."""
    with Peer(reply()) as peer, provider_at(peer.url) as provider:
        assert provider.ask(PERSON, APPCODE, PLENTY).code == "0000"
        other = Person("张三", "11010119900307109X")
        assert provider.ask(other, APPCODE, PLENTY) == Answer(codes.BAD_ANSWER)
        assert peer.accepted == 1


@pytest.mark.parametrize(
    ("about", "code"),
    [
        ("11010119900307109X", codes.BAD_ANSWER),
        ("3404****5412", "0000"),
        ("", "0000"),
        (None, "0000"),
        (5, "0000"),
    ],
)
def test_an_answer_about_another_number_is_not_taken(about: object, code: str) -> None:
    assert ask_peer(reply({**SAMPLE, "idNo": about})).code == code


# Where a question may go.


@pytest.mark.parametrize(
    "url",
    [
        "http://idenauthen.market.alicloudapi.com/idenAuthentication",
        "http://10.0.0.1/",
        "http://localhost.example.com/",
        "http://127.0.0.1.example.com/",
        "http://127.0.0.1@example.com/",
        "http://127.0.0.1\\@example.com/",
        "http://example.com#@127.0.0.1/",
        "http://0.0.0.0/",
        "http://[::]/",
        "http://2130706433/",
        "https://user:secret@example.com/",
        "https://example.com/?idNo=1",
        "https://example.com/#x",
        "https://example.com:99999/",
        "ftp://127.0.0.1/",
        "https://",
        "//127.0.0.1/",
        "127.0.0.1",
        "",
    ],
)
def test_urls_that_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="upstream's URL") as caught:
        HttpProvider(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://idenauthen.market.alicloudapi.com/idenAuthentication",
        "http://127.0.0.1:8001/idenAuthentication",
        "http://127.8.9.10/",
        "http://[::1]:8001/",
        "http://localhost:8001",
        "HTTP://LOCALHOST:8001",
    ],
)
def test_urls_that_are_taken(url: str) -> None:
    HttpProvider(url).close()


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 x", "308 x"])
def test_redirects_are_not_followed(status: str) -> None:
    with Peer(reply()) as elsewhere:
        answer = ask_peer(reply(b"", status, (f"Location: {elsewhere.url}/x",)))
        assert answer.code == codes.BAD_ANSWER
        assert elsewhere.accepted == 0


def test_the_environment_has_no_say(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("default login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with Peer(reply()) as proxy, Peer(reply()) as peer, provider_at(peer.url) as provider:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        assert provider.ask(PERSON, APPCODE, PLENTY).code == "0000"
        assert proxy.accepted == 0
    assert peer.requests[0].startswith(b"POST " + PATH.encode())
    assert peer.requests[0].count(b"Authorization: ") == 1
    assert f"Authorization: APPCODE {APPCODE}\r\n".encode() in peer.requests[0]


def test_cookies_are_not_kept() -> None:
    with Peer(reply(headers=("Set-Cookie: a=b",))) as peer, provider_at(peer.url) as provider:
        for _ in range(2):
            provider.ask(PERSON, APPCODE, PLENTY)
    assert b"cookie" not in peer.requests[1].lower()


# What an answer may be.


UNUSABLE_CODES: tuple[object, ...] = (
    *(None, 0, True, [], {}, ["0000"]),
    *("", " ", "0000\n", "0" * 17, "零"),
    # Words of the other vocabularies would say more than the vendor can.
    *("not_sent", "too_late", "lease_expired", "B403MQ", "D504CO", "T429AB"),
)


@pytest.mark.parametrize("code", UNUSABLE_CODES)
def test_a_200_whose_code_cannot_be_used(code: object) -> None:
    assert ask_peer(reply({**SAMPLE, "respCode": code})) == Answer(codes.BAD_ANSWER)


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"null", b"[]", b'"0000"', b"{", b"{}"),
        json.dumps(SAMPLE).encode("utf-16"),
        json.dumps(SAMPLE, ensure_ascii=False).encode("gb18030"),
        b"[" * 60_000,
        b'{"respCode":' + b"1" * 5_000 + b"}",
    ],
)
def test_a_200_that_cannot_be_read(body: bytes) -> None:
    assert ask_peer(reply(body)) == Answer(codes.BAD_ANSWER)


@pytest.mark.parametrize("code", ["0005", "9999", "00010", "E-1", "RATE_LIMIT"])
def test_a_code_that_is_not_listed_is_kept(code: str) -> None:
    answer = ask_peer(reply({**SAMPLE, "respCode": code}))
    assert answer.code == code
    assert not codes.find(answer.code).settled


@pytest.mark.parametrize("tail", [b"", b"12345"])
def test_a_body_that_is_cut(tail: bytes) -> None:
    body = json.dumps(SAMPLE).encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
    assert ask_peer(lambda sock: sock.sendall(head + tail)).code == codes.BAD_ANSWER


def test_a_body_in_chunks_and_one_without_length() -> None:
    body = json.dumps(SAMPLE).encode()
    chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert ask_peer(lambda sock: sock.sendall(head + chunks)).code == "0000"
    assert ask_peer(lambda sock: sock.sendall(head + chunks[:9])).code in UNKNOWN
    assert ask_peer(lambda sock: sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + body)).code == "0000"


def test_a_compressed_body_counts_as_what_it_becomes() -> None:
    encoding = ("Content-Encoding: gzip",)
    small = gzip.compress(json.dumps(SAMPLE).encode())
    bomb = gzip.compress(json.dumps(SAMPLE).encode() + b" " * 5_000_000)
    assert ask_peer(reply(small, headers=encoding)).code == "0000"
    assert ask_peer(reply(bomb, headers=encoding)).code == codes.BAD_ANSWER
    assert ask_peer(reply(b"not gzip", headers=encoding)).code == codes.BAD_ANSWER


def test_the_size_limit_is_the_given_one() -> None:
    body = json.dumps(SAMPLE).encode()
    assert ask_peer(reply(body), max_body_bytes=len(body)).code == "0000"
    assert ask_peer(reply(body), max_body_bytes=len(body) - 1).code == codes.BAD_ANSWER


@pytest.mark.parametrize(
    "headers",
    [tuple(f"X-{i}: a" for i in range(200)), ("X-Long: " + "a" * 70_000,)],
    ids=["many", "long"],
)
def test_huge_headers(headers: tuple[str, ...]) -> None:
    assert ask_peer(reply(headers=headers)).code in UNKNOWN


@pytest.mark.parametrize(
    ("fields", "derived"),
    [
        ({"age": 111}, DERIVED),
        ({"birthday": 19071014}, DERIVED),
        ({"age": 1.5}, DerivedFields("安徽省", "淮南市", "凤台县", "19071014", "M", None)),
        ({"age": True}, DerivedFields("安徽省", "淮南市", "凤台县", "19071014", "M", None)),
        (
            {"sex": "男", "age": "-1", "birthday": "1907-10-14"},
            DerivedFields("安徽省", "淮南市", "凤台县"),
        ),
        (
            {"province": {"a": 1}, "city": None, "county": "", "age": "①", "sex": ["M"]},
            DerivedFields(birthday="19071014"),
        ),
        (
            {"province": "省" * 500, "city": "\ud800\x00市", "county": " "},
            DerivedFields("省" * 64, "市", None, "19071014", "M", 111),
        ),
        (dict.fromkeys(("province", "city", "county", "birthday", "sex", "age")), None),
        (dict.fromkeys(("province", "city", "county", "birthday", "sex", "age"), ""), None),
    ],
)
def test_derived_fields_never_cost_the_outcome(
    fields: dict[str, object], derived: DerivedFields | None
) -> None:
    answer = ask_peer(reply({**SAMPLE, **fields}))
    assert answer == Answer("0000", "身份证信息匹配", None, derived)


@pytest.mark.parametrize(
    "message",
    [
        "张三的信息",
        "张 三",
        "号码340421190710145412",
        "3404 2119 0710 1454 12",
        "３４０４２１１９０７１０１４５４１２",
        "生日19071014",
        "%E5%BC%A0%E4%B8%89",
        APPCODE,
        APPCODE.upper(),
        5,
        None,
    ],
)
def test_a_message_about_the_person_is_dropped(message: object) -> None:
    assert ask_peer(reply({**SAMPLE, "respMessage": message})).message == ""


def test_a_message_is_cut_and_cleaned() -> None:
    answer = ask_peer(reply({**SAMPLE, "respMessage": "\ud800\x00长\n" * 300}))
    assert answer.message == "长" * 200


@pytest.mark.parametrize(
    ("status", "headers", "code"),
    [
        ("403 x", ("X-Ca-Error-Code: B403MQ",), "B403MQ"),
        ("500 x", ("X-Ca-Error-Code: B403MQ", "X-Ca-Error-Message: anything"), "B403MQ"),
        ("429 x", ("X-Ca-Error-Code: T429ZZ",), "T429ZZ"),
        ("403 x", ("X-Ca-Error-Message: Quota Exhausted now",), "B403MQ"),
        ("403 x", ("X-Ca-Error-Message: TThrottled by GROUP Flow Control",), "T429XX"),
        ("403 x", ("X-Ca-Error-Code: X403ZZ", "X-Ca-Error-Message: User Arrears"), "B403OD"),
        ("403 x", ("X-Ca-Error-Code: X403ZZ", "X-Ca-Error-Message: new"), "X403ZZ"),
        ("403 x", ("X-Ca-Error-Code: RATE_LIMIT",), "RATE_LIMIT"),
        ("403 x", ("X-Ca-Error-Message: RATE_LIMIT",), codes.BAD_ANSWER),
        ("403 x", ("X-Ca-Error-Code:", "X-Ca-Error-Message:"), codes.BAD_ANSWER),
        ("403 x", (), codes.BAD_ANSWER),
        ("500 x", (), codes.BAD_ANSWER),
        ("204 x", (), codes.BAD_ANSWER),
        ("103 x", (), codes.BAD_ANSWER),
        # Words of the other vocabularies would free the call of cost, or give it an outcome.
        ("403 x", ("X-Ca-Error-Code: not_sent",), codes.BAD_ANSWER),
        ("403 x", ("X-Ca-Error-Code: too_late",), codes.BAD_ANSWER),
        ("403 x", ("X-Ca-Error-Code: 0000",), codes.BAD_ANSWER),
        ("403 x", ("X-Ca-Error-Code: " + "A" * 17,), codes.BAD_ANSWER),
    ],
)
def test_gateway_errors(status: str, headers: tuple[str, ...], code: str) -> None:
    assert ask_peer(reply(b"", status, headers)).code == code


def test_an_outcome_weighs_more_than_an_error_header_beside_it() -> None:
    headers = ("X-Ca-Error-Code: D504CO",)
    assert ask_peer(reply(headers=headers)).code == "0000"
    assert ask_peer(reply(b"", headers=headers)).code == "D504CO"


def test_an_outcome_under_an_error_status_is_not_one() -> None:
    assert ask_peer(reply(status="500 x")).code == codes.BAD_ANSWER


def test_the_upstreams_request_id_is_kept_clean() -> None:
    def request_id(value: str) -> str | None:
        return ask_peer(reply(headers=(f"X-Ca-Request-Id: {value}",))).upstream_request_id

    assert request_id("78377A8F-8D8B") == "78377A8F-8D8B"
    assert request_id("a\x00b\x1bé" + "c" * 200) == "ab" + "c" * 126
    assert request_id(PERSON.id_number) is None
    assert request_id("a" * 120 + PERSON.id_number) is None
    assert request_id(APPCODE) is None
    assert request_id("") is None


# TLS.


@dataclass(frozen=True)
class Authority:
    """A certificate authority of our own, and a server's certificates from it."""

    path: Path
    good: ssl.SSLContext
    other_name: ssl.SSLContext


def _certificate(
    name: str,
    issuer: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None,
    alternative: x509.GeneralName | None,
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer = issuer[1] if issuer else key
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    )
    if alternative is None:
        usage = x509.KeyUsage(
            digital_signature=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        builder = builder.add_extension(usage, critical=True)
    else:
        names = x509.SubjectAlternativeName([alternative])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(signer, hashes.SHA256()), key


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    folder = tmp_path_factory.mktemp("tls")
    root = _certificate("tests", None, None)

    def context(alternative: x509.GeneralName) -> ssl.SSLContext:
        certificate, key = _certificate("server", root, alternative)
        path = folder / "server.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(path)
        return made

    (folder / "root.pem").write_bytes(root[0].public_bytes(serialization.Encoding.PEM))
    return Authority(
        folder / "root.pem",
        context(x509.IPAddress(ipaddress.ip_address("127.0.0.1"))),
        context(x509.DNSName("example.com")),
    )


@pytest.fixture
def trusted(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Authority:
    monkeypatch.setattr(transport, "DEFAULT_CA_BUNDLE_PATH", str(authority.path))
    return authority


def test_tls_is_spoken_and_kept_alive(trusted: Authority) -> None:
    with Peer(reply(), trusted.good) as peer, provider_at(peer.url) as provider:
        for _ in range(3):
            assert provider.ask(PERSON, APPCODE, PLENTY).code == "0000"
        assert peer.accepted == 1


def test_the_deadline_ends_what_drips_over_tls(trusted: Authority) -> None:
    with Peer(lambda _: None, trusted.good) as peer, provider_at(peer.url) as provider:
        peer.behave = drip(peer, *DRIPS["body"])
        assert provider.ask(PERSON, APPCODE, 2 * SOON).code == codes.NO_ANSWER
        assert len(peer.requests) == 1
        assert not peer.dripped_out


def test_a_stranger_gets_nothing(authority: Authority) -> None:
    with Peer(reply(), authority.good) as peer, provider_at(peer.url) as provider:
        assert provider.ask(PERSON, APPCODE, PLENTY) == Answer(codes.NOT_SENT)
        assert not peer.requests


def test_another_hosts_certificate_gets_nothing(trusted: Authority) -> None:
    with Peer(reply(), trusted.other_name) as peer, provider_at(peer.url) as provider:
        assert provider.ask(PERSON, APPCODE, PLENTY) == Answer(codes.NOT_SENT)
        assert not peer.requests


@pytest.mark.parametrize("ending", [b"HTTP/1.1 400 x\r\n\r\n", b"", None])
def test_a_handshake_that_fails_was_not_sent(ending: bytes | None) -> None:
    """Answered in plain text, closed, or never answered."""
    done = threading.Event()

    def serve(listener: socket.socket) -> None:
        sock, _ = listener.accept()
        with sock, suppress(OSError):
            sock.recv(65_536)
            if ending is None:
                done.wait(PLENTY)
            else:
                sock.sendall(ending)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        with provider_at(f"https://127.0.0.1:{listener.getsockname()[1]}") as provider:
            timeout = PLENTY if ending is not None else SOON
            assert provider.ask(PERSON, APPCODE, timeout) == Answer(codes.NOT_SENT)
        done.set()
        thread.join()


def test_broken_tls_after_the_request_may_have_been_charged(trusted: Authority) -> None:
    """The same SSLError to requests as a handshake that fails, and far from free."""

    def garbage(sock: socket.socket) -> None:
        with socket.socket(fileno=os.dup(sock.fileno())) as plain:
            plain.sendall(b"\x17\x03\x03\x00\x20" + b"\x00" * 32)

    with Peer(garbage, trusted.good) as peer, provider_at(peer.url) as provider:
        assert provider.ask(PERSON, APPCODE, PLENTY) == Answer(codes.NO_ANSWER)
        assert len(peer.requests) == 1


# Anything at all.

PIECES = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 403 Forbidden\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.0 200\r\n",
        b"Content-Length: 5\r\n",
        b"Content-Length: 99999\r\n",
        b"Content-Length: -1\r\n",
        b"Content-Length: 1, 2\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Content-Encoding: gzip\r\n",
        b"Content-Encoding: deflate, gzip\r\n",
        b"Connection: close\r\n",
        b"Location: http://127.0.0.1:1/\r\n",
        b"X-Ca-Error-Code: not_sent\r\n",
        b"X-Ca-Error-Code: D504CO\r\n",
        b"X-Ca-Error-Message: \xff\xfe\r\n",
        b"X-Ca-Request-Id: \x00\r\n",
        b" folded\r\n",
        b"no colon\r\n",
        b"\r\n",
        b"5\r\n",
        b"0\r\n\r\n",
        b'{"respCode":"not_sent"}',
        b'{"respCode":"0000","age":1e999,"respMessage":"\\ud800"}',
        json.dumps(SAMPLE).encode(),
    ]
)


@pytest.fixture(scope="module")
def parrot() -> Iterator[tuple[Peer, HttpProvider]]:
    with Peer(lambda _: None) as peer, provider_at(peer.url) as provider:
        yield peer, provider


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(raw=st.lists(PIECES | st.binary(max_size=40), max_size=8).map(b"".join))
@example(raw=b"HTTP/1.1 200 OK\r\nX-Ca-Error-Code: not_sent\r\n\r\n")
@example(raw=b"HTTP/1.1 999999 OK\r\n\r\n")
@example(raw=b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n{}")
@example(raw=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n{}\r\n")
def test_no_answer_raises_or_passes_for_not_sent(
    parrot: tuple[Peer, HttpProvider], raw: bytes
) -> None:
    peer, provider = parrot
    peer.requests.clear()
    peer.behave = lambda sock: sock.sendall(raw)
    answer = provider.ask(PERSON, APPCODE, PLENTY)
    assert answer.code not in {codes.NOT_SENT, codes.TOO_LATE, codes.LEASE_EXPIRED}
    assert len(peer.requests) == 1
    if codes.find(answer.code).outcome is not None:
        assert b'"0000"' in raw
    json.dumps([answer.code, answer.message, answer.upstream_request_id]).encode("ascii")
    answer.message.encode("utf-8")


# Nothing left behind, and nothing told.


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts Linux's open files")
def test_no_thread_timer_or_socket_is_left_behind() -> None:
    behaviours = [reply(), reset, lambda _: None, reply(b"{", "500 x"), reply(b" " * 99_999)]
    threads, files = set(threading.enumerate()), _open_files()
    for behave in (*behaviours, None):
        with Peer(behave or (lambda _: None)) as peer, provider_at(peer.url) as provider:
            if behave is None:
                peer.behave = drip(peer, *DRIPS["body"])
            for _ in range(3 if behave else 1):
                provider.ask(PERSON, APPCODE, SOON)
    assert set(threading.enumerate()) <= threads
    assert _open_files() <= files


LEAKS = (
    PERSON.name,
    PERSON.id_number,
    PERSON.id_number[6:14],
    APPCODE,
    "%E5%BC%A0%E4%B8%89",
    # as they look when taken for Latin-1
    PERSON.name.encode().decode("latin-1"),
)


def _echo(sock: socket.socket) -> None:
    """Everything back, where headers belong: urllib3 logs malformed ones word by word."""
    told = f"{PERSON.name} {PERSON.id_number} {APPCODE}".encode()
    head = b"HTTP/1.1 200 OK\r\nX-Fine: 1\r\n" + told + b"\r\n " + told + b"\r\n\r\n"
    sock.sendall(head + json.dumps(SAMPLE, ensure_ascii=False).encode())


def test_logs_tell_nothing(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in list(logging.root.manager.loggerDict):
        caplog.set_level(logging.DEBUG, logger=name)
    told = json.dumps([PERSON.name, PERSON.id_number, APPCODE], ensure_ascii=False).encode()
    behaviours: list[Callable[[socket.socket], object]] = [
        reply(),
        reply(told),
        reply(told, f"500 {PERSON.id_number}"),
        reply(b"", "302 x", (f"Location: http://127.0.0.1:1/?{PERSON.id_number}",)),
        reply(b"", headers=(f"X-Ca-Error-Message: {APPCODE}", f"X-Ca-Request-Id: {APPCODE}")),
        reply(headers=(f"Content-Length: {PERSON.id_number}",)),
        reply(headers=("Transfer-Encoding: chunked",)),
        lambda sock: sock.sendall(told),
        _echo,
        reset,
        lambda _: None,
    ]
    answers = []
    for behave in behaviours:
        with Peer(behave) as peer, provider_at(peer.url) as provider:
            answers += [provider.ask(PERSON, APPCODE, SOON) for _ in range(2)]
            answers.append(provider.ask(PERSON, APPCODE + "\n", PLENTY))
            printed = repr((provider, provider._transport, vars(provider)))
    with provider_at("https://nobody.invalid") as provider:
        answers.append(provider.ask(PERSON, APPCODE, PLENTY))
    assert any("nobody.invalid" in record.getMessage() for record in caplog.records)
    written = "".join(capfd.readouterr())
    for leak in LEAKS:
        assert leak not in caplog.text
        assert leak not in written
        assert leak not in printed
        assert not any(leak in repr(answer) for answer in answers)


def test_an_answer_in_spite_of_malformed_headers_is_not_lost() -> None:
    assert ask_peer(_echo).code == "0000"
