"""A form entry on its way in: queued as a verification, or kept with the reason why not.

On this path stand one encryption and one write, since some vendors hang up after two seconds.
The verification's id comes from the source and the vendor's own key of the entry, so that an
entry which is sent twice is one question.
"""

import json
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from enum import StrEnum
from typing import NamedTuple

from chalicelib.domain import events, person_name, reference, resident_id, stored_submission
from chalicelib.domain.errors import (
    ErasedError,
    MalformedRequestError,
    NotFoundError,
    RequestError,
    ResidentIdNotTextError,
)
from chalicelib.domain.messages import Ask
from chalicelib.domain.secret import Client
from chalicelib.domain.source import Assurance, Mode, Source
from chalicelib.domain.stored_submission import StoredSubmission, SubmissionStatus
from chalicelib.domain.submission import Reason, Submission, Unmapped, remapped
from chalicelib.domain.verification import Status, VerificationRequest
from chalicelib.services import intake
from chalicelib.services.ports import ConflictError, UnavailableError
from chalicelib.services.verify import Policy, Run, Tools

_MAX_SEALED = 4_096
_SHOWN = 50


class Taken(StrEnum):
    """What became of an entry."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"
    SHADOW = "shadow"


class Receipt(NamedTuple):
    """``id`` is the verification's, made or not; ``reason`` why there is none."""

    taken: Taken
    id: str
    reason: str = ""


class _Refused(NamedTuple):
    reason: str
    detail: str


def take(
    entry: Submission | Unmapped,
    source: Source,
    assurance: Assurance,
    *,
    tools: Tools,
    policy: Policy,
) -> Receipt:
    """Queue the entry, or keep it with the reason why not; raises UnavailableError."""
    started = tools.clock.monotonic()
    entry_id = tools.secrets.current().verification_id(source.id, entry.dedupe)
    refused = _queued(entry, source, tools, policy)
    if refused is None:
        return Receipt(Taken.ACCEPTED, entry_id)
    if refused is _DUPLICATE:
        return Receipt(Taken.DUPLICATE, entry_id)
    status = _status(refused)
    stored = StoredSubmission(
        id=entry_id,
        source=source.id,
        created_at=tools.clock.now(),
        status=status,
        reason=refused.reason,
        detail=refused.detail,
        assurance=assurance,
        missing=_missing(entry),
        name_masked=_masked(getattr(entry, "name", None), person_name.mask),
        id_number_masked=_masked(getattr(entry, "id_number", None), _number_masked),
        sealed=_sealed(entry, entry_id, tools) if policy.keep_person else None,
    )
    tools.submissions.add(stored)
    spent = {"total": tools.clock.monotonic() - started}
    if refused is _SHADOW:
        tools.tell(events.submission_shadowed(entry_id, source.id, spent))
    else:
        tools.tell(events.submission_rejected(entry_id, source.id, refused.reason, spent))
    return Receipt(Taken(status.value), entry_id, refused.reason)


def _status(refused: _Refused) -> SubmissionStatus:
    return SubmissionStatus.SHADOW if refused is _SHADOW else SubmissionStatus.REJECTED


def _missing(entry: Submission | Unmapped) -> tuple[str, ...]:
    return entry.missing if isinstance(entry, Unmapped) else ()


_DUPLICATE = _Refused("duplicate", "")
_SHADOW = _Refused("would_be_verified", "In shadow mode nothing is asked, and nothing is paid.")


def _queued(
    entry: Submission | Unmapped, source: Source, tools: Tools, policy: Policy
) -> _Refused | None:
    if isinstance(entry, Unmapped):
        return _Refused(entry.reason, _UNMAPPED.format(", ".join(entry.missing) or "entry"))
    try:
        run = Run(_question(entry, source), source.id, tools, policy, tools.clock.monotonic())
        if source.mode is Mode.SHADOW:
            run.checked()
            return _SHADOW
        secret = tools.secrets.current()
        # A vendor's own id of the entry; a hash of its contents is too long to pass for one.
        draft = replace(run.draft(secret), submission=_harmless(entry.dedupe))
        intake.put(run, draft, None, secret)
    except ConflictError as conflict:
        if conflict.current is not None:
            run.tell_replay(conflict.current)
            if conflict.current.status is Status.PENDING:
                # Sent again because our answer was lost, and with it perhaps the message.
                with suppress(UnavailableError):
                    tools.queue.send(Ask(conflict.current.id, tools.correlation))
        return _DUPLICATE
    except RequestError as exc:
        return _Refused(exc.reason or exc.code, exc.detail)
    return None


