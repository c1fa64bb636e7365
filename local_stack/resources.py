"""What ``.chalice/resources.json`` declares, made through AWS's own APIs.

moto's CloudFormation takes two seconds for its first call and leaves out what it does not know
without a word. Here a resource or a property that nobody has thought of raises ValueError, so
that what runs on a laptop is what is deployed. Key policies, logs and alarms stay with the
deployment.
"""

import json
import secrets
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.literals import QueueAttributeNameType

REGION = "cn-north-1"
ACCESS_KEY = "local"
"""Id and secret that every stand-in takes; never the caller's own."""

_FILE = Path(__file__).parents[1] / ".chalice" / "resources.json"
# Logical name → its type, and the properties that are read here or mean nothing locally.
_MADE = {
    "Table": (
        "AWS::DynamoDB::Table",
        {
            "AttributeDefinitions",
            "BillingMode",
            "DeletionProtectionEnabled",
            "GlobalSecondaryIndexes",
            "KeySchema",
            "PointInTimeRecoverySpecification",
            "SSESpecification",
            "TimeToLiveSpecification",
        },
    ),
    "Key": ("AWS::KMS::Key", {"Description", "EnableKeyRotation", "KeyPolicy"}),
    "Secret": ("AWS::SecretsManager::Secret", {"Description"}),
    "Queue": (
        "AWS::SQS::Queue",
        {"MessageRetentionPeriod", "RedrivePolicy", "SqsManagedSseEnabled", "VisibilityTimeout"},
    ),
    "DeadLetters": ("AWS::SQS::Queue", {"MessageRetentionPeriod", "SqsManagedSseEnabled"}),
    "Rows": (
        "AWS::SQS::Queue",
        {"MessageRetentionPeriod", "RedrivePolicy", "SqsManagedSseEnabled", "VisibilityTimeout"},
    ),
    "RowsDeadLetters": ("AWS::SQS::Queue", {"MessageRetentionPeriod", "SqsManagedSseEnabled"}),
    "Bucket": (
        "AWS::S3::Bucket",
        {
            "BucketEncryption",
            "LifecycleConfiguration",
            "NotificationConfiguration",
            "OwnershipControls",
            "PublicAccessBlockConfiguration",
        },
    ),
}
_NOT_MADE = {
    "AWS::CloudWatch::Alarm",
    "AWS::Lambda::Permission",
    "AWS::Logs::LogGroup",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::Subscription",
    "AWS::SNS::Topic",
}
"""Nobody is woken by a laptop, and its logs are its console's."""


@dataclass(frozen=True, slots=True)
class Names:
    """What the service has to be told, as TABLE_NAME and so on; the dead letters are for us."""

    table: str
    key_id: str
    secret_id: str
    queue_url: str
    dead_letters_url: str
    rows_queue_url: str
    rows_dead_letters_url: str
    bucket: str


def create(
    endpoint_url: str,
    *,
    dynamodb_url: str | None = None,
    secret_string: str | None = None,
    table: str | None = None,
) -> Names:
    """Make key, table, queues, bucket and secret there, the table at ``dynamodb_url`` if given.

    Names are new ones each time, as CloudFormation's are, but for a ``table`` that is named: if
    it exists already it is left as it is. Without ``secret_string`` the secret has no value, as
    after a deployment.
    """
    import boto3

    session = boto3.Session(ACCESS_KEY, ACCESS_KEY, region_name=REGION)
    with (
        closing(session.client("kms", endpoint_url=endpoint_url)) as kms,
        closing(session.client("dynamodb", endpoint_url=dynamodb_url or endpoint_url)) as dynamodb,
        closing(session.client("secretsmanager", endpoint_url=endpoint_url)) as secrets_manager,
        closing(session.client("sqs", endpoint_url=endpoint_url)) as sqs,
        closing(session.client("s3", endpoint_url=endpoint_url)) as s3,
    ):
        key_id = _create_key(kms)
        queue_url, dead_letters_url = create_queues(sqs)
        rows_queue_url, rows_dead_letters_url = create_queues(sqs, "Rows", "RowsDeadLetters")
        return Names(
            table=create_table(dynamodb, table, key_id=key_id),
            key_id=key_id,
            secret_id=_create_secret(secrets_manager, secret_string),
            queue_url=queue_url,
            dead_letters_url=dead_letters_url,
            rows_queue_url=rows_queue_url,
            rows_dead_letters_url=rows_dead_letters_url,
            bucket=create_bucket(s3, key_id),
        )


