import http.client
import json
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
import requests

from mock_server.effects import PAUSES, PLAIN, TRANSPORT, VALUED
from tests.mock_server.support import APPCODE, FORM, OTHER, PATH, PERSON, Upstream, code

WHEN = ("before_charge", "after_charge")


def raw(upstream: Upstream, timeout: float = 20) -> tuple[http.client.HTTPResponse, bytes]:
    """One call on a fresh connection, everything read."""
    connection = http.client.HTTPConnection(urlsplit(upstream.url).netloc, timeout=timeout)
    try:
        body = urlencode({"name": PERSON[0], "idNo": PERSON[1]})
        headers = {"Authorization": f"APPCODE {APPCODE}", "Content-Type": FORM}
        connection.request("POST", PATH, body, headers)
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


def show_reset(upstream: Upstream) -> None:
    with pytest.raises(ConnectionResetError):
        raw(upstream)


def show_close(upstream: Upstream) -> None:
    # A subclass of ConnectionResetError, but raised for an orderly end.
    with pytest.raises(http.client.RemoteDisconnected):
        raw(upstream)


def show_truncated(upstream: Upstream) -> None:
    with pytest.raises(http.client.IncompleteRead) as caught:
        raw(upstream)
    assert caught.value.partial.startswith(b'{"name":"')
    assert caught.value.expected


def show_not_json(upstream: Upstream) -> None:
    response, body = raw(upstream)
    assert response.status == 200
    with pytest.raises(json.JSONDecodeError):
        json.loads(body)


def show_empty(upstream: Upstream) -> None:
    response, body = raw(upstream)
    assert (response.status, body) == (200, b"")


def show_500(upstream: Upstream) -> None:
    response, _ = raw(upstream)
    assert response.status == 500
    assert not [name for name in response.headers if name.lower().startswith("x-ca-")]


def show_types(upstream: Upstream) -> None:
    document = json.loads(raw(upstream)[1])
    assert (document["respCode"], document["birthday"]) == (0, 18530427)
    assert isinstance(document["age"], int)
    assert document["name"] == PERSON[0]


def show_charset(upstream: Upstream) -> None:
    response, body = raw(upstream)
    assert response.headers["Content-Type"] == "application/json; charset=UTF-8"
    assert json.loads(body.decode("gbk"))["name"] == PERSON[0]
    with pytest.raises(UnicodeDecodeError):
        body.decode()


def show_unknown(upstream: Upstream) -> None:
    document = json.loads(raw(upstream)[1])
    assert (document["respCode"], document["province"]) == ("0005", "")


def show_oversize(upstream: Upstream) -> None:
    response, body = raw(upstream)
    assert response.headers["Content-Length"] == str(len(body)) == "300000"
    assert json.loads(body)["respCode"] == "0000"


def show_whole(upstream: Upstream) -> None:
    assert json.loads(raw(upstream)[1])["respCode"] == "0000"


SHOW: dict[str, Callable[[Upstream], None]] = {
    "reset": show_reset,
    "close": show_close,
    "truncated_json": show_truncated,
    "not_json": show_not_json,
    "empty_200": show_empty,
    "http_500": show_500,
    "wrong_types": show_types,
    "wrong_charset": show_charset,
    "unknown_code": show_unknown,
    "oversize": show_oversize,
    "slow_drip": show_whole,
    "latency_ms": show_whole,
    "hang": show_whole,
}
VALUE = {"oversize": 300_000, "slow_drip": 0, "latency_ms": 20, "hang": 20}
ANSWERED = {"unknown_code", "slow_drip", "latency_ms", "hang"}


def test_all_kinds_are_shown() -> None:
    assert set(SHOW) == set(TRANSPORT) == set(VALUED) | set(PLAIN)


