"""The main use case: ask one question, pay for it at most once, never lose it silently.

In order: what stands under the id (replay, or wait for whoever is asking) → pre-check → test
identity → reuse → breaker → time left → claim, within the caps → ask → write the end. What is
refused before the claim is not stored and does not bind the Idempotency-Key. The claim is a
conditional write, so it means "the call may now be happening"; from then on only an answer, the
lease or a human ends it. It also says what stands under the id, so that a new key costs no read.
"""

import secrets as randomness
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import NamedTuple

from chalicelib.domain import caps, codes, events, person_name, resident_id
from chalicelib.domain import verification as rules
from chalicelib.domain.codes import Billed
from chalicelib.domain.errors import (
    BreakerOpenError,
    ErasedError,
    IdempotencyKeyReusedError,
    ServiceError,
    ServiceUnavailableError,
    TestIdentityError,
    VerificationEndedError,
    VerificationInProgressError,
)
from chalicelib.domain.events import Event, Trace
from chalicelib.domain.messages import Repair
from chalicelib.domain.secret import Client, Secret, id_from
from chalicelib.domain.verification import (
    CHINA,
    Answer,
    DerivedFields,
    Person,
    Status,
    Verification,
    VerificationRequest,
)
from chalicelib.services import person as persons
from chalicelib.services.breaker import CachedBreaker
from chalicelib.services.expiry import settle_lease
from chalicelib.services.ports import (
    Callbacks,
    CapReachedError,
    Clock,
    ConflictError,
    ContendedError,
    Hold,
    HoldConflictError,
    Observe,
    Outbox,
    PortError,
    Provider,
    Queue,
    Repository,
    Sealer,
    Secrets,
    Submissions,
    UnavailableError,
    Write,
)
from chalicelib.services.store import queue_latest, store

CLAIM_MAX_AGE = timedelta(seconds=3)
"""A process that was paused longer after its claim must not send: someone may have resolved it."""

MIN_CALL_SECONDS = 3.0
"""Less time than this is not worth a claim."""

_SEND_TRIES = 3
_END_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings that a verification obeys; seconds unless a type says otherwise."""

    deadline: float = 20.0
    duplicate_wait: float = 10.0
    lease: timedelta = timedelta(seconds=90)
    check_character: bool = True
    live: bool = False
    keep_person: bool = True
    billed: Mapping[str, Billed] = field(default_factory=dict)


class Result(NamedTuple):
    """A completed verification, and the derived fields while they are kept."""

    verification: Verification
    person: DerivedFields | None = None


def tell_nobody(event: Event) -> None:
    """For who wants to know nothing."""


@dataclass(frozen=True, slots=True)
class Tools:
    """The ports of a verification, built once a container; ``trace`` is of one piece of work."""

    repository: Repository
    provider: Provider
    secrets: Secrets
    sealer: Sealer
    queue: Queue
    outbox: Outbox
    submissions: Submissions
    callbacks: Callbacks
    breaker: CachedBreaker
    clock: Clock
    new_token: Callable[[], str] = lambda: randomness.token_hex(16)
    jitter: Callable[[], float] = lambda: randomness.randbelow(1000) / 1000
    observe: Observe = tell_nobody
    trace: Trace = events.NO_TRACE

    @property
    def correlation(self) -> str | None:
        """What leads a message's lines back to the request."""
        return self.trace.correlation_id

    def tell(self, event: Event) -> None:
        """Let it be known, with where this work comes from."""
        self.observe(event._replace(trace=self.trace))


def verify(request: VerificationRequest, *, client: Client, tools: Tools, policy: Policy) -> Result:
    """The answer to one question.

    Raises the refusals of ``domain.errors``: RequestError, BreakerOpenError and
    BudgetExhaustedError before anything was claimed, VerificationEndedError for an end without an
    outcome, VerificationInProgressError while somebody else asks the same,
    ServiceUnavailableError when the table, key or secret is out of reach before anything was
    sent.
    """
    run = Run(request, client.name, tools, policy, started=tools.clock.monotonic())
    try:
        result = run.answer()
    except VerificationEndedError as exc:
        run.tell_replay(exc.verification)
        raise
    except UnavailableError as exc:
        raise ServiceUnavailableError(
            "A part of the service is out of reach. Nothing was sent; post again with the same "
            "Idempotency-Key."
        ) from exc
    run.tell_replay(result.verification)
    return result


