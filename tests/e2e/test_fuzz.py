"""Schemathesis against the service's own description: no answer that it does not document."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import KEY, Running


@pytest.mark.parametrize("phase", ["examples,coverage", "fuzzing"])
def test_no_undocumented_answer(stack: Running, tmp_path: Path, phase: str) -> None:
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        "run",
        f"{stack.api}/openapi.json",
        f"--header=Authorization: Bearer {KEY}",
        f"--phases={phase}",
        "--max-examples=8",
        "--checks=all",
        # A number can fit its schema and still be hopeless; 503 and 504 are documented answers,
        # whose documents other checks compare; the drop-in answers a missing key as the upstream
        # does, with 400.
        "--exclude-checks=positive_data_acceptance,not_a_server_error,missing_required_header",
        "--seed=1",
        "--workers=2",
        "--request-timeout=20",
    ]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, env=os.environ, check=False
    )
    assert done.returncode == 0, done.stdout[-8000:]
