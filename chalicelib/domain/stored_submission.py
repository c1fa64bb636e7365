"""A form entry that was not verified: rejected, or only looked at in shadow mode.

    rejected ──▶ replayed     mapped and queued, once the source's configuration is mended
    shadow ──▶ replayed       taken after all

``sealed`` is the entry itself, while it is kept; nothing else leads back to the person.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum


class SubmissionStatus(StrEnum):
    """What became of an entry that was not verified at once."""

    REJECTED = "rejected"
    SHADOW = "shadow"
    REPLAYED = "replayed"


@dataclass(frozen=True, slots=True)
class StoredSubmission:
    """``id`` is that of the verification that it would become; ``reason`` why it did not."""

    id: str
    source: str
    created_at: datetime
    status: SubmissionStatus
    reason: str
    detail: str
    assurance: str
    missing: tuple[str, ...] = ()
    name_masked: str | None = None
    id_number_masked: str | None = None
    sealed: bytes | None = field(default=None, repr=False)
    revision: int = 1


def replayed(submission: StoredSubmission) -> StoredSubmission:
    """It became a verification."""
    return replace(
        submission,
        status=SubmissionStatus.REPLAYED,
        sealed=None,
        revision=submission.revision + 1,
    )


def refused_again(
    submission: StoredSubmission,
    status: SubmissionStatus,
    *,
    reason: str,
    detail: str,
    missing: tuple[str, ...],
) -> StoredSubmission:
    """The configuration is not mended yet, the entry cannot be, or it still is in shadow mode."""
    return replace(
        submission,
        status=status,
        reason=reason,
        detail=detail,
        missing=missing,
        revision=submission.revision + 1,
    )
