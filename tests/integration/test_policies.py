"""Each function may do what it does, and nothing else: its policy against what it calls."""

import json
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import boto3
import pytest
import requests

import app
from chalicelib import bootstrap
from chalicelib.adapters import files
from chalicelib.bootstrap import SystemClock
from chalicelib.domain import batch_rows
from chalicelib.domain.secret import LOCAL_DEV_KEY
from chalicelib.services import verify as verifying
from chalicelib.services.ports import UnavailableError, Write
from local_stack.events import created, queued, scheduled
from local_stack.resources import ACCESS_KEY, REGION, create
from mock_server import Options, create_app
from mock_server.serving import Server
from tests.e2e.callback_server import GOOD, CallbackServer
from tests.e2e.forms import CLIENT, entry_of, secret_with_forms, source_id
from tests.examples import OTHER_NAME
from tests.hook_payloads import build
from tests.integration.aws_calls import Call, Recorder

CHALICE = Path(__file__).parents[2] / ".chalice"
POLICIES = {
    "APIHandler": "policy-api.json",
    "Worker": "policy-worker.json",
    "Sweep": "policy-sweep.json",
    "Sender": "policy-sender.json",
    "RowWorker": "policy-row_worker.json",
    "Splitter": "policy-splitter.json",
}
QUEUES = {"Worker": "Queue", "RowWorker": "Rows"}
WITH_FILES = {"APIHandler", "Sweep", "RowWorker", "Splitter"}
GONE = 410

# What Lambda and DynamoDB do with a function's role; no code of ours calls it.
LAMBDAS_OWN = {"logs:CreateLogStream", "logs:PutLogEvents"}
POLLERS_OWN = {
    "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ReceiveMessage",
}
TABLES_KEY = {
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKey*",
    "kms:ReEncrypt*",
}


def statements(function: str) -> list[dict[str, Any]]:
    document = json.loads((CHALICE / POLICIES[function]).read_text("utf-8"))
    assert document["Version"] == "2012-10-17"
    found: list[dict[str, Any]] = document["Statement"]
    return found


def resource_name(resource: Mapping[str, Any]) -> str:
    """The logical name of a resource as ``Call`` has it."""
    if "Ref" in resource:
        return str(resource["Ref"])
    if "Fn::GetAtt" in resource:
        name, attribute = resource["Fn::GetAtt"]
        assert attribute == "Arn"
        return str(name)
    return re.sub(r"\$\{(\w+)\.Arn\}", r"\1", resource["Fn::Sub"])


def allowed(function: str) -> set[Call]:
    """Every action with every resource, but for what AWS itself does with the role."""
    found = set()
    for statement in statements(function):
        if "Condition" in statement or set(statement["Action"]) & LAMBDAS_OWN:
            continue
        resources = statement["Resource"]
        for resource in resources if isinstance(resources, list) else [resources]:
            found |= {(action, resource_name(resource)) for action in statement["Action"]}
    return {call for call in found if call[0] not in POLLERS_OWN}


class Clock(SystemClock):
    """The service's clock, which can be moved on."""

    ahead = timedelta()

    def now(self) -> datetime:
        return super().now() + self.ahead


