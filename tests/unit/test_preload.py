"""What happens while Lambda loads the application."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from chalicelib import bootstrap

ROOT = Path(__file__).parents[2]
SETTINGS = {
    "AWS_DEFAULT_REGION": "cn-north-1",
    "UPSTREAM_URL": "http://127.0.0.1:9/idenAuthentication",
    "SECRET_ID": "secret",
    "TABLE_NAME": "table",
    "KMS_KEY_ID": "key",
    "QUEUE_URL": "http://127.0.0.1:9/queue",
    "ROWS_QUEUE_URL": "http://127.0.0.1:9/rows",
    "BUCKET_NAME": "a-bucket",
}


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was built, with settings in place."""
    calls: list[str] = []
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(bootstrap, "build", lambda settings: calls.append(settings.table_name))
    monkeypatch.setattr(bootstrap, "_container", None)
    return calls


def test_in_lambda_the_adapters_are_built_before_the_first_call(
    built: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "api")
    bootstrap.preload()
    assert built == ["table"]


def test_elsewhere_nothing_is_built_by_an_import(
    built: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_LAMBDA_FUNCTION_NAME", raising=False)
    bootstrap.preload()
    assert not built


def test_a_missing_setting_does_not_keep_the_function_from_starting(
    built: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "api")
    monkeypatch.delenv("TABLE_NAME")
    bootstrap.preload()
    assert not built
    assert "TABLE_NAME" in caplog.text


def test_nor_does_anything_else_that_goes_wrong(
    built: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> None:
        raise ValueError("the region's name is no name")

    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "api")
    monkeypatch.setattr(bootstrap, "build", broken)
    bootstrap.preload()
    with pytest.raises(ValueError, match="region"):
        bootstrap.container()


def test_what_is_loaded_is_frozen_and_the_collector_works_on() -> None:
    code = "import app, gc; print(gc.isenabled(), gc.get_freeze_count() > 10_000)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "AWS_LAMBDA_FUNCTION_NAME": "api", **SETTINGS},
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "True True\n"
