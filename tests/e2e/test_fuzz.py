"""Schemathesis against the service's own description: no answer that it does not document."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.callback_server import CallbackServer
from tests.e2e.conftest import KEY, Running, start_stack, stop_stack
from tests.e2e.forms import secret_with_forms, source_id, written
from tests.hook_payloads import TOKEN

# A number can fit its schema and still be hopeless; 503 and 504 are documented answers, whose
# documents other checks compare; the drop-in answers a missing key as the upstream does, with 400.
# Forms are fuzzed behind their secret: what no repetition can mend is answered with 2xx there,
# since a vendor may switch the webhook off on anything else.
CONFIG = f"""
[checks]
positive_data_acceptance.enabled = false
not_a_server_error.enabled = false
missing_required_header.enabled = false
ignored_auth.enabled = false

[auth.openapi.bearer]
bearer = "{KEY}"

[auth.openapi.appcode]
api_key = "APPCODE {KEY}"

[[operations]]
include-operation-id = "hook"
parameters = {{ "path.source" = "{source_id("bearer")}" }}
headers = {{ Authorization = "Bearer {TOKEN}" }}
checks = {{ negative_data_rejection.enabled = false }}

[[operations]]
include-operation-id = "hook_with_token"
parameters = {{ "path.source" = "{source_id("url_token")}", "path.token" = "{TOKEN}" }}
checks = {{ negative_data_rejection.enabled = false }}
"""


@pytest.fixture(scope="module")
def forms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A stack with a form of every vendor."""
    folder = tmp_path_factory.mktemp("fuzz")
    with CallbackServer() as owner:
        file = written(secret_with_forms(owner.url), folder)
        running = start_stack(
            folder, "--secret", file, DEADLINE_SECONDS="4", DUPLICATE_WAIT_SECONDS="8"
        )
        yield running
        stop_stack(running)


@pytest.mark.parametrize("phases", ["examples,coverage", "fuzzing,stateful"])
def test_no_undocumented_answer(forms: Running, tmp_path: Path, phases: str) -> None:
    (tmp_path / "schemathesis.toml").write_text(CONFIG, "utf-8")
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        "run",
        f"{forms.api}/openapi.json",
        f"--phases={phases}",
        "--max-examples=5",
        "--seed=1",
        "--request-timeout=20",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-8000:]
