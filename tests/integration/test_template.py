"""The CloudFormation template that ``chalice package`` makes: what it says, and cfn-lint's word."""

import ast
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from app import app
from chalicelib.config import Settings
from chalicelib.domain.batch import FILES_TIME, UPLOADS
from chalicelib.domain.errors import TooManyRequestsError, UnexpectedError
from chalicelib.entrypoints.errors import STATUSES, problem
from local_stack.gateway import MAX_BODY, ApiServer

ROOT = Path(__file__).parents[2]
FUNCTIONS = {
    "APIHandler": 29,
    "Worker": 60,
    "Sweep": 60,
    "Sender": 60,
    "RowWorker": 120,
    "Splitter": 900,
}
"""Logical names, and after how many seconds each is stopped."""

# Beside these nothing of a request is logged: a path may hold a form's token, a query a person.
LOGGED = {
    "$context.requestId",
    "$context.requestTime",
    "$context.httpMethod",
    "$context.resourcePath",
    "$context.status",
    "$context.error.responseType",
    "$context.integration.status",
    "$context.responseLatency",
    "$context.integrationLatency",
    "$context.responseLength",
}

# What would bear a name of its own; a second stage in the account would collide with it.
NAMES = {"AlarmName", "FunctionName", "Name", "QueueName", "RoleName", "TableName", "TopicName"}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = tmp_path_factory.mktemp("project")
    for folder in ("chalicelib", ".chalice"):
        unwanted = shutil.ignore_patterns("__pycache__", "deployed", "deployments")
        shutil.copytree(ROOT / folder, project / folder, ignore=unwanted)
    shutil.copyfile(ROOT / "app.py", project / "app.py")
    (project / "requirements.txt").touch()
    program = "import sys; from chalice.cli import main; sys.exit(main())"
    arguments = ("package", "--merge-template", ".chalice/resources.json", "build")
    subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=project,
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "AWS_DEFAULT_REGION": "us-east-1"},
    )
    return project / "build/sam.json"


@pytest.fixture(scope="module")
def template(file: Path) -> Any:
    return json.loads(file.read_text("utf-8"))


@pytest.fixture(scope="module")
def resources(template: Any) -> Any:
    return template["Resources"]


@pytest.fixture(scope="module")
def definition(resources: Any) -> Any:
    return resources["RestAPI"]["Properties"]["DefinitionBody"]


@pytest.fixture(scope="module")
def laptop() -> Iterator[str]:
    server = ApiServer(app).start()
    yield server.url
    server.stop()


def nodes(value: object) -> Iterator[Any]:
    """Everything in it, at any depth."""
    yield value
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from nodes(inner)


