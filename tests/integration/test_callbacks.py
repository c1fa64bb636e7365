"""The way out to callbacks: one contract for it and its fake, hostile URLs, and rude peers."""

import logging
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trustme
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook

from chalicelib.adapters import transport
from chalicelib.adapters.callbacks import SECONDS, HttpCallbacks
from chalicelib.domain.delivery import CallbackResult, Fault
from chalicelib.domain.standard_webhooks import sign
from chalicelib.services.ports import Callbacks
from tests.fakes.callbacks import FakeCallbacks, Posted
from tests.peer import DRIPS, Peer, drip, reset, silent

NAME = "hooks.example.com"
BODY = b'{"type":"verification.completed"}'
HEADERS = {"webhook-id": "dlv_1", "webhook-timestamp": "1", "webhook-signature": "v1,AAAA"}
SOON = 0.9  # a third of it is for connecting, which a loaded machine must manage


def answer(status: int = 200, *lines: str) -> Callable[[socket.socket], None]:
    head = "\r\n".join((f"HTTP/1.1 {status} x", "Content-Length: 2", *lines, "", "ok"))
    return lambda sock: sock.sendall(head.encode())


def post(callbacks: Callbacks, url: str) -> int | Fault:
    return callbacks.post(url, HEADERS, BODY).code


def posted_to(peer: Peer) -> list[Posted]:
    """What a peer was sent, as the fake shows it."""
    return [_posted(raw.decode("ascii")) for raw in peer.requests]


def _posted(raw: str) -> Posted:
    head, _, body = raw.partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    method, path, _ = first.split(" ")
    assert method == "POST"
    headers = dict(line.split(": ", 1) for line in lines)
    return Posted(f"http://{headers['Host']}{path}", headers, body.encode())


# The contract, for the fake and the real one.


@dataclass
class Endpoint:
    """A URL, the way to it, what it answers next, and what it was sent."""

    url: str
    callbacks: Callbacks
    script: Callable[[int, str | None], None]
    posted: Callable[[], list[Posted]]


@pytest.fixture(params=["fake", "http"])
def endpoint(request: pytest.FixtureRequest) -> Iterator[Endpoint]:
    if request.param == "fake":
        fake = FakeCallbacks(allow_loopback=True)
        yield Endpoint(
            "http://127.0.0.1:8080/x?y=z",
            fake,
            lambda code, after: fake.results.append(CallbackResult(code, 0, after)),
            lambda: fake.posted,
        )
        return
    answers: deque[Callable[[socket.socket], None]] = deque()
    with Peer(lambda sock: answers.popleft()(sock) if answers else answer()(sock)) as peer:
        yield Endpoint(
            f"{peer.url}/x?y=z",
            HttpCallbacks(allow_loopback=True),
            lambda code, after: answers.append(
                answer(code, f"Retry-After: {after}") if after else answer(code)
            ),
            lambda: posted_to(peer),
        )


class TestContract:
    def test_what_is_posted_arrives_as_it_is(self, endpoint: Endpoint) -> None:
        result = endpoint.callbacks.post(endpoint.url, HEADERS, BODY)
        assert (result.code, result.retry_after) == (200, None)
        assert result.duration_ms >= 0
        (posted,) = endpoint.posted()
        assert (posted.url, posted.body) == (endpoint.url, BODY)
        assert HEADERS.items() <= posted.headers.items()

    @pytest.mark.parametrize("code", [200, 204, 301, 302, 307, 400, 404, 410, 429, 500, 503])
    def test_any_status_comes_back_after_one_attempt(self, endpoint: Endpoint, code: int) -> None:
        endpoint.script(code, None)
        assert post(endpoint.callbacks, endpoint.url) == code
        assert len(endpoint.posted()) == 1

    @pytest.mark.parametrize("after", ["7", "Tue, 24 Nov 2026 08:02:00 GMT", "soon"])
    def test_retry_after_comes_back_as_it_came(self, endpoint: Endpoint, after: str) -> None:
        endpoint.script(503, after)
        result = endpoint.callbacks.post(endpoint.url, HEADERS, BODY)
        assert (result.code, result.retry_after) == (503, after)

    @pytest.mark.parametrize(
        "url", ["", "ftp://127.0.0.1/", "http://a:b@127.0.0.1/", "http://127.1/"]
    )
    def test_a_url_that_is_not_plain_is_not_called(self, endpoint: Endpoint, url: str) -> None:
        assert post(endpoint.callbacks, url) is Fault.MALFORMED_URL
        assert not endpoint.posted()


