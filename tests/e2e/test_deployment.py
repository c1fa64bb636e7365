"""The package deployed by ``make deploy``'s own commands, and used, in an AWS stand-in.

The functions run from the zip, each under its own role: what its policy does not allow is denied.
"""

import hashlib
import json
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import requests

from benchmarks import events
from chalicelib import bootstrap
from chalicelib.config import Settings
from chalicelib.domain.secret import SCOPES
from chalicelib.domain.verification import Status, VerificationRequest
from chalicelib.services import intake
from local_stack.resources import REGION
from mock_server import Options, create_app
from mock_server.serving import Server
from tests.e2e.conftest import ROOT, Ahead, dead_letters_of, peek, until
from tests.e2e.ministack import Ministack, NotInstalledError
from tests.fakes.queue import FakeQueue

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

APPCODE = "an-appcode"
KEY = "key-of-a-deployed-stage"
SECRET = {
    "appcode": APPCODE,
    "id_key": "i" * 32,
    "hash_key": "h" * 32,
    "clients": [
        {
            "name": "shop",
            "key_sha256": [hashlib.sha256(KEY.encode()).hexdigest()],
            "scopes": [*SCOPES],
        }
    ],
    "sources": events.SOURCES,
}
BAD = "no message of ours"
PATIENCE = 60
"""Seconds; a function's first start is slow where much else runs."""


@dataclass(frozen=True)
class Person:
    name: str
    id_number: str


@dataclass(frozen=True)
class Deployed:
    """A stage, the mock that it asks, and where both are."""

    aws: Ministack
    outputs: dict[str, str]
    mock: str

    @property
    def api(self) -> str:
        # Its host name resolves nowhere; the stand-in has a path for the same.
        return f"{self.aws.url}/_aws/execute-api/{self.outputs['RestAPIId']}/api"

    def call(self, method: str, path: str, body: object = None, **headers: str) -> Any:
        sent = {"Authorization": f"Bearer {KEY}", **headers}
        return requests.request(method, self.api + path, json=body, headers=sent, timeout=40)

    def ask(self, person: Person, **headers: str) -> Any:
        body = {"name": person.name, "id_number": person.id_number}
        return self.call("POST", "/v1/verifications", body, **headers)

    def person(self, place: int) -> Person:
        """One of the mock's invented people, whose name and number belong together."""
        known = requests.get(f"{self.mock}/__admin/identities", timeout=10).json()
        one = [one for one in known if one["answers"] == "0000"][place]
        return Person(one["name"], one["id_number"])

    def completed(self, verification_id: str) -> Any:
        def look() -> Any:
            found = self.call("GET", f"/v1/verifications/{verification_id}")
            assert found.status_code == 200, found.text
            return found.json() if found.json()["status"] == "completed" else None

        return until(look, PATIENCE)

    def alerts(self, kind: str) -> Any:
        """Those of a kind that were told."""
        found = self.call("GET", "/v1/alerts")
        assert found.status_code == 200, found.text
        return [one for one in found.json()["items"] if one["kind"] == kind and one["sent_at"]]

    def paid(self, person: Person) -> int:
        body = {"id_number": person.id_number}
        found = requests.post(f"{self.mock}/__admin/ledger/count", json=body, timeout=10)
        return int(found.json()["paid_calls"])


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ministack]:
    try:
        server = Ministack(tmp_path_factory.mktemp("ministack"))
    except NotInstalledError as exc:
        pytest.skip(f"ministack cannot be installed: {exc}")
    with server:
        yield server


@pytest.fixture(scope="module")
def deployed(
    aws: Ministack, built: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployed]:
    folder = tmp_path_factory.mktemp("build")
    (folder / "deployment.zip").hardlink_to(built / "deployment.zip")
    template = adapted(json.loads((built / "sam.json").read_text("utf-8")))
    (folder / "sam.json").write_text(json.dumps(template), "utf-8")
    (folder / "secret.json").write_text(json.dumps(SECRET), "utf-8")
    place = f"LocationConstraint={REGION}"
    bucket = ("--bucket", "packages", "--create-bucket-configuration", place)
    aws.aws("s3api", "create-bucket", *bucket)
    with Server(create_app(Options(appcodes=(APPCODE,)))) as mock:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "tools.deploy", "--stage", "laptop"),
                *("--bucket", "packages", "--build", str(folder)),
                *("--secret", str(folder / "secret.json")),
                f"UpstreamUrl={mock.url}/idenAuthentication",
            ],
            check=False,
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=aws.env,
        )
        assert done.returncode == 0, f"{done.stderr}\n{aws.log}"
        (stack,) = aws.aws("cloudformation", "describe-stacks", "--stack-name", "eryaosu-laptop")[
            "Stacks"
        ]
        outputs = {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}
        yield Deployed(aws, outputs, mock.url)


def adapted(template: Any) -> Any:
    """The template, but for what the stand-in reads otherwise than CloudFormation does."""
    resources = template["Resources"]
    # It passes a parameter of type Number on as a text, and then cannot poll the queue.
    for worker in ("Worker", "RowWorker"):
        (event,) = resources[worker]["Properties"]["Events"].values()
        source = event["Properties"]
        for place, name in ((source, "BatchSize"), (source["ScalingConfig"], "MaximumConcurrency")):
            if isinstance(place[name], dict):
                place[name] = int(template["Parameters"][place[name]["Ref"]]["Default"])
    # It speaks HTTP only, which the bucket refuses.
    del resources["BucketPolicy"]
    # Ref of a secret is its ARN; there it is the name, which no policy can be about.
    for role in (one for one in resources.values() if one["Type"] == "AWS::IAM::Role"):
        for policy in role["Properties"]["Policies"]:
            for statement in policy["PolicyDocument"]["Statement"]:
                if statement["Resource"] == {"Ref": "Secret"}:
                    statement["Resource"] = {"Fn::GetAtt": ["Secret", "Id"]}
    return template


