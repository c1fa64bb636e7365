"""What an error of AWS's says: of the write that met it, and of what is to be mended."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from botocore.client import BaseClient

    from chalicelib.adapters.notation import Item

ERRORS = (ClientError, BotoCoreError)

_CONFLICTS = {"TransactionConflictException", "TransactionInProgressException"}
_THROTTLES = {
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
}
_CONTENTIONS = {
    "ProvisionedThroughputExceeded",
    "RequestLimitExceeded",
    "ThrottlingError",
    "TransactionConflict",
}
_SERVER_ERROR = 500


class Fault(NamedTuple):
    """``unsure``: the write may have been done. ``contended``: it lost, and may win the next time.

    ``refused`` holds the conditions that failed, by their place in the transaction, each with
    the item that stands there if the reply named it.
    """

    error: Exception
    name: str
    unsure: bool = False
    contended: bool = False
    refused: "Mapping[int, Item | None] | None" = None


def of(error: Exception) -> Fault:
    """Read an error.

    botocore repeats a call whose reply was lost, and shows its last error only. So after a
    repetition a clear refusal still leaves open whether the first call was done.
    """
    if not isinstance(error, ClientError):
        return Fault(error, type(error).__name__, unsure=True)
    response: Mapping[str, Any] = error.response
    name, about = response["Error"]["Code"], response.get("ResponseMetadata", {})
    if name == "ConditionalCheckFailedException":
        return Fault(error, name, refused={0: response.get("Item")})
    if name == "TransactionCanceledException":
        return _cancelled(error, name, response.get("CancellationReasons", ()))
    transaction = error.operation_name == "TransactWriteItems"
    return Fault(
        error,
        name,
        unsure=about.get("HTTPStatusCode", _SERVER_ERROR) >= _SERVER_ERROR
        or about.get("RetryAttempts", 0) > 0
        or name == "TransactionInProgressException",
        contended=name in _CONFLICTS or (transaction and name in _THROTTLES),
    )


# What AWS calls a table, key or queue that is not there.
_NOT_THERE = {
    "AWS.SimpleQueueService.NonExistentQueue",
    "NoSuchBucket",
    "NotFoundException",
    "QueueDoesNotExist",
    "ResourceNotFoundException",
}
_NOT_ALLOWED = {"AccessDenied", "AccessDeniedException", "KMS.AccessDeniedException"}


def with_mend(name: str, setting: str, client: "BaseClient") -> str:
    """An error's name, and how to mend it where a setting or a policy is to blame."""
    if name in _NOT_THERE:
        return (
            f"{name}: there is none in {client.meta.region_name}; set {setting} to what the "
            "outputs of the stage's stack say, in the region that the stack is in"
        )
    if name in _NOT_ALLOWED:
        return f"{name}: the function's role does not allow it; .chalice/policy-*.json has them"
    return name


def _cancelled(error: Exception, name: str, reasons: Sequence[Mapping[str, Any]]) -> Fault:
    # A transaction's token makes its repetition answer for the first call: nothing is unsure.
    codes = [reason.get("Code", "None") for reason in reasons]
    failed = {
        place: reasons[place].get("Item")
        for place, code in enumerate(codes)
        if code == "ConditionalCheckFailed"
    }
    named = ", ".join(sorted(set(codes) - {"None"}))
    return Fault(
        error,
        f"{name} ({named})",
        contended=not _CONTENTIONS.isdisjoint(codes),
        refused=failed or None,
    )