@pytest.mark.parametrize("make", [FakeCallbacks, HttpCallbacks])
def test_http_is_not_spoken_by_default(make: type[FakeCallbacks] | type[HttpCallbacks]) -> None:
    assert post(make(), "http://127.0.0.1:9/") is Fault.NOT_HTTPS


def test_the_fake_gives_what_it_is_told() -> None:
    fake = FakeCallbacks([Fault.TIMEOUT, 410, CallbackResult(503, 5, "9")])
    url = f"https://{NAME}/"
    assert [fake.post(url, HEADERS, BODY) for _ in range(4)] == [
        CallbackResult(Fault.TIMEOUT),
        CallbackResult(410),
        CallbackResult(503, 5, "9"),
        CallbackResult(200),
    ]
    assert fake.posted == [Posted(url, HEADERS, BODY)] * 4


# A name's addresses as a test wants them, and whom anyone tried to connect to.


@dataclass
class Resolver:
    """Gives ``answers`` in turn, the last one for ever; ``asked`` says for which names."""

    answers: deque[Sequence[str]]
    asked: list[str] = field(default_factory=list)

    def __call__(self, host: str, port: int, seconds: float) -> Sequence[Any]:
        self.asked.append(host)
        found = self.answers.popleft() if len(self.answers) > 1 else self.answers[0]
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 0, "", (text, port, 0, 0))
            if ":" in text
            else (socket.AF_INET, socket.SOCK_STREAM, 0, "", (text, port))
            for text in found
        ]


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Resolver]:
    def resolving(*answers: Sequence[str]) -> Resolver:
        resolver = Resolver(deque(answers))
        monkeypatch.setattr(transport, "_addresses", resolver)
        monkeypatch.delattr(socket, "getaddrinfo")  # nobody else may ask
        return resolver

    return resolving


