"""A stage that lacks something: 503 at the first call, and a log line that names the mend."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from app import app
from chalicelib import bootstrap
from chalicelib.domain.secret import LOCAL_DEV_KEY
from local_stack.resources import ACCESS_KEY, REGION, Names, create
from local_stack.stack import local_secret
from tests.examples import NAME, NUMBER
from tests.integration.conftest import QUICK

ELSEWHERE = "cn-northwest-1"


@pytest.fixture
def stage(aws_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Names]:
    """All is there; the upstream is nowhere, so that nothing can be asked."""
    names = create(aws_url, secret_string=local_secret())
    settings = {
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": ACCESS_KEY,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_ENDPOINT_URL": aws_url,
        "UPSTREAM_URL": "http://127.0.0.1:9/idenAuthentication",
        "TABLE_NAME": names.table,
        "KMS_KEY_ID": names.key_id,
        "SECRET_ID": names.secret_id,
        "QUEUE_URL": names.queue_url,
        "ROWS_QUEUE_URL": names.rows_queue_url,
        "BUCKET_NAME": names.bucket,
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    bootstrap.override(None)
    yield names
    bootstrap.override(None)


def asked(caplog: pytest.LogCaptureFixture, *, later: bool = False) -> tuple[Any, str]:
    """A question's answer, and what the log says of it."""
    event = {
        "requestContext": {
            "httpMethod": "POST",
            "resourcePath": "/v1/verifications",
            "identity": {},
        },
        "headers": {
            "authorization": f"Bearer {LOCAL_DEV_KEY}",
            "content-type": "application/json",
            "idempotency-key": "a-key",
            **({"prefer": "respond-async"} if later else {}),
        },
        "multiValueQueryStringParameters": None,
        "pathParameters": {},
        "stageVariables": None,
        "body": json.dumps({"name": NAME, "id_number": NUMBER}),
        "isBase64Encoded": False,
    }
    with caplog.at_level(logging.INFO, "eryaosu"):
        answer = app(event, None)
    assert answer["statusCode"] == 503, answer
    body = json.loads(answer["body"])
    assert (body["code"], body["billed"], body["retryable"]) == ("service_unavailable", "no", True)
    said = "\n".join(record.getMessage() for record in caplog.records if record.levelno > 30)
    assert NAME not in said
    assert NUMBER not in said
    return body, said


def put_secret(aws_url: str, secret_id: str, **changes: str | None) -> None:
    fields = json.loads(local_secret()) | changes
    text = json.dumps({name: value for name, value in fields.items() if value is not None})
    session = boto3.Session(ACCESS_KEY, ACCESS_KEY, region_name=REGION)
    client = session.client("secretsmanager", endpoint_url=aws_url, config=QUICK)
    client.put_secret_value(SecretId=secret_id, SecretString=text)
    client.close()


class TestSecret:
    def test_it_has_no_value_yet(
        self,
        stage: Names,
        aws_url: str,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        empty = create(aws_url).secret_id
        monkeypatch.setenv("SECRET_ID", empty)
        _, said = asked(caplog)
        assert f"secret {empty}: does not exist or has no value yet in {REGION}" in said
        assert f"aws secretsmanager put-secret-value --secret-id {empty}" in said

    @pytest.mark.parametrize(
        ("appcode", "wrong"), [(None, "is missing"), ("", "must be the AppCode")]
    )
    def test_it_has_no_app_code(
        self,
        stage: Names,
        aws_url: str,
        caplog: pytest.LogCaptureFixture,
        appcode: str | None,
        wrong: str,
    ) -> None:
        put_secret(aws_url, stage.secret_id, appcode=appcode)
        _, said = asked(caplog)
        assert f"secret {stage.secret_id}: appcode: {wrong}" in said
        assert f"aws secretsmanager put-secret-value --secret-id {stage.secret_id}" in said


class TestTable:
    @pytest.mark.parametrize("later", [False, True])
    def test_it_is_not_there(
        self,
        stage: Names,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
        later: bool,
    ) -> None:
        monkeypatch.setenv("TABLE_NAME", "no-such-table")
        _, said = asked(caplog, later=later)
        assert f"table no-such-table: ResourceNotFoundException: there is none in {REGION}" in said
        assert "set TABLE_NAME to what the outputs of the stage's stack say" in said


class TestKey:
    def test_it_is_not_there(
        self,
        stage: Names,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        missing = "00000000-0000-0000-0000-000000000000"
        monkeypatch.setenv("KMS_KEY_ID", missing)
        _, said = asked(caplog, later=True)
        assert (
            f"key {missing}: NotFoundException: there is none in {REGION}; set KMS_KEY_ID" in said
        )


class TestRegion:
    def test_it_is_another_than_the_stages(
        self,
        stage: Names,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("AWS_REGION", ELSEWHERE)
        monkeypatch.setenv("AWS_DEFAULT_REGION", ELSEWHERE)
        _, said = asked(caplog)
        assert f"does not exist or has no value yet in {ELSEWHERE}" in said

    def test_there_is_none(
        self,
        stage: Names,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.delenv("AWS_REGION")
        monkeypatch.delenv("AWS_DEFAULT_REGION")
        _, said = asked(caplog)
        assert "setting AWS_DEFAULT_REGION: is not set" in said


class TestSettings:
    @pytest.mark.parametrize(
        "name", ["UPSTREAM_URL", "TABLE_NAME", "KMS_KEY_ID", "SECRET_ID", "QUEUE_URL"]
    )
    def test_one_is_not_set(
        self,
        stage: Names,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
        name: str,
    ) -> None:
        monkeypatch.delenv(name)
        _, said = asked(caplog)
        assert f"setting {name}: is not set" in said