class Deployed:
    """The six functions over moto and the mock, as AWS would call them."""

    def __init__(self, env: Mapping[str, str], mock: str, owner: CallbackServer) -> None:
        self.owner = owner
        self.clock = Clock()
        self.recorder = Recorder()
        self._env = env
        self._mock = mock
        identities = requests.get(f"{mock}/__admin/identities", timeout=5).json()
        (known, *_) = (one for one in identities if one["answers"] == "0000")
        self.person = {name: known[name] for name in ("name", "id_number")}
        self._session = boto3.Session(ACCESS_KEY, ACCESS_KEY, region_name=REGION)

    def api(
        self,
        method: str,
        route: str,
        body: object = None,
        *,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        raw: bytes | None = None,
        **parameters: str,
    ) -> Any:
        """One request; its body as JSON, None for an empty one."""
        sent = {"authorization": f"Bearer {LOCAL_DEV_KEY}", "content-type": "application/json"}
        event = {
            "requestContext": {"httpMethod": method, "resourcePath": route, "identity": {}},
            "headers": {**sent, **(headers or {})},
            "multiValueQueryStringParameters": {k: [v] for k, v in (query or {}).items()} or None,
            "pathParameters": parameters,
            "stageVariables": None,
            "body": raw.decode() if raw is not None else json.dumps(body),
            "isBase64Encoded": False,
        }
        with self.recorder.running("APIHandler"):
            answer = app.app(event, None)
        if not answer["body"] or "json" not in answer["headers"]["Content-Type"]:
            return answer["body"] or None
        return json.loads(answer["body"])

    def asked(self, key: str, **changes: object) -> Any:
        headers = {"idempotency-key": key}
        if changes.pop("later", False):
            headers["prefer"] = "respond-async"
        return self.api("POST", "/v1/verifications", {**self.person, **changes}, headers=headers)

    def work(self) -> int:
        """Have the worker take what is in the queue; how many messages there were."""
        url = self._env["QUEUE_URL"]
        with closing(
            self._session.client("sqs", endpoint_url=self._env["AWS_ENDPOINT_URL"])
        ) as sqs:
            received = sqs.receive_message(
                QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"]
            ).get("Messages", [])
            event = queued(received, "arn:aws-cn:sqs:cn-north-1:123456789012:q")
            with self.recorder.running("Worker"):
                app.worker(event, None)
            for message in received:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return len(received)

    def split(self, batch_id: str) -> None:
        """Tell the splitter that a batch's file is there."""
        event = created(self._env["BUCKET_NAME"], f"uploads/{batch_id}", 1, "etag")
        with self.recorder.running("Splitter"):
            app.splitter(event, None)

    def work_rows(self) -> None:
        """Have the row worker take what is in its queue, until that is empty."""
        url = self._env["ROWS_QUEUE_URL"]
        with closing(
            self._session.client("sqs", endpoint_url=self._env["AWS_ENDPOINT_URL"])
        ) as sqs:
            while received := sqs.receive_message(QueueUrl=url, AttributeNames=["All"]).get(
                "Messages", []
            ):
                event = queued(received, "arn:aws-cn:sqs:cn-north-1:123456789012:r")
                with self.recorder.running("RowWorker"):
                    answer = app.row_worker(event, None)
                assert answer == {"batchItemFailures": []}
                for message in received:
                    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    def sweep(self) -> Any:
        with self.recorder.running("Sweep"):
            return app.sweep(scheduled(), None)

    def send(self) -> Any:
        with self.recorder.running("Sender"):
            return app.sender(scheduled(), None)

    def fault(self, kind: str) -> None:
        answer = requests.post(
            f"{self._mock}/__admin/faults", json={"kind": kind, "times": 1}, timeout=5
        )
        assert answer.ok, answer.text

    def killed(self, patch: pytest.MonkeyPatch, key: str, **changes: object) -> None:
        """Asked, and the function ends in the middle of the call."""

        def die(*_: object) -> None:
            raise KeyboardInterrupt

        with patch.context() as broken, suppress(KeyboardInterrupt):
            broken.setattr(bootstrap.container().tools.provider, "ask", die)
            self.asked(key, **changes)

    def move_on(self, **by: float) -> None:
        self.clock.ahead += timedelta(**by)


@pytest.fixture(scope="module")
def deployed(aws_url: str) -> Iterator[Deployed]:
    patch = pytest.MonkeyPatch()
    with CallbackServer() as owner:
        quiet = entry_of("typeform", "typeform-shadow", owner.url, mode="shadow")
        secret = secret_with_forms(owner.url, typeform_shadow=quiet)
        names = create(aws_url, secret_string=json.dumps(secret))
        with Server(create_app(Options(appcodes=(secret["appcode"],)))) as mock:
            env = {
                "AWS_ACCESS_KEY_ID": ACCESS_KEY,
                "AWS_SECRET_ACCESS_KEY": ACCESS_KEY,
                "AWS_DEFAULT_REGION": REGION,
                "AWS_REGION": REGION,
                "AWS_ENDPOINT_URL": aws_url,
                "UPSTREAM_URL": f"{mock.url}/idenAuthentication",
                "TABLE_NAME": names.table,
                "KMS_KEY_ID": names.key_id,
                "SECRET_ID": names.secret_id,
                "QUEUE_URL": names.queue_url,
                "ROWS_QUEUE_URL": names.rows_queue_url,
                "BUCKET_NAME": names.bucket,
                "CALLBACK_ALLOW_LOOPBACK": "1",
            }
            for name, value in env.items():
                patch.setenv(name, value)
            stage = Deployed(env, mock.url, owner)
            stage.recorder.install(patch)
            patch.setattr(bootstrap, "SystemClock", lambda: stage.clock)
            bootstrap.override(None)
            everything(stage, patch)
            yield stage
            tools: Any = bootstrap.container().tools
            bootstrap.override(None)
            for part in (tools.repository, tools.secrets, tools.sealer, tools.queue):
                part._client.close()
    patch.undo()


