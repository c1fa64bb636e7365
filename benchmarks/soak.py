"""A hundred thousand calls of every sort to one mock: its memory must level off.

``python -m benchmarks.soak``; exits 1 when it does not, or when a count is wrong. By 20,000 calls
the journal and the ledger hold as many entries as they ever will.
"""

import http.client
import itertools
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlencode

from benchmarks.mock_process import (
    HEADERS,
    PATH,
    Mock,
    connected,
    free_port,
    machine,
    ours,
    running,
)

CALLS = 100_000
BLOCK = 10_000
SETTLED = 20_000
CONNECTIONS = 4
LIMIT_MB = 4
JOURNAL = 1000

_PEOPLE = [
    ("李秀英", "120101185304270249"),
    ("王建国", "110104185303050217"),
    ("扎西次仁", "540102185610200729"),
    ("买买提·吐尔逊", "650102185707120819"),
    ("李𠮷", "440401185809090973"),
    ("王五", "120101185304270249"),  # another name: 0008
    ("李四", "11010519491231002X"),  # nobody here: 0007
]
_FAULTED = [
    ("网关零五", "310101185101050110"),  # each published with the error that it gets
    ("网扣零一", "31010118510701011X"),
    ("故障零四", "50010118520104010X"),
    ("故障零七", "500101185201050113"),
    ("故障零六", "500101185201060100"),
    ("故扣零六", "500101185207060101"),
]
_BAD_FORMS = [
    {"idNo": "123", "name": "李秀英"},
    {"idNo": "120101185304270249", "name": "Li"},
    {"idNo": "120101185304270249"},
    {},
]
# Armed on top of the published ones, so that their counts and draws are exercised too.
_ARMED = [
    {"kind": "http_500", "when": "after_charge", "probability": 0.02, "seed": 7},
    {"kind": "not_json", "when": "before_charge", "match": {"id_number": _PEOPLE[1][1]}},
    {"kind": "resp_code:0010", "match": {"name": "扎西次仁"}, "times": 20_000},
]


@dataclass(frozen=True, slots=True)
class Sent:
    """One request of the mix."""

    method: str
    path: str
    body: bytes
    headers: dict[str, str]


def mix() -> list[Sent]:
    """Give one of each; most are ordinary calls."""
    forms = [{"idNo": number, "name": name} for name, number in [*_PEOPLE * 5, *_FAULTED]]
    good = [Sent("POST", PATH, urlencode(form).encode(), HEADERS) for form in [*forms, *_BAD_FORMS]]
    form = good[0].body
    return [
        *good,
        Sent("POST", PATH, form, {**HEADERS, "Authorization": "Bearer any"}),
        Sent("POST", PATH, b"\xff\xfe=%zz&idNo", HEADERS),
        Sent("POST", PATH, b"{}", {**HEADERS, "Content-Type": "application/json"}),
        Sent("POST", "/elsewhere", form, HEADERS),
        Sent("GET", f"{PATH}?idNo=1", b"", HEADERS),
    ]


class Client:
    """One keep-alive connection; one that the mock breaks is opened anew."""

    def __init__(self, mock: Mock, requests: Iterator[Sent]) -> None:
        self._mock = mock
        self._requests = requests
        self.seen: Counter[str] = Counter()

    def send(self, count: int) -> None:
        """Send the next `count` requests and count what came back."""
        with connected(self._mock.port) as connection:
            for request in itertools.islice(self._requests, count):
                self.seen[_answer(connection, request)] += 1


def _answer(connection: http.client.HTTPConnection, sent: Sent) -> str:
    """Send it; give the status, or `broken` for an answer that did not come whole."""
    with suppress(OSError, http.client.HTTPException):
        connection.request(sent.method, sent.path, sent.body, sent.headers)
        response = connection.getresponse()
        response.read()
        return str(response.status)
    connection.close()  # opens anew by itself at the next request
    return "broken"


def main() -> bool:
    """Print the memory as the calls go by; tell whether it levelled off and the counts hold."""
    print(f"Soak of the mock upstream: {CALLS:,} calls ({machine()})")
    port = free_port()
    with running(ours(port, "--journal", str(JOURNAL)), port) as mock:
        mock.admin("DELETE", "/requests")
        for fault in _ARMED:
            mock.admin("POST", "/faults", fault)
        before = mock.admin("GET", "/state")["requests"]
        clients = [Client(mock, itertools.cycle(mix())) for _ in range(CONNECTIONS)]
        memory: dict[int, float] = {}
        with ThreadPoolExecutor(CONNECTIONS) as threads:
            for done in range(BLOCK, CALLS + 1, BLOCK):
                list(threads.map(lambda one: one.send(BLOCK // CONNECTIONS), clients))
                memory[done] = mock.memory_mb()
                print(f"  after {done:>7,} calls, MB{memory[done]:>10.1f}", flush=True)
        counted = mock.admin("GET", "/state")["requests"] - before
        kept = len(mock.admin("GET", "/requests")["requests"])
    seen = sum((one.seen for one in clients), Counter[str]())
    listed = ", ".join(f"{what} {count:,}" for what, count in sorted(seen.items()))
    print(f"  answers: {listed}")
    growth = memory[CALLS] - memory[SETTLED]
    good = _verdict(f"growth from {SETTLED:,} calls on, MB", growth, growth <= LIMIT_MB)
    good &= _verdict("requests counted", counted, counted == CALLS)
    good &= _verdict("requests kept in the journal", kept, kept == JOURNAL)
    return good


def _verdict(label: str, found: float, good: bool) -> bool:  # noqa: FBT001
    shown = f"{found:,.1f}" if isinstance(found, float) else f"{found:,}"
    print(f"  {label:<36}{shown:>10}  {'ok' if good else 'FAIL'}")
    return good


if __name__ == "__main__":
    sys.exit(not main())
