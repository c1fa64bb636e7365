"""The watch over fakes: every fact becomes its alert, once a crossing, whatever fails."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app import app
from app import watch as handler
from chalicelib import bootstrap
from chalicelib.domain import codes
from chalicelib.domain.alert_settings import AlertSettings, Language, Robot, RobotKind
from chalicelib.domain.alert_texts import Message
from chalicelib.domain.alerts import LEASE, Alert, Kind, Thresholds
from chalicelib.domain.caps import CapCounter, Limits
from chalicelib.domain.errors import ServiceUnavailableError
from chalicelib.domain.events import Metric
from chalicelib.domain.packages import Package
from chalicelib.domain.robots import Answered
from chalicelib.domain.source import Assurance
from chalicelib.domain.stored_submission import StoredSubmission, SubmissionStatus
from chalicelib.domain.verification import CHINA
from chalicelib.services import watch as watching
from chalicelib.services.ports import Board, UnavailableError
from local_stack.events import scheduled
from tests.examples import NAME, NUMBER
from tests.fakes.alerts import FakeAlerts
from tests.fakes.clock import FakeClock
from tests.hook_sources import source_of
from tests.unit.conftest import OPS, SECRET, SHOP, World, make_world
from tests.unit.test_http import JSON, call, event

DINGTALK = Robot(RobotKind.DINGTALK, "https://ding.example/send?access_token=t0ken", "SEC1")
WECOM = Robot(RobotKind.WECOM, "https://wecom.example/send?key=t0ken")
RECEIVERS = ("topic", DINGTALK.id, WECOM.id)


def with_robots(world: World, language: Language = Language.EN) -> World:
    told = AlertSettings(language, (DINGTALK, WECOM))
    world.secrets.now = replace(SECRET, alerts=told)
    return world


@pytest.fixture
def watched(world: World) -> World:
    return with_robots(world)


def look(world: World) -> watching.Watched:
    return watching.watch(tools=world.tools, watching=world.watching)


def told(world: World) -> list[tuple[str, str]]:
    """Who was told which title since the last time, in no order."""
    found = [
        (receiver, message.text.partition("] ")[2].partition("\n")[0])
        for receiver, message in world.notifier.told
    ]
    world.notifier.told.clear()
    return sorted(found)


def everybody(*titles: str) -> list[tuple[str, str]]:
    return sorted((receiver, title) for receiver in RECEIVERS for title in titles)


def kinds(world: World) -> list[Kind]:
    return [alert.kind for alert in world.alerts.items.values() if alert.active]


def buy(world: World, calls: int, *, days: float = 365, name: str = "pkg_1") -> None:
    now = world.clock.now()
    bought = Package(name, calls, Decimal(30), now, now + timedelta(days=days))
    world.packages.items[name] = bought


def use(world: World, calls: int) -> None:
    today = world.clock.now().astimezone(CHINA).date()
    world.repository.days[today, "shop"] = Counter({"calls": calls, "billed#yes": calls})


def reject(world: World, source: str, number: int, reason: str = "fields_missing") -> None:
    for _ in range(number):
        serial = len(world.submissions.items)
        name = f"vrf_{serial:026}"
        world.submissions.items[name] = StoredSubmission(
            name,
            source,
            world.clock.now(),
            SubmissionStatus.REJECTED,
            reason,
            "",
            Assurance.SIGNED,
        )


class TestFacts:
    def test_a_low_balance(self, watched: World) -> None:
        buy(watched, 1000)
        use(watched, 799)
        assert look(watched) == (0, 0, 0)
        use(watched, 800)
        watched.clock.advance(60)
        assert look(watched) == (0, 0, 0), "it is counted every ten minutes only"
        watched.clock.advance(540)
        assert look(watched) == (1, 3, 0)
        ((_, message), *_) = watched.notifier.told
        assert "200 of 1000 calls are left" in message.text
        assert "worth 6.00 yuan" in message.text
        low = [one for one in watched.observer.events if one.name == "balance_low"]
        assert [one.metrics for one in low] == [{Metric.LOW_BALANCE: 1}]
        told(watched)
        watched.clock.advance(60)
        assert look(watched) == (1, 0, 0)
        buy(watched, 1000, name="pkg_2")
        watched.clock.advance(600)
        assert look(watched) == (0, 0, 0)
        use(watched, 1700)
        watched.clock.advance(600)
        assert look(watched) == (1, 3, 0)

    def test_a_package_that_expires(self, watched: World) -> None:
        buy(watched, 1000, days=8)
        assert look(watched) == (0, 0, 0)
        watched.clock.advance(days=1)
        assert look(watched) == (1, 3, 0)
        assert told(watched) == everybody("A package expires within 7 days")
        watched.clock.advance(days=7)
        assert look(watched) == (0, 0, 0)

    def test_thresholds_are_settings(self, watched: World) -> None:
        thresholds = Thresholds((50, 10), (30, 7), 3)
        watched.watching = replace(watched.watching, thresholds=thresholds)
        buy(watched, 1000, days=20)
        use(watched, 500)
        look(watched)
        assert told(watched) == everybody(
            "50 % or less of the calls are left", "A package expires within 30 days"
        )

    def test_a_cap(self, watched: World) -> None:
        watched.secrets.now = replace(
            watched.secrets.now,
            caps=Limits(month=100),
            clients=(replace(SHOP, caps=Limits(day=10)),),
        )
        day, month = CapCounter("2026-11-24", "shop"), CapCounter("2026-11", "*")
        watched.repository.caps = Counter({day: 9, month: 99})
        assert look(watched) == (0, 0, 0)
        watched.repository.caps[day] = 10
        assert look(watched) == (1, 3, 0)
        assert "shop made 10 calls in the day 2026-11-24" in watched.notifier.told[0][1].text
        watched.repository.caps[month] = 100
        assert look(watched) == (2, 3, 0)
        watched.clock.advance(days=1)
        assert look(watched) == (1, 0, 0), "the day is over, the month is not"
        watched.repository.caps[CapCounter("2026-11-25", "shop")] = 10
        assert look(watched) == (2, 3, 0)

    @pytest.mark.parametrize(
        ("code", "title"),
        [
            ("B403MQ", "The package is used up"),
            ("B403ME", "The package has expired"),
            ("B403OD", "The upstream account is in arrears"),
            ("A401AC", "The upstream refuses our AppCode"),
        ],
    )
    def test_a_cause_that_holds(self, watched: World, code: str, title: str) -> None:
        row = codes.find(code)
        mark = watched.secrets.now.appcode_mark
        for _ in range(2):
            watched.tools.breaker.note(row, watched.clock.now(), mark)
            assert look(watched) == (1, 3, 0)
            assert told(watched) == everybody(title)
            watched.tools.breaker.close()
            watched.clock.advance(1)
            assert look(watched) == (0, 0, 0)

    def test_another_appcode_ends_it(self, watched: World) -> None:
        mark = watched.secrets.now.appcode_mark
        watched.tools.breaker.note(codes.find("A401AC"), watched.clock.now(), mark)
        assert look(watched).active == 1
        watched.secrets.now = replace(watched.secrets.now, appcode="another")
        assert look(watched) == (0, 0, 0)

    def test_maintenance_begins_and_ends_and_begins(self, watched: World) -> None:
        row, mark = codes.find("0010"), watched.secrets.now.appcode_mark
        for _ in range(2):
            watched.tools.breaker.note(row, watched.clock.now(), mark)
            assert look(watched) == (1, 3, 0)
            assert told(watched) == everybody("The upstream is under maintenance")
            watched.clock.advance(301)
            watched.tools.breaker.note(row, watched.clock.now(), mark)
            assert look(watched) == (1, 0, 0), "it goes on, as the first call found out"
            watched.clock.advance(600)
            assert look(watched) == (0, 3, 0)
            assert told(watched) == everybody("The upstream's maintenance is over")
            assert look(watched) == (0, 0, 0)

    def test_unknowns(self, watched: World) -> None:
        watched.script([codes.NO_ANSWER, codes.NO_ANSWER])
        for key in ("k1", "k2"):
            with pytest.raises(Exception, match="never repeated"):
                watched.verify(key=key)
        watched.clock.advance(90)
        assert look(watched) == (1, 3, 0)
        text = watched.notifier.told[0][1].text
        assert "Verifications with an unknown outcome: 2, the oldest since 2026-11-24 12:00" in text

    def test_dead_letters(self, watched: World) -> None:
        watched.dead_letters.lying = {"a": 2, "b": 0}
        assert look(watched) == (1, 3, 0)
        watched.dead_letters.lying = {"a": 0, "b": 1}
        assert look(watched) == (1, 3, 0)

    def test_a_source_whose_entries_are_rejected(self, watched: World) -> None:
        watched.secrets.now = replace(
            watched.secrets.now, sources={"typeform-form": source_of("typeform")}
        )
        reject(watched, "typeform-form", 9, "fields_missing")
        reject(watched, "another", 20)
        assert look(watched) == (0, 0, 0)
        reject(watched, "typeform-form", 1, "length")
        assert look(watched) == (1, 3, 0)
        text = watched.notifier.told[0][1].text
        assert "Of the form typeform-form within an hour: entries not taken: 10" in text
        assert "most often: fields_missing" in text
        watched.clock.advance(3601)
        assert look(watched) == (0, 0, 0)

    def test_the_last_hour_may_have_begun_yesterday(self) -> None:
        world = with_robots(make_world(FakeClock(FakeClock().now() + timedelta(hours=11.75))))
        world.secrets.now = replace(
            world.secrets.now, sources={"typeform-form": source_of("typeform")}
        )
        reject(world, "typeform-form", 6)
        world.clock.advance(1800)
        reject(world, "typeform-form", 4)
        assert look(world).active == 1

    def test_a_flood_of_rejections_is_not_read_to_its_end(self, watched: World) -> None:
        watched.secrets.now = replace(
            watched.secrets.now, sources={"typeform-form": source_of("typeform")}
        )
        reject(watched, "typeform-form", 500)
        look(watched)
        assert "entries not taken: 200" in watched.notifier.told[0][1].text

    def test_a_source_whose_requests_are_not_let_in(self, watched: World) -> None:
        source = source_of("typeform")
        watched.secrets.now = replace(watched.secrets.now, sources={source.id: source})
        for _ in range(10):
            watching.note_refusal(source.id, tools=watched.tools, watching=watched.watching)
        assert look(watched) == (1, 3, 0)
        assert "requests not let in: 10" in watched.notifier.told[0][1].text


class TestWhatFails:
    def test_one_fact_that_is_missing_hides_no_other(self, watched: World) -> None:
        watched.dead_letters.lying = {"a": 2}
        look(watched)
        told(watched)
        watched.dead_letters.down = watched.packages.down = True
        watched.clock.advance(600)
        mark = watched.secrets.now.appcode_mark
        watched.tools.breaker.note(codes.find("B403MQ"), watched.clock.now(), mark)
        assert look(watched) == (2, 3, 0)
        assert told(watched) == everybody("The package is used up")
        assert watched.observer.names.count("watch_hindered") == 2

    def test_one_receiver_that_fails_keeps_no_other_from_being_told(self, watched: World) -> None:
        watched.notifier.broken = {DINGTALK.id}
        watched.dead_letters.lying = {"a": 1, "b": 1}
        assert look(watched) == (2, 4, 1)
        assert {receiver for receiver, _ in told(watched)} == {"topic", WECOM.id}
        assert look(watched) == (2, 0, 1)
        watched.notifier.broken = set()
        assert look(watched) == (2, 2, 0)
        assert told(watched) == [(DINGTALK.id, "Messages were given up")] * 2
        assert look(watched) == (2, 0, 0)

    def test_a_robot_whose_url_was_wrong_is_told_once_it_is_mended(self, watched: World) -> None:
        watched.notifier.broken = {DINGTALK.id}
        watched.dead_letters.lying = {"a": 1}
        assert look(watched) == (1, 2, 1)
        told(watched)
        mended = replace(DINGTALK, url="https://ding.example/send?access_token=right")
        settings = AlertSettings(Language.EN, (mended, WECOM))
        watched.secrets.now = replace(SECRET, alerts=settings)
        assert look(watched) == (1, 1, 0)
        assert told(watched) == [(mended.id, "Messages were given up")]
        assert look(watched) == (1, 0, 0)

    def test_a_text_that_is_never_taken_stops_no_other(
        self, watched: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        take = watched.notifier.to_robot

        def refusing(robot: Robot, message: Message) -> Answered:
            if robot == WECOM and "dead letters b:" in message.text:
                return Answered(ok=False, code="40058")
            return take(robot, message)

        monkeypatch.setattr(watched.notifier, "to_robot", refusing)
        watched.dead_letters.lying = {"a": 1, "b": 1, "c": 1}
        for _ in range(3):
            look(watched)
            watched.clock.advance(60)
        heard = {
            m.text.partition("dead letters ")[2][0]
            for r, m in watched.notifier.told
            if r == WECOM.id
        }
        assert heard == {"a", "c"}

    @pytest.mark.parametrize("part", ["secrets", "alerts"])
    def test_without_table_or_secret_nothing_moves(self, watched: World, part: str) -> None:
        watched.dead_letters.lying = {"a": 1}
        getattr(watched, part).down = True
        with pytest.raises(UnavailableError):
            look(watched)
        getattr(watched, part).down = False
        assert look(watched) == (1, 3, 0)

    def test_a_watcher_that_dies_while_telling(self, watched: World) -> None:
        watched.dead_letters.lying = {"a": 1}

        def die(message: Message) -> Answered:
            raise KeyboardInterrupt

        real, watched.notifier.to_topic = watched.notifier.to_topic, die  # type: ignore[method-assign]
        with pytest.raises(KeyboardInterrupt):
            look(watched)
        watched.notifier.to_topic = real  # type: ignore[method-assign]
        told(watched)
        watched.clock.advance(LEASE.total_seconds() - 1)
        assert look(watched) == (1, 0, 0)
        watched.clock.advance(1)
        assert look(watched) == (1, 3, 0)
        watched.clock.advance(1000)
        assert look(watched) == (1, 0, 0)

    def test_a_change_that_cannot_be_written_stops_no_other(self, watched: World) -> None:
        real, refused = watched.alerts.replace, [2, 4, 5]
        calls = iter(range(1, 99))

        def replace_alert(after: Alert, before: Alert | None) -> bool:
            if next(calls) in refused:
                raise UnavailableError("table: throttled")
            return real(after, before)

        watched.alerts.replace = replace_alert  # type: ignore[method-assign]
        watched.dead_letters.lying = {"a": 1, "b": 1, "c": 1}
        assert look(watched) == (2, 6, 0), "b was not written, and so not told"
        assert watched.observer.names.count("watch_hindered") == 3
        assert look(watched) == (3, 3, 0), "that a was told could be written at the third try"
        watched.clock.advance(LEASE.total_seconds())
        assert look(watched) == (3, 0, 0)

    def test_so_many_at_once_are_told_in_portions(self, watched: World) -> None:
        watched.dead_letters.lying = {f"q{n}": 1 for n in range(14)}
        assert look(watched) == (14, 30, 0)
        assert look(watched) == (14, 12, 0)
        assert look(watched) == (14, 0, 0)

    def test_a_round_ends_before_its_function_is_stopped(self, watched: World) -> None:
        real = watched.notifier.to_topic

        def slow(message: Message) -> Answered:
            watched.clock.advance(12)
            return real(message)

        watched.notifier.to_topic = slow  # type: ignore[method-assign]
        watched.secrets.now = replace(watched.secrets.now, alerts=None)
        watched.dead_letters.lying = {f"q{n}": 1 for n in range(5)}
        assert look(watched) == (5, 3, 0)
        assert look(watched) == (5, 2, 0)

    def test_nobody_is_there_to_be_told(self, world: World) -> None:
        world.notifier.topic = False
        world.dead_letters.lying = {"a": 1}
        assert look(world) == (1, 0, 0)
        with_robots(world)
        assert look(world) == (1, 0, 0), "whoever comes later is told what begins later"


class Meeting(FakeAlerts):
    """A table at which both watchers have looked before either writes."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self._both = threading.Barrier(2, timeout=5)

    def board(self) -> Board:
        found = super().board()
        self._both.wait()
        return found


