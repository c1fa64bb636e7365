"""Schemathesis against the service's own description: no answer that it does not document."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import KEY, Running

AUTH = f"""
[auth.openapi.bearer]
bearer = "{KEY}"

[auth.openapi.appcode]
api_key = "APPCODE {KEY}"
"""

# A number can fit its schema and still be hopeless; 503 and 504 are documented answers, whose
# documents other checks compare; the drop-in answers a missing key as the upstream does, with 400.
EXCLUDED = "positive_data_acceptance,not_a_server_error,missing_required_header,ignored_auth"


@pytest.mark.parametrize("phases", ["examples,coverage", "fuzzing,stateful"])
def test_no_undocumented_answer(stack: Running, tmp_path: Path, phases: str) -> None:
    (tmp_path / "schemathesis.toml").write_text(AUTH, "utf-8")
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        "run",
        f"{stack.api}/openapi.json",
        f"--phases={phases}",
        "--max-examples=5",
        "--checks=all",
        f"--exclude-checks={EXCLUDED}",
        "--seed=1",
        "--request-timeout=20",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-8000:]
