"""Events as AWS shapes them."""

import secrets
from datetime import UTC, datetime

from local_stack.resources import REGION


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