class TestTwoWatchersAtOnce:
    def test_each_alert_is_told_once(self, watched: World) -> None:
        watched.alerts = Meeting(watched.clock)
        watched.watching = replace(watched.watching, alerts=watched.alerts)
        for lying in ({"a": 1, "b": 1, "c": 1}, {}, {"a": 1}):
            watched.dead_letters.lying = lying
            both = [threading.Thread(target=look, args=[watched]) for _ in range(2)]
            for one in both:
                one.start()
            for one in both:
                one.join()
            assert told(watched) == everybody(*["Messages were given up"] * len(lying))
            assert len(kinds(watched)) == len(lying)


QUEUES = ("a", "b", "c")
ROUND = st.tuples(
    st.frozensets(st.sampled_from(QUEUES)),
    st.frozensets(st.sampled_from(RECEIVERS)),
    st.integers(0, 200),
)


class Model:
    """What each receiver has to be told: the latest crossing of each queue that it was not."""

    def __init__(self) -> None:
        self.lying: frozenset[str] = frozenset()
        self.owed: dict[str, set[str]] = {receiver: set() for receiver in RECEIVERS}

    def round(self, lying: frozenset[str], broken: frozenset[str]) -> list[tuple[str, str]]:
        for receiver in self.owed:
            self.owed[receiver] |= lying - self.lying
        self.lying = lying
        found = [
            (receiver, queue)
            for receiver, owed in self.owed.items()
            if receiver not in broken
            for queue in owed
        ]
        for receiver in self.owed.keys() - broken:
            self.owed[receiver].clear()
        return sorted(found)


