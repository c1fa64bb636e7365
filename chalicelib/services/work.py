"""What the worker does with a message; an exception leaves the message for another time.

Any number of copies of a message, in any order, do what one does: the verification in the table
says what is left to do.
"""

from contextlib import suppress
from datetime import timedelta

from chalicelib.domain import codes, events
from chalicelib.domain import verification as rules
from chalicelib.domain.errors import (
    BreakerOpenError,
    BudgetExhaustedError,
    RequestError,
    ServiceError,
    VerificationEndedError,
    VerificationInProgressError,
)
from chalicelib.domain.events import Event
from chalicelib.domain.messages import Ask, Repair
from chalicelib.domain.verification import Failure, Status, Verification
from chalicelib.services import intake
from chalicelib.services.expiry import settle_lease
from chalicelib.services.ports import ConflictError, UnavailableError
from chalicelib.services.store import store
from chalicelib.services.verify import Policy, Run, Tools

_UNTIL_A_HUMAN_ACTS = timedelta(minutes=15)
_UNTIL_A_CAP_IS_RAISED = timedelta(hours=1)
_UNTIL_THE_OTHER_ENDS = timedelta(minutes=1)
_CANNOT_BE_OPENED = Failure(
    "service_unavailable", "The sealed question could not be opened for a day. Nothing was sent."
)


def ask(message: Ask, *, tools: Tools, policy: Policy) -> None:
    """Ask a pending verification's question; raises UnavailableError, ServiceError."""
    found = tools.repository.get(message.verification_id)
    if found is not None:
        found = settle_lease(found, repository=tools.repository, clock=tools.clock, tell=tools.tell)
    if found is None or found.status is not Status.PENDING:
        return
    started = tools.clock.monotonic()
    try:
        question = intake.question(found, tools)
    except UnavailableError:
        if not rules.waited_too_long(found, tools.clock.now()):
            raise
        # A key that is gone for a day will not come back for this one.
        _give_up(found, _CANNOT_BE_OPENED, tools)
        return
    run = Run(question, found.client, tools, policy, started)
    try:
        run.resume(found)
    except (BreakerOpenError, BudgetExhaustedError, VerificationInProgressError) as exc:
        _later(found, exc, _wait(exc), tools)
    except VerificationEndedError as exc:
        # Its own end is written; another's is that of the person's last verification, which
        # nobody knows yet: to ask now might be to pay twice.
        if exc.verification.id != found.id:
            _later(found, exc, _UNTIL_A_HUMAN_ACTS, tools)
    except RequestError as exc:
        _give_up(found, Failure(exc.code, exc.detail), tools)


def _wait(why: ServiceError) -> timedelta:
    if isinstance(why, VerificationInProgressError):
        return _UNTIL_THE_OTHER_ENDS
    if why.retry_after is None:
        return _UNTIL_A_HUMAN_ACTS
    wait = timedelta(seconds=why.retry_after)
    # A month's cap mostly outlasts what is waited for at all; it may be raised before.
    return wait if wait <= rules.PENDING_TIME else _UNTIL_A_CAP_IS_RAISED


def _later(found: Verification, why: ServiceError, wait: timedelta, tools: Tools) -> None:
    now, failure = tools.clock.now(), Failure(why.code, why.detail)
    if rules.waited_too_long(found, now):
        _give_up(found, failure, tools)
    else:
        # Another verification's trouble would read as if it were this one's.
        stopped = isinstance(why, BreakerOpenError)
        own = stopped or isinstance(why, BudgetExhaustedError)
        after = rules.postpone(found, now + wait, failure if own else None)
        event = events.queued_again(
            after, wait_seconds=wait.total_seconds(), why=why.code, breaker=stopped
        )
        _move(found, after, event, tools)


def _give_up(found: Verification, failure: Failure, tools: Tools) -> None:
    after = rules.give_up(found, failure, tools.clock.now())
    _move(found, after, events.verification_ended(after, None), tools)


def _move(found: Verification, after: Verification, event: Event, tools: Tools) -> None:
    # Whoever moved it meanwhile has told so.
    with suppress(ConflictError):
        store(tools.repository, after, found)
        tools.tell(event)


def repair(message: Repair, *, tools: Tools, policy: Policy) -> None:
    """Write down an answer that the table did not take at its time; raises UnavailableError."""
    row = codes.find(message.answer.code, policy.billed)
    found = tools.repository.get(message.verification_id)
    while found is not None:
        attempt = next((a for a in found.attempts if a.token == message.token), None)
        if attempt is None or attempt.code == message.answer.code:
            return
        after = rules.record(found, message.token, message.answer, row, tools.clock.now())
        try:
            store(tools.repository, after, found)
        except ConflictError as conflict:
            found = conflict.current
        else:
            tools.tell(events.repaired(after, message.token))
            return
