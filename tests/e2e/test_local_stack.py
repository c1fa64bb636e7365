"""The local stack as a program: what it writes, how it ends, and what stops its start."""

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from local_stack.__main__ import main
from local_stack.stack import local_secret
from tests.e2e.conftest import ROOT, start_stack, unused_number


def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "local_stack", *arguments],
        cwd=ROOT,
        env=os.environ | env,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def refused(done: subprocess.CompletedProcess[str], says: str) -> None:
    """Exit 2 and one line that names it."""
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert says in done.stderr


def test_its_own_secret_and_another_processs_view(tmp_path: Path) -> None:
    secret = json.loads(local_secret())
    secret["clients"] = [
        {
            "name": "asker",
            "key_sha256": [hashlib.sha256(b"asker-key").hexdigest()],
            "scopes": ["verify"],
        },
        {
            "name": "reader",
            "key_sha256": [hashlib.sha256(b"reader-key").hexdigest()],
            "scopes": ["read"],
        },
        {
            "name": "admin",
            "key_sha256": [hashlib.sha256(b"admin-key").hexdigest()],
            "scopes": ["admin"],
        },
    ]
    file = tmp_path / "secret.json"
    file.write_text(json.dumps(secret), "utf-8")
    running = start_stack(tmp_path, "--secret", str(file))
    try:
        _scopes(running.api)
        code = (
            "from chalicelib import bootstrap\n"
            "tools = bootstrap.container().tools\n"
            "print(tools.secrets.current().clients[0].name, tools.repository.breaker().cause)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env=os.environ | running.env,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout == "asker None\n"
    finally:
        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(timeout=20) == 0
    log = (tmp_path / "stack.log").read_text("utf-8")
    assert "in memory" in log
    assert "Stopped" in log
    assert "Traceback" not in log
    assert "local-dev-key" not in log


def _scopes(api: str) -> None:
    """What each scope may and may not."""
    body = {"name": "张三", "id_number": unused_number(1)}
    allowed = {
        ("POST", "/v1/verifications"): {"asker"},
        ("GET", "/v1/verifications"): {"reader", "admin"},
        ("GET", "/v1/usage"): {"reader", "admin"},
        ("GET", "/v1/packages"): {"admin"},
        ("GET", "/v1/packages/advice"): {"admin"},
        ("GET", "/v1/export"): {"reader", "admin"},
        ("GET", "/v1/breaker"): {"admin"},
        ("POST", "/v1/breaker/close"): {"admin"},
    }
    for (method, path), who in allowed.items():
        for name in ("asker", "reader", "admin"):
            headers = {"Authorization": f"Bearer {name}-key"}
            answer = requests.request(method, api + path, json=body, headers=headers, timeout=10)
            assert answer.status_code == (200 if name in who else 403), (method, path, name)
            if name not in who:
                assert answer.json()["code"] == "forbidden"
    headers = {"Authorization": "Bearer reader-key"}
    assert (
        requests.get(f"{api}/v1/verifications", headers=headers, timeout=10).json()["items"] == []
    )
    assert (
        requests.get(f"{api}/v1/usage", headers=headers, timeout=10).json()["total"]["calls"] == 0
    )
    headers = {"Authorization": "Bearer admin-key"}
    items = requests.get(f"{api}/v1/verifications", headers=headers, timeout=10).json()["items"]
    assert len(items) == 1
    path = f"{api}/v1/verifications/{items[0]['id']}"
    for name, status in (("asker", 200), ("reader", 404), ("admin", 200)):
        headers = {"Authorization": f"Bearer {name}-key"}
        assert requests.get(path, headers=headers, timeout=10).status_code == status
        resolve = {"billed": "no", "action": "close"}
        answer = requests.post(f"{path}/resolve", json=resolve, headers=headers, timeout=10)
        assert answer.status_code == (409 if name == "admin" else 403)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "the secret is not JSON"),
        ("{}", "appcode: is missing"),
        (json.dumps({**json.loads(local_secret()), "id_key": "short"}), "id_key: must be at least"),
    ],
)
def test_a_broken_secret_stops_the_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, says: str
) -> None:
    file = tmp_path / "secret.json"
    file.write_text(text, "utf-8")
    assert main(["--once", "--secret", str(file)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line


def test_a_missing_secret_file_stops_the_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--once", "--secret", str(tmp_path / "none.json")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "none.json: No such file" in line


def test_a_broken_setting_stops_the_start() -> None:
    refused(run("--once", PERSON_DAYS="many"), "PERSON_DAYS: must be a whole number")


def test_a_taken_port_stops_the_start() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        refused(run("--once", "--port", port), port)


def test_a_bad_flag_stops_the_start(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--port", "many"])
    assert stopped.value.code == 2
    assert "must be a port number" in capsys.readouterr().err
