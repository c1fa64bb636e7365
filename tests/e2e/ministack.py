"""ministack, an AWS stand-in that runs the deployed functions as processes of their own.

It lives in a virtual environment beside this one, since it pins botocore, together with the AWS
CLI and the SAM translator that it needs: ``python -m tests.e2e.ministack`` makes it.
"""

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
import venv
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.request import urlopen

from local_stack.resources import REGION

_PEERS = Path(__file__).parents[2] / ".peers"
_PINNED = ("ministack==1.5.33", "aws-sam-translator==1.115.0", "awscli==1.46.3")
_HOST = "127.0.0.1"
_START_SECONDS = 60
_STOP_SECONDS = 5

# It looks every ten seconds for a schedule that is due, and counts minutes.
_QUICK_MINUTES = """
from ministack.services import eventbridge
seconds_of = eventbridge._parse_rate_seconds
eventbridge._parse_rate_seconds = lambda rate: (seconds_of(rate) or 0) / 60 or None
eventbridge._SCHEDULER_TICK_INTERVAL = 0.5
from ministack.app import main
main()
"""


class NotInstalledError(Exception):
    """It cannot be installed here; the text says why."""


def install() -> Path:
    """The folder of its programs, filled the first time; raises NotInstalledError.

    The functions run in its Python, so that is the one that makes the package.
    """
    _PEERS.mkdir(exist_ok=True)
    home, mark = _PEERS / "ministack", f"{sys.version}\n{_PINNED}"
    installed = home / "installed"
    with (_PEERS / "ministack.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not installed.exists() or installed.read_text("utf-8") != mark:
            try:
                venv.create(home, clear=True, with_pip=True)
            except subprocess.CalledProcessError as exc:
                raise NotInstalledError("this Python makes no virtual environment") from exc
            _pip(home / "bin/python")
            installed.write_text(mark, "utf-8")
    return home / "bin"


def _pip(python: Path) -> None:
    options = ("--quiet", "--disable-pip-version-check", "--retries", "1", "--timeout", "10")
    done = subprocess.run(
        [python, "-m", "pip", "install", *options, *_PINNED],
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    if done.returncode:
        raise NotInstalledError(done.stderr.strip().rpartition("\n")[2])


class Ministack:
    """One server on loopback, with every request checked against IAM's policies.

    A minute of its schedules is a second. Its log, with the functions' own lines, is in ``folder``.
    """

    def __init__(self, folder: Path) -> None:
        self._programs = install()
        self._folder = folder
        with socket.socket() as free:
            free.bind((_HOST, 0))
            self._port = free.getsockname()[1]

    @property
    def url(self) -> str:
        return f"http://{_HOST}:{self._port}"

    @property
    def env(self) -> dict[str, str]:
        """What the AWS CLI, and any client, needs to talk to it; its CLI is the first on PATH."""
        return {
            "PATH": f"{self._programs}{os.pathsep}{os.environ['PATH']}",
            "AWS_ENDPOINT_URL": self.url,
            # The root's own; with any other, IAM would let nothing through.
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    @property
    def log(self) -> str:
        return (self._folder / "ministack.log").read_text("utf-8")

    def aws(self, *arguments: str) -> Any:
        """What the AWS CLI answers; JSON, or None."""
        done = subprocess.run(
            [self._programs / "aws", *arguments, "--output", "json"],
            check=False,
            capture_output=True,
            text=True,
            env=self.env,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout else None

    def __enter__(self) -> Self:
        # The functions inherit this environment: nothing of ours may help them.
        env = {
            "PATH": os.environ["PATH"],
            "TMPDIR": str(self._folder),
            "GATEWAY_PORT": str(self._port),
            "BIND_HOST": _HOST,
            "AUTH": "true",
            "IOT_MTLS_ENABLED": "0",
        }
        with (self._folder / "ministack.log").open("wb") as log:
            self._process = subprocess.Popen(
                [self._programs / "python", "-c", _QUICK_MINUTES],
                cwd=self._folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # The functions' processes end with it.
                start_new_session=True,
            )
        self._wait()
        return self

    def _wait(self) -> None:
        ends = time.monotonic() + _START_SECONDS
        while time.monotonic() < ends and self._process.poll() is None:
            with suppress(OSError), urlopen(f"{self.url}/_ministack/health", timeout=5) as answer:
                assert json.load(answer)["auth"] == "enabled"
                return
            time.sleep(0.05)
        self._end()
        raise AssertionError(f"ministack did not start:\n{self.log}")

    def _end(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(timeout=_STOP_SECONDS)

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._end()


if __name__ == "__main__":
    try:
        print(install())
    except NotInstalledError as reason:
        sys.exit(f"ministack cannot be installed: {reason}")
