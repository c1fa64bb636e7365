"""The composition root: adapters are built once a container, at the first call that needs them."""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TextIO

from botocore.config import Config
from botocore.session import Session

from chalicelib.adapters import log_lines
from chalicelib.adapters.callbacks import HttpCallbacks
from chalicelib.adapters.outbox import DynamoOutbox, DynamoSubmissions
from chalicelib.adapters.provider import HttpProvider
from chalicelib.adapters.queue import SqsQueue
from chalicelib.adapters.repository import DynamoRepository
from chalicelib.adapters.sealer import KmsSealer
from chalicelib.adapters.secrets import SecretsManagerSecrets
from chalicelib.adapters.table import Table
from chalicelib.config import Settings, SettingsError, in_lambda, stage
from chalicelib.domain.errors import ServiceUnavailableError
from chalicelib.domain.events import Event, Level, Trace
from chalicelib.domain.messages import correlation_id
from chalicelib.domain.secret import LOCAL_DEV_KEY, Secret, SecretError, has_local_dev_key
from chalicelib.services.breaker import CachedBreaker
from chalicelib.services.verify import Policy, Tools

# Short, and few: the time that a caller waits is better spent on its second try.
_AWS = Config(
    connect_timeout=1,
    read_timeout=2,
    retries={"mode": "standard", "total_max_attempts": 3},
    max_pool_connections=50,
    # Both cost every call a tenth of its CPU: the tests' clients check what we send, and a name of
    # our own needs no putting together.
    parameter_validation=False,
    user_agent="eryaosu",
)


_UNSEALED_SUBMISSION_DAYS = 30


@dataclass(frozen=True, slots=True)
class Container:
    """Everything that an entrypoint hands to a use case."""

    tools: Tools
    policy: Policy

    def traced(self, trace: Trace) -> "Container":
        """The same for one piece of work: all that is told of it says where it comes from."""
        return replace(self, tools=replace(self.tools, trace=trace))


class SystemClock:
    """The machine's time."""

    def now(self) -> datetime:
        """The time, aware."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


def build(settings: Settings) -> Container:
    """Adapters for the settings; reaches nothing yet. Raises SettingsError."""
    client, clock = _clients(), SystemClock()
    secrets = SecretsManagerSecrets(
        client("secretsmanager"),
        settings.secret_id,
        clock,
        check=_refuse_local_key if settings.live else None,
    )
    dynamodb = client("dynamodb")
    repository = DynamoRepository(
        dynamodb,
        settings.table_name,
        clock,
        record_days=settings.record_days,
        person_days=settings.person_days,
    )
    table = Table(dynamodb, settings.table_name, clock)
    tools = Tools(
        repository=repository,
        provider=_provider(settings.upstream_url),
        secrets=secrets,
        sealer=KmsSealer(client("kms"), settings.kms_key_id),
        queue=SqsQueue(client("sqs"), settings.queue_url),
        outbox=DynamoOutbox(table, clock, record_days=settings.record_days),
        submissions=DynamoSubmissions(
            table, clock, days=settings.person_days or _UNSEALED_SUBMISSION_DAYS
        ),
        callbacks=HttpCallbacks(allow_loopback=settings.callback_allow_loopback),
        breaker=CachedBreaker(repository, clock),
        clock=clock,
        observe=log_lines.observe,
    )
    return Container(tools, policy_of(settings))


def _clients() -> Callable[[str], Any]:
    """Makes AWS's clients: botocore's are boto3's, and start faster without what is around."""
    session = Session()
    if session.get_config_variable("region") is None:
        raise SettingsError("AWS_DEFAULT_REGION: is not set; it is the region of the stage")
    return lambda service: session.create_client(service, config=_AWS)


def _provider(url: str) -> HttpProvider:
    try:
        return HttpProvider(url)
    except ValueError as exc:
        raise SettingsError(f"UPSTREAM_URL: {exc}") from None


def policy_of(settings: Settings) -> Policy:
    """The settings that a verification obeys."""
    return Policy(
        deadline=settings.deadline_seconds,
        duplicate_wait=settings.duplicate_wait_seconds,
        lease=timedelta(seconds=settings.lease_seconds),
        check_character=settings.enforce_check_digit,
        live=settings.live,
        keep_person=settings.person_days > 0,
        billed=settings.billed_codes,
    )


def _refuse_local_key(secret: Secret) -> None:
    if has_local_dev_key(secret):
        raise SecretError(
            f"clients: the key {LOCAL_DEV_KEY} is known to everybody and must not guard the paid "
            "upstream"
        )


_lock = threading.Lock()
_container: Container | None = None
_worked = False


def container() -> Container:
    """The one of this process; raises ServiceUnavailableError, and logs the setting to mend."""
    global _container  # noqa: PLW0603  # one composition root a process is the point
    with _lock:
        if _container is None:
            try:
                _container = build(Settings.from_env())
            except SettingsError as exc:
                logging.getLogger("eryaosu").error("setting %s", exc)  # noqa: TRY400
                raise ServiceUnavailableError(
                    "A setting of the service is missing or broken; its log names it."
                ) from exc
        return _container


def trace(given: object = None) -> Trace:
    """Where the piece of work that begins now comes from; an id that is none of AWS's is dropped.

    The first one of a process is cold.
    """
    global _worked  # as above
    cold, _worked = not _worked, True
    return Trace(correlation_id(given), cold)


def tell(event: Event, trace: Trace) -> None:
    """For what happens outside of a use case; there may be no container yet."""
    observe = log_lines.observe if _container is None else _container.tools.observe
    observe(event._replace(trace=trace))


def log_to(stream: TextIO, level: Level = "INFO") -> None:
    """Write the log there, from that level on."""
    log_lines.write_to(stream, level, stage())


def preload() -> None:
    """In Lambda, build it now, while more CPU is given; what is wrong is said by the first call."""
    if in_lambda():
        with suppress(Exception):
            container()


def override(replacement: Container | None) -> None:
    """Put another one in place, in tests; None builds anew at the next call."""
    global _container, _worked  # as above
    with _lock:
        _container, _worked = replacement, False
