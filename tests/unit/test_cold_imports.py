"""A cold start loads what is recorded and nothing more: counted, since time lies on a busy machine.

A new name here is paid for by every cold start. If that is worth it, record it:
``python -m tests.unit.test_cold_imports > tests/data/cold_modules.txt``.
"""

import os
import subprocess
import sys
from pathlib import Path

import botocore

ROOT = Path(__file__).parents[2]
RECORDED = ROOT / "tests/data/cold_modules.txt"
# Versions of Python load other parts of their library; the list is of this one's.
PYTHON = (3, 11)

_COLD = """
import sys
before = {*sys.modules}
import app
from chalicelib import bootstrap
assert bootstrap.container(), "what an event waits for"
print(*sorted({*sys.modules} - before), sep="\\n")
"""


def loaded() -> set[str]:
    """What the application and its adapters load, in a process of their own."""
    done = subprocess.run(
        # Without site, as other packages may put things into its start.
        [sys.executable, "-S", "-c", _COLD],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(Path(botocore.__file__).parents[1])]),
            "AWS_DEFAULT_REGION": "cn-north-1",
            "UPSTREAM_URL": "http://127.0.0.1:9/idenAuthentication",
            "SECRET_ID": "secret",
            "TABLE_NAME": "table",
            "KMS_KEY_ID": "key",
            "QUEUE_URL": "http://127.0.0.1:9/queue",
            "ROWS_QUEUE_URL": "http://127.0.0.1:9/rows",
            "BUCKET_NAME": "a-bucket",
        },
        check=True,
        capture_output=True,
        text=True,
    )
    return {*done.stdout.splitlines()}


def test_a_cold_start_loads_no_more_than_is_recorded() -> None:
    recorded = {*RECORDED.read_text("utf-8").splitlines()}
    more = loaded() - recorded
    if sys.version_info[:2] != PYTHON:
        more = {name for name in more if name.partition(".")[0] not in sys.stdlib_module_names}
    assert not more, f"a cold start loads more: {', '.join(sorted(more))}"


def test_what_only_some_calls_need_is_not_loaded() -> None:
    for name in (
        "boto3",
        "cryptography",
        "chalicelib.entrypoints.openapi",
        "chalicelib.services.hooks",
        "chalicelib.services.packages",
    ):
        assert name not in RECORDED.read_text("utf-8").splitlines()


if __name__ == "__main__":
    print(*sorted(loaded()), sep="\n")