def refuse_if_other(found: Verification, draft: Verification) -> None:
    """A key leads to one question only; raises ErasedError, IdempotencyKeyReusedError."""
    if found.erased:
        raise ErasedError(
            "The person of this verification was erased; use a new Idempotency-Key to ask again.",
            verification_id=found.id,
        )
    if found.fingerprint != draft.fingerprint:
        raise IdempotencyKeyReusedError(
            "This Idempotency-Key came before with another payload; use a new key for a new "
            "question.",
            verification_id=found.id,
        )


@dataclass(slots=True)
class Run:
    """One question on its way, step by step; ``owner`` is the client or source that asks."""

    request: VerificationRequest
    owner: str
    tools: Tools
    policy: Policy
    started: float
    steps: dict[str, float] = field(default_factory=dict)
    told: bool = False

    def tell(self, event: Event) -> None:
        """Let what came of it be known."""
        self.told = True
        self.tools.tell(event)

    def tell_replay(self, found: Verification) -> None:
        """Unless it came about just now."""
        if not self.told:
            self.tell(events.replayed(found, self.so_far()))

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time it; a step that is made again adds up."""
        began = self.tools.clock.monotonic()
        try:
            yield
        finally:
            spent = self.tools.clock.monotonic() - began
            self.steps[name] = self.steps.get(name, 0.0) + spent

    def so_far(self) -> events.Steps:
        """The seconds of each step, and of all."""
        return {**self.steps, "total": self.tools.clock.monotonic() - self.started}

    def answer(self) -> Result:
        """Ask for a caller who waits; ``verify`` says what it raises.

        Most keys are new, and the claim itself says whether one is. So the id is read only where
        the claim met something, or where none was tried: what stands there comes before whatever
        would be said to a new question.
        """
        with self.step("secret"):
            secret = self.tools.secrets.current()
        draft = self.draft(secret)
        standing, looked = None, draft.fingerprint is None
        while standing is None or standing.status not in {Status.COMPLETED, Status.PENDING}:
            try:
                owned = self._owned(standing or draft, standing, secret)
            except ConflictError as conflict:
                standing, looked = self._standing(conflict.current, draft), True
            except (HoldConflictError, ContendedError):
                self._breathe()
            except ServiceError:
                if looked:
                    raise
                standing, looked = self._standing(self._read(draft), draft), True
                if standing is None:
                    raise
            else:
                return owned if isinstance(owned, Result) else self._asked(*owned)
        return self._replayed(standing)

    def resume(self, pending: Verification) -> Result | None:
        """Ask what was accepted before; None when somebody else has it by now."""
        secret = self.tools.secrets.current()
        while True:
            try:
                owned = self._owned(pending, pending, secret)
            except (ConflictError, HoldConflictError, ContendedError):
                self._breathe()
                found = self.tools.repository.get(pending.id)
                if found is None or found.status is not Status.PENDING:
                    return None
                pending = found
            else:
                return owned if isinstance(owned, Result) else self._asked(*owned)

    def _owned(
        self, base: Verification, standing: Verification | None, secret: Secret
    ) -> "Result | tuple[Verification, Person, Secret]":
        """An outcome to use again, or the claim to a paid call.

        Raises ConflictError, HoldConflictError, ContendedError if somebody else was faster.
        """
        person, warnings = self.checked()
        asked = self.about(base, person, warnings, secret)
        with self.step("read"):
            hold = self._hold(asked)
        source = self._reusable(hold)
        if source is not None:
            return self._reused(asked, standing, source)
        return self._claimed(asked, standing, hold, secret), person, secret

    def _breathe(self) -> None:
        """Before another look at what stands there now."""
        self.tools.clock.sleep(0.02 + 0.05 * self.tools.jitter())
        # Their outcome may serve us without a call, so any time left is worth a look.
        self._refuse_if_late(needed=0.0)

    def draft(self, secret: Secret) -> Verification:
        """What would be written first, nothing about the person in it yet."""
        request, key = self.request, self.request.idempotency_key
        return Verification(
            id=id_from(randomness.token_bytes(17))
            if key is None
            else secret.verification_id(self.owner, key),
            client=self.owner,
            created_at=self.tools.clock.now(),
            status=Status.IN_PROGRESS,
            revision=0,
            fingerprint=None
            if key is None
            else secret.fingerprint(
                request.name,
                request.id_number,
                request.reference,
                request.max_age_seconds,
                request.callback_url,
            ),
            reference=request.reference,
            callback_url=request.callback_url,
        )

    def _read(self, draft: Verification) -> Verification | None:
        with self.step("read"):
            return self.tools.repository.get(draft.id)

    def _standing(self, found: Verification | None, draft: Verification) -> Verification | None:
        """What stands under the id: nothing, a result, or a failure to try again."""
        with self.step("read"):
            found = self._when_ended(found)
        if found is None:
            return None
        refuse_if_other(found, draft)
        if found.status in {Status.COMPLETED, Status.PENDING} or (
            found.status is Status.FAILED and found.retryable
        ):
            return found
        raise VerificationEndedError(found)

    def _when_ended(self, found: Verification | None) -> Verification | None:
        """Wait for a call under way, no longer than a duplicate may."""
        clock, repository = self.tools.clock, self.tools.repository
        pause = 0.05
        while found is not None:
            found = settle_lease(found, repository=repository, clock=clock, tell=self.tools.tell)
            if found is None or found.status is not Status.IN_PROGRESS:
                return found
            if clock.monotonic() + pause - self.started > self.policy.duplicate_wait:
                raise VerificationInProgressError(
                    "The same question is being asked right now; post again with the same "
                    "Idempotency-Key.",
                    verification_id=found.id,
                )
            clock.sleep(pause)
            pause = min(pause * 1.6, 1.0)
            found = repository.get(found.id)
        return None

    def _replayed(self, found: Verification) -> Result:
        return Result(found, persons.kept(found, self.tools.repository, self.tools.sealer))

    def checked(self) -> tuple[Person, tuple[str, ...]]:
        """The pre-check, which saves paid calls: number first, for it says what a name may be."""
        today = self.tools.clock.now().astimezone(CHINA).date()
        number = resident_id.validate(
            self.request.id_number, today=today, check_character=self.policy.check_character
        )
        name = person_name.validate(self.request.name, latin=resident_id.allows_latin_name(number))
        if self.policy.live and resident_id.is_test_identity(number):
            raise TestIdentityError(
                "id_number: this is a test identity, which the real upstream would charge for."
            )
        warnings = (*resident_id.warnings(number, today=today), *person_name.warnings(name))
        return Person(name, number), warnings

    def about(
        self, base: Verification, person: Person, warnings: tuple[str, ...], secret: Secret
    ) -> Verification:
        """The verification with what may be kept of the person."""
        return replace(
            base,
            name_masked=person_name.mask(person.name),
            id_number_masked=resident_id.mask(person.id_number),
            warnings=warnings,
            subject=secret.subject(self.owner, person.name, person.id_number)
            if self.request.max_age_seconds
            else None,
        )

    def _hold(self, asked: Verification) -> Hold | None:
        """Who answers for the subject once no other call for it is under way."""
        while asked.subject is not None:
            hold = self.tools.repository.holder(asked.subject)
            if hold.holder_id == asked.id or self._when_ended(hold.holder) == hold.holder:
                return hold
        return None

    def _reusable(self, hold: Hold | None) -> Verification | None:
        """The holder, if its outcome may be used again; raises while nobody knows its outcome."""
        holder = hold.holder if hold else None
        if holder is None or holder.erased or not self._young_enough(holder):
            return None
        if holder.status is Status.UNKNOWN:
            raise VerificationEndedError(holder)
        return holder if holder.status is Status.COMPLETED else None

    def _young_enough(self, holder: Verification) -> bool:
        since = holder.ended_at or holder.attempts[-1].started_at
        age = self.tools.clock.now() - since
        return age <= timedelta(seconds=self.request.max_age_seconds)

    def _reused(
        self, asked: Verification, standing: Verification | None, source: Verification
    ) -> Result:
        reused = rules.reuse(asked, source, self.tools.clock.now())
        with self.step("write"):
            stored = store(self.tools.repository, reused, standing)
            queue_latest(stored, self.tools.queue, self.tools.correlation)
        self.tell(events.verification_ended(stored, None, self.so_far()))
        return self._replayed(stored)

    def _claimed(
        self,
        asked: Verification,
        standing: Verification | None,
        hold: Hold | None,
        secret: Secret,
    ) -> Verification:
        """Own the paid call; raises ConflictError or HoldConflictError if somebody else does.

        One is taken of each cap on it; raises BudgetExhaustedError where one is reached.
        """
        with self.step("breaker"):
            self._refuse_if_stopped(secret)
        self._refuse_if_late()
        now = self.tools.clock.now()
        capped = secret.caps_of(self.owner, now)
        claimed = rules.claim(
            asked,
            token=self.tools.new_token(),
            now=now,
            lease=self.policy.lease,
            took=tuple(cap.mark for cap in capped),
        )
        with self.step("claim"):
            try:
                self.tools.repository.write(Write(claimed, standing, take=hold, caps=capped))
            except CapReachedError as exc:
                raise caps.exhausted(exc.full, now) from None
        return claimed

    def _refuse_if_stopped(self, secret: Secret) -> None:
        now, breaker = self.tools.clock.now(), self.tools.breaker.current()
        if breaker.is_open(now, secret.appcode_mark):
            raise BreakerOpenError(
                breaker.cause or "",
                retry_after=None
                if breaker.until is None
                else max(1, round((breaker.until - now).total_seconds())),
            )

    def _refuse_if_late(self, needed: float = MIN_CALL_SECONDS) -> None:
        if self._seconds_left() < needed:
            raise ServiceUnavailableError(
                "No time is left to make the call within the deadline. Nothing was sent; post "
                "again with the same Idempotency-Key."
            )

    def _seconds_left(self) -> float:
        return self.policy.deadline - (self.tools.clock.monotonic() - self.started)

    def _asked(self, claimed: Verification, person: Person, secret: Secret) -> Result:
        with self.step("ask"):
            answer = self._ask(claimed, person, secret)
        if codes.find(answer.code).problem == "appcode_invalid":
            with self.step("ask"):
                answer, secret = self._ask_with_fresh_secret(claimed, person, secret, answer)
        row = codes.find(answer.code, self.policy.billed)
        ended = self._ended(claimed, answer, row)
        attempt = events.attempt_of(ended, claimed.attempts[-1].token)
        self.tell(events.verification_ended(ended, attempt, self.so_far()))
        opened = self.tools.breaker.note(row, self.tools.clock.now(), secret.appcode_mark)
        if opened is not None:
            self.tell(events.breaker_opened(opened, row))
        if ended.status is not Status.COMPLETED:
            raise VerificationEndedError(ended)
        return Result(ended, answer.person)

    def _ask(self, claimed: Verification, person: Person, secret: Secret) -> Answer:
        """Send; what certainly was not sent is tried again while the claim is fresh."""
        answer = Answer(codes.TOO_LATE)
        for tried in range(_SEND_TRIES):
            if self.tools.clock.now() - claimed.attempts[-1].started_at > CLAIM_MAX_AGE:
                break
            answer = self.tools.provider.ask(person, secret.appcode, self._seconds_left())
            if answer.code != codes.NOT_SENT:
                break
            self.tools.clock.sleep(0.1 * 2**tried * (0.5 + self.tools.jitter()))
        return answer

    def _ask_with_fresh_secret(
        self, claimed: Verification, person: Person, secret: Secret, refused: Answer
    ) -> tuple[Answer, Secret]:
        """The AppCode may just have been rotated: a refused call is free, so ask once more."""
        try:
            fresh = self.tools.secrets.refresh()
        except UnavailableError:
            return refused, secret
        if fresh.appcode == secret.appcode:
            return refused, secret
        answer = self._ask(claimed, person, fresh)
        return (refused, fresh) if answer.code == codes.TOO_LATE else (answer, fresh)

    def _ended(self, claimed: Verification, answer: Answer, row: codes.Row) -> Verification:
        """Write the end; the caller gets the answer even if nothing can be written."""
        token, now = claimed.attempts[-1].token, self.tools.clock.now()
        with self.step("seal"):
            sealed, extra = self._sealed(claimed, answer)
        give_up = self.tools.clock.monotonic() + _END_SECONDS
        before: Verification | None = claimed
        ended = claimed
        while before is not None and any(a.token == token for a in before.attempts):
            ended = rules.record(before, token, answer, row, now)
            ended = replace(ended, warnings=(*ended.warnings, *extra))
            person = None if before.erased else sealed
            try:
                with self.step("write"):
                    stored = store(self.tools.repository, ended, before, person=person)
            except ConflictError as conflict:
                before = conflict.current
            except PortError:
                if self.tools.clock.monotonic() >= give_up:
                    self._leave_for_repair(claimed.id, token, answer)
                    break
                self.tools.clock.sleep(0.1 + 0.2 * self.tools.jitter())
            else:
                queue_latest(stored, self.tools.queue, self.tools.correlation)
                return stored
        return replace(ended, warnings=(*ended.warnings, "not_recorded"))

    def _leave_for_repair(self, verification_id: str, token: str, answer: Answer) -> None:
        """The table does not take the answer: the worker will write it, or the lease ends it."""
        with suppress(UnavailableError):
            self.tools.queue.send(Repair(verification_id, token, answer, self.tools.correlation))

    def _sealed(
        self, claimed: Verification, answer: Answer
    ) -> tuple[bytes | None, tuple[str, ...]]:
        if answer.person is None or not self.policy.keep_person:
            return None, ()
        try:
            return persons.seal(answer.person, claimed.id, self.tools.sealer), ()
        except UnavailableError as exc:
            self.tools.tell(events.person_not_kept(claimed, str(exc)))
            return None, ("person_not_kept",)
