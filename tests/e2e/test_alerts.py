"""Every alert, from what brings it about to the text that a chat group and a mailbox get.

The mock's quota, clock and faults bring it about, over HTTP on a local stack. The watch runs here,
over the stack's AWS, with a clock that can be moved on; that the stack itself calls it is shown
once.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import requests

import app
from chalicelib import bootstrap
from chalicelib.bootstrap import SystemClock
from chalicelib.domain.verification import CHINA
from local_stack.events import scheduled
from tests.e2e.conftest import Running, container_of, start_stack, stop_stack, until, unused_number
from tests.e2e.forms import entry_of, fresh_entry, post, secret_with_forms, source_id, written
from tests.examples import NAME
from tests.hook_payloads import build
from tests.robot_server import KINDS, TOKEN, RobotServer

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

CAPPED_KEY = "a-key-of-the-capped-client"
SECONDS_OF_NO_SCHEDULE = "3600"


class Clock(SystemClock):
    """The service's, and the vendors', which can be moved on."""

    ahead = timedelta()

    def now(self) -> datetime:
        return super().now() + self.ahead

    def time(self) -> float:
        return self.now().timestamp()


@dataclass
class Place:
    """A stack, its owner's robots and mailbox, and the watch over it."""

    stack: Running
    robots: RobotServer
    sqs: "SQSClient"
    mailbox: str
    clock: Clock
    english: bool
    serial: Iterator[int]

    def watch(self) -> Any:
        return app.watch(scheduled(), None)

    def told(self) -> list[str]:
        """What was told since the last time: every receiver got the very same."""
        heard = self.robots.taken()
        texts = [one.text for one in heard if one.robot == KINDS[0]]
        for robot in KINDS:
            assert sorted(one.text for one in heard if one.robot == robot) == sorted(texts)
        assert sorted(self.mails()) == sorted(texts)
        for secret in (NAME, "1101011851", TOKEN):
            assert secret not in "".join(texts)
        return texts

    def mails(self) -> list[str]:
        found = []
        while received := self.sqs.receive_message(
            QueueUrl=self.mailbox, MaxNumberOfMessages=10
        ).get("Messages"):
            for one in received:
                envelope = json.loads(one["Body"])
                assert envelope["Subject"].startswith("[eryaosu ")
                found.append(envelope["Message"])
                self.sqs.delete_message(QueueUrl=self.mailbox, ReceiptHandle=one["ReceiptHandle"])
        return found

    def said(self, chinese: str, english: str) -> str:
        return english if self.english else chinese

    def alerted(self, chinese: str, english: str) -> str:
        """The one alert that is told now, once, with these words in it."""
        self.watch()
        (text,) = self.told()
        assert self.said(chinese, english) in text, text
        for _ in range(2):
            self.watch()
            assert self.told() == []
        return text

    def ask(self, key: str | None = None) -> Any:
        """One question about somebody new."""
        if key is None:
            return self.stack.verify(NAME, unused_number(next(self.serial)))
        return requests.post(
            f"{self.stack.api}/v1/verifications",
            json={"name": NAME, "id_number": unused_number(next(self.serial))},
            headers={"Authorization": f"Bearer {key}"},
            timeout=20,
        )

    def buy(self, calls: int, *, price: str = "3", days: float = 365) -> None:
        """Record a package, bought just now."""
        ends = (datetime.now(UTC) + timedelta(days=days)).isoformat()
        body = {"calls": calls, "price": price, "expires_at": ends}
        answer = self.stack.call("POST", "/v1/packages", body)
        assert answer.ok, answer.text

    def move_on(self, **by: float) -> None:
        self.clock.ahead += timedelta(**by)
        self.stack.admin("POST", "clock", {"today": f"{self.clock.now().astimezone(CHINA):%F}"})

    def mended(self) -> None:
        self.stack.close_breaker()
        self.watch()
        assert self.told() == []


def secret_with_robots(robots: RobotServer, language: str) -> dict[str, Any]:
    unmapped = entry_of("typeform", "unmapped", robots.url)
    unmapped["fields"] = {"name": "nowhere", "id_number": "nowhere-else"}
    secret = secret_with_forms(robots.url, unmapped=unmapped)
    secret["clients"].append(
        {
            "name": "capped",
            "key_sha256": [hashlib.sha256(CAPPED_KEY.encode()).hexdigest()],
            "scopes": ["verify"],
            "caps": {"day": 2},
        }
    )
    secret["alerts"] = robots.section(language)
    return secret


@pytest.fixture(scope="module", params=["zh", "en"])
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    folder, clock = tmp_path_factory.mktemp("alerts"), Clock()
    patch = pytest.MonkeyPatch()
    with RobotServer(now=clock.time) as robots:
        secret = written(secret_with_robots(robots, request.param), folder)
        arguments = ("--secret", secret, "--sweep-seconds", SECONDS_OF_NO_SCHEDULE)
        stack = start_stack(folder, *arguments, DEADLINE_SECONDS="4", LEASE_SECONDS="30")
        patch.setattr(bootstrap, "SystemClock", lambda: clock)
        with stack.sqs() as sqs, container_of(stack, patch):
            serial = iter(range(5000 if request.param == "zh" else 6000, 10_000))
            mailbox = subscribed(stack, sqs)
            english = request.param == "en"
            yield Place(stack, robots, sqs, mailbox, clock, english, serial)
        stop_stack(stack)
    patch.undo()