@pytest.fixture
def connects(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Where anyone tried to connect to; loopback goes through, anything else ends the test."""
    tried: list[Any] = []
    connect = socket.socket.connect

    def recorded(sock: socket.socket, address: Any) -> None:
        tried.append(address)
        if address[0] not in {"127.0.0.1", "::1"}:
            raise AssertionError(address)
        connect(sock, address)

    monkeypatch.setattr(socket.socket, "connect", recorded)
    return tried


@pytest.fixture
def listener() -> Iterator[Peer]:
    """One that must never be reached."""
    with Peer(answer()) as peer:
        yield peer


@pytest.mark.parametrize(
    ("host", "fault"),
    [
        ("127.0.0.1", Fault.BLOCKED_ADDRESS),
        ("127.255.255.254", Fault.BLOCKED_ADDRESS),
        ("localhost", Fault.BLOCKED_ADDRESS),
        ("0.0.0.0", Fault.BLOCKED_ADDRESS),  # noqa: S104 - Linux takes it for loopback
        ("[::1]", Fault.BLOCKED_ADDRESS),
        ("[::]", Fault.BLOCKED_ADDRESS),
        ("[::ffff:127.0.0.1]", Fault.BLOCKED_ADDRESS),
        ("[::ffff:7f00:1]", Fault.BLOCKED_ADDRESS),
        ("[::127.0.0.1]", Fault.BLOCKED_ADDRESS),
        ("[64:ff9b::127.0.0.1]", Fault.BLOCKED_ADDRESS),
        ("[64:ff9b:1::7f00:1]", Fault.BLOCKED_ADDRESS),
        ("[2002:7f00:1::]", Fault.BLOCKED_ADDRESS),
        ("169.254.169.254", Fault.BLOCKED_ADDRESS),
        ("100.100.100.200", Fault.BLOCKED_ADDRESS),
        ("[fd00:ec2::254]", Fault.BLOCKED_ADDRESS),
        ("10.0.0.1", Fault.BLOCKED_ADDRESS),
        ("172.16.0.1", Fault.BLOCKED_ADDRESS),
        ("192.168.1.1", Fault.BLOCKED_ADDRESS),
        ("100.64.0.1", Fault.BLOCKED_ADDRESS),
        ("198.18.0.1", Fault.BLOCKED_ADDRESS),
        ("224.0.0.1", Fault.BLOCKED_ADDRESS),
        ("255.255.255.255", Fault.BLOCKED_ADDRESS),
        ("[fe80::1]", Fault.BLOCKED_ADDRESS),
        ("[ff02::1]", Fault.BLOCKED_ADDRESS),
        ("2130706433", Fault.MALFORMED_URL),
        ("0x7f000001", Fault.MALFORMED_URL),
        ("0177.0.0.1", Fault.MALFORMED_URL),
        ("127.1", Fault.MALFORMED_URL),
        ("１２７.０.０.１", Fault.MALFORMED_URL),
        ("user@127.0.0.1", Fault.MALFORMED_URL),
        (f"{NAME}@127.0.0.1", Fault.MALFORMED_URL),
        (f"127.0.0.1\\@{NAME}", Fault.MALFORMED_URL),
        (f"127.0.0.1#@{NAME}", Fault.MALFORMED_URL),
    ],
)
def test_an_address_inside_is_not_connected_to(
    listener: Peer, connects: list[Any], host: str, fault: Fault
) -> None:
    assert post(HttpCallbacks(), f"https://{host}:{listener.port}/") is fault
    assert (listener.accepted, connects) == (0, [])


def test_the_listener_of_the_test_above_could_have_been_reached(
    listener: Peer, connects: list[Any]
) -> None:
    open_to_it = HttpCallbacks(allow_loopback=True, seconds=SOON)
    assert post(open_to_it, f"http://127.0.0.1:{listener.port}/") == 200
    assert post(open_to_it, f"https://127.0.0.1:{listener.port}/") is Fault.TIMEOUT
    assert listener.accepted == len(connects) == 2


@pytest.mark.parametrize(
    "found",
    [
        ["127.0.0.1"],
        ["::1"],
        ["::ffff:127.0.0.1"],
        ["93.184.215.14", "127.0.0.1"],
        ["127.0.0.1", "93.184.215.14"],
        ["2606:2800:21f::1", "169.254.169.254"],
        ["93.184.215.14", "fe80::1%lo"],
    ],
    ids=str,
)
def test_a_name_that_leads_inside_is_not_followed(
    listener: Peer, connects: list[Any], resolve: Callable[..., Resolver], found: list[str]
) -> None:
    resolver = resolve(found)
    url = f"https://{NAME}:{listener.port}/"
    assert post(HttpCallbacks(), url) is Fault.BLOCKED_ADDRESS
    assert (listener.accepted, connects, resolver.asked) == (0, [], [NAME])


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    "found", [["10.0.0.1"], ["127.0.0.1", "169.254.169.254"], ["::ffff:127.0.0.1"]], ids=str
)
def test_loopback_allowed_is_no_more_than_loopback(
    listener: Peer,
    connects: list[Any],
    resolve: Callable[..., Resolver],
    found: list[str],
    scheme: str,
) -> None:
    resolve(found)
    url = f"{scheme}://{NAME}:{listener.port}/"
    assert post(HttpCallbacks(allow_loopback=True), url) is Fault.BLOCKED_ADDRESS
    assert (listener.accepted, connects) == (0, [])


def test_http_to_a_public_address_is_refused_whatever_is_allowed(
    connects: list[Any], resolve: Callable[..., Resolver]
) -> None:
    resolve(["93.184.215.14"])
    callbacks = HttpCallbacks(allow_loopback=True)
    assert post(callbacks, f"http://{NAME}/") is Fault.BLOCKED_ADDRESS
    assert connects == []


def test_a_public_address_is_connected_to(
    monkeypatch: pytest.MonkeyPatch, resolve: Callable[..., Resolver]
) -> None:
    tried: list[Any] = []

    def refuse(_: socket.socket, address: Any) -> None:
        tried.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket.socket, "connect", refuse)
    resolve(["93.184.215.14", "2606:2800:21f::1"])
    assert post(HttpCallbacks(), f"https://{NAME}/") is Fault.REFUSED
    assert tried == [("93.184.215.14", 443), ("2606:2800:21f::1", 443, 0, 0)]


# TLS, where the name stays the name.


@dataclass(frozen=True)
class Tls:
    """A server's side for one name, and what clients called it."""

    context: ssl.SSLContext
    called: list[str | None]


@pytest.fixture
def tls_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Tls]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "root.pem")
    monkeypatch.setattr(transport, "DEFAULT_CA_BUNDLE_PATH", str(tmp_path / "root.pem"))

    def serve(name: str) -> Tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        called: list[str | None] = []
        authority.issue_cert(name).configure_cert(context)
        context.sni_callback = lambda _sock, sni, _context: called.append(sni)
        return Tls(context, called)

    return serve


