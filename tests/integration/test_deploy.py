"""``make deploy``: checked first, then the AWS CLI's own commands; a stand-in takes them down."""

import json
import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import SECRET_TEXT
from tools import deploy
from tools.aws_cli import aws_shown

ROOT = Path(__file__).parents[2]
STACK = "eryaosu-prod"
OUTPUTS = [
    {"OutputKey": "SecretId", "OutputValue": "the-secret"},
    {"OutputKey": "EndpointURL", "OutputValue": "https://api.example/api/"},
]
CHANGES = ("cloudformation deploy", "cloudformation package", "secretsmanager put-secret-value")

# Answers with what answers.json has for the command, and notes each command in calls.jsonl.
STAND_IN = f"""#!{sys.executable}
import json, pathlib, shutil, sys
here = pathlib.Path(__file__).parent
command, arguments = " ".join(sys.argv[1:3]), sys.argv[1:]
with (here / "calls.jsonl").open("a") as calls:
    calls.write(json.dumps(arguments) + "\\n")
answer = json.loads((here / "answers.json").read_text()).get(command, "")
if command == "cloudformation package":
    options = dict(zip(arguments, arguments[1:]))
    shutil.copyfile(options["--template-file"], options["--output-template-file"])
if isinstance(answer, dict) and "error" in answer:
    print(file=sys.stderr)
    sys.exit(answer["error"])
print(answer if isinstance(answer, str) else json.dumps(answer))
"""

Answers = dict[str, Any]
NO_STACK = {"error": f"An error occurred (ValidationError): Stack with id {STACK} does not exist"}
NO_VALUE = {"error": "An error occurred (ResourceNotFoundException): Secrets Manager can't find"}
READY: Answers = {
    "sts get-caller-identity": {"Account": "123456789012"},
    "s3api get-bucket-location": {"LocationConstraint": "cn-north-1"},
    "cloudformation describe-stacks": {
        "Stacks": [{"StackStatus": "UPDATE_COMPLETE", "Outputs": OUTPUTS}]
    },
    "secretsmanager get-secret-value": {"SecretString": SECRET_TEXT},
    "apigateway get-account": {"cloudwatchRoleArn": "arn:aws-cn:iam::123456789012:role/logs"},
}


