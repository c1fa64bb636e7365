"""Schemathesis against the mock's own description: no answer that it does not document."""

import subprocess
import sys
from pathlib import Path

import pytest

from mock_server import Options, create_app
from mock_server.serving import Server
from tests.mock_server.support import APPCODE

TOKEN = "sesame"

# The mock answers as the gateway and the vendor do, and they do not go by the book.
UPSTREAM = f"""\
[auth.openapi.appcode]
api_key = "APPCODE {APPCODE}"

# The gateway takes a missing or wrong AppCode for a bad request: 400.
[checks.ignored_auth]
enabled = false
[checks.missing_required_header]
enabled = false

# Its 405 comes without Allow.
[checks.unsupported_method]
enabled = false

# The vendor tells what is wrong with a form by a respCode, with status 200.
[checks.negative_data_rejection]
enabled = false

# The examples are of every refusal, and all phases build on them; each has to be documented.
[checks.not_a_server_error]
enabled = false
[checks.positive_data_acceptance]
enabled = false
"""

ADMIN = f"""\
[auth.openapi.adminToken]
bearer = "{TOKEN}"

# A schema knows no check characters, nor what has been asked so far, nor the mock's generation.
[[operations]]
include-operation-id = ["add_people", "verify_requests", "arm_fault"]
checks.positive_data_acceptance.enabled = false

# Each of its many variants is walked in test_openapi, in a fraction of the time.
[[operations]]
include-operation-id = "arm_fault"
phases.coverage.enabled = false
"""


# Each has a server of its own: a fault that the one arms would break the connections of the other.
@pytest.mark.parametrize(
    ("config", "arguments"),
    [
        (UPSTREAM, ["--include-path=/idenAuthentication", "--phases=examples,coverage,fuzzing"]),
        (ADMIN, ["--exclude-path=/idenAuthentication"]),
    ],
    ids=["upstream", "admin"],
)
def test_no_undocumented_answer(tmp_path: Path, config: str, arguments: list[str]) -> None:
    (tmp_path / "schemathesis.toml").write_text(config, "utf-8")
    program = str(Path(sys.executable).with_name("schemathesis"))
    with Server(create_app(Options(admin_token=TOKEN))) as server:
        command = [program, "run", f"{server.url}/__admin/openapi.json", *arguments]
        command += ["--max-examples=5", "--seed=1", "--request-timeout=20"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-8000:]