def everything(stage: Deployed, patch: pytest.MonkeyPatch) -> None:
    """Every path of every function that another call to AWS may lie on."""
    asked_at_once(stage)
    read_and_settled(stage, patch)
    hooks(stage)
    accepted(stage)
    told(stage)
    swept(stage, patch)
    batches(stage, patch)


def asked_at_once(stage: Deployed) -> None:
    first = stage.asked("at-once", max_age_seconds=60)
    assert first["person"]
    assert stage.asked("at-once", max_age_seconds=60)["person"] == first["person"]
    assert stage.asked("reused", max_age_seconds=60)["reused_from"] == first["id"]
    stage.move_on(minutes=2)
    assert stage.asked("taken-over", max_age_seconds=60)["reused_from"] is None
    form = {"authorization": f"APPCODE {LOCAL_DEV_KEY}"}
    form["content-type"] = "application/x-www-form-urlencoded"
    raw = urlencode({"name": stage.person["name"], "idNo": stage.person["id_number"]}).encode()
    assert stage.api("POST", "/idenAuthentication", headers=form, raw=raw)["respCode"]
    stage.recorder.lose_replies = 1
    assert stage.asked("reply-lost")["status"] == "completed"


def read_and_settled(stage: Deployed, patch: pytest.MonkeyPatch) -> None:
    assert stage.api("GET", "/healthz") == {"status": "ok"}
    listed = stage.api("GET", "/v1/verifications", query={"limit": "2"})
    assert listed["next_cursor"]
    assert stage.api("GET", "/v1/usage")["total"]["calls"]
    bought = {"calls": 5_000, "price": "149.00"}
    for _ in range(2):
        stage.api("POST", "/v1/packages", bought, headers={"idempotency-key": "package-1"})
    found = stage.api("GET", "/v1/packages")
    reading = {name: found[name] for name in ("used", "total")}
    assert stage.api("POST", "/v1/usage/reconcile", reading)["verdict"] == "agrees"
    assert stage.api("GET", "/v1/packages/advice")["expected"]
    for action in ("close", "retry"):
        stage.fault("reset")
        unknown = stage.asked(f"settled-{action}")
        assert unknown["code"] == "outcome_unknown", unknown
        found = unknown["verification_id"]
        body = {"billed": "no", "action": action}
        settled = stage.api(
            "POST", "/v1/verifications/{verification_id}/resolve", body, verification_id=found
        )
        assert settled["status"] == "failed"
    route = "/v1/verifications/{verification_id}"
    stage.api("GET", route, verification_id=stage.asked("at-once", max_age_seconds=60)["id"])
    held = stage.asked("to-erase-2", name=OTHER_NAME, max_age_seconds=60)["id"]
    assert stage.api("DELETE", route, verification_id=held) is None
    stage.fault("gateway:A401AC")
    assert stage.asked("stopped")["code"] == "appcode_invalid"
    assert stage.api("GET", "/v1/breaker")["state"] == "open"
    assert stage.api("POST", "/v1/breaker/close")["state"] == "closed"
    stage.killed(patch, "killed-and-met-again")
    stage.move_on(minutes=5)
    assert stage.asked("killed-and-met-again")["code"] == "outcome_unknown"
    unwritten(stage, patch)


def unwritten(stage: Deployed, patch: pytest.MonkeyPatch) -> None:
    """The table does not take an answer: a message without the person is left for the worker."""
    repository = bootstrap.container().tools.repository
    real = repository.write

    def write(write: Write) -> None:
        if write.usage:
            raise UnavailableError("table: ProvisionedThroughputExceededException")
        real(write)

    with patch.context() as broken:
        broken.setattr(repository, "write", write)
        broken.setattr(verifying, "_END_SECONDS", 0)
        assert "not_recorded" in stage.asked("unwritten")["warnings"]


