"""A stage deployed over the AWS CLI: ``python -m tools.deploy --stage STAGE --bucket BUCKET``.

Everything is checked before anything is changed. Exit code 0: deployed; 1: AWS refused midway,
and CloudFormation keeps what ran before; 2: nothing was changed, and it is said why.
"""

import argparse
import hashlib
import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chalicelib.domain.secret import Secret, SecretError, has_local_dev_key, parse
from tools.aws_cli import AwsError, aws, aws_shown, aws_text, outputs_of, stack_of

ROOT = Path(__file__).parents[1]

_STAGE = re.compile(r"[a-z][a-z0-9-]{0,19}")
_LOGS_STACK = "eryaosu-api-gateway-logs"
_HOPELESS = {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED"}


class NotReadyError(Exception):
    """What has to be mended before anything can be deployed."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What was checked, and what is to be done."""

    stack: str
    stage: str
    bucket: str
    build: Path
    parameters: Mapping[str, str]
    secret: Path | None
    logs_role: bool
    account: str
    region: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    options = _options(arguments)
    try:
        plan = check(options)
    except (NotReadyError, AwsError) as exc:
        print(f"deploy: {exc}", file=sys.stderr)
        return 2
    print(f"{plan.stack} in account {plan.account}, region {plan.region}", flush=True)
    try:
        deploy(plan)
    except AwsError as exc:
        print(f"deploy: {exc}", file=sys.stderr)
        return 1
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tools.deploy", description=__doc__)
    parser.add_argument("--stage", required=True, help="such as prod: 1 to 20 of a-z, 0-9 and -")
    parser.add_argument("--bucket", required=True, help="where the package is put; same region")
    parser.add_argument("--secret", type=Path, help="a file that becomes the stage's secret")
    parser.add_argument("--build", type=Path, default=ROOT / "build", help="default build/")
    parser.add_argument(
        "parameters", nargs="*", metavar="NAME=VALUE", help="the template's; kept from last time"
    )
    return parser.parse_args(arguments)


# Checks


def check(options: argparse.Namespace) -> Plan:
    """Everything that can be known before a change; raises NotReadyError, AwsError."""
    if not _STAGE.fullmatch(options.stage):
        raise NotReadyError("STAGE: must be 1 to 20 of a-z, 0-9 and -, a letter first")
    parameters = _parameters(options.parameters, _template(options.build))
    snap_start = parameters.get("SnapStart", "None") != "None"
    given = None if options.secret is None else _good_secret(_text(options.secret))
    region = _region()
    if snap_start and region.startswith("cn-"):
        raise NotReadyError(f"SnapStart: AWS has none for Python in {region}")
    account = _account()
    _check_bucket(options.bucket, region)
    stack = stack_of(options.stage)
    _check_secret(_stored_secret(stack), given)
    return Plan(
        stack=stack,
        stage=options.stage,
        bucket=options.bucket,
        build=options.build,
        parameters=parameters,
        secret=options.secret,
        logs_role=not (aws("apigateway", "get-account") or {}).get("cloudwatchRoleArn"),
        account=account,
        region=region,
    )


def _template(build: Path) -> Any:  # noqa: ANN401  # JSON
    if not (build / "deployment.zip").is_file() or not (build / "sam.json").is_file():
        raise NotReadyError(f"there is no package in {build}; make it with: make package")
    return json.loads((build / "sam.json").read_text("utf-8"))


def _parameters(given: Sequence[str], template: Any) -> Mapping[str, str]:  # noqa: ANN401
    declared = template["Parameters"].keys() - {"Stage"}
    found: dict[str, str] = {}
    for one in given:
        name, is_set, value = one.partition("=")
        if not is_set or name not in declared:
            raise NotReadyError(
                f"parameter {name}: must be NAME=VALUE, NAME one of {', '.join(sorted(declared))}"
            )
        found[name] = value
    runtime = template["Resources"]["APIHandler"]["Properties"]["Runtime"]
    if found.get("SnapStart", "None") != "None" and runtime == "python3.11":
        raise NotReadyError("SnapStart: needs a package made with Python 3.12 or newer")
    return found


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise NotReadyError(f"SECRET: cannot be read: {exc}") from exc


def _good_secret(text: str) -> Secret:
    try:
        return parse(text)
    except SecretError as exc:
        raise NotReadyError(f"secret: {exc}") from exc


def _region() -> str:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        if os.environ.get(name):
            return os.environ[name]
    try:
        # It fails, without a word, where there is none.
        return aws_text("configure", "get", "region")
    except AwsError as exc:
        raise NotReadyError(
            f"no region is set ({exc}); set one: export AWS_REGION=cn-north-1"
        ) from exc


def _account() -> str:
    try:
        return str(aws("sts", "get-caller-identity")["Account"])
    except AwsError as exc:
        raise NotReadyError(
            f"{exc}; AWS takes no credentials: aws configure, or aws login"
        ) from exc


def _check_bucket(bucket: str, region: str) -> None:
    if not bucket:
        raise NotReadyError("BUCKET: name an S3 bucket for the package, in the same region")
    try:
        # The oldest region has no name here.
        found = aws("s3api", "get-bucket-location", "--bucket", bucket)["LocationConstraint"]
    except AwsError as exc:
        raise NotReadyError(f"BUCKET: {exc}; make one: aws s3 mb s3://{bucket}") from exc
    if (found or "us-east-1") != region:
        raise NotReadyError(f"BUCKET: {bucket} is in {found or 'us-east-1'}, and not in {region}")


def _stored_secret(stack: str) -> str | None:
    """The text of the stage's secret; None while there is no stage or no value."""
    try:
        (found,) = aws("cloudformation", "describe-stacks", "--stack-name", stack)["Stacks"]
    except AwsError as exc:
        if "does not exist" in str(exc):
            return None
        raise
    status = found["StackStatus"]
    if status.endswith("_IN_PROGRESS"):
        raise NotReadyError(f"{stack} is being changed right now ({status}); wait for its end")
    if status in _HOPELESS:
        raise NotReadyError(
            f"{stack} never came up ({status}); delete it first: "
            f"aws cloudformation delete-stack --stack-name {stack}"
        )
    outputs = {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", ())}
    try:
        value = aws("secretsmanager", "get-secret-value", "--secret-id", outputs["SecretId"])
    except AwsError as exc:
        if "ResourceNotFoundException" in str(exc):
            return None
        raise
    return str(value.get("SecretString", ""))


def _check_secret(stored: str | None, given: Secret | None) -> None:
    if stored is None and given is None:
        raise NotReadyError(
            "the stage has no secret yet; begin one: python -m tools.secret new secret.json, "
            "then deploy with SECRET=secret.json"
        )
    if given is None:
        given = _good_secret(stored or "")
    elif stored is not None:
        _check_id_key(stored, given)
    if has_local_dev_key(given):
        raise NotReadyError("secret: clients: the key local-dev-key is known to everybody")


def _check_id_key(stored: str, given: Secret) -> None:
    try:
        before = parse(stored)
    except SecretError:
        return  # what nothing could have been asked with is no loss
    if before.id_key != given.id_key:
        raise NotReadyError(
            "secret: id_key is not the stage's; with another one every Idempotency-Key asks, and "
            "pays, anew"
        )


# Changes


def deploy(plan: Plan) -> None:
    """Do it; raises AwsError."""
    if plan.logs_role:
        aws_shown(
            *("cloudformation", "deploy", "--stack-name", _LOGS_STACK),
            *("--template-file", str(ROOT / ".chalice/account.json")),
            *("--capabilities", "CAPABILITY_IAM", "--no-fail-on-empty-changeset"),
        )
    packaged = plan.build / "packaged.json"
    place = ("--s3-bucket", plan.bucket, "--s3-prefix", plan.stack)
    aws_shown(
        *("cloudformation", "package", "--template-file", str(plan.build / "sam.json"), *place),
        *("--use-json", "--output-template-file", str(packaged)),
    )
    _say_what_is_set(packaged, plan.parameters)
    aws_shown(
        *("cloudformation", "deploy", "--stack-name", plan.stack),
        *("--template-file", str(packaged), *place),
        *("--capabilities", "CAPABILITY_IAM", "--no-fail-on-empty-changeset"),
        "--parameter-overrides",
        f"Stage={plan.stage}",
        *(f"{name}={value}" for name, value in plan.parameters.items()),
    )
    outputs = outputs_of(plan.stack)
    if plan.secret is not None:
        aws(
            *("secretsmanager", "put-secret-value", "--secret-id", outputs["SecretId"]),
            *("--secret-string", f"file://{plan.secret.absolute()}"),
        )
        print("The secret has its value. Keep the file in a safe place, or delete it.")
    print(f"{plan.stack} is deployed: {outputs['EndpointURL']}")
    print(f"Try it: make smoke STAGE={plan.stage} KEY=<a client's key>")


def _say_what_is_set(packaged: Path, parameters: Mapping[str, str]) -> None:
    """A version is published for each other text of the template, not for another parameter.

    SnapStart serves published versions only, so the text has to tell the parameters apart.
    """
    template = json.loads(packaged.read_text("utf-8"))
    digest = hashlib.sha256(json.dumps(dict(parameters), sort_keys=True).encode()).hexdigest()
    template["Resources"]["APIHandler"]["Properties"]["Description"] = f"set: {digest[:16]}"
    packaged.write_text(json.dumps(template, indent=1), "utf-8")


if __name__ == "__main__":
    sys.exit(main())
