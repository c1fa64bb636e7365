"""The composition root: adapters are built once a container, at the first call that needs them."""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, TextIO

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

if TYPE_CHECKING:
    from chalicelib.services.batch_ports import Batching
    from chalicelib.services.ports import Packages
    from chalicelib.services.watch_facts import Watching

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

# Blocks of megabytes take their time; checksums beside TLS's own would be one more header of an
# upload's address.
_S3 = _AWS.merge(
    Config(
        read_timeout=5,
        signature_version="s3v4",
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
)

_UNSEALED_SUBMISSION_DAYS = 30


def _without_batches() -> "Batching":
    raise LookupError("this container was built without batches")


def _without_packages() -> "Packages":
    raise LookupError("this container was built without packages")


def _without_watching() -> "Watching":
    raise LookupError("this container was built without alerts")


@dataclass(frozen=True, slots=True)
class Container:
    """Everything that an entrypoint hands to a use case.

    ``packages``, ``batching`` and ``watching`` are made when they are asked for: a paid call needs
    none of it.
    """

    tools: Tools
    policy: Policy
    packages: "Callable[[], Packages]" = _without_packages
    watching: "Callable[[], Watching]" = _without_watching
    batching: "Callable[[], Batching]" = _without_batches

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
    dynamodb, sqs = client("dynamodb"), client("sqs")
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
        queue=SqsQueue(sqs, settings.queue_url),
        outbox=DynamoOutbox(table, clock, record_days=settings.record_days),
        submissions=DynamoSubmissions(
            table, clock, days=settings.person_days or _UNSEALED_SUBMISSION_DAYS
        ),
        callbacks=HttpCallbacks(allow_loopback=settings.callback_allow_loopback),
        breaker=CachedBreaker(repository, clock),
        clock=clock,
        observe=log_lines.observe,
    )

    def packages() -> "Packages":
        from chalicelib.adapters.packages import DynamoPackages

        return DynamoPackages(table)

    @cache
    def batching() -> "Batching":
        # Most of what is called never meets a batch: neither these modules nor S3's model.
        from chalicelib.adapters import spreadsheet
        from chalicelib.adapters.batches import DynamoBatches
        from chalicelib.adapters.files import S3Files
        from chalicelib.adapters.row_queue import SqsRowQueue
        from chalicelib.services.batch_ports import Batching

        return Batching(
            DynamoBatches(table, clock, record_days=settings.record_days),
            S3Files(lambda: client("s3", _S3), settings.bucket_name, settings.kms_key_id),
            SqsRowQueue(sqs, settings.rows_queue_url),
            lambda file, layout: spreadsheet.rows(file, **asdict(layout)),
        )

    @cache
    def watching() -> "Watching":
        from chalicelib.adapters.alerts import DynamoAlerts
        from chalicelib.adapters.dead_letters import SqsDeadLetters
        from chalicelib.adapters.notifier import ROBOT_SECONDS, SnsAndRobots
        from chalicelib.domain.alerts import Thresholds
        from chalicelib.services.watch_facts import Watching

        robots = HttpCallbacks(
            allow_loopback=settings.callback_allow_loopback, seconds=ROBOT_SECONDS
        )
        return Watching(
            alerts=DynamoAlerts(table, clock),
            notifier=SnsAndRobots(lambda: client("sns"), settings.alert_topic_arn, robots, clock),
            dead_letters=SqsDeadLetters(lambda: client("sqs"), settings.dead_letters_urls),
            packages=packages(),
            thresholds=Thresholds(
                settings.alert_low_balance_percent,
                settings.alert_expiry_days,
                settings.alert_source_failures,
            ),
            stage=stage(),
        )

    return Container(tools, policy_of(settings), packages, watching, batching)


def _clients() -> Callable[..., Any]:
    """Makes AWS's clients: botocore's are boto3's, and start faster without what is around."""
    session = Session()
    if session.get_config_variable("region") is None:
        raise SettingsError("AWS_DEFAULT_REGION: is not set; it is the region of the stage")
    return lambda service, config=_AWS: session.create_client(service, config=config)


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
