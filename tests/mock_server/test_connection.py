"""What the wire shows: spellings, HTTP's corners, connections that hang or break."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
import requests

from mock_server import Options, create_app
from mock_server.serving import Server
from mock_server.tls import certificate
from tests.mock_server.support import FORM, PATH, PERSON, Upstream, code

BODY = urlencode({"name": PERSON[0], "idNo": PERSON[1]}).encode()
HEAD = f"Host: x\r\nAuthorization: APPCODE x\r\nContent-Type: {FORM}\r\n".encode()
GOOD = b"POST %b HTTP/1.1\r\n%bContent-Length: %d\r\n\r\n%b" % (
    PATH.encode(),
    HEAD,
    len(BODY),
    BODY,
)
H2C = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAB\r\n"


def connect(upstream: Upstream) -> socket.socket:
    host, port = urlsplit(upstream.url).netloc.split(":")
    return socket.create_connection((host, int(port)), timeout=20)


def answer(connection: socket.socket) -> tuple[bytes, bytes]:
    """Read one answer: head and body."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += _some(connection)
    head, _, body = received.partition(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    while len(body) < length:
        body += _some(connection)
    return head, body


def _some(connection: socket.socket) -> bytes:
    received = connection.recv(65_536)
    assert received, "closed too early"
    return received


def say(upstream: Upstream, raw: bytes) -> tuple[bytes, bytes]:
    with closing(connect(upstream)) as connection:
        connection.sendall(raw)
        return answer(connection)


def test_headers_in_the_gateways_own_spelling(upstream: Upstream) -> None:
    head, _ = say(upstream, GOOD.replace(b"APPCODE", b"Bearer"))
    lines = head.split(b"\r\n")
    assert lines[0] == b"HTTP/1.1 400 Bad Request"
    names = [line.split(b":")[0] for line in lines[1:]]
    assert names == [
        b"Content-Type",
        b"X-Ca-Error-Message",
        b"X-Ca-Error-Code",
        b"Server",
        b"Content-Length",
        b"Date",
        b"X-Ca-Request-Id",
    ]


def test_pipelined_and_chunked_and_old(upstream: Upstream) -> None:
    with closing(connect(upstream)) as connection:
        connection.sendall(GOOD)
        assert b'"0000"' in answer(connection)[1]
        chunked = b"POST %b HTTP/1.1\r\n%bTransfer-Encoding: chunked\r\n\r\n" % (
            PATH.encode(),
            HEAD,
        )
        connection.sendall(chunked + b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY))
        assert b'"0000"' in answer(connection)[1]
    head, body = say(upstream, GOOD.replace(b"HTTP/1.1", b"HTTP/1.0"))
    assert b"Connection: close" in head
    assert b'"0000"' in body
    assert upstream.paid == 3


def test_two_requests_in_one_packet(upstream: Upstream) -> None:
    with closing(connect(upstream)) as connection:
        connection.sendall(GOOD + GOOD.replace(b"Connection", b"x"))
        received = b""
        while received.count(b'"respCode":"0000"') < 2:
            received += _some(connection)
    assert upstream.paid == 2


def test_an_offer_of_another_protocol_is_ignored(upstream: Upstream) -> None:
    """Java's HttpClient makes one with its first request, head and body apart."""
    offer = GOOD.replace(b"Host", H2C + b"Host")
    head, _, body = offer.partition(b"\r\n\r\n")
    with closing(connect(upstream)) as connection:
        connection.sendall(head + b"\r\n\r\n")
        connection.sendall(body)
        assert b'"0000"' in answer(connection)[1]
        connection.sendall(GOOD)
        assert b'"0000"' in answer(connection)[1]
    assert upstream.paid == 2


@pytest.mark.parametrize(
    "raw",
    [
        b"GARBAGE\r\n\r\n",
        "GET /你好 HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
    ],
)
def test_what_is_no_http_gets_the_gateways_answer(upstream: Upstream, raw: bytes) -> None:
    head, body = say(upstream, raw)
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"X-Ca-Error-Code: I400PA" in head
    assert body == b""