def subscribed(stack: Running, sqs: "SQSClient") -> str:
    """A queue that gets what a mailbox would."""
    url = sqs.create_queue(QueueName="mailbox")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    sns = boto3.client(
        "sns",
        endpoint_url=stack.env["AWS_ENDPOINT_URL"],
        region_name=stack.env["AWS_REGION"],
        aws_access_key_id="x",
        aws_secret_access_key="x",
    )
    with closing(sns):
        sns.subscribe(
            TopicArn=stack.env["ALERT_TOPIC_ARN"],
            Protocol="sqs",
            Endpoint=arn["Attributes"]["QueueArn"],
        )
    return url


@pytest.fixture
def _calm(place: Place) -> None:
    """Whatever went before, in whatever order: only what is new will be told."""
    place.stack.admin("POST", "reset", {})
    place.stack.close_breaker()
    place.clock.ahead = timedelta()
    place.robots.broken = set()
    place.watch()
    place.told()


@pytest.mark.usefixtures("_calm")
class TestEveryAlert:
    def test_the_quota_is_exhausted_and_again_when_it_recurs(self, place: Place) -> None:
        for _ in range(2):
            place.stack.admin("POST", "quota", {"total": 5, "used": 5})
            assert place.ask().json()["code"] == "quota_exhausted"
            place.alerted("套餐次数已用完", "The package is used up")
            place.mended()

    def test_the_package_has_expired(self, place: Place) -> None:
        place.stack.admin("POST", "quota", {"total": 5, "used": 0, "expires_at": "2020-01-01"})
        assert place.ask().json()["code"] == "package_expired"
        place.alerted("套餐已到期", "The package has expired")
        place.mended()

    @pytest.mark.parametrize(
        ("fault", "code", "chinese", "english"),
        [
            ("B403OD", "account_in_arrears", "上游账户欠费", "account is in arrears"),
            ("A401AC", "appcode_invalid", "上游不认 AppCode", "refuses our AppCode"),
        ],
    )
    def test_the_account_and_the_appcode(
        self, place: Place, fault: str, code: str, chinese: str, english: str
    ) -> None:
        place.stack.admin("POST", "faults", {"kind": f"gateway:{fault}", "times": 2})
        assert place.ask().json()["code"] == code
        place.alerted(chinese, english)
        place.mended()

    def test_a_cap_is_reached(self, place: Place) -> None:
        assert place.ask(CAPPED_KEY).ok
        place.watch()
        assert place.told() == []
        assert place.ask(CAPPED_KEY).ok
        assert place.ask(CAPPED_KEY).status_code == 429
        text = place.alerted("已达到用量上限", "A spending cap is reached")
        assert place.said("capped 在", "capped made 2 calls in the day") in text

    def test_unknown_outcomes_wait(self, place: Place) -> None:
        place.stack.admin("POST", "faults", {"kind": "reset", "times": 2})
        ids = [place.ask().json()["verification_id"] for _ in range(2)]
        text = place.alerted("结果未知", "Unknown outcomes wait")
        assert place.said("有 2 次", "outcome: 2,") in text
        for one in ids:
            settled = place.stack.call(
                "POST", f"/v1/verifications/{one}/resolve", {"billed": "no", "action": "close"}
            )
            assert settled.ok
        place.watch()
        assert place.told() == []
        place.stack.admin("POST", "faults", {"kind": "reset", "times": 1})
        place.ask()
        place.alerted("有 1 次", "outcome: 1,")

    def test_dead_letters_lie(self, place: Place) -> None:
        url = place.stack.env["DEAD_LETTERS_URL"]
        place.sqs.send_message(QueueUrl=url, MessageBody="{}")
        text = place.alerted("有消息处理不了", "Messages were given up")
        assert url.rpartition("/")[2] in text

    def test_a_form_whose_fields_are_wrong(self, place: Place) -> None:
        for _ in range(10):
            hook = build("typeform", now=datetime.now(UTC), dedupe=fresh_entry())
            assert post(place.stack.api, hook, "unmapped").ok
        text = place.alerted("表单 unmapped 出错", "The form unmapped fails")
        assert "fields_missing" in text

    def test_a_form_whose_secret_was_changed_at_one_end_only(self, place: Place) -> None:
        for _ in range(10):
            hook = build("tally", now=datetime.now(UTC), dedupe=fresh_entry())
            answer = requests.post(
                f"{place.stack.api}/hooks/{source_id('tally')}", data=hook.body, timeout=20
            )
            assert answer.status_code == 401
        text = place.alerted("表单 tally-form 出错", "The form tally-form fails")
        assert place.said("10 次请求未通过认证", "requests not let in: 10") in text


