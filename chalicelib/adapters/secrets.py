"""The secret in Secrets Manager, kept for five minutes, and for an hour if it cannot be read."""

import logging
import math
import threading
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.domain.secret import Secret, SecretError, parse
from chalicelib.services.ports import Clock, UnavailableError

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

CACHE_SECONDS = 300
STALE_SECONDS = 3_600
PAUSE_SECONDS = 10

logger = logging.getLogger("eryaosu")


class _Moment(NamedTuple):
    monotonic: float
    now: datetime


class _Kept(NamedTuple):
    secret: Secret
    read: _Moment


class SecretsManagerSecrets:
    """The secrets port; one read at a time, and the last good secret outlives an hour of errors.

    ``check`` may refuse a secret with SecretError. A refused or broken one is an error like any
    other, and each is logged once, by the name of its field. ``client``'s timeouts and retries
    bound every read.
    """

    def __init__(
        self,
        client: "SecretsManagerClient",
        secret_id: str,
        clock: Clock,
        *,
        check: Callable[[Secret], None] | None = None,
    ) -> None:
        self._client = client
        self._secret_id = secret_id
        self._clock = clock
        self._check = check
        self._lock = threading.Lock()
        self._kept: _Kept | None = None
        self._trouble = "is not read yet"
        self._cause: Exception | None = None
        self._reads = 0
        self._tried: _Moment | None = None
        self._forced: _Moment | None = None

    def current(self) -> Secret:
        """The secret, at most five minutes old, or an hour while it cannot be read.

        Raises UnavailableError.
        """
        reads = self._reads
        secret = self._younger_than(CACHE_SECONDS)
        return self._renewed(reads) if secret is None else secret

    def _renewed(self, reads_seen: int) -> Secret:
        with self._lock:
            # Who waited for another's read takes what that brought, good or bad.
            if self._reads == reads_seen and not self._just_failed():
                self._read()
            secret = self._younger_than(STALE_SECONDS)
            if secret is None:
                raise UnavailableError(
                    f"secret {self._secret_id}: {self._trouble}"
                ) from self._cause
            return secret

    def _just_failed(self) -> bool:
        """Whether to live on the stale secret for a moment instead of making each caller wait."""
        return (
            self._age(self._tried) < PAUSE_SECONDS and self._younger_than(STALE_SECONDS) is not None
        )

    def refresh(self) -> Secret:
        """The secret as it stands right now, asked for every ten seconds at most.

        Raises UnavailableError when it cannot be read, even if an older one is kept.
        """
        with self._lock:
            if self._age(self._forced) >= PAUSE_SECONDS:
                self._read()
                self._forced = self._tried
            if self._kept is None or self._trouble:
                raise UnavailableError(
                    f"secret {self._secret_id}: {self._trouble}"
                ) from self._cause
            return self._kept.secret

    def _read(self) -> None:
        try:
            secret = parse(self._text())
            if self._check is not None:
                self._check(secret)
        except SecretError as exc:
            self._fail(f"{exc}; {self._mend()}", exc)
        except (ClientError, BotoCoreError) as exc:
            self._fail(self._reason(exc), exc)
        else:
            self._kept = _Kept(secret, self._moment())
            self._trouble, self._cause = "", None
        self._tried = self._moment()
        self._reads += 1

    def _text(self) -> str:
        # Without the stage some stand-ins give the value before the last rotation.
        value = self._client.get_secret_value(SecretId=self._secret_id, VersionStage="AWSCURRENT")
        text: str | None = value.get("SecretString")
        if text is None:
            raise SecretError("has no text")
        return text

    def _fail(self, reason: str, cause: Exception) -> None:
        if reason != self._trouble:
            logger.error("secret %s: %s", self._secret_id, reason)
        self._trouble, self._cause = reason, cause

    def _reason(self, error: Exception) -> str:
        if not isinstance(error, ClientError):
            return f"cannot be reached ({type(error).__name__})"
        code = error.response["Error"]["Code"]
        if code == "ResourceNotFoundException":
            region = self._client.meta.region_name
            return f"does not exist or has no value yet in {region}; {self._mend()}"
        if code == "AccessDeniedException":
            return (
                "may not be read; allow secretsmanager:GetSecretValue on it, and kms:Decrypt on "
                "its key if it has one of its own"
            )
        return f"cannot be read ({code})"

    def _mend(self) -> str:
        return (
            "set it with: aws secretsmanager put-secret-value "
            f"--secret-id {self._secret_id} --secret-string file://secret.json"
        )

    def _younger_than(self, seconds: float) -> Secret | None:
        kept = self._kept
        return None if kept is None or self._age(kept.read) > seconds else kept.secret

    def _moment(self) -> _Moment:
        return _Moment(self._clock.monotonic(), self._clock.now())

    def _age(self, since: _Moment | None) -> float:
        """Seconds, by the clock that moved more: one stands still while a function is frozen."""
        if since is None:
            return math.inf
        now = self._moment()
        return max(now.monotonic - since.monotonic, (now.now - since.now).total_seconds())