@given(st.lists(ROUND, max_size=12))
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_once_per_crossing_and_nothing_is_lost(
    rounds: list[tuple[frozenset[str], frozenset[str], int]],
) -> None:
    world, model = with_robots(make_world(FakeClock())), Model()
    last = rounds[-1][0] if rounds else frozenset[str]()
    for lying, broken, seconds in [*rounds, (last, frozenset[str](), 0)]:
        world.dead_letters.lying = {queue: int(queue in lying) for queue in QUEUES}
        world.notifier.broken = {*broken}
        look(world)
        seen = sorted(
            (receiver, queue)
            for receiver, message in world.notifier.told
            for queue in QUEUES
            if f"the dead letters {queue}:" in message.text
        )
        assert seen == model.round(lying, broken)
        world.notifier.told.clear()
        world.clock.advance(seconds)
    assert not any(model.owed.values())
    assert world.alerts.items.keys() == {(Kind.DEAD_LETTERS, queue) for queue in model.lying}


@pytest.fixture
def served(watched: World) -> Iterator[World]:
    bootstrap.override(watched.container())
    yield watched
    bootstrap.override(None)


OWNER = {"authorization": "Bearer ops-key"}


def get(path: str, headers: dict[str, str] = OWNER) -> Any:
    answer = call(event("GET", path, headers=headers))
    return answer["statusCode"], json.loads(answer["body"])