def create_table(dynamodb: "DynamoDBClient", name: str | None = None, *, key_id: str = "") -> str:
    """Make one more table, sealed by the key if one is given; returns its name."""
    name = name or _new_name("Table")
    wanted = _resources()["Table"]
    request: dict[str, Any] = {
        field: wanted[field]
        for field in ("AttributeDefinitions", "BillingMode", "GlobalSecondaryIndexes", "KeySchema")
    }
    sealing = wanted["SSESpecification"]
    if key_id:
        request["SSESpecification"] = {
            "Enabled": sealing["SSEEnabled"],
            "SSEType": sealing["SSEType"],
            "KMSMasterKeyId": key_id,
        }
    try:
        dynamodb.create_table(TableName=name, **request)
    except dynamodb.exceptions.ResourceInUseException:
        return name
    dynamodb.update_time_to_live(
        TableName=name, TimeToLiveSpecification=wanted["TimeToLiveSpecification"]
    )
    _keep_backups(dynamodb, name, wanted["PointInTimeRecoverySpecification"])
    return name


def _keep_backups(dynamodb: "DynamoDBClient", name: str, wanted: Any) -> None:  # noqa: ANN401
    try:
        dynamodb.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification=wanted)
    except dynamodb.exceptions.ClientError as exc:
        # dynoxide has no backups.
        if exc.response["Error"]["Code"] != "UnknownOperationException":
            raise


def create_queues(
    sqs: "SQSClient", name: str = "Queue", dead: str = "DeadLetters"
) -> tuple[str, str]:
    """Make one more queue and its dead letters; returns their URLs."""
    wanted = _resources()
    dead_letters = _create_queue(sqs, dead, wanted[dead])
    described = sqs.get_queue_attributes(QueueUrl=dead_letters, AttributeNames=["QueueArn"])
    redrive = {
        **wanted[name]["RedrivePolicy"],
        "deadLetterTargetArn": described["Attributes"]["QueueArn"],
    }
    queue = _create_queue(sqs, name, {**wanted[name], "RedrivePolicy": redrive})
    return queue, dead_letters


def create_bucket(s3: "S3Client", key_id: str) -> str:
    """Make one more bucket, sealed by the key; returns its name."""
    wanted, name = _resources()["Bucket"], _new_name("Bucket").lower()
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    (rule,) = wanted["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    default = {**rule["ServerSideEncryptionByDefault"], "KMSMasterKeyID": key_id}
    s3.put_bucket_encryption(
        Bucket=name,
        ServerSideEncryptionConfiguration={
            "Rules": [
                {
                    "ApplyServerSideEncryptionByDefault": default,
                    "BucketKeyEnabled": rule["BucketKeyEnabled"],
                }
            ]
        },
    )
    s3.put_public_access_block(
        Bucket=name, PublicAccessBlockConfiguration=wanted["PublicAccessBlockConfiguration"]
    )
    return name


def _create_queue(sqs: "SQSClient", kind: str, wanted: Mapping[str, Any]) -> str:
    attributes: dict[QueueAttributeNameType, str] = {
        name: value if isinstance(value, str) else json.dumps(value)  # type: ignore[misc]
        for name, value in wanted.items()
    }
    return sqs.create_queue(QueueName=_new_name(kind), Attributes=attributes)["QueueUrl"]


def _create_key(kms: "KMSClient") -> str:
    wanted = _resources()["Key"]
    key_id = kms.create_key(Description=wanted["Description"])["KeyMetadata"]["KeyId"]
    if wanted["EnableKeyRotation"]:
        kms.enable_key_rotation(KeyId=key_id)
    return key_id


def _create_secret(client: "SecretsManagerClient", value: str | None) -> str:
    wanted, name = _resources()["Secret"], _new_name("Secret")
    request: dict[str, Any] = {} if value is None else {"SecretString": value}
    client.create_secret(Name=name, Description=wanted["Description"], **request)
    return name


def _new_name(kind: str) -> str:
    return f"eryaosu-{kind}-{secrets.token_hex(6)}"


@cache
def _resources() -> Mapping[str, Mapping[str, Any]]:
    """Properties by logical name, of what is made."""
    found: dict[str, Mapping[str, Any]] = {}
    for name, resource in json.loads(_FILE.read_text("utf-8"))["Resources"].items():
        # Without a type it only adds to a function or to the API, which chalice makes.
        kind, properties = resource.get("Type"), resource["Properties"]
        if kind is None or kind in _NOT_MADE:
            continue
        made, known = _MADE.get(name, (None, set()))
        if kind != made:
            raise ValueError(f"{_FILE.name}: {name}: nobody makes this {kind} locally")
        unknown = sorted(set(properties) - known)
        if unknown:
            raise ValueError(f"{_FILE.name}: {name}: nobody reads {', '.join(unknown)} locally")
        found[name] = properties
    return found