def test_cfn_lint_has_nothing_to_say_in_either_partition(file: Path) -> None:
    program = str(Path(sys.executable).with_name("cfn-lint"))
    both = (str(file), str(ROOT / ".chalice/account.json"))
    done = subprocess.run(
        [program, *both, "-r", "us-east-1", "cn-north-1"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.stdout + done.stderr, done.returncode) == ("", 0)


class TestManyStages:
    def test_nothing_bears_a_name_of_its_own(self, resources: Any) -> None:
        for name, resource in resources.items():
            kind = resource["Type"]
            named = NAMES & set(resource["Properties"])
            if kind == "AWS::Lambda::Permission":
                named -= {"FunctionName"}  # whose it is
            assert not named, name

    def test_metrics_are_told_apart(self, resources: Any) -> None:
        own = {
            resource["Properties"]["MetricName"]: resource["Properties"]["Dimensions"]
            for resource in resources.values()
            if resource["Properties"].get("Namespace") == "eryaosu"
        }
        by_stage = [{"Name": "Stage", "Value": {"Ref": "Stage"}}]
        assert own == dict.fromkeys(("Unknowns", "BreakerOpen", "LowBalance"), by_stage)

    def test_no_partition_is_written_out(self, template: Any) -> None:
        texts = [text for text in nodes(template) if isinstance(text, str)]
        assert not [text for text in texts if re.search(r"arn:aws|amazonaws\.com/", text)]


class TestFunctions:
    def test_they_are_those(self, resources: Any) -> None:
        found = {
            name: resource["Properties"]["Timeout"]
            for name, resource in resources.items()
            if resource["Type"] == "AWS::Serverless::Function"
        }
        assert found == FUNCTIONS

    def test_each_has_a_role_of_its_own(self, resources: Any) -> None:
        roles = {resources[name]["Properties"]["Role"]["Fn::GetAtt"][0] for name in FUNCTIONS}
        assert len(roles) == len(FUNCTIONS)

    def test_the_settings_are_all_there(self, template: Any) -> None:
        declared = template["Globals"]["Function"]["Environment"]["Variables"]
        defaults = {n: str(p["Default"]) for n, p in template["Parameters"].items()}
        made = {
            name: defaults.get(value.get("Ref", ""), "made-by-the-stack")
            for name, value in declared.items()
        }
        settings = Settings.from_env(made)
        assert settings.live
        assert settings == Settings(
            upstream_url=defaults["UpstreamUrl"],
            secret_id="made-by-the-stack",
            table_name="made-by-the-stack",
            kms_key_id="made-by-the-stack",
            queue_url="made-by-the-stack",
            rows_queue_url="made-by-the-stack",
            bucket_name="made-by-the-stack",
        ), "a default of the template is not the code's"
        parts = {value["Ref"] for value in declared.values() if "Ref" in value}
        assert parts - set(defaults) == {"Table", "Queue", "Rows", "Bucket", "Secret"}
        assert declared["KMS_KEY_ID"] == {"Fn::GetAtt": ["Key", "Arn"]}

    def test_every_setting_of_the_template_is_one_that_is_read(self, template: Any) -> None:
        source = ast.parse((ROOT / "chalicelib/config.py").read_text("utf-8"))
        read = {
            node.args[1].value
            for node in ast.walk(source)
            if isinstance(node, ast.Call)
            and getattr(node.func, "id", "") == "_read"
            and isinstance(node.args[1], ast.Constant)
        }
        declared = set(template["Globals"]["Function"]["Environment"]["Variables"])
        assert declared - {"STAGE"} <= read

    @pytest.mark.parametrize("name", FUNCTIONS)
    def test_logs_end_and_alarms_ring(self, resources: Any, name: str) -> None:
        group = resources[f"{name}Logs"]["Properties"]
        assert group["LogGroupName"] == {"Fn::Sub": f"/aws/lambda/${{{name}}}"}
        assert group["RetentionInDays"] == {"Ref": "LogDays"}
        rung = {
            resource["Properties"]["MetricName"]
            for resource in resources.values()
            if {"Name": "FunctionName", "Value": {"Ref": name}}
            in resource["Properties"].get("Dimensions", ())
        }
        assert rung >= {"Errors", "Throttles"}

    def test_every_alarm_tells_somebody(self, resources: Any) -> None:
        alarms = {n: r for n, r in resources.items() if r["Type"] == "AWS::CloudWatch::Alarm"}
        assert {"APIHandlerSlowAlarm", "DeadLettersAlarm"} < set(alarms)
        for name, alarm in alarms.items():
            assert alarm["Properties"]["AlarmActions"] == [{"Ref": "Alarms"}], name

    def test_snap_start_is_off_unless_it_is_asked_for(self, template: Any) -> None:
        assert template["Parameters"]["SnapStart"]["Default"] == "None"
        properties = template["Resources"]["APIHandler"]["Properties"]
        assert properties["SnapStart"]["Fn::If"][0] == "HasSnapStart"
        assert properties["AutoPublishAlias"] == "live"


class TestDocumented:
    @pytest.mark.parametrize("page", ["deploy.md", "deploy.zh-CN.md"])
    def test_every_parameter_and_its_default(self, template: Any, page: str) -> None:
        text = (ROOT / "docs" / page).read_text("utf-8")
        table = [line for line in text.splitlines() if line.startswith("| `")]
        for name, parameter in template["Parameters"].items():
            if name == "Stage":
                continue
            (row,) = (line for line in table if f"`{name}`" in line.split("|")[1])
            default = str(parameter["Default"])
            # The paid API's URL, and what configuration.md has.
            if default and name not in {"UpstreamUrl", "CheckDigit", "PersonDays", "RecordDays"}:
                assert default in row, name

    @pytest.mark.parametrize("page", ["deploy.md", "deploy.zh-CN.md"])
    def test_the_alarms_are_counted_right(self, resources: Any, page: str) -> None:
        number = sum(one["Type"] == "AWS::CloudWatch::Alarm" for one in resources.values())
        text = (ROOT / "docs" / page).read_text("utf-8")
        assert re.search(rf"\b{number} (alarms|个告警) {number / 10:.2f}", text)


class TestQueue:
    def test_the_worker_is_fed_by_this_stacks_queue(self, template: Any) -> None:
        (event,) = template["Resources"]["Worker"]["Properties"]["Events"].values()
        mapping = event["Properties"]
        assert mapping["Queue"] == {"Fn::Sub": "${Queue.Arn}"}
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert mapping["ScalingConfig"] == {"MaximumConcurrency": {"Ref": "WorkerConcurrency"}}
        assert mapping["BatchSize"] == {"Ref": "WorkerBatchSize"}
        assert mapping["MaximumBatchingWindowInSeconds"] == 0, "else batches may be larger than 10"

    def test_a_batch_is_what_it_is_on_a_laptop(self, template: Any) -> None:
        sizes = {c.queue: c.batch_size for c in app.event_sources if hasattr(c, "batch_size")}
        default = template["Parameters"]["WorkerBatchSize"]["Default"]
        assert sizes == {"verifications": default, "rows": 1}

    def test_a_message_is_hidden_for_longer_than_a_worker_runs(self, resources: Any) -> None:
        for queue, worker in (("Queue", "Worker"), ("Rows", "RowWorker")):
            hidden = resources[queue]["Properties"]["VisibilityTimeout"]
            assert hidden >= resources[worker]["Properties"]["Timeout"]

    def test_rows_have_a_queue_of_their_own(self, template: Any) -> None:
        (event,) = template["Resources"]["RowWorker"]["Properties"]["Events"].values()
        mapping = event["Properties"]
        assert mapping["Queue"] == {"Fn::Sub": "${Rows.Arn}"}
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert mapping["ScalingConfig"] == {"MaximumConcurrency": {"Ref": "RowConcurrency"}}
        assert (mapping["BatchSize"], mapping["MaximumBatchingWindowInSeconds"]) == (1, 0)
        redrive = template["Resources"]["Rows"]["Properties"]["RedrivePolicy"]
        assert redrive["deadLetterTargetArn"] == {"Fn::GetAtt": ["RowsDeadLetters", "Arn"]}

    def test_the_splitter_hears_of_this_stacks_uploads(self, template: Any) -> None:
        (event,) = template["Resources"]["Splitter"]["Properties"]["Events"].values()
        assert event["Properties"]["Pattern"] == {
            "source": ["aws.s3"],
            "detail-type": ["Object Created"],
            "detail": {
                "bucket": {"name": [{"Ref": "Bucket"}]},
                "object": {"key": [{"prefix": UPLOADS}]},
            },
        }


class TestKept:
    @pytest.mark.parametrize("name", ["Key", "Secret", "Table", "Bucket"])
    def test_what_cannot_be_made_again_stays(self, resources: Any, name: str) -> None:
        assert resources[name]["DeletionPolicy"] == "Retain"
        assert resources[name]["UpdateReplacePolicy"] == "Retain"

    def test_the_table(self, resources: Any) -> None:
        table = resources["Table"]["Properties"]
        assert table["DeletionProtectionEnabled"] is True
        assert table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
        assert table["TimeToLiveSpecification"] == {"AttributeName": "ttl", "Enabled": True}
        assert table["SSESpecification"]["KMSMasterKeyId"] == {"Fn::GetAtt": ["Key", "Arn"]}
        assert resources["Key"]["Properties"]["EnableKeyRotation"] is True


class TestBucket:
    def test_what_lies_there_is_sealed_and_ends(self, resources: Any) -> None:
        bucket = resources["Bucket"]["Properties"]
        (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule["BucketKeyEnabled"] is True
        assert rule["ServerSideEncryptionByDefault"] == {
            "SSEAlgorithm": "aws:kms",
            "KMSMasterKeyID": {"Fn::GetAtt": ["Key", "Arn"]},
        }
        (rule,) = bucket["LifecycleConfiguration"]["Rules"]
        assert rule["Status"] == "Enabled"
        assert rule["ExpirationInDays"] == FILES_TIME.days
        assert rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] == FILES_TIME.days
        assert not {"Prefix", "Filter"} & set(rule), "all of it ends"

    def test_it_is_nobodys_but_ours(self, resources: Any) -> None:
        bucket = resources["Bucket"]["Properties"]
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
        assert len(bucket["PublicAccessBlockConfiguration"]) == 4
        (statement,) = resources["BucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
        assert (statement["Effect"], statement["Action"]) == ("Deny", "s3:*")
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}

    def test_it_tells_of_what_is_put(self, resources: Any) -> None:
        told = resources["Bucket"]["Properties"]["NotificationConfiguration"]
        assert told == {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}


class TestGateway:
    def test_the_access_log_says_the_route_and_nothing_of_the_request(self, resources: Any) -> None:
        setting = resources["RestAPI"]["Properties"]["AccessLogSetting"]
        assert set(json.loads(setting["Format"]).values()) == LOGGED
        assert resources["AccessLogs"]["Properties"]["RetentionInDays"] == {"Ref": "LogDays"}
        (methods,) = resources["RestAPI"]["Properties"]["MethodSettings"]
        assert methods["DataTraceEnabled"] is False
        assert methods["LoggingLevel"] == "OFF"

    def test_it_lets_only_so_many_through(self, resources: Any) -> None:
        (methods,) = resources["RestAPI"]["Properties"]["MethodSettings"]
        assert (methods["ResourcePath"], methods["HttpMethod"]) == ("/*", "*")
        assert methods["ThrottlingRateLimit"] == {"Ref": "ApiRate"}
        assert methods["ThrottlingBurstLimit"] == {"Ref": "ApiBurst"}

    def test_it_stands_in_one_region(self, resources: Any) -> None:
        # Edge-optimised ones do not exist in mainland China.
        assert resources["RestAPI"]["Properties"]["EndpointConfiguration"] == "REGIONAL"

    def test_every_route_goes_through_the_alias_where_snap_start_needs_it(
        self, definition: Any
    ) -> None:
        assert set(definition["paths"]) == set(app.routes), "resources.json has a path too few"
        for path, methods in definition["paths"].items():
            assert set(methods) == {
                "x-amazon-apigateway-any-method",
                *(method.lower() for method in app.routes[path]),
            }, path
            for method, operation in methods.items():
                integration = operation["x-amazon-apigateway-integration"]
                (target,) = integration["uri"]["Fn::Sub"][1].values()
                chosen = ["HasSnapStart", {"Ref": "APIHandler.Alias"}]
                assert target["Fn::If"][:2] == chosen, (path, method)
                assert integration["type"] == "aws_proxy"
                assert integration["httpMethod"] == "POST"


class TestGatewayResponses:
    def answer(self, definition: Any, kind: str) -> Any:
        """The problem document, its status and headers checked."""
        given = definition["x-amazon-apigateway-gateway-responses"][kind]
        (text,) = given["responseTemplates"].values()
        headers = given["responseParameters"]
        assert headers["gatewayresponse.header.Content-Type"] == "'application/problem+json'"
        document = json.loads(text)
        assert document["status"] == given["statusCode"] == STATUSES[document["code"]][0]
        return document

    @pytest.mark.parametrize(
        ("kind", "request_line", "length"),
        [
            ("MISSING_AUTHENTICATION_TOKEN", "GET /nowhere", "0"),
            ("INVALID_SIGNATURE", "GET /nowhere", "0"),
            ("RESOURCE_NOT_FOUND", "GET /nowhere", "0"),
            ("REQUEST_TOO_LARGE", "POST /v1/verifications", str(MAX_BODY + 1)),
            ("DEFAULT_4XX", "G(T /v1/verifications HTTP/1.1 more", "0"),
        ],
    )
    def test_they_are_those_of_a_laptop(
        self,
        definition: Any,
        laptop: str,
        kind: str,
        request_line: str,
        length: str,
    ) -> None:
        head = f"{request_line} HTTP/1.1\r\nHost: local\r\nContent-Length: {length}\r\n\r\n"
        host, _, port = urlsplit(laptop).netloc.partition(":")
        with (
            socket.create_connection((host, int(port)), timeout=10) as connection,
            http.client.HTTPResponse(connection) as response,
        ):
            connection.sendall(head.encode())
            response.begin()
            assert json.loads(response.read()) == self.answer(definition, kind)

    @pytest.mark.parametrize("kind", ["THROTTLED", "QUOTA_EXCEEDED"])
    def test_too_many(self, definition: Any, kind: str) -> None:
        found = self.answer(definition, kind)
        assert found == problem(TooManyRequestsError(found["detail"]))
        headers = definition["x-amazon-apigateway-gateway-responses"][kind]["responseParameters"]
        assert headers["gatewayresponse.header.Retry-After"] == "'1'"

    def test_no_answer_may_have_been_charged(self, definition: Any) -> None:
        found = self.answer(definition, "DEFAULT_5XX")
        assert found == problem(UnexpectedError(found["detail"]))
        assert (found["billed"], found["status"]) == ("unknown", 504)
        assert "Repeat with the same Idempotency-Key" in found["detail"]

    def test_all_are_problems(self, definition: Any) -> None:
        for kind in definition["x-amazon-apigateway-gateway-responses"]:
            assert self.answer(definition, kind)["type"].startswith("urn:eryaosu:problem:")

    def test_none_that_is_a_5xx_says_anything_else(self, definition: Any) -> None:
        kinds = definition["x-amazon-apigateway-gateway-responses"]
        assert not {"INTEGRATION_FAILURE", "INTEGRATION_TIMEOUT"} & set(kinds)
