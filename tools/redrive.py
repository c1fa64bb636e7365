"""Dead letters sent again: ``python -m tools.redrive`` once the cause is mended.

A message that the worker gave back five times stands in the dead-letter queue, which the queue's
own redrive policy names. Each is sent first and deleted then, so a crash in between leaves a
copy, which is harmless. Exit code 0: nothing is left to do; 1: something stays there; 2: the
queues could not be reached.
"""

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.domain.messages import Deliver, decode

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

BATCH = 10
HIDDEN_SECONDS = 120
"""While we look at messages, nobody else does."""

# A short poll asks some of the queue's servers only, so an empty answer proves little.
_EMPTY_POLLS = 5
_PAUSE = 0.2
_UNREADABLE = "unreadable"


class RedriveError(Exception):
    """Why nothing can be sent again, and the mend."""


@dataclass(slots=True)
class Done:
    """How many messages there were, by kind, and what became of them."""

    found: Counter[str] = field(default_factory=Counter)
    queued: int = 0
    left: int = 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Send dead letters again, or only show them; returns the exit code."""
    options = _options(arguments)
    try:
        with closing(boto3.client("sqs")) as client:
            done = _redrive(client, options.queue_url, dry_run=options.dry_run)
    except (RedriveError, ClientError, BotoCoreError) as exc:
        print(f"redrive: {_reason(exc)}", file=sys.stderr)
        return 2
    print(_summary(done, dry_run=options.dry_run))
    return 1 if done.left and not options.dry_run else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tools.redrive", description=__doc__)
    parser.add_argument(
        "--queue-url", default=os.environ.get("QUEUE_URL"), help="the queue; default QUEUE_URL"
    )
    parser.add_argument("--dry-run", action="store_true", help="show them and move nothing")
    options = parser.parse_args(arguments)
    if not options.queue_url:
        parser.error("QUEUE_URL is not set; name the queue with --queue-url")
    return options


def _reason(exc: Exception) -> str:
    if isinstance(exc, ClientError):
        return f"AWS refused {exc.operation_name}: {exc.response['Error']['Code']}"
    return str(exc)


def _summary(done: Done, *, dry_run: bool) -> str:
    if not done.found:
        return "There are no dead letters."
    kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(done.found.items()))
    if dry_run:
        return f"Found: {kinds}. Nothing was moved."
    return f"Found: {kinds}. Queued again: {done.queued}; left: {done.left}."


def _redrive(client: "SQSClient", queue_url: str, *, dry_run: bool) -> Done:
    done = Done()
    held: dict[str, MessageTypeDef] = {}
    dead_letters = _dead_letters_of(client, queue_url)
    try:
        for batch in _batches(client, dead_letters):
            held.update((message["MessageId"], message) for message in batch)
            kinds = {message["MessageId"]: _shown(message) for message in batch}
            done.found.update(kinds.values())
            if dry_run:
                continue
            readable = [m for m in batch if kinds[m["MessageId"]] != _UNREADABLE]
            moved = _sent(client, queue_url, readable)
            _delete(client, dead_letters, moved)
            done.queued += len(moved)
            for message in moved:
                del held[message["MessageId"]]
    finally:
        _show_again(client, dead_letters, list(held.values()))
    done.left = len(held)
    return done


def _dead_letters_of(client: "SQSClient", queue_url: str) -> str:
    described = client.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["RedrivePolicy"])
    policy = described.get("Attributes", {}).get("RedrivePolicy")
    if not policy:
        raise RedriveError(f"{queue_url} has no redrive policy, so there are no dead letters")
    account, name = json.loads(policy)["deadLetterTargetArn"].split(":")[-2:]
    return client.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"]


def _batches(client: "SQSClient", url: str) -> "Iterator[list[MessageTypeDef]]":
    """As many messages as there were at the start: some may be back before we end."""
    described = client.get_queue_attributes(
        QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"]
    )
    missing = int(described["Attributes"]["ApproximateNumberOfMessages"])
    empty = 0
    while missing > 0 and empty < _EMPTY_POLLS:
        batch = client.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=BATCH,
            VisibilityTimeout=HIDDEN_SECONDS,
            MessageSystemAttributeNames=["SentTimestamp"],
        ).get("Messages", [])
        if batch:
            yield batch
            missing, empty = missing - len(batch), 0
        else:
            empty += 1
            time.sleep(_PAUSE)


def _shown(message: "MessageTypeDef") -> str:
    """The kind; prints it with nothing else of the body but whose it is."""
    try:
        body = decode(message["Body"])
    except (ValueError, RecursionError):
        kind, what = _UNREADABLE, f"message {message['MessageId']}"
    else:
        kind = type(body).__name__.lower()
        what = body.delivery_id if isinstance(body, Deliver) else body.verification_id
    attributes = message["Attributes"]
    sent = datetime.fromtimestamp(int(attributes["SentTimestamp"]) / 1000, UTC)
    print(f"{kind} {what}, sent {sent:%Y-%m-%dT%H:%M:%SZ}")
    return kind


def _sent(
    client: "SQSClient", url: str, messages: "list[MessageTypeDef]"
) -> "list[MessageTypeDef]":
    """Those that the queue took."""
    if not messages:
        return []
    answer = client.send_message_batch(
        QueueUrl=url,
        Entries=[{"Id": str(n), "MessageBody": m["Body"]} for n, m in enumerate(messages)],
    )
    return [messages[int(entry["Id"])] for entry in answer.get("Successful", [])]


def _delete(client: "SQSClient", url: str, messages: "list[MessageTypeDef]") -> None:
    if messages:
        client.delete_message_batch(
            QueueUrl=url,
            Entries=[
                {"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(messages)
            ],
        )


def _show_again(client: "SQSClient", url: str, messages: "list[MessageTypeDef]") -> None:
    """Give back what stays, for the alarm and for whoever looks next."""
    for start in range(0, len(messages), BATCH):
        client.change_message_visibility_batch(
            QueueUrl=url,
            Entries=[
                {"Id": str(n), "ReceiptHandle": m["ReceiptHandle"], "VisibilityTimeout": 0}
                for n, m in enumerate(messages[start : start + BATCH])
            ],
        )


if __name__ == "__main__":
    sys.exit(main())