_UNMAPPED = "Not found where the source's fields say: {}. Mend them, then replay the submission."


def _question(entry: Submission, source: Source) -> VerificationRequest:
    if isinstance(entry.id_number, int | float) and not isinstance(entry.id_number, bool):
        raise ResidentIdNotTextError(
            "id_number: the form sends it as a number, whose last digits are lost. Make it a text "
            "field."
        )
    for field, answer in (("id_number", entry.id_number), ("name", entry.name)):
        if not isinstance(answer, str):
            raise MalformedRequestError(f"{field}: the form's answer is no text.")
    return VerificationRequest(
        name=str(entry.name),
        id_number=str(entry.id_number),
        reference=None if entry.reference is None else _harmless(entry.reference),
        max_age_seconds=source.max_age_seconds,
        idempotency_key=entry.dedupe,
        callback_url=source.callback.url if source.callback else None,
    )


def _harmless(text: str) -> str | None:
    """A form may hold anything; what cannot be kept in plain text is left out."""
    try:
        return reference.validate(text)
    except RequestError:
        return None


def _masked(value: object, mask: Callable[[str], str]) -> str | None:
    if not isinstance(value, str) or not value:
        return None
    # Half a character, as JSON can hold it, is nothing that a table can keep.
    return mask(value[:_SHOWN]).encode("utf-8", "replace").decode("utf-8")


def _number_masked(number: str) -> str:
    whole = resident_id.compact(number)
    return resident_id.mask(whole) if len(whole) == 18 else "*" * len(whole)  # noqa: PLR2004


def _sealed(entry: Submission | Unmapped, entry_id: str, tools: Tools) -> bytes | None:
    """The entry's answers, to be mapped again; None where they are too many to be sealed."""
    scalars = entry.scalars() if isinstance(entry, Submission) else entry.scalars
    kept = {"dedupe": entry.dedupe, "form": entry.form, "scalars": dict(scalars)}
    plain = zlib.compress(json.dumps(kept, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    return tools.sealer.seal(plain, entry_id) if len(plain) <= _MAX_SEALED else None


def _unsealed(stored: StoredSubmission, tools: Tools) -> Unmapped:
    if stored.sealed is None:
        raise ErasedError("The entry itself is not kept, or not any more: send it anew.")
    kept = json.loads(zlib.decompress(tools.sealer.unseal(stored.sealed, stored.id)))
    return Unmapped(
        kept["dedupe"], Reason.FIELDS_MISSING, scalars=kept["scalars"], form=kept["form"]
    )


def get(submission_id: str, *, client: Client, tools: Tools) -> StoredSubmission:
    """One that was not verified; an admin's to see. Raises NotFoundError."""
    found = tools.submissions.get(submission_id)
    if found is None or "admin" not in client.scopes:
        raise NotFoundError("There is no such submission, or it is not kept any more.")
    return found


def replay(submission_id: str, *, client: Client, tools: Tools, policy: Policy) -> StoredSubmission:
    """Map it by the source as it is configured now, and queue it if that succeeds.

    Raises NotFoundError, ErasedError when the entry itself is not kept, UnavailableError.
    """
    while True:
        stored = get(submission_id, client=client, tools=tools)
        if stored.status is SubmissionStatus.REPLAYED:
            return stored
        source = tools.secrets.current().sources.get(stored.source)
        if source is None:
            raise NotFoundError("Its source is not configured any more.")
        entry = remapped(_unsealed(stored, tools), source)
        refused = _queued(entry, source, tools, policy)
        if refused is None or refused is _DUPLICATE:
            after = stored_submission.replayed(stored)
        else:
            after = stored_submission.refused_again(
                stored,
                _status(refused),
                reason=refused.reason,
                detail=refused.detail,
                missing=_missing(entry),
            )
        if tools.submissions.replace(after, stored):
            return after
