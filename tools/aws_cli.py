"""The AWS CLI, with JSON for answers and its own words for errors."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from typing import Any


class AwsError(Exception):
    """The CLI is not there, or AWS refused; the text is the CLI's last line."""


def aws(*arguments: str) -> Any:  # noqa: ANN401  # JSON
    """One command's JSON, None where it prints none; raises AwsError."""
    text = aws_text(*arguments, "--output", "json")
    return json.loads(text) if text else None


def aws_text(*arguments: str) -> str:
    """What one command prints; raises AwsError."""
    done = subprocess.run(  # noqa: S603  # our own commands
        [_program(), *arguments],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "AWS_PAGER": ""},
    )
    if done.returncode:
        raise AwsError(_last_line(done.stderr) or f"aws {arguments[0]} ended {done.returncode}")
    return done.stdout.strip()


def aws_shown(*arguments: str) -> None:
    """One command that takes its time and says itself what it does; raises AwsError."""
    done = subprocess.run(  # noqa: S603  # our own commands
        [_program(), *arguments], check=False, env={**os.environ, "AWS_PAGER": ""}
    )
    if done.returncode:
        raise AwsError(f"aws {' '.join(arguments[:2])} failed; it said why above")


def stack_of(stage: str) -> str:
    """The name of a stage's stack."""
    return f"eryaosu-{stage}"


def outputs_of(stack: str) -> Mapping[str, str]:
    """A stack's outputs; raises AwsError."""
    (found,) = aws("cloudformation", "describe-stacks", "--stack-name", stack)["Stacks"]
    return {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", ())}


def _program() -> str:
    program = shutil.which("aws")
    if program is None:
        raise AwsError(
            "the AWS CLI is not there; install it: "
            "https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html"
        )
    return program


def _last_line(text: str) -> str:
    return next((line for line in reversed(text.strip().splitlines()) if line.strip()), "")
