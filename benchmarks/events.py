"""What Lambda hands to the functions: an API call, a form's webhook, a message."""

import base64
import hashlib
import hmac
import json
import uuid
from collections.abc import Mapping
from typing import Any

HOOK_SECRET = "benchmark"  # noqa: S105  # of a form that exists nowhere
SOURCES = {
    "survey": {
        "vendor": "typeform",
        "secrets": [HOOK_SECRET],
        "form": "f1",
        "fields": {"name": "name", "id_number": "number"},
    }
}


def post(
    path: str,
    body: str,
    headers: Mapping[str, str],
    *,
    resource: str | None = None,
    **parameters: str,
) -> dict[str, Any]:
    """A POST as API Gateway shapes it."""
    return {
        "resource": resource or path,
        "path": path,
        "httpMethod": "POST",
        "requestContext": {
            "httpMethod": "POST",
            "resourcePath": resource or path,
            "path": path,
            "requestId": uuid.uuid4().hex,
            "identity": {"sourceIp": "127.0.0.1"},
        },
        "headers": {"content-type": "application/json", **headers},
        "multiValueQueryStringParameters": None,
        "pathParameters": parameters,
        "stageVariables": {},
        "body": body,
        "isBase64Encoded": False,
    }


def verification(name: str, number: str, **members: object) -> dict[str, Any]:
    """One question to the API."""
    return post(
        "/v1/verifications",
        json.dumps({"name": name, "id_number": number, **members}),
        {"authorization": "Bearer local-dev-key", "idempotency-key": uuid.uuid4().hex},
    )


def typeform(name: str, number: str) -> dict[str, Any]:
    """One entry of the form ``survey``, signed."""
    answers = {"name": name, "number": number}
    response = {
        "form_id": "f1",
        "token": uuid.uuid4().hex,
        "answers": [
            {"type": "text", "text": text, "field": {"id": ref, "type": "text", "ref": ref}}
            for ref, text in answers.items()
        ],
    }
    body = json.dumps({"event_type": "form_response", "form_response": response})
    digest = hmac.digest(HOOK_SECRET.encode(), body.encode(), hashlib.sha256)
    signature = f"sha256={base64.b64encode(digest).decode()}"
    return post(
        "/hooks/survey",
        body,
        {"typeform-signature": signature},
        resource="/hooks/{source}",
        source="survey",
    )


def messages(*bodies: str) -> dict[str, Any]:
    """Messages as Lambda takes them from SQS."""
    return {
        "Records": [
            {
                "messageId": f"message-{place}",
                "receiptHandle": f"receipt-{place}",
                "body": body,
                "attributes": {"ApproximateReceiveCount": "1"},
                "messageAttributes": {},
                "md5OfBody": hashlib.md5(body.encode(), usedforsecurity=False).hexdigest(),
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws-cn:sqs:cn-north-1:123456789012:verifications",
                "awsRegion": "cn-north-1",
            }
            for place, body in enumerate(bodies)
        ]
    }
