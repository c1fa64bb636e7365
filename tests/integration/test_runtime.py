"""The unzipped package under Lambda's own runtime client, with events as AWS shapes them."""

import hashlib
import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from benchmarks import events, runtime_api
from chalicelib.domain.secret import LOCAL_DEV_KEY, SCOPES
from local_stack.events import scheduled
from local_stack.resources import ACCESS_KEY, REGION, create
from mock_server import Options, create_app
from mock_server.serving import Server
from tests.examples import NAME, NUMBER

APPCODE = "an-appcode"
SECRET = json.dumps(
    {
        "appcode": APPCODE,
        "id_key": "i" * 32,
        "hash_key": "h" * 32,
        "clients": [
            {
                "name": "local",
                "key_sha256": [hashlib.sha256(LOCAL_DEV_KEY.encode()).hexdigest()],
                "scopes": [*SCOPES],
            }
        ],
        "sources": events.SOURCES,
    }
)

Invoke = Callable[[object], runtime_api.Answer]


@pytest.fixture(scope="module")
def environment(aws_url: str) -> Iterator[Mapping[str, str]]:
    """What the template gives to the functions."""
    names = create(aws_url, secret_string=SECRET)
    with Server(create_app(Options(appcodes=(APPCODE,)))) as mock:
        yield {
            "AWS_ENDPOINT_URL": aws_url,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": ACCESS_KEY,
            "AWS_DEFAULT_REGION": REGION,
            "UPSTREAM_URL": f"{mock.url}/idenAuthentication",
            "SECRET_ID": names.secret_id,
            "TABLE_NAME": names.table,
            "KMS_KEY_ID": names.key_id,
            "QUEUE_URL": names.queue_url,
            "ROWS_QUEUE_URL": names.rows_queue_url,
            "BUCKET_NAME": names.bucket,
        }


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return runtime_api.client_folder(tmp_path_factory.mktemp("client"))


@pytest.fixture
def function(built: Path, client: Path) -> Iterator[Callable[..., Invoke]]:
    """Starts a function; gives what sends it one event and waits for the answer."""
    with ExitStack() as running:

        def start(handler: str, env: Mapping[str, str], log: int = subprocess.DEVNULL) -> Invoke:
            api = running.enter_context(runtime_api.RuntimeApi())
            process = runtime_api.start(built / "package", handler, client, api, env, log=log)
            running.callback(process.wait)
            running.callback(process.kill)

            def invoke(event: object) -> runtime_api.Answer:
                api.send(event)
                return api.answer()

            return invoke

        yield start


def body(answer: runtime_api.Answer, status: int) -> Any:
    assert not answer.error, answer
    assert answer.body["statusCode"] == status, answer
    return json.loads(answer.body["body"])


def asked(**headers: str) -> dict[str, Any]:
    event = events.verification(NAME, NUMBER)
    event["headers"] |= headers
    return event


def test_a_verification(function: Callable[..., Invoke], environment: Mapping[str, str]) -> None:
    invoke = function("app.app", environment)
    event = asked()
    first = body(invoke(event), 200)
    assert first["status"] == "completed"
    assert first["billed"] == "yes"
    assert body(invoke(event), 200)["id"] == first["id"]


def test_a_forms_webhook(function: Callable[..., Invoke], environment: Mapping[str, str]) -> None:
    answer = body(function("app.app", environment)(events.typeform(NAME, NUMBER)), 200)
    assert answer["status"] == "accepted"


def test_a_batch_of_messages_fails_in_part(
    function: Callable[..., Invoke], environment: Mapping[str, str]
) -> None:
    api, worker = function("app.app", environment), function("app.worker", environment)
    pending = body(api(asked(prefer="respond-async")), 202)
    gone = json.dumps({"ask": "vrf_" + "0" * 26})
    batch = events.messages("no message of ours", json.dumps({"ask": pending["id"]}), gone)
    assert worker(batch).body == {"batchItemFailures": [{"itemIdentifier": "message-0"}]}
    path = "/v1/verifications/{verification_id}"
    event = asked()
    event["resource"] = event["requestContext"]["resourcePath"] = path
    event["requestContext"]["httpMethod"] = event["httpMethod"] = "GET"
    event["pathParameters"] = {"verification_id": pending["id"]}
    event["body"] = None
    found = body(api(event), 200)
    assert (found["id"], found["status"]) == (pending["id"], "completed")


@pytest.mark.parametrize("handler", ["sweep", "sender"])
def test_a_schedule(
    handler: str, function: Callable[..., Invoke], environment: Mapping[str, str]
) -> None:
    answer = function(f"app.{handler}", environment)(scheduled())
    assert not answer.error
    assert all(number >= 0 for number in answer.body.values())


def test_a_missing_setting_is_told_by_the_first_call_and_named_in_the_log(
    function: Callable[..., Invoke], environment: Mapping[str, str], tmp_path: Path
) -> None:
    without = {name: value for name, value in environment.items() if name != "TABLE_NAME"}
    with (tmp_path / "log").open("w+", encoding="utf-8") as log:
        invoke = function("app.app", without, log.fileno())
        assert body(invoke(asked()), 503)["code"] == "service_unavailable"
    assert "TABLE_NAME" in (tmp_path / "log").read_text("utf-8")