def hooks(stage: Deployed) -> None:
    now = stage.clock.now()

    def post(source: str, **changes: Any) -> None:
        hook = build("typeform", now=now, **changes)
        stage.api(
            "POST",
            "/hooks/{source}",
            headers={name.lower(): value for name, value in hook.headers.items()},
            raw=hook.body,
            source=source,
        )

    post(source_id("typeform"), dedupe="good")
    post(source_id("typeform"), dedupe="good")
    post(source_id("typeform"), dedupe="bad", number="11010519491231002")
    post("typeform-shadow", dedupe="watched")
    items = stage.api("GET", "/v1/submissions")["items"]
    assert {item["status"] for item in items} == {"rejected", "shadow"}
    for item in items:
        stage.api("POST", "/v1/submissions/{submission_id}/replay", {}, submission_id=item["id"])


def accepted(stage: Deployed) -> None:
    while stage.work():
        pass
    assert stage.asked("later", later=True, max_age_seconds=60)["status"] == "pending"
    assert stage.work()
    assert stage.asked("later", later=True, max_age_seconds=60)["status"] == "completed"
    stage.move_on(minutes=2)
    assert stage.asked("later-over", later=True, max_age_seconds=60)["status"] == "pending"
    assert stage.work()
    assert stage.asked("later-throttled", later=True)["status"] == "pending"
    stage.fault("gateway:T429GR")
    assert stage.work()
    stage.move_on(minutes=10)
    assert stage.sweep()["queued"]
    stage.recorder.lose_replies = 1
    assert stage.work()
    stage.fault("resp_code:0010")
    stage.asked("later-pause", later=True)
    assert stage.work()
    stage.asked("later-stopped", later=True)
    assert stage.work()
    stage.api("POST", "/v1/breaker/close")


def told(stage: Deployed) -> None:
    url = f"{stage.owner.url}/{CLIENT}"
    stage.owner.status = GONE
    asked = stage.asked("told", callback_url=url)
    assert stage.work()
    route = "/v1/deliveries/{delivery_id}/replay"
    (first, *_) = stage.api("GET", "/v1/deliveries")["items"]
    assert (first["verification_id"], first["status"]) == (asked["id"], "disabled")
    stage.owner.status = None
    assert stage.api("POST", route, {}, delivery_id=first["id"])["status"] == "pending"
    assert stage.work()
    stage.move_on(hours=1)
    assert stage.send()["queued"]
    stage.owner.status = GOOD
    assert stage.work()


def swept(stage: Deployed, patch: pytest.MonkeyPatch) -> None:
    stage.killed(patch, "killed", callback_url=f"{stage.owner.url}/{CLIENT}", max_age_seconds=60)
    stage.move_on(minutes=5)
    stage.recorder.lose_replies = 1
    assert stage.sweep()["expired"]


def batches(stage: Deployed, patch: pytest.MonkeyPatch) -> None:
    route, item = "/v1/batches", "/v1/batches/{batch_id}"

    def made(*people: str, **about: object) -> str:
        content = b64encode("\n".join(["name,id_number", *people]).encode()).decode()
        found = stage.api("POST", route, {"format": "csv", "content": content, **about})
        return str(found["id"])

    def did(act: str, batch_id: str) -> Any:
        return stage.api("POST", f"{item}/{act}", batch_id=batch_id)

    def status(batch_id: str) -> str:
        return str(stage.api("GET", item, batch_id=batch_id)["status"])

    person = ",".join(stage.person.values())
    assert stage.api("POST", route, {"format": "csv"})["upload"]
    one = made(person, f"{OTHER_NAME},{stage.person['id_number']}", max_age_seconds=60)
    stage.split(one)
    assert stage.api("GET", f"{item}/results", batch_id=one)
    did("pause", one)
    did("resume", one)
    assert stage.api("GET", route)["items"]
    rows_unwritten(stage, patch)
    stage.work_rows()
    assert status(one) == "completed"
    # Taken over from a holder that is too old.
    stage.move_on(minutes=2)
    again = made(person, max_age_seconds=60)
    stage.split(again)
    stage.recorder.lose_replies = 1
    stage.work_rows()
    assert status(again) == "completed"
    stopped = made(person)
    stage.split(stopped)
    stage.fault("gateway:B403MQ")
    stage.work_rows()
    assert status(stopped) == "paused"
    stage.api("POST", "/v1/breaker/close")
    assert did("cancel", stopped)["status"] == "cancelled"
    dry = made(person, dry_run=True)
    with patch.context() as small:
        small.setattr(files, "PART", 10)
        stage.split(dry)
    assert stage.api("GET", item, batch_id=dry)["cost"]
    broken, good = made(person, person), iter([("a", "b")])
    with patch.context() as small:
        small.setattr(files, "PART", 10)
        small.setattr(batch_rows, "person", lambda *_, **__: next(good))
        with pytest.raises(RuntimeError):
            stage.split(broken)
    lost = made(person)
    stage.split(lost)
    stage.move_on(minutes=20)
    swept = stage.sweep()
    assert swept["sent"]
    stage.work_rows()
    assert status(lost) == "completed"
    stage.move_on(days=8)
    assert stage.sweep()["ended"]


