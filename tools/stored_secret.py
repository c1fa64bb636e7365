"""Where the secret's JSON stands: in a file, or in Secrets Manager."""

import json
import os
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.domain.secret import parse


class StoreError(Exception):
    """Why the secret cannot be read or written, and the mend."""


class Store(Protocol):
    """One place."""

    def read(self) -> str:
        """The text; raises StoreError."""

    def write(self, text: str) -> None:
        """Replace it; raises StoreError."""


@dataclass(frozen=True, slots=True)
class SecretFile:
    """A file that only its owner may read."""

    path: Path

    def read(self) -> str:
        """The text; raises StoreError."""
        try:
            return self.path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as exc:
            raise StoreError(f"{self.path}: cannot be read: {exc}") from exc

    def write(self, text: str) -> None:
        """Replace it whole or not at all; raises StoreError."""
        beside = self.path.with_name(self.path.name + ".new")
        try:
            beside.unlink(missing_ok=True)
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
            beside.replace(self.path)
        except OSError as exc:
            raise StoreError(f"{self.path}: cannot be written: {exc}") from exc


@dataclass(frozen=True, slots=True)
class AwsSecret:
    """A secret in Secrets Manager, by name or ARN, in the region of the environment."""

    secret_id: str

    def read(self) -> str:
        """The text of AWSCURRENT; raises StoreError."""
        answer = self._call("get_secret_value", VersionStage="AWSCURRENT")
        text: str | None = answer.get("SecretString")
        if text is None:
            raise StoreError(f"secret {self.secret_id}: has no text")
        return text

    def write(self, text: str) -> None:
        """Make it AWSCURRENT; raises StoreError."""
        self._call("put_secret_value", SecretString=text)

    def _call(self, operation: str, **arguments: str) -> dict[str, Any]:
        try:
            with closing(boto3.client("secretsmanager")) as client:
                answer: dict[str, Any] = getattr(client, operation)(
                    SecretId=self.secret_id, **arguments
                )
        except ClientError as exc:
            code = exc.response["Error"]["Code"]
            why = "does not exist, or has no value yet" if "NotFound" in code else code
            raise StoreError(f"secret {self.secret_id}: {why}") from exc
        except BotoCoreError as exc:
            raise StoreError(f"secret {self.secret_id}: {exc}") from exc
        return answer


def fields_of(text: str) -> dict[str, Any]:
    """The secret's JSON, known to be good; raises SecretError."""
    parse(text)
    fields: dict[str, Any] = json.loads(text)
    return fields


def text_of(fields: dict[str, Any]) -> str:
    """As it is stored, known to be good; raises SecretError."""
    text = json.dumps(fields, ensure_ascii=False, indent=2) + "\n"
    parse(text)
    return text
