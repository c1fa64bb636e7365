"""A mock server as a program of its own: its start, its answers, its memory, its end."""

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

HOST = "127.0.0.1"
PATH = "/idenAuthentication"
HEADERS = {
    "Authorization": "APPCODE any",
    "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
}
# A fictitious person of the mock's published table.
FORM = urlencode({"idNo": "120101185304270249", "name": "李秀英"})

_START_SECONDS = 120
_POLL_SECONDS = 0.002


def ours(port: int, *flags: str) -> list[str]:
    """Give the command that starts the mock of this project."""
    return [sys.executable, "-m", "mock_server", "--port", str(port), *flags]


def free_port() -> int:
    """Give a port that nothing listens on right now."""
    with socket.create_server((HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def listens(port: int) -> bool:
    """Whether something takes connections there."""
    with suppress(OSError), socket.create_connection((HOST, port), timeout=1):
        return True
    return False


@dataclass(frozen=True, slots=True)
class Mock:
    """A mock that runs and has answered once.

    Attributes:
        start_seconds: from the start of its process to its first answer.
        start_mb: the memory that it held right after that answer.
    """

    pid: int
    port: int
    start_seconds: float
    start_mb: float

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{HOST}:{self.port}{PATH}"

    def admin(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401
        """Call /__admin and give its JSON."""
        with connected(self.port) as connection:
            sent = None if body is None else json.dumps(body).encode()
            connection.request(
                method, f"/__admin{path}", sent, {"Content-Type": "application/json"}
            )
            response = connection.getresponse()
            text = response.read()
        if response.status != http.HTTPStatus.OK:
            raise RuntimeError(f"{method} /__admin{path} got {response.status}: {text[:200]!r}")
        return json.loads(text)

    def memory_mb(self) -> float:
        """Give the resident memory now, that of its children included."""
        return memory_mb(self.pid)


@contextmanager
def connected(port: int) -> Iterator[http.client.HTTPConnection]:
    """Give a connection that is closed at the end."""
    connection = http.client.HTTPConnection(HOST, port, timeout=60)
    try:
        yield connection
    finally:
        connection.close()


def ask(port: int) -> tuple[int, bytes, str]:
    """Post the form once, on a connection of its own: status, body, content type."""
    with connected(port) as connection:
        connection.request("POST", PATH, FORM, HEADERS)
        response = connection.getresponse()
        return response.status, response.read(), response.getheader("Content-Type", "")


def memory_mb(pid: int) -> float:
    """Give VmRSS of a process and all that it started."""
    status = Path(f"/proc/{pid}/status").read_text("ascii", errors="replace")
    (resident,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
    return int(resident) / 1024 + sum(memory_mb(int(child)) for child in children)


@contextmanager
def running(command: Sequence[str], port: int) -> Iterator[Mock]:
    """Start it, wait for the first answer to the form, and stop it at the end."""
    started = time.perf_counter()
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while not _answers(port):
            if process.poll() is not None:
                raise RuntimeError(f"exited with {process.returncode}: {' '.join(command)}")
            if time.perf_counter() - started > _START_SECONDS:
                raise RuntimeError(f"no answer after {_START_SECONDS} s: {' '.join(command)}")
            time.sleep(_POLL_SECONDS)
        seconds = time.perf_counter() - started
        yield Mock(process.pid, port, seconds, memory_mb(process.pid))
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(port: int) -> bool:
    with suppress(OSError, http.client.HTTPException):
        return ask(port)[0] == http.HTTPStatus.OK
    return False


def machine() -> str:
    """Describe where the figures are from, and how busy it is."""
    load = os.getloadavg()[0]
    python = ".".join(map(str, sys.version_info[:3]))
    return f"Python {python}, {os.cpu_count()} CPUs, {os.uname().machine}, load {load:.1f}"