def test_it_says_continue(upstream: Upstream) -> None:
    head, _, body = GOOD.replace(b"Host", b"Expect: 100-continue\r\nHost").partition(b"\r\n\r\n")
    with closing(connect(upstream)) as connection:
        connection.sendall(head + b"\r\n\r\n")
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert b'"0000"' in answer(connection)[1]


def test_a_caller_who_leaves_before_the_end_of_the_request_is_charged_nothing(
    upstream: Upstream,
) -> None:
    with closing(connect(upstream)) as connection:
        connection.sendall(GOOD[:-5])
    assert code(upstream.ask(*PERSON)) == "0000"
    assert upstream.paid == 1
    assert len(upstream.get("/requests")["requests"]) == 1


def test_400_calls_hang_at_once(upstream: Upstream) -> None:
    upstream.arm("hang", value=600_000)
    host, port = urlsplit(upstream.url).netloc.split(":")

    async def hang() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(GOOD)
        await writer.drain()
        return reader, writer

    async def everybody() -> int:
        pairs = [await hang() for _ in range(400)]
        seen = 0
        while seen < len(pairs):
            seen = (await asyncio.to_thread(upstream.get, "/state"))["requests"]
        for _, writer in pairs:
            writer.close()
        return seen

    assert asyncio.run(everybody()) == 400
    upstream.disarm()
    assert code(upstream.ask(*PERSON)) == "0000"


def test_an_answer_of_64_megabytes_waits_for_its_reader(upstream: Upstream) -> None:
    upstream.arm("oversize", value=64 * 1024 * 1024, times=1)
    response = upstream.ask(*PERSON)
    assert len(response.content) == 64 * 1024 * 1024
    assert response.json()["respCode"] == "0000"


def test_a_server_that_was_not_started_has_no_address() -> None:
    with pytest.raises(RuntimeError, match="started"):
        _ = Server(create_app(Options())).url


class TestTls:
    def test_its_own_authority_is_all_that_a_caller_needs(self, tmp_path: Path) -> None:
        made = certificate(["mock.test"], tmp_path / "ca.pem")
        with Server(create_app(Options()), tls=made) as server:
            assert server.url.startswith("https://127.0.0.1:")
            with requests.Session() as session:
                session.trust_env = False
                found = session.get(f"{server.url}/__admin/health", verify=str(made.ca_file))
                assert found.json()["status"] == "ok"
                with pytest.raises(requests.exceptions.SSLError):
                    session.get(f"{server.url}/__admin/health")

    @pytest.mark.parametrize("name", ["idenauthen.market.alicloudapi.com", "localhost", "m.test"])
    def test_the_names_it_answers_to(self, name: str) -> None:
        made = certificate(["m.test"])
        with Server(create_app(Options()), tls=made) as server:
            port = urlsplit(server.url).port
            context = ssl.create_default_context(cafile=str(made.ca_file))
            raw = socket.create_connection(("127.0.0.1", port or 0), timeout=20)
            with context.wrap_socket(raw, server_hostname=name) as connection:
                connection.sendall(GOOD)
                assert b'"0000"' in answer(connection)[1]

    @pytest.mark.parametrize("kind", ["reset", "close"])
    def test_faults_of_the_connection(self, kind: str) -> None:
        made = certificate([])
        with (
            Server(create_app(Options()), tls=made) as server,
            Upstream(server.url) as upstream,
        ):
            upstream.session.verify = str(made.ca_file)
            upstream.arm(kind, times=1)
            with pytest.raises(requests.ConnectionError):
                upstream.ask(*PERSON)
            assert code(upstream.ask(*PERSON)) == "0000"

    def test_a_file_that_cannot_be_written(self, tmp_path: Path) -> None:
        with pytest.raises(OSError, match="nowhere"):
            certificate([], tmp_path / "nowhere" / "ca.pem")


def test_under_another_server_a_broken_connection_is_its_error(
    start: Callable[..., Upstream],
) -> None:
    client = create_app(Options()).test_client()
    client.post("/__admin/faults", json={"kind": "reset"})
    with pytest.raises(ConnectionResetError):
        client.post(
            PATH,
            data=BODY,
            headers={"Authorization": "APPCODE x", "Content-Type": FORM},
            buffered=True,
        )