@pytest.mark.parametrize("when", WHEN)
@pytest.mark.parametrize("kind", TRANSPORT)
def test_each_kind_before_and_after_the_charge(upstream: Upstream, kind: str, when: str) -> None:
    upstream.arm(kind, when=when, **({"value": VALUE[kind]} if kind in VALUE else {}))
    SHOW[kind](upstream)
    entries = upstream.get("/ledger")["entries"]
    # A pause before the charge puts the call off; who waits gets, and pays, the answer.
    charged = when == "after_charge" or kind in PAUSES
    assert [(e["charged"], e["answered"]) for e in entries] == (
        [(True, kind in ANSWERED)] if charged else []
    )
    (entry,) = upstream.get("/requests")["requests"]
    assert entry["fault"] == {"kind": kind, "when": when}
    assert entry["charged"] == charged


@pytest.mark.parametrize("kind", TRANSPORT)
def test_before_the_charge_is_the_default(upstream: Upstream, kind: str) -> None:
    upstream.arm(kind, value=VALUE.get(kind))
    (fault,) = upstream.get("/faults")["faults"]
    assert fault["when"] == "before_charge"


def wait_for(condition: Callable[[], bool]) -> None:
    for _ in range(500):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("did not happen")


@pytest.mark.parametrize("kind", sorted(PAUSES))
@pytest.mark.parametrize(("when", "paid"), [(WHEN[0], 0), (WHEN[1], 1)])
def test_giving_up_on_a_pause(upstream: Upstream, kind: str, when: str, paid: int) -> None:
    upstream.arm(kind, value=60_000, when=when, times=1)
    with pytest.raises(requests.ReadTimeout):
        upstream.ask(*PERSON, timeout=0.2)
    # It ends when the caller hangs up, not a minute later.
    wait_for(lambda: upstream.get("/requests")["requests"][0]["duration_ms"] is not None)
    assert upstream.get("/requests")["requests"][0]["answer"]["status"] is None
    ledger = upstream.get("/ledger")
    assert ledger["paid_calls"] == ledger["used"] == paid
    assert [entry["answered"] for entry in ledger["entries"]] == [False] * paid


