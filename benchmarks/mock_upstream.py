"""The mock upstream beside WireMock, in one run: start, memory, requests a second, latency.

``python -m benchmarks.mock_upstream``. Both answer the same form with the same JSON, both with
their request journal on and bounded. The runs alternate, so that a busy machine is busy for both.
What a table cannot be filled with for want of a program is said, with how to get it.
"""

import http
import statistics
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import many_people, wiremock, wrk
from benchmarks.mock_process import FORM, Mock, ask, free_port, machine, ours, running

STARTS = 5
ROUNDS = 3
COLD_SECONDS = 5
ROUND_SECONDS = 4
MANY = 16
JOURNAL = 1000

Command = Callable[[int], list[str]]


@dataclass(slots=True)
class Seen:
    """What was measured of one mock; `cold` is of the first seconds after its start."""

    starts: list[float] = field(default_factory=list)
    start_mb: list[float] = field(default_factory=list)
    load_mb: float | None = None
    cold: float | None = None
    per_second: list[float] = field(default_factory=list)
    p50_ms: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: a figure of both, and what is required of ours.

    Attributes:
        at_most: ours in its own unit; None is anything.
        ratio: what ours may be at most, or with `least` must be at least, of the other's.
    """

    label: str
    figures: Sequence[float | None]
    digits: int
    at_most: float | None = None
    ratio: float | None = None
    least: bool = False

    def line(self) -> str:
        """Lay it out."""
        own, other = [*self.figures, None][:2]
        times = own / other if own is not None and other else None
        shown = [_shown(own, self.digits), _shown(other, self.digits), _shown(times, 2)]
        bounds = [f"<= {self.at_most:g}"] if self.at_most is not None else []
        if self.ratio is not None:
            bounds.append(f"{'>=' if self.least else '<='} {self.ratio:g} x")
        columns = "".join(f"{text:>11}" for text in shown)
        return f"  {self.label:<40}{columns}  {' and '.join(bounds):<22}{self._verdict(own, times)}"

    def _verdict(self, own: float | None, times: float | None) -> str:
        bounds = [(own, self.at_most, False), (times, self.ratio, self.least)]
        checks = [
            None if found is None else found >= bound if least else found <= bound
            for found, bound, least in bounds
            if bound is not None
        ]
        if not checks:
            return ""
        return "missed" if False in checks else "not measured" if None in checks else "met"


def _shown(figure: float | None, digits: int) -> str:
    return "-" if figure is None else f"{figure:,.{digits}f}"


def _median(figures: list[float]) -> float | None:
    return statistics.median(figures) if figures else None


def _rows(seen: list[Seen]) -> list[Row]:
    return [
        Row(
            f"start to first answer, s, median of {STARTS}",
            [_median(one.starts) for one in seen],
            digits=2,
            at_most=0.5,
            ratio=0.25,
        ),
        Row(
            f"start to first answer, s, best of {STARTS}",
            [min(one.starts) for one in seen],
            digits=2,
        ),
        Row(
            "memory after the start, MB",
            [_median(one.start_mb) for one in seen],
            digits=0,
            at_most=70,
            ratio=0.7,
        ),
        Row(
            "memory after the load, MB",
            [one.load_mb for one in seen],
            digits=0,
            at_most=70,
            ratio=0.7,
        ),
        Row(
            f"requests/s, {MANY} connections, warm",
            [_median(one.per_second) for one in seen],
            digits=0,
            ratio=0.6,
            least=True,
        ),
        Row(
            f"requests/s, {MANY} connections, first {COLD_SECONDS} s",
            [one.cold for one in seen],
            digits=0,
        ),
        Row(
            "p50, ms, 1 connection, warm",
            [_median(one.p50_ms) for one in seen],
            digits=3,
            ratio=1.5,
        ),
    ]


def _journalled(mock: Mock) -> int:
    """Count what its journal holds, ours and WireMock's alike."""
    return len(mock.admin("GET", "/requests")["requests"])


def _check(name: str, mock: Mock, body: bytes) -> None:
    """See that it answers 200 with this body, and that its journal takes the call."""
    before = _journalled(mock)
    status, found, _ = ask(mock.port)
    if status != http.HTTPStatus.OK or found != body or b'"respCode":"0000"' not in body:
        raise RuntimeError(f"{name} answers {status} {found!r}, not {body!r}")
    if _journalled(mock) != before + 1:
        raise RuntimeError(f"{name} did not put the call into its journal")


def _load(name: str, mock: Mock, connections: int, seconds: int) -> wrk.Load:
    load = wrk.run(mock.url, FORM, connections=connections, seconds=seconds)
    if load.failed or not load.requests:
        raise RuntimeError(f"{name}: {load.failed} of {load.requests} calls failed")
    return load


def _start(commands: dict[str, Command], seen: dict[str, Seen]) -> None:
    """Start each several times, in turn; the first start of each only warms the disk's cache."""
    for turn in range(STARTS + 1):
        for name, command in commands.items():
            port = free_port()
            with running(command(port), port) as mock:
                if turn:
                    seen[name].starts.append(mock.start_seconds)
                    seen[name].start_mb.append(mock.start_mb)


def _measure(commands: dict[str, Command], seen: dict[str, Seen], body: bytes) -> None:
    """Put all of them under load, in turn."""
    with ExitStack() as stack:
        mocks: dict[str, Mock] = {}
        for name, command in commands.items():
            port = free_port()
            mocks[name] = stack.enter_context(running(command(port), port))
            _check(name, mocks[name], body)
            seen[name].cold = _load(name, mocks[name], MANY, COLD_SECONDS).per_second
        for _ in range(ROUNDS):
            for name, mock in mocks.items():
                load = _load(name, mock, MANY, ROUND_SECONDS)
                seen[name].per_second.append(load.per_second)
            for name, mock in mocks.items():
                load = _load(name, mock, 1, ROUND_SECONDS)
                seen[name].p50_ms.append(load.p50_ms)
        for name, mock in mocks.items():
            seen[name].load_mb = mock.memory_mb()
            if (kept := _journalled(mock)) != JOURNAL:
                raise RuntimeError(f"{name} holds {kept} calls in its journal, not {JOURNAL}")


def compare() -> None:
    """Print the table beside WireMock."""
    print(f"Mock upstream beside WireMock 3.13.2 ({machine()})")
    no_peer = wiremock.missing()
    no_load = [] if wrk.find() else ["wrk (Debian: apt-get install wrk)"]
    for lack in [*no_peer, *no_load]:
        print(f"  MISSING: {lack}; what needs it is not measured")
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        commands: dict[str, Command] = {
            "ours": lambda port: ours(port, "--journal", str(JOURNAL)),
            "WireMock": lambda port: wiremock.command(port, folder, JOURNAL),
        }
        if no_peer:
            del commands["WireMock"]
        port = free_port()
        with running(ours(port), port):
            _, body, content_type = ask(port)
        wiremock.stub(folder, body, content_type)
        seen = {name: Seen() for name in commands}
        _start(commands, seen)
        if not no_load:
            _measure(commands, seen, body)
    print(f"  {'':<40}{'ours':>11}{'WireMock':>11}{'ratio':>11}  required")
    for row in _rows(list(seen.values())):
        print(row.line())


def main() -> None:
    """Print both tables."""
    compare()
    print()
    many_people.main()


if __name__ == "__main__":
    main()
