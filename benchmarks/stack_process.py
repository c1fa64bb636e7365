"""The local stack in a process of its own, so that this one's CPU time is the code's alone."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from local_stack import dynoxide


@contextmanager
def running(*options: str) -> Iterator[Mapping[str, str]]:
    """Start it, give the environment of who talks to it, stop it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "env"
        command = [sys.executable, "-m", "local_stack", "--env-file", str(file)]
        command += ["--port", "0", "--mock-port", "0", "--aws-port", "0", *options]
        command += ["--dynoxide"] if dynoxide.find() else []
        stack = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            while not file.exists() or not file.read_text("utf-8").endswith("\n"):
                if stack.poll() is not None:
                    sys.exit("the local stack did not start")
                time.sleep(0.05)
            lines = file.read_text("utf-8").splitlines()
            yield {name: value for name, _, value in (line.partition("=") for line in lines)}
        finally:
            stack.terminate()
            try:
                stack.wait(timeout=10)
            except subprocess.TimeoutExpired:
                # All is stopped by now; Python still frees what moto has kept, for half a minute.
                stack.kill()
                stack.wait()
