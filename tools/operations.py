"""Every operation of AWS that the deployed code calls; the package carries no others."""

from collections.abc import Mapping

OPERATIONS: Mapping[str, frozenset[str]] = {
    "dynamodb": frozenset(
        {"BatchGetItem", "DeleteItem", "GetItem", "PutItem", "Query", "TransactWriteItems"}
    ),
    "kms": frozenset({"Decrypt", "Encrypt"}),
    "s3": frozenset(
        {
            "AbortMultipartUpload",
            "CompleteMultipartUpload",
            "CreateMultipartUpload",
            "DeleteObject",
            "GetObject",
            "PutObject",
            "UploadPart",
        }
    ),
    "secretsmanager": frozenset({"GetSecretValue"}),
    "sqs": frozenset({"SendMessage"}),
}
