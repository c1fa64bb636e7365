"""Form submissions as vendors send them, and the secret with their sources."""

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from chalicelib.domain.resident_id import check_character
from local_stack.stack import local_secret
from tests.hook_payloads import ENTRIES, Hook, build

VENDORS = ("typeform", "jinshuju", "standard_webhooks", "github")
NAME = "张三"

Submission = tuple[str, Hook]


def secret() -> str:
    """The local stack's own, with a source of each vendor."""
    entries = {source_of(vendor): dict(ENTRIES[vendor]) for vendor in VENDORS}
    # The vendor's published addresses are not ours.
    entries[source_of("jinshuju")]["allow_ips"] = ["127.0.0.1"]
    return json.dumps({**json.loads(local_secret()), "sources": entries})


def source_of(vendor: str) -> str:
    """The name of its source."""
    return f"{vendor.replace('_', '-')}-form"


def number(serial: int) -> str:
    """The number of somebody of the 1850s."""
    first17 = f"110101185{serial // 1000 % 10}0202{serial % 1000:03d}"
    return first17 + check_character(first17)


def submissions(count: int) -> list[Submission]:
    """Vendors in turn, each with another person and an entry that nobody has sent before."""
    now = datetime.now(UTC)
    vendors = [VENDORS[serial % len(VENDORS)] for serial in range(count)]
    return [
        (
            vendor,
            build(vendor, name=NAME, number=number(serial), dedupe=uuid.uuid4().hex, now=now),
        )
        for serial, vendor in enumerate(vendors)
    ]


def path_of(submission: Submission) -> str:
    """Where it is posted to."""
    vendor, hook = submission
    return f"/hooks/{source_of(vendor)}" + (f"/{hook.token}" if hook.token else "")


def event(submission: Submission) -> Mapping[str, Any]:
    """What API Gateway hands to the function."""
    vendor, hook = submission
    parameters = {"source": source_of(vendor)} | ({"token": hook.token} if hook.token else {})
    resource = "/hooks/{source}" + ("/{token}" if hook.token else "")
    return {
        "resource": resource,
        "requestContext": {
            "httpMethod": "POST",
            "resourcePath": resource,
            "requestId": uuid.uuid4().hex,
            "identity": {"sourceIp": "127.0.0.1"},
        },
        "headers": dict(hook.headers),
        "multiValueQueryStringParameters": None,
        "pathParameters": parameters,
        "stageVariables": {},
        "body": hook.body.decode(),
        "isBase64Encoded": False,
    }