def test_the_address_that_was_checked_is_the_one_connected_to(
    connects: list[Any], resolve: Callable[..., Resolver], tls_for: Callable[[str], Tls]
) -> None:
    """A resolver that changes its mind is not asked twice within an attempt."""
    tls, resolver = tls_for(NAME), resolve(["127.0.0.1"], ["169.254.169.254"])
    callbacks = HttpCallbacks(allow_loopback=True)
    with Peer(answer(), tls.context) as peer:
        url = f"https://{NAME}:{peer.port}/x"
        assert post(callbacks, url) == 200
        assert resolver.asked == [NAME]
        assert connects == [("127.0.0.1", peer.port)]
        assert tls.called == [NAME]
        assert posted_to(peer)[0].headers["Host"] == f"{NAME}:{peer.port}"
        assert post(callbacks, url) is Fault.BLOCKED_ADDRESS  # and is asked anew for the next
        assert (peer.accepted, resolver.asked) == (1, [NAME, NAME])


@pytest.mark.parametrize("name", ["other.example.com", "127.0.0.1"])
def test_another_names_certificate_gets_nothing(
    resolve: Callable[..., Resolver], tls_for: Callable[[str], Tls], name: str
) -> None:
    resolve(["127.0.0.1"])
    with Peer(answer(), tls_for(name).context) as peer:
        url = f"https://{NAME}:{peer.port}/"
        assert post(HttpCallbacks(allow_loopback=True), url) is Fault.TLS
        assert (peer.accepted, peer.requests) == (1, [])


def test_a_strangers_certificate_gets_nothing(
    resolve: Callable[..., Resolver], tls_for: Callable[[str], Tls]
) -> None:
    tls_for(NAME)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert(NAME).configure_cert(context)
    resolve(["127.0.0.1"])
    with Peer(answer(), context) as peer:
        url = f"https://{NAME}:{peer.port}/"
        assert post(HttpCallbacks(allow_loopback=True), url) is Fault.TLS
        assert peer.requests == []


def test_a_receiver_can_check_what_arrives(
    resolve: Callable[..., Resolver], tls_for: Callable[[str], Tls]
) -> None:
    resolve(["127.0.0.1"])
    key = b"k" * 32
    with Peer(answer(), tls_for(NAME).context) as peer:
        headers = sign(key, "dlv_1", datetime.now(UTC), BODY)
        url = f"https://{NAME}:{peer.port}/"
        assert HttpCallbacks(allow_loopback=True).post(url, headers, BODY).code == 200
        (posted,) = posted_to(peer)
    Webhook(key).verify(posted.body, dict(posted.headers))
    assert posted.headers["Content-Type"] == "application/json"


# Where nothing may lead away to.


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(listener: Peer, status: int) -> None:
    target = f"Location: http://127.0.0.1:{listener.port}/"
    with Peer(answer(status, target)) as peer:
        assert post(HttpCallbacks(allow_loopback=True), peer.url) == status
        assert (peer.accepted, listener.accepted) == (1, 0)


