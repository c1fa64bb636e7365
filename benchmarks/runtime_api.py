"""Lambda's Runtime API on loopback: hands events to ``awslambdaric`` and takes its answers.

The functions run as they do in Lambda, from the unzipped package, with Lambda's own client and
nothing of this project's environment on their path.
"""

import json
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import metadata
from pathlib import Path
from typing import Any, Self

_VERSION = "/2018-06-01/runtime"
_CLIENT = ("awslambdaric", "simplejson", "snapshot-restore-py")
_PATIENCE = 60


@dataclass(frozen=True, slots=True)
class Answer:
    """What the function made of an event: ``error`` says that it is not an answer."""

    body: Any
    error: bool = False


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A function that is killed resets its connection; anything else is told."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class RuntimeApi:
    """One function's Runtime API; a context manager. Events are handed out one at a time."""

    def __init__(self, seconds: float = 60) -> None:
        self._events: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self._answers: queue.Queue[Answer] = queue.Queue()
        self._server = _Server(("127.0.0.1", 0), self._handler(seconds))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def address(self) -> str:
        """What AWS_LAMBDA_RUNTIME_API has to say."""
        return f"127.0.0.1:{self._server.server_port}"

    def send(self, event: object) -> None:
        """Have an event taken as soon as the function asks for one."""
        self._events.put((str(uuid.uuid4()), json.dumps(event).encode()))

    def answer(self) -> Answer:
        """The next answer; raises queue.Empty when none comes."""
        return self._answers.get(timeout=_PATIENCE)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self, seconds: float) -> type[BaseHTTPRequestHandler]:
        events, answers = self._events, self._answers

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # one segment an answer

            def do_GET(self) -> None:  # http.server's name
                request_id, body = events.get()
                self.send_response(200)
                self.send_header("Lambda-Runtime-Aws-Request-Id", request_id)
                self.send_header(
                    "Lambda-Runtime-Deadline-Ms", str(round((time.time() + seconds) * 1000))
                )
                self.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:local")
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:  # http.server's name
                body = self.rfile.read(int(self.headers["Content-Length"]))
                answers.put(Answer(json.loads(body), error=self.path.endswith("/error")))
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        return Handler


def client_folder(folder: Path) -> Path:
    """Lambda's client alone, copied from where it is installed."""
    for name in _CLIENT:
        for file in metadata.files(name) or ():
            if ".." not in file.parts:
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(str(file.locate()), folder / file)
    return folder


def start(
    package: Path,
    handler: str,
    client: Path,
    api: RuntimeApi,
    env: Mapping[str, str],
    *,
    log: int = subprocess.DEVNULL,
) -> "subprocess.Popen[bytes]":
    """The function's process, as Lambda starts it; ``log`` takes what it logs.

    ``env`` is the function's own.
    """
    return subprocess.Popen(
        # Without site: what the package leaves out must not be found in this environment.
        [sys.executable, "-S", "-m", "awslambdaric", handler],
        cwd=package,
        env={
            "PATH": os.environ["PATH"],
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "PYTHONPATH": str(client),
            # /var/task cannot be written to.
            "PYTHONDONTWRITEBYTECODE": "1",
            "LAMBDA_TASK_ROOT": str(package),
            "AWS_LAMBDA_FUNCTION_NAME": "local",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
            "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/local",
            "AWS_LAMBDA_LOG_STREAM_NAME": "local",
            "AWS_EXECUTION_ENV": "AWS_Lambda_python" + ".".join(map(str, sys.version_info[:2])),
            "AWS_LAMBDA_RUNTIME_API": api.address,
            **env,
        },
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
    )