def test_a_verification_over_api_gateway(deployed: Deployed) -> None:
    person = deployed.person(0)
    first = deployed.ask(person, **{"Idempotency-Key": "order-1"})
    assert first.status_code == 200, f"{first.text}\n{deployed.aws.log}"
    answer = first.json()
    assert (answer["status"], answer["outcome"], answer["billed"]) == ("completed", "match", "yes")
    assert deployed.ask(person, **{"Idempotency-Key": "order-1"}).json() == answer
    assert deployed.paid(person) == 1


def left_in(sqs: "SQSClient", url: str) -> int:
    """How many messages wait or are being worked on."""
    names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(map(int, found.values()))


def test_of_two_messages_the_bad_one_comes_again(deployed: Deployed) -> None:
    found = deployed.aws.aws("lambda", "list-event-source-mappings")["EventSourceMappings"]
    (source,) = (one for one in found if "-Queue-" in one["EventSourceArn"])

    def receive(*, on: bool) -> None:
        flag = "--enabled" if on else "--no-enabled"
        deployed.aws.aws("lambda", "update-event-source-mapping", "--uuid", source["UUID"], flag)

    person, url = deployed.person(1), deployed.outputs["QueueUrl"]
    env = deployed.aws.env
    client = boto3.client(
        "sqs",
        endpoint_url=deployed.aws.url,
        region_name=REGION,
        aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
    )
    with closing(client) as sqs:
        # Two minutes in the template; the worker takes far less.
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "1"})
        receive(on=False)
        pending = deployed.ask(person, Prefer="respond-async")
        assert pending.status_code == 202, pending.text
        sqs.send_message(QueueUrl=url, MessageBody=BAD)
        receive(on=True)
        assert deployed.completed(pending.json()["id"])["outcome"] == "match"
        dead_letters = dead_letters_of(sqs, url)
        assert until(lambda: peek(sqs, dead_letters), PATIENCE) == [BAD]
        assert until(lambda: not left_in(sqs, url))
    (alert,) = until(lambda: deployed.alerts("dead_letters"), PATIENCE)
    assert alert["about"] == dead_letters.rpartition("/")[2]
    name = url.rpartition("/")[2]
    assert f"processed 1 SQS messages from {name} (1 partial failures)" in deployed.aws.log
    assert deployed.paid(person) == 1


def test_the_schedule_queues_again_what_lost_its_message(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    person, outputs = deployed.person(2), deployed.outputs
    settings = {
        "UPSTREAM_URL": deployed.mock,
        "SECRET_ID": outputs["SecretId"],
        "TABLE_NAME": outputs["TableName"],
        "KMS_KEY_ID": outputs["KeyArn"],
        "QUEUE_URL": outputs["QueueUrl"],
        "ROWS_QUEUE_URL": outputs["RowsQueueUrl"],
        "BUCKET_NAME": outputs["BucketName"],
    }
    for name, value in (deployed.aws.env | settings).items():
        monkeypatch.setenv(name, value)
    container = bootstrap.build(Settings.from_env())
    long_ago = Ahead(-intake.RESEND_AFTER.total_seconds() - 1)
    tools = replace(container.tools, clock=long_ago, queue=FakeQueue())
    pending = intake.accept(
        VerificationRequest(person.name, person.id_number),
        client=tools.secrets.current().clients[0],
        tools=tools,
        policy=container.policy,
    )
    assert pending.status is Status.PENDING
    parts: Any = container.tools
    for part in (parts.repository, parts.secrets, parts.sealer, parts.queue):
        part._client.close()
    assert deployed.completed(pending.id)["outcome"] == "match"
    assert deployed.paid(person) == 1


def test_a_forms_entry_is_taken_and_verified(deployed: Deployed) -> None:
    person = deployed.person(3)
    event = events.typeform(person.name, person.id_number)
    url = f"{deployed.api}/hooks/survey"
    forged = {**event["headers"], "typeform-signature": "sha256=AAAA"}
    assert requests.post(url, event["body"], headers=forged, timeout=40).status_code == 401
    taken = requests.post(url, event["body"], headers=event["headers"], timeout=40)
    assert taken.status_code == 200, f"{taken.text}\n{deployed.aws.log}"
    assert taken.json()["status"] == "accepted"
    assert deployed.completed(taken.json()["id"])["outcome"] == "match"
    assert deployed.paid(person) == 1


def test_a_batch_is_split_and_its_rows_are_asked(deployed: Deployed) -> None:
    """The bucket tells the splitter, the splitter the queue, the queue the row worker."""
    people = [deployed.person(place) for place in (4, 5)]
    lines = ["name,id_number", *(f"{one.name},{one.id_number}" for one in people)]
    content = b64encode("\n".join(lines).encode()).decode()
    made = deployed.call("POST", "/v1/batches", {"format": "csv", "content": content})
    assert made.status_code == 201, f"{made.text}\n{deployed.aws.log}"
    path = f"/v1/batches/{made.json()['id']}"

    def look() -> Any:
        shown = deployed.call("GET", path).json()
        return shown if shown["status"] in {"completed", "failed", "paused"} else None

    done = until(look, PATIENCE)
    assert (done["status"], done["billed"]["yes"]) == ("completed", 2), done
    assert [deployed.paid(one) for one in people] == [1, 1]
    results = deployed.call("GET", f"{path}/results")
    assert results.text.count("match") == 2