def test_the_environment_has_no_say(
    listener: Peer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("default login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for scheme in ("HTTP", "HTTPS", "ALL"):
        monkeypatch.setenv(f"{scheme}_PROXY", listener.url)
        monkeypatch.setenv(f"{scheme}_proxy".lower(), listener.url)
    with Peer(answer()) as peer:
        assert post(HttpCallbacks(allow_loopback=True), peer.url) == 200
        assert post(HttpCallbacks(), f"https://127.0.0.1:{peer.port}/") is Fault.BLOCKED_ADDRESS
        assert "Authorization" not in posted_to(peer)[0].headers
    assert listener.accepted == 0


def test_nothing_is_kept_between_attempts() -> None:
    callbacks = HttpCallbacks(allow_loopback=True)
    with Peer(answer(200, "Set-Cookie: a=b")) as peer:
        for _ in range(2):
            assert post(callbacks, peer.url) == 200
        assert peer.accepted == 2
        assert "Cookie" not in posted_to(peer)[1].headers


# Peers that do not answer, or not as they should.


def test_the_deadline_is_the_documented_one() -> None:
    limits = HttpCallbacks()._limits
    assert (limits.total, limits.connect_timeout) == (SECONDS, 5) == (15, 5)


def test_the_deadline_ends_what_drips() -> None:
    """With its status in, the answer counts; what follows is waited for and ignored."""

    def run(what: str) -> tuple[int | Fault, int, bool]:
        with Peer(lambda _: None) as peer:
            peer.behave = drip(peer, *DRIPS[what])
            code = post(HttpCallbacks(allow_loopback=True, seconds=SOON), peer.url)
            return code, len(peer.requests), peer.dripped_out

    with ThreadPoolExecutor(len(DRIPS)) as pool:
        results = dict(zip(DRIPS, pool.map(run, DRIPS), strict=True))
    began = {what for what, (head, _) in DRIPS.items() if b"\r\n\r\n" in head}
    assert results == {what: (200 if what in began else Fault.TIMEOUT, 1, False) for what in DRIPS}
    assert 0 < len(began) < len(DRIPS)


def test_silence() -> None:
    with Peer(lambda _: None) as peer:
        peer.behave = lambda _: peer.stopping.wait()
        callbacks = HttpCallbacks(allow_loopback=True, seconds=SOON)
        assert post(callbacks, peer.url) is Fault.TIMEOUT


def test_an_address_that_does_not_answer() -> None:
    with silent() as (host, port):
        callbacks = HttpCallbacks(allow_loopback=True, seconds=SOON)
        assert post(callbacks, f"http://{host}:{port}/") is Fault.TIMEOUT


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert post(HttpCallbacks(allow_loopback=True), f"http://127.0.0.1:{port}/") is Fault.REFUSED


def test_a_name_that_nobody_has() -> None:
    assert post(HttpCallbacks(), "https://nobody.invalid/") is Fault.UNRESOLVABLE


def test_a_name_without_addresses(resolve: Callable[..., Resolver]) -> None:
    resolve([])
    assert post(HttpCallbacks(), f"https://{NAME}/") is Fault.REFUSED


def test_a_resolver_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(*_: object) -> None:
        raise TimeoutError

    monkeypatch.setattr(transport, "_addresses", hang)
    assert post(HttpCallbacks(), f"https://{NAME}/") is Fault.TIMEOUT


@pytest.mark.parametrize(
    "behave",
    [
        reset,
        lambda _: None,
        lambda sock: sock.sendall(b"SSH-2.0-OpenSSH_9.6\r\n"),
        lambda sock: sock.sendall(b"HTTP/1.1 99999 x\r\n\r\n"),
        lambda sock: sock.sendall(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000),
        lambda sock: sock.sendall(b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 200 + b"\r\n"),
    ],
    ids=["reset", "close", "ssh", "status", "long header", "many headers"],
)
def test_no_answer(behave: Callable[[socket.socket], object]) -> None:
    with Peer(behave) as peer:
        assert post(HttpCallbacks(allow_loopback=True), peer.url) is Fault.NO_ANSWER
        assert len(peer.requests) == 1


def test_a_long_body_is_not_read_to_its_end(listener: Peer) -> None:
    size, poured = 64 * 2**20, threading.Event()
    hung_up = threading.Event()

    def pour(sock: socket.socket) -> None:
        try:
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b" " * size)
            poured.set()
        except OSError:
            hung_up.set()

    listener.behave = pour
    assert post(HttpCallbacks(allow_loopback=True), listener.url) == 200
    assert hung_up.wait(10)
    assert not poured.is_set()


@pytest.mark.parametrize(
    "tail",
    ["Content-Length: 9\r\n\r\n{", "Transfer-Encoding: chunked\r\n\r\nzz\r\n"],
    ids=["cut", "chunks"],
)
def test_a_broken_body_does_not_cost_the_status(tail: str) -> None:
    whole = f"HTTP/1.1 410 Gone\r\nRetry-After: 5\r\n{tail}".encode()
    with Peer(lambda sock: sock.sendall(whole)) as peer:
        result = HttpCallbacks(allow_loopback=True).post(peer.url, HEADERS, BODY)
        assert (result.code, result.retry_after) == (410, "5")


@pytest.mark.parametrize("headers", [{"a\r\nb": "c"}, {"a": "b\r\nc: d"}, {"a": "é\u4e2d"}])
def test_headers_that_cannot_be_sent_raise_nothing(listener: Peer, headers: dict[str, str]) -> None:
    result = HttpCallbacks(allow_loopback=True).post(listener.url, headers, BODY)
    assert result.code is Fault.NO_ANSWER
    assert listener.requests == []


PIECES = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.0 302\r\n",
        b"Content-Length: 5\r\n",
        b"Content-Length: -1\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Content-Encoding: gzip\r\n",
        b"Location: http://127.0.0.1:1/\r\n",
        b"Retry-After: \xff\xfe\r\n",
        b" folded\r\n",
        b"\r\n",
        b"5\r\n",
    ]
)


