"""The local stack in a process of its own, so that its CPU time is not ours."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

_POLL_SECONDS = 0.05
_STOP_SECONDS = 30


@contextmanager
def running(*flags: str) -> Iterator[Mapping[str, str]]:
    """Start it on free ports and stop it at the end; gives what another process needs of it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "env"
        command = [sys.executable, "-m", "local_stack", "--env-file", str(file), *flags]
        command += ["--port", "0", "--mock-port", "0", "--aws-port", "0"]
        stack = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            while not file.exists() or not file.read_text("utf-8").endswith("\n"):
                if stack.poll() is not None:
                    raise RuntimeError(f"the local stack did not start: {' '.join(command)}")
                time.sleep(_POLL_SECONDS)
            lines = file.read_text("utf-8").splitlines()
            yield dict(line.partition("=")[::2] for line in lines)
        finally:
            stack.terminate()
            stack.wait(timeout=_STOP_SECONDS)