@dataclass
class Cli:
    """The stand-in, the package to deploy, and what was called."""

    folder: Path
    build: Path

    def answer(self, **answers: Any) -> None:
        """The usual answers but for these; ``service__operation`` names a command."""
        changed = {name.replace("__", " ").replace("_", "-"): answers[name] for name in answers}
        (self.folder / "answers.json").write_text(json.dumps(READY | changed), "utf-8")

    @property
    def calls(self) -> list[list[str]]:
        file = self.folder / "calls.jsonl"
        lines = file.read_text("utf-8").splitlines() if file.exists() else []
        return [json.loads(line) for line in lines]

    @property
    def changes(self) -> list[str]:
        return [" ".join(one[:2]) for one in self.calls if " ".join(one[:2]) in CHANGES]

    def run(self, *arguments: str, stage: str = "prod", bucket: str = "a-bucket") -> int:
        return deploy.main(
            ["--stage", stage, "--bucket", bucket, "--build", str(self.build), *arguments]
        )


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    folder, build = tmp_path / "bin", tmp_path / "build"
    folder.mkdir()
    build.mkdir()
    program = folder / "aws"
    program.write_text(STAND_IN, "utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    declared = json.loads((ROOT / ".chalice/resources.json").read_text("utf-8"))
    template = {
        "Parameters": declared["Parameters"],
        "Resources": {"APIHandler": {"Properties": {"Runtime": "python3.12"}}},
    }
    (build / "sam.json").write_text(json.dumps(template), "utf-8")
    (build / "deployment.zip").touch()
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    monkeypatch.setenv("AWS_REGION", "cn-north-1")
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    cli = Cli(folder, build)
    cli.answer()
    return cli


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    file = tmp_path / "secret.json"
    file.write_text(SECRET_TEXT, "utf-8")
    return file


class TestDone:
    def test_an_upgrade(self, cli: Cli, capsys: pytest.CaptureFixture[str]) -> None:
        assert cli.run("ApiRate=100", "LogDays=90") == 0
        assert cli.changes == ["cloudformation package", "cloudformation deploy"]
        package, deployed = (one for one in cli.calls if " ".join(one[:2]) in CHANGES)
        packaged = str(cli.build / "packaged.json")
        assert package[2:] == [
            *("--template-file", str(cli.build / "sam.json"), "--s3-bucket", "a-bucket"),
            *("--s3-prefix", STACK, "--use-json", "--output-template-file", packaged),
        ]
        assert deployed[2:] == [
            *("--stack-name", STACK, "--template-file", packaged, "--s3-bucket", "a-bucket"),
            *("--s3-prefix", STACK, "--capabilities", "CAPABILITY_IAM"),
            *("--no-fail-on-empty-changeset", "--parameter-overrides"),
            *("Stage=prod", "ApiRate=100", "LogDays=90"),
        ]
        said = capsys.readouterr().out
        assert "eryaosu-prod in account 123456789012, region cn-north-1" in said
        assert "https://api.example/api/" in said

    def test_the_first_time(self, cli: Cli, secret_file: Path, tmp_path: Path) -> None:
        states = tmp_path / "bin/answers.json"
        cli.answer(
            cloudformation__describe_stacks=NO_STACK, apigateway__get_account={"throttle": {}}
        )

        def come_up(*arguments: str) -> None:
            if STACK in arguments:
                states.write_text(json.dumps(READY), "utf-8")
            real(*arguments)

        real = aws_shown
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(deploy, "aws_shown", come_up)
            assert cli.run("--secret", str(secret_file)) == 0
        assert cli.changes == [
            "cloudformation deploy",
            "cloudformation package",
            "cloudformation deploy",
            "secretsmanager put-secret-value",
        ]
        logs = next(one for one in cli.calls if "eryaosu-api-gateway-logs" in one)
        assert str(ROOT / ".chalice/account.json") in logs
        assert cli.calls[-1][2:6] == [
            *("--secret-id", "the-secret", "--secret-string", f"file://{secret_file}"),
        ]

    def test_other_parameters_make_another_version(self, cli: Cli) -> None:
        seen = set()
        for parameters in ((), ("PersonDays=0",), ("PersonDays=1", "LogDays=90")):
            assert cli.run(*parameters) == 0
            template = json.loads((cli.build / "packaged.json").read_text("utf-8"))
            seen.add(template["Resources"]["APIHandler"]["Properties"]["Description"])
        assert len(seen) == 3

    def test_no_role_for_logs_is_made_twice(self, cli: Cli) -> None:
        assert cli.run() == 0
        assert not [one for one in cli.calls if "eryaosu-api-gateway-logs" in one]


def changed_secret(**changes: Any) -> str:
    return json.dumps(json.loads(SECRET_TEXT) | changes)


class TestNotReady:
    @pytest.mark.parametrize(
        ("answers", "said"),
        [
            (
                {"sts__get_caller_identity": {"error": "Unable to locate credentials"}},
                "Unable to locate credentials; AWS takes no credentials",
            ),
            (
                {"s3api__get_bucket_location": {"error": "NoSuchBucket"}},
                "BUCKET: NoSuchBucket; make one: aws s3 mb s3://a-bucket",
            ),
            (
                {"s3api__get_bucket_location": {"LocationConstraint": None}},
                "BUCKET: a-bucket is in us-east-1, and not in cn-north-1",
            ),
            ({"cloudformation__describe_stacks": NO_STACK}, "the stage has no secret yet"),
            ({"secretsmanager__get_secret_value": NO_VALUE}, "the stage has no secret yet"),
            (
                {"secretsmanager__get_secret_value": {"error": "AccessDeniedException"}},
                "AccessDeniedException",
            ),
            (
                {"secretsmanager__get_secret_value": {"SecretString": "{}"}},
                "secret: appcode: is missing",
            ),
            (
                {
                    "cloudformation__describe_stacks": {
                        "Stacks": [{"StackStatus": "UPDATE_IN_PROGRESS"}]
                    }
                },
                "eryaosu-prod is being changed right now",
            ),
            (
                {
                    "cloudformation__describe_stacks": {
                        "Stacks": [{"StackStatus": "ROLLBACK_COMPLETE"}]
                    }
                },
                "delete it first: aws cloudformation delete-stack --stack-name eryaosu-prod",
            ),
        ],
    )
    def test_what_aws_says(
        self, cli: Cli, capsys: pytest.CaptureFixture[str], answers: Answers, said: str
    ) -> None:
        cli.answer(**answers)
        assert cli.run() == 2
        assert said in capsys.readouterr().err
        assert cli.changes == []

    @pytest.mark.parametrize("stage", ["", "Prod", "9x", "a" * 21, "x y"])
    def test_the_stage(self, cli: Cli, capsys: pytest.CaptureFixture[str], stage: str) -> None:
        assert cli.run(stage=stage) == 2
        assert "STAGE: must be 1 to 20 of a-z" in capsys.readouterr().err
        assert cli.calls == []

    def test_no_bucket(self, cli: Cli, capsys: pytest.CaptureFixture[str]) -> None:
        assert cli.run(bucket="") == 2
        assert "BUCKET: name an S3 bucket" in capsys.readouterr().err
        assert cli.changes == []

    @pytest.mark.parametrize("parameter", ["ApiRates=1", "ApiRate", "Stage=other"])
    def test_an_unknown_parameter(
        self, cli: Cli, capsys: pytest.CaptureFixture[str], parameter: str
    ) -> None:
        assert cli.run(parameter) == 2
        assert "must be NAME=VALUE, NAME one of AlarmEmail, Alert" in capsys.readouterr().err
        assert cli.changes == []

    def test_snap_start_of_a_runtime_that_has_none(
        self, cli: Cli, capsys: pytest.CaptureFixture[str]
    ) -> None:
        text = (cli.build / "sam.json").read_text("utf-8").replace("3.12", "3.11")
        (cli.build / "sam.json").write_text(text, "utf-8")
        assert cli.run("SnapStart=PublishedVersions") == 2
        assert "SnapStart: needs a package made with Python 3.12" in capsys.readouterr().err
        assert cli.run("SnapStart=None") == 0

    def test_snap_start_where_there_is_none(
        self, cli: Cli, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert cli.run("SnapStart=PublishedVersions") == 2
        assert "SnapStart: AWS has none for Python in cn-north-1" in capsys.readouterr().err
        assert cli.changes == []
        monkeypatch.setenv("AWS_REGION", "us-west-2")
        cli.answer(s3api__get_bucket_location={"LocationConstraint": "us-west-2"})
        assert cli.run("SnapStart=PublishedVersions") == 0

    def test_no_package(self, cli: Cli, capsys: pytest.CaptureFixture[str]) -> None:
        (cli.build / "deployment.zip").unlink()
        assert cli.run() == 2
        assert "make it with: make package" in capsys.readouterr().err
        assert cli.calls == []

    def test_no_region(
        self, cli: Cli, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("AWS_REGION")
        cli.answer(configure__get={"error": 1})
        assert cli.run() == 2
        assert "no region is set" in capsys.readouterr().err
        cli.answer(configure__get="cn-north-1")
        assert cli.run() == 0

    def test_no_cli(
        self, cli: Cli, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PATH", str(cli.build))
        assert cli.run() == 2
        assert "the AWS CLI is not there; install it" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            (None, "SECRET: cannot be read"),
            ("{}", "secret: appcode: is missing"),
            (changed_secret(id_key="j" * 32), "id_key is not the stage's"),
        ],
    )
    def test_the_secrets_file(
        self, cli: Cli, capsys: pytest.CaptureFixture[str], text: str | None, said: str
    ) -> None:
        file = cli.build / "secret.json"
        if text is not None:
            file.write_text(text, "utf-8")
        assert cli.run("--secret", str(file)) == 2
        assert said in capsys.readouterr().err
        assert cli.changes == []


def test_aws_refuses_midway(cli: Cli, capsys: pytest.CaptureFixture[str]) -> None:
    cli.answer(cloudformation__deploy={"error": "CREATE_FAILED"})
    assert cli.run() == 1
    assert "aws cloudformation deploy failed; it said why above" in capsys.readouterr().err