@pytest.fixture(scope="module")
def parrot() -> Iterator[Peer]:
    with Peer(lambda _: None) as peer:
        yield peer


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(raw=st.lists(PIECES | st.binary(max_size=40), max_size=8).map(b"".join))
@example(raw=b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n{}")
def test_no_answer_raises(parrot: Peer, raw: bytes) -> None:
    parrot.requests.clear()
    parrot.behave = lambda sock: sock.sendall(raw)
    code = post(HttpCallbacks(allow_loopback=True), parrot.url)
    assert isinstance(code, Fault) or 100 <= code <= 999
    assert len(parrot.requests) == 1


# Nothing left behind, and nothing told.


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts Linux's open files")
def test_no_thread_or_socket_is_left_behind(
    resolve: Callable[..., Resolver], tls_for: Callable[[str], Tls]
) -> None:
    context, other = tls_for(NAME).context, tls_for("other.example.com").context
    resolve(["127.0.0.1"])
    threads, files = set(threading.enumerate()), _open_files()
    for behave in (answer(), answer(500), reset, lambda _: None):
        for tls in (None, context, other):
            with Peer(behave, tls) as peer:
                url = f"{'https' if tls else 'http'}://{NAME}:{peer.port}/"
                post(HttpCallbacks(allow_loopback=True), url)
                post(HttpCallbacks(), url)
    assert set(threading.enumerate()) <= threads
    assert _open_files() <= files


def test_what_is_logged_holds_neither_signature_nor_body(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    echo = f"HTTP/1.1 200 OK\r\n{HEADERS['webhook-signature']}\r\n {BODY.decode()}\r\n\r\n"
    for behave in (answer(), reset, lambda sock: sock.sendall(echo.encode())):
        with Peer(behave) as peer:
            post(HttpCallbacks(allow_loopback=True), peer.url)
    assert caplog.records
    assert "v1,AAAA" not in caplog.text
    assert "verification.completed" not in caplog.text
