"""What an operator runs against a deployment: keys in its secret, and the smoke test."""

import json
import re
from collections.abc import Iterator

import boto3
import pytest

from app import app
from chalicelib import bootstrap
from chalicelib.domain.secret import parse
from local_stack.gateway import ApiServer
from local_stack.resources import ACCESS_KEY, REGION, Names, create
from tests.integration.conftest import QUICK, SECRET_TEXT
from tools import keys, secret, smoke


@pytest.fixture
def stage(aws_url: str, monkeypatch: pytest.MonkeyPatch) -> Names:
    """A stage of its own, in the environment of whoever runs the tools."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, ACCESS_KEY)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws_url)
    return create(aws_url, secret_string=SECRET_TEXT)


@pytest.fixture
def url(stage: Names, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The service over the stage; its upstream is nowhere, so that nothing can be paid."""
    settings = {
        "UPSTREAM_URL": "http://127.0.0.1:9/idenAuthentication",
        "TABLE_NAME": stage.table,
        "KMS_KEY_ID": stage.key_id,
        "SECRET_ID": stage.secret_id,
        "QUEUE_URL": stage.queue_url,
        "ROWS_QUEUE_URL": stage.rows_queue_url,
        "BUCKET_NAME": stage.bucket,
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    bootstrap.override(None)
    server = ApiServer(app).start()
    yield server.url
    server.stop()
    bootstrap.override(None)


def stored(stage: Names, boto: boto3.Session, aws_url: str) -> str:
    client = boto.client("secretsmanager", endpoint_url=aws_url, config=QUICK)
    text: str = client.get_secret_value(SecretId=stage.secret_id)["SecretString"]
    client.close()
    return text


def new_key(stage: Names, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert keys.main(["new", *arguments, "--secret-id", stage.secret_id]) == 0
    found = re.search(r"shown this once: (\S+)", capsys.readouterr().out)
    assert found
    return found[1]


class TestKeys:
    def test_one_more_in_the_stages_secret(
        self,
        stage: Names,
        boto: boto3.Session,
        aws_url: str,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        key = new_key(stage, capsys, "shop")
        text = stored(stage, boto, aws_url)
        client = parse(text).client_of(key)
        assert client is not None
        assert len(client.key_sha256) == 2
        assert {**json.loads(text), "clients": 0} == {**json.loads(SECRET_TEXT), "clients": 0}
        assert keys.main(["retire", "shop", "--secret-id", stage.secret_id]) == 0
        assert parse(stored(stage, boto, aws_url)).client_of(key)

    def test_no_such_secret(self, stage: Names, capsys: pytest.CaptureFixture[str]) -> None:
        assert keys.main(["new", "shop", "--secret-id", f"{stage.secret_id}-not"]) == 2
        shown = capsys.readouterr()
        assert "does not exist, or has no value yet" in shown.err
        assert "shown this once" not in shown.out

    def test_nobody_there(
        self,
        stage: Names,
        closed_url: str,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", closed_url)
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        assert secret.main(["check", "--secret-id", stage.secret_id]) == 2
        assert "Could not connect to the endpoint URL" in capsys.readouterr().err

    def test_the_stages_secret_is_looked_at(
        self, stage: Names, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert secret.main(["check", "--secret-id", stage.secret_id]) == 0
        assert "Clients: shop" in capsys.readouterr().out


class TestSmoke:
    def test_all_is_well(
        self,
        stage: Names,
        url: str,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.setenv("KEY", new_key(stage, capsys, "shop"))
        assert smoke.main(["--url", url]) == 0
        said = capsys.readouterr().out
        assert said.count("ok     ") == 6
        assert "FAILED" not in said

    def test_without_a_key_the_question_is_left_out(
        self, url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.delenv("KEY", raising=False)
        assert smoke.main(["--url", f"{url}/"]) == 0
        assert "left out, as KEY is not set" in capsys.readouterr().out

    def test_a_wrong_key(
        self, url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("KEY", "not-a-key")
        assert smoke.main(["--url", url]) == 1
        assert "401 unauthenticated; KEY must be a client's key" in capsys.readouterr().out

    def test_a_stage_without_a_table(
        self, url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("TABLE_NAME", "no-such-table")
        bootstrap.override(None)
        assert smoke.main(["--url", url]) == 1
        said = capsys.readouterr().out
        assert "FAILED settings, secret and table are in reach: it answers 503" in said
        assert "the log of the function APIHandler names what is missing" in said

    def test_nobody_there(self, closed_url: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert smoke.main(["--url", closed_url]) == 1
        assert "there is no answer: " in capsys.readouterr().out

    def test_no_url(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit):
            smoke.main(["--url", "api.example"])
        assert "the URL must start with https://" in capsys.readouterr().err
