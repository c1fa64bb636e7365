"""Events as AWS shapes them."""

import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from local_stack.resources import REGION

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mypy_boto3_sqs.type_defs import MessageTypeDef


def scheduled() -> dict[str, object]:
    """What EventBridge sends a schedule's target."""
    return {
        "version": "0",
        "id": secrets.token_hex(16),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "123456789012",
        "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": REGION,
        "resources": [f"arn:aws-cn:events:{REGION}:123456789012:rule/sweep"],
        "detail": {},
    }


def created(bucket: str, key: str, size: int, etag: str) -> dict[str, object]:
    """What EventBridge sends when an object was put."""
    return {
        **scheduled(),
        "detail-type": "Object Created",
        "source": "aws.s3",
        "resources": [f"arn:aws-cn:s3:::{bucket}"],
        "detail": {
            "version": "0",
            "bucket": {"name": bucket},
            "object": {
                "key": key,
                "size": size,
                "etag": etag,
                "sequencer": secrets.token_hex(9).upper(),
            },
            "request-id": secrets.token_hex(8).upper(),
            "requester": "123456789012",
            "reason": "PutObject",
        },
    }


def queued(messages: "Iterable[MessageTypeDef]", queue_arn: str) -> dict[str, object]:
    """What Lambda makes of received messages."""
    return {
        "Records": [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message["Attributes"],
                "messageAttributes": {},
                "md5OfBody": message["MD5OfBody"],
                "eventSource": "aws:sqs",
                "eventSourceARN": queue_arn,
                "awsRegion": REGION,
            }
            for message in messages
        ]
    }
