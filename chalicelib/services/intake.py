"""Accepting a question whose answer nobody waits for: it is sealed, written down and queued.

The write comes first. From then on the question cannot get lost: if its message does, the
sweeper queues it again, and the worker's claim makes any number of messages harmless.
"""

import json
from contextlib import suppress
from datetime import datetime, timedelta

from chalicelib.domain import events
from chalicelib.domain import verification as rules
from chalicelib.domain.errors import ServiceUnavailableError, VerificationEndedError
from chalicelib.domain.messages import Ask
from chalicelib.domain.secret import Client, Secret
from chalicelib.domain.verification import Person, Status, Verification, VerificationRequest
from chalicelib.services.expiry import settle_lease
from chalicelib.services.ports import ConflictError, UnavailableError, Write
from chalicelib.services.verify import Policy, Run, Tools, refuse_if_other

RESEND_AFTER = timedelta(minutes=5)
"""A message that has not been worked on for so long is taken for lost."""


def accept(
    request: VerificationRequest, *, client: Client, tools: Tools, policy: Policy
) -> Verification:
    """The verification as it stands: pending now, or whatever its key led to before.

    Raises RequestError for what is hopeless, VerificationEndedError for an end without an
    outcome that is not to be tried again, ServiceUnavailableError while nothing can be kept.
    """
    run = Run(request, client.name, tools, policy, started=tools.clock.monotonic())
    try:
        found = _accepted(run)
    except VerificationEndedError as exc:
        run.tell_replay(exc.verification)
        raise
    except UnavailableError as exc:
        raise ServiceUnavailableError(
            "A part of the service is out of reach. Nothing was accepted; post again with the "
            "same Idempotency-Key."
        ) from exc
    run.tell_replay(found)
    return found


def _accepted(run: Run) -> Verification:
    with run.step("secret"):
        secret = run.tools.secrets.current()
    draft = run.draft(secret)
    repository, clock = run.tools.repository, run.tools.clock
    with run.step("read"):
        standing = None if draft.fingerprint is None else repository.get(draft.id)
    while True:
        if standing is not None:
            standing = settle_lease(
                standing, repository=repository, clock=clock, tell=run.tools.tell
            )
        if standing is not None and not _again(standing, draft):
            return standing
        try:
            return put(run, standing or draft, standing, secret)
        except ConflictError as conflict:
            standing = conflict.current


def _again(standing: Verification, draft: Verification) -> bool:
    """Whether what stands under the key is to be asked once more."""
    refuse_if_other(standing, draft)
    if standing.status is Status.FAILED and standing.retryable:
        return True
    if standing.status in {Status.FAILED, Status.UNKNOWN}:
        raise VerificationEndedError(standing)
    return False


def put(
    run: Run, base: Verification, standing: Verification | None, secret: Secret
) -> Verification:
    """Check, seal, write and queue; raises RequestError, ConflictError, UnavailableError."""
    person, warnings = run.checked()
    asked = run.about(base, person, warnings, secret)
    with run.step("seal"):
        sealed = run.tools.sealer.seal(_plain(person, run.request.max_age_seconds), asked.id)
    pending = rules.accept(asked, sealed, run.tools.clock.now() + RESEND_AFTER)
    with run.step("write"):
        run.tools.repository.write(Write(pending, standing))
    # The sweeper sends it again, should this be lost.
    with run.step("queue"), suppress(UnavailableError):
        run.tools.queue.send(Ask(pending.id, run.tools.correlation))
    run.tell(events.accepted(pending, run.so_far()))
    return pending


def _plain(person: Person, max_age_seconds: int) -> bytes:
    fields = {
        "name": person.name,
        "id_number": person.id_number,
        "max_age_seconds": max_age_seconds,
    }
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


def question(pending: Verification, tools: Tools) -> VerificationRequest:
    """What was sealed, as it was asked; raises UnavailableError."""
    fields = json.loads(tools.sealer.unseal(pending.sealed or b"", pending.id))
    return VerificationRequest(**fields, reference=pending.reference)


def queue_again(pending: Verification, *, tools: Tools, now: datetime) -> Verification:
    """Send a due one's message (again); raises ConflictError, UnavailableError.

    Written first, so that a sweeper that is late does not send what another one just sent.
    """
    moved = rules.postpone(pending, now + RESEND_AFTER)
    tools.repository.write(Write(moved, pending))
    tools.queue.send(Ask(pending.id, tools.correlation))
    tools.tell(events.queued_again(moved, wait_seconds=0))
    return moved