def rows_unwritten(stage: Deployed, patch: pytest.MonkeyPatch) -> None:
    """The table does not take a row's answer: a message is left for the worker."""
    repository = bootstrap.container().tools.repository
    real = repository.write

    def write(write: Write) -> None:
        if write.usage:
            raise UnavailableError("table: ProvisionedThroughputExceededException")
        real(write)

    content = b64encode(f"name,id_number\n{','.join(stage.person.values())}".encode()).decode()
    made = stage.api("POST", "/v1/batches", {"format": "csv", "content": content})
    stage.split(made["id"])
    with patch.context() as broken:
        broken.setattr(repository, "write", write)
        broken.setattr(verifying, "_END_SECONDS", 0)
        stage.work_rows()


@pytest.mark.parametrize("function", POLICIES)
class TestPolicies:
    def test_nothing_that_is_called_is_missing(self, deployed: Deployed, function: str) -> None:
        assert deployed.recorder.calls[function] <= allowed(function)

    def test_nothing_that_is_allowed_is_unused(self, deployed: Deployed, function: str) -> None:
        assert allowed(function) <= deployed.recorder.calls[function]

    def test_what_aws_does_with_the_role_is_that_and_no_more(self, function: str) -> None:
        found = statements(function)
        (logs,) = (one for one in found if set(one["Action"]) & LAMBDAS_OWN)
        assert set(logs["Action"]) == LAMBDAS_OWN
        assert logs["Resource"]["Fn::Sub"].endswith(
            f"log-group:/aws/lambda/${{AWS::StackName}}-{function}-*:*"
        )
        (key,) = (one for one in found if "Condition" in one)
        assert set(key["Action"]) == TABLES_KEY
        assert key["Resource"] == {"Fn::GetAtt": ["Key", "Arn"]}
        services = ["dynamodb", "s3"] if function in WITH_FILES else ["dynamodb"]
        via = [{"Fn::Sub": f"{name}.${{AWS::Region}}.amazonaws.com*"} for name in services]
        assert key["Condition"] == {
            "StringLike": {"kms:ViaService": via if len(via) > 1 else via[0]}
        }
        polled = [one for one in found if set(one["Action"]) & POLLERS_OWN]
        assert [(set(one["Action"]), one["Resource"]) for one in polled] == (
            [(POLLERS_OWN, {"Fn::GetAtt": [QUEUES[function], "Arn"]})] if function in QUEUES else []
        )

    def test_nothing_is_allowed_on_everything_or_forbidden_in_a_partition(
        self, function: str
    ) -> None:
        for statement in statements(function):
            assert statement["Effect"] == "Allow"
            assert set(statement) <= {"Sid", "Effect", "Action", "Resource", "Condition"}
            text = json.dumps(statement["Resource"])
            assert '"*"' not in text
            assert "arn:aws" not in text
            assert not [action for action in statement["Action"] if action.endswith(":*")]


def test_every_function_has_its_own_policy() -> None:
    stages = json.loads((CHALICE / "config.json").read_text("utf-8"))["stages"]
    for stage in stages.values():
        files = [one["iam_policy_file"] for one in stage["lambda_functions"].values()]
        assert sorted(files) == sorted(POLICIES.values())