def test_giving_up_on_a_drip(upstream: Upstream) -> None:
    upstream.arm("slow_drip", value=50, when="after_charge", times=1)
    with socket.create_connection(urlsplit(upstream.url).netloc.split(":")) as connection:  # type: ignore[arg-type]
        body = urlencode({"name": PERSON[0], "idNo": PERSON[1]})
        head = (
            f"POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: APPCODE x\r\nContent-Type: {FORM}"
        )
        connection.sendall(f"{head}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        assert connection.recv(10)
    wait_for(lambda: not upstream.get("/ledger")["entries"][0]["answered"])
    assert upstream.paid == 1


def test_the_connection_lives_on_after_harmless_faults(upstream: Upstream) -> None:
    with requests.Session() as session:
        for kind in ("wrong_types", "empty_200", "http_500", "oversize"):
            upstream.arm(kind, times=1, **({"value": 100} if kind == "oversize" else {}))
            headers = {"Authorization": "APPCODE x", "Content-Type": FORM}
            form = {"name": PERSON[0], "idNo": PERSON[1]}
            session.post(upstream.url + PATH, data=form, headers=headers, timeout=20)
        answer = session.post(upstream.url + PATH, data=form, headers=headers, timeout=20)
    assert answer.json()["respCode"] == "0000"


class TestRespCodes:
    @pytest.mark.parametrize(
        ("resp_code", "paid"),
        [
            ("0000", 1),
            ("0001", 0),
            ("0002", 0),
            ("0003", 0),
            ("0004", 0),
            ("0007", 1),
            ("0008", 1),
            ("0010", 0),
        ],
    )
    def test_they_follow_the_table_of_charges(
        self, upstream: Upstream, resp_code: str, paid: int
    ) -> None:
        upstream.arm(f"resp_code:{resp_code}", times=1)
        assert code(upstream.ask(*PERSON)) == resp_code
        (entry,) = upstream.get("/ledger")["entries"]
        assert (entry["resp_code"], entry["charged"]) == (resp_code, bool(paid))
        assert upstream.paid == paid

    def test_another_table_of_charges(self, start: Callable[..., Upstream]) -> None:
        upstream = start(charged_codes=frozenset({"0000", "0001"}))
        upstream.ask("", PERSON[1])
        upstream.ask("谁", PERSON[1])
        upstream.ask(*PERSON)
        assert upstream.paid == 2

    def test_an_unlisted_code_of_ones_choice(self, upstream: Upstream) -> None:
        upstream.arm("unknown_code", value="00010", when="after_charge")
        assert code(upstream.ask(*PERSON)) == "00010"
        assert upstream.get("/ledger")["entries"][0]["resp_code"] == "00010"


class TestWhichCalls:
    def test_times(self, upstream: Upstream) -> None:
        upstream.arm("resp_code:0010", times=2)
        assert [code(upstream.ask(*PERSON)) for _ in range(3)] == ["0010", "0010", "0000"]
        (fault,) = upstream.get("/faults")["faults"]
        assert (fault["times"], fault["fired"]) == (2, 2)

    def test_until_cleared(self, upstream: Upstream) -> None:
        upstream.arm("resp_code:0010")
        assert [code(upstream.ask(*PERSON)) for _ in range(3)] == ["0010"] * 3
        upstream.disarm()
        assert code(upstream.ask(*PERSON)) == "0000"

    def test_one_number(self, upstream: Upstream) -> None:
        upstream.arm("resp_code:0010", match={"id_number": OTHER[1]})
        assert (code(upstream.ask(*PERSON)), code(upstream.ask(*OTHER))) == ("0000", "0010")

    def test_one_name(self, upstream: Upstream) -> None:
        upstream.arm("resp_code:0010", match={"name": PERSON[0]})
        assert (code(upstream.ask(*PERSON)), code(upstream.ask(*OTHER))) == ("0010", "0000")

    def test_the_nth_call(self, upstream: Upstream) -> None:
        upstream.arm("resp_code:0010", match={"nth_call": 2, "name": PERSON[0]})
        upstream.ask(*OTHER)
        assert [code(upstream.ask(*PERSON)) for _ in range(3)] == ["0000", "0010", "0000"]

    def test_the_first_that_fits_fires(self, upstream: Upstream) -> None:
        upstream.arm("resp_code:0010", times=1)
        upstream.arm("resp_code:0007")
        assert [code(upstream.ask(*PERSON)) for _ in range(2)] == ["0010", "0007"]

    def test_chance_is_repeatable(self, upstream: Upstream) -> None:
        def draws(seed: int) -> Iterator[str]:
            upstream.do("/reset")
            upstream.arm("resp_code:0010", probability=0.5, seed=seed)
            return (code(upstream.ask(*PERSON)) for _ in range(30))

        first = list(draws(1))
        assert set(first) == {"0000", "0010"}
        assert first == list(draws(1)) != list(draws(2))

    def test_never(self, upstream: Upstream) -> None:
        upstream.arm("resp_code:0010", probability=0)
        assert code(upstream.ask(*PERSON)) == "0000"

    def test_faults_come_before_identities(self, upstream: Upstream) -> None:
        rows: list[dict[str, Any]] = upstream.get("/identities")
        no_record = next(r["id_number"] for r in rows if r["answers"] == "0007")
        upstream.arm("resp_code:0010", times=1)
        assert [code(upstream.ask("谁", no_record)) for _ in range(2)] == ["0010", "0007"]

    def test_a_put_off_call_keeps_its_identity(self, upstream: Upstream) -> None:
        rows: list[dict[str, Any]] = upstream.get("/identities")
        no_record = next(r["id_number"] for r in rows if r["answers"] == "0007")
        upstream.arm("latency_ms", value=10)
        assert code(upstream.ask("谁", no_record)) == "0007"


def test_latency_for_every_call_charges_as_usual(start: Callable[..., Upstream]) -> None:
    upstream = start(latency_ms=300)
    assert code(upstream.ask(*PERSON)) == "0000"
    with pytest.raises(requests.ReadTimeout):
        upstream.ask(*PERSON, timeout=0.1)
    wait_for(lambda: not upstream.get("/ledger")["entries"][1]["answered"])
    assert upstream.paid == 2
