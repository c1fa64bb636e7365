"""dynoxide, a DynamoDB stand-in in a process of its own, where it is installed (Linux x64).

``npm install --prefix .peers --no-save @dynoxide/linux-x64@1.2.1`` puts it where it is found.
It keeps a table through a crash, and its transactions bear concurrent writers.
"""

import os
import shutil
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

_HOST = "127.0.0.1"
_ROOT = Path(__file__).parents[1]
_INSTALLED = _ROOT / ".peers/node_modules/@dynoxide/linux-x64/dynoxide"
_TRIES = 5
_STOP_SECONDS = 5


def find() -> Path | None:
    """The program, from DYNOXIDE, PATH or ``.peers``; None where there is none.

    Raises FileNotFoundError if DYNOXIDE names no file.
    """
    named = os.environ.get("DYNOXIDE")
    if named:
        if not Path(named).is_file():
            raise FileNotFoundError(f"DYNOXIDE: there is no file {named}")
        return Path(named)
    on_path = shutil.which("dynoxide")
    if on_path:
        return Path(on_path)
    return _INSTALLED if _INSTALLED.is_file() else None


class Dynoxide:
    """One server on loopback, in memory unless ``db_path`` names its file.

    Use it as a context manager, or ``start()`` and ``stop()``; port 0 takes a free one. After
    ``kill()``, which gives it no time to tidy up, ``start()`` opens the same file again.
    """

    def __init__(self, *, db_path: Path | None = None, port: int = 0) -> None:
        self._db_path = db_path
        self._wanted = port
        self._port = port
        self._process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        """``http://127.0.0.1:<port>``, once started."""
        return f"http://{_HOST}:{self._port}"

    def start(self) -> Self:
        """Start it and wait until it listens.

        Raises FileNotFoundError if it is not installed, OSError if it does not start.
        """
        program = find()
        if program is None:
            raise FileNotFoundError("dynoxide is not installed; local_stack/dynoxide.py says how")
        said = ""
        # It cannot say which port it took, so we choose; another process may be quicker.
        for _ in range(1 if self._wanted else _TRIES):
            self._port = self._wanted or _free_port()
            self._process = self._spawn(program)
            said = self._first_line()
            if "listening" in said:
                return self
            self.kill()
        raise OSError(f"dynoxide did not start: {said.strip()}")

    def _spawn(self, program: Path) -> "subprocess.Popen[str]":
        command = [str(program), "--host", _HOST, "--port", str(self._port)]
        if self._db_path is not None:
            command += ["--db-path", str(self._db_path)]
        return subprocess.Popen(  # noqa: S603  # our own arguments, no shell
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def _first_line(self) -> str:
        assert self._process is not None  # noqa: S101  # for the type checker
        assert self._process.stdout is not None  # noqa: S101  # it is piped
        return self._process.stdout.readline()

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
            self._tidy()

    def kill(self) -> None:
        """End it as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._tidy()

    def _tidy(self) -> None:
        if self._process is not None:
            # Also waits, and closes the pipe.
            self._process.communicate()
            self._process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: "TracebackType | None",
    ) -> None:
        self.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        port: int = probe.getsockname()[1]
        return port
