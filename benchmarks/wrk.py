"""The load tool: runs wrk with one form and reads what it found."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

_SCRIPT = Path(__file__).with_name("post.lua")
_GRACE_SECONDS = 30


def find() -> str | None:
    """Give the program, or None."""
    return shutil.which("wrk")


@dataclass(frozen=True, slots=True)
class Load:
    """What one run of wrk saw.

    Attributes:
        failed: answers that were not 2xx or 3xx, and calls without an answer.
    """

    requests: int
    per_second: float
    p50_ms: float
    failed: int


def run(url: str, body: str, *, connections: int, seconds: int) -> Load:
    """Post the form over and over, from one thread."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(_SCRIPT), url]
    done = subprocess.run(
        [*command, "--", body],
        check=True,
        capture_output=True,
        text=True,
        timeout=seconds + _GRACE_SECONDS,
    )
    seen = json.loads(done.stdout.splitlines()[-1])
    return Load(
        requests=seen["requests"],
        per_second=seen["requests"] / seen["microseconds"] * 1e6,
        p50_ms=seen["p50_microseconds"] / 1e3,
        failed=seen["failed"],
    )
