"""What a tutorial would deploy: no claim, no masking, no usage, a new charge for every retry."""

import json
import os
from typing import Any

import boto3
import requests

secrets = boto3.client("secretsmanager")
table = boto3.resource("dynamodb").Table(os.environ["TABLE_NAME"])


def handler(event: dict[str, Any], context: object) -> dict[str, object]:  # noqa: ARG001
    """get_secret, requests.post, put_item."""
    body = json.loads(event["body"])
    secret = json.loads(secrets.get_secret_value(SecretId=os.environ["SECRET_ID"])["SecretString"])
    answer = requests.post(
        os.environ["UPSTREAM_URL"],
        data={"idNo": body["id_number"], "name": body["name"]},
        headers={"Authorization": f"APPCODE {secret['appcode']}"},
        timeout=10,
    ).json()
    table.put_item(
        Item={"PK": f"T#{event['requestContext']['requestId']}", "SK": "T", **answer, **body}
    )
    return {"statusCode": 200, "body": json.dumps(answer)}
