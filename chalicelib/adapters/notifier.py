"""The way out to whoever is told: a topic of SNS, and chat robots over guarded HTTP."""

from functools import cached_property
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.adapters import faults
from chalicelib.domain import robots
from chalicelib.domain.alert_settings import Robot
from chalicelib.domain.alert_texts import Message
from chalicelib.domain.robots import Answered
from chalicelib.services.ports import Callbacks, Clock

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_sns import SNSClient

ROBOT_SECONDS = 5.0
"""For one post: people wait for the test, and other alerts for this one."""


class SnsAndRobots:
    """The notifier; without a topic's ARN there are robots alone.

    ``make_client`` makes the low-level SNS client at the first message; its timeouts bound a
    call. ``callbacks`` sees to it that robots are at public addresses.
    """

    def __init__(
        self,
        make_client: "Callable[[], SNSClient]",
        topic_arn: str | None,
        callbacks: Callbacks,
        clock: Clock,
    ) -> None:
        self._make_client = make_client
        self._topic_arn = topic_arn
        self._callbacks = callbacks
        self._clock = clock

    @cached_property
    def _client(self) -> "SNSClient":
        return self._make_client()

    @property
    def has_topic(self) -> bool:
        """Whether there is a topic."""
        return self._topic_arn is not None

    def to_topic(self, message: Message) -> Answered:
        """Publish it; takes seconds at most, never raises."""
        try:
            self._client.publish(
                TopicArn=self._topic_arn or "", Subject=message.subject, Message=message.text
            )
        except ClientError as exc:
            code = exc.response["Error"]["Code"]
            said = faults.with_mend(code, "ALERT_TOPIC_ARN", self._client)
            return Answered(ok=False, code=code, said=None if said == code else said)
        except BotoCoreError as exc:
            return Answered(ok=False, code=type(exc).__name__)
        return Answered(ok=True, code="200")

    def to_robot(self, robot: Robot, message: Message) -> Answered:
        """Post it to a chat robot; the same."""
        url, body = robots.post(robot, message.text, self._clock.now())
        return robots.answered(robot, self._callbacks.post(url, {}, body))