class TestOverHttp:
    def test_what_is_active_since_when(self, served: World) -> None:
        served.notifier.broken = {WECOM.id}
        served.dead_letters.lying = {"a": 1}
        assert handler(scheduled(), None) == {"active": 1, "sent": 2, "failed": 1}
        served.clock.advance(60)
        served.dead_letters.lying = {"a": 1, "b": 1}
        handler(scheduled(), None)
        _, found = get("/v1/alerts")
        assert found["items"] == [
            {
                "kind": "dead_letters",
                "about": queue,
                "since": since,
                "sent_at": since,
                "waiting": [WECOM.id],
            }
            for queue, since in (
                ("b", "2026-11-24T04:01:00.000Z"),
                ("a", "2026-11-24T04:00:00.000Z"),
            )
        ]
        served.dead_letters.lying = {}
        handler(scheduled(), None)
        assert get("/v1/alerts")[1] == {"items": []}

    def test_others_caps_are_not_everybodys_business(self, served: World) -> None:
        clients = tuple(replace(one, caps=Limits(day=1)) for one in SECRET.clients)
        served.secrets.now = replace(served.secrets.now, clients=clients, caps=Limits(day=1))
        today = "2026-11-24"
        owners = ("*", *(one.name for one in clients))
        served.repository.caps = Counter({CapCounter(today, who): 1 for who in owners})
        handler(scheduled(), None)
        abouts = {one["about"] for one in get("/v1/alerts", JSON)[1]["items"]}
        assert abouts == {f"{today}#*#1", f"{today}#shop#1"}
        assert len(get("/v1/alerts")[1]["items"]) == len(owners)

    def test_a_test_message_and_what_came_back(self, served: World) -> None:
        served.notifier.broken = {DINGTALK.id}
        before = served.secrets.refreshed
        answer = call(event("POST", "/v1/alerts/test", headers=OWNER))
        assert json.loads(answer["body"]) == {
            "receivers": [
                {"receiver": "topic", "host": None, "ok": True, "code": "0", "said": None},
                {
                    "receiver": DINGTALK.id,
                    "host": "ding.example",
                    "ok": False,
                    "code": "timeout",
                    "said": None,
                },
                {
                    "receiver": WECOM.id,
                    "host": "wecom.example",
                    "ok": True,
                    "code": "0",
                    "said": None,
                },
            ]
        }
        assert "t0ken" not in answer["body"]
        assert told(served) == [("topic", "A test message"), (WECOM.id, "A test message")]
        assert served.secrets.refreshed == before + 1
        assert not served.alerts.items

    def test_a_secret_that_cannot_be_read_now_is_not_tried(self, served: World) -> None:
        def down() -> Any:
            raise UnavailableError("secret: alerts.language: must be one of zh, en")

        served.secrets.refresh = down  # type: ignore[method-assign]
        answer = call(event("POST", "/v1/alerts/test", headers=OWNER))
        assert answer["statusCode"] == 503
        with pytest.raises(ServiceUnavailableError):
            watching.send_test(tools=served.tools, watching=served.watching)

    def test_a_hook_that_is_not_let_in_is_counted(self, served: World) -> None:
        source = source_of("typeform")
        served.secrets.now = replace(served.secrets.now, sources={source.id: source})
        for known in (source.id, "unknown"):
            answer = call(event("POST", "/hooks/{source}", body="{}", headers={}, source=known))
            assert answer["statusCode"] == 401
        assert served.alerts.refused.total() == 1
        served.alerts.down = True
        answer = call(event("POST", "/hooks/{source}", body="{}", headers={}, source=source.id))
        assert answer["statusCode"] == 401, "to have counted is not what it is for"

    def test_a_person_is_in_none_of_it(self, served: World) -> None:
        served.script([codes.NO_ANSWER])
        with pytest.raises(Exception, match="never repeated"):
            served.verify(name=NAME, id_number=NUMBER)
        handler(scheduled(), None)
        said = "".join(message.text for _, message in served.notifier.told)
        assert said
        assert NAME not in said + repr(served.alerts.items)
        assert NUMBER not in said + repr(served.alerts.items)


def test_the_routes_are_there() -> None:
    assert {"/v1/alerts", "/v1/alerts/test"} <= app.routes.keys()
    assert OPS.scopes == {"admin"}