@pytest.mark.usefixtures("_calm")
class TestWhoIsTold:
    def test_a_robot_that_was_away_is_told_later_and_keeps_nobody_waiting(
        self, place: Place
    ) -> None:
        place.robots.broken = {"feishu"}
        place.stack.admin("POST", "quota", {"total": 5, "used": 5})
        place.ask()
        place.watch()
        assert sorted(one.robot for one in place.robots.taken()) == ["dingtalk", "wecom"]
        assert len(place.mails()) == 1
        place.watch()
        (alert,) = (
            one
            for one in place.stack.call("GET", "/v1/alerts").json()["items"]
            if one["kind"] == "quota_exhausted"
        )
        (waiting,) = alert["waiting"]
        assert waiting.startswith("feishu-")
        place.robots.broken = set()
        place.watch()
        assert [one.robot for one in place.robots.taken()] == ["feishu"]
        place.mended()

    def test_a_test_message(self, place: Place) -> None:
        place.robots.broken = {"dingtalk"}
        answer = place.stack.call("POST", "/v1/alerts/test")
        assert answer.ok, answer.text
        found = answer.json()["receivers"]
        assert [one["ok"] for one in found] == [True, False, True, True]
        assert (found[1]["code"], found[1]["said"]) == ("130101", "send too fast")
        assert {one["host"] for one in found[1:]} == {"127.0.0.1"}
        assert TOKEN not in answer.text
        texts = {one.text for one in place.robots.taken()} | set(place.mails())
        assert len(texts) == 1
        assert place.said("测试消息", "A test message") in texts.pop()


@pytest.mark.usefixtures("_calm")
class TestWithTime:
    """Time moves on for the watch and the vendors; the stack itself stays where it is."""

    def test_maintenance_begins_and_ends(self, place: Place) -> None:
        place.stack.admin("POST", "maintenance", {"on": True})
        assert place.ask().json()["code"] == "upstream_maintenance"
        place.alerted("上游正在维护", "under maintenance")
        place.stack.admin("POST", "maintenance", {"on": False})
        place.move_on(minutes=11)
        text = place.alerted("上游维护已结束", "maintenance is over")
        assert place.said("维护始于", "It had begun at") in text

    def test_few_calls_are_left_and_a_package_expires(self, place: Place) -> None:
        # What was paid for on the day of the purchase may have been taken from it.
        used = place.stack.call("GET", "/v1/usage").json()["total"]["billed"]["yes"]
        place.buy(used + 10)
        place.watch()
        assert place.told() == []
        for _ in range(8):
            assert place.ask().ok
        place.move_on(minutes=11)
        text = place.alerted("套餐余量已降到 20%", "20 % or less of the calls are left")
        total = used + 10
        assert place.said(f"还剩 2 次，共 {total} 次，合 ", f"2 of {total} calls are left") in text
        place.buy(10)
        place.move_on(minutes=11)
        place.watch()
        assert place.told() == []
        for _ in range(9):
            assert place.ask().ok
        place.move_on(minutes=11)
        text = place.alerted("套餐余量已降到 20%", "20 % or less of the calls are left")
        total += 10
        assert place.said(f"还剩 3 次，共 {total} 次", f"3 of {total} calls are left") in text
        place.buy(1000)
        place.move_on(minutes=11)
        place.watch()
        assert place.told() == []
        # It ends before all the others, so today's calls are taken from it.
        used = place.stack.call("GET", "/v1/usage").json()["total"]["billed"]["yes"]
        place.buy(500, price="15", days=8)
        place.move_on(minutes=11)
        place.watch()
        assert place.told() == []
        place.move_on(days=1)
        text = place.alerted("套餐将在 7 天内到期", "A package expires within 7 days")
        left = 500 - used
        yuan = f"{Decimal('0.03') * left:.2f}"
        assert (
            place.said(f"{left} 次，合 {yuan} 元", f"{left} calls left, worth {yuan} yuan") in text
        )


def test_the_stack_itself_keeps_watch(tmp_path: Path) -> None:
    with RobotServer() as robots:
        secret = written(secret_with_robots(robots, "zh"), tmp_path)
        stack = start_stack(tmp_path, "--secret", secret, "--sweep-seconds", "0.2")
        stack.admin("POST", "quota", {"total": 1, "used": 1})
        stack.verify(NAME, unused_number(9000))
        until(lambda: len(robots.heard) >= len(KINDS))
        heard = robots.taken()
        assert {one.robot for one in heard} == {*KINDS}
        assert all("套餐次数已用完" in one.text for one in heard)

        def active() -> Any:
            return stack.call("GET", "/v1/alerts").json()["items"]

        until(lambda: not active()[0]["waiting"])
        assert [one["kind"] for one in active()] == ["quota_exhausted"]
        stop_stack(stack)
