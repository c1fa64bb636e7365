"""What is told of the service's work: which lines, what stands in them, and what never does."""

import base64
import io
import json
import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app import app, row_worker, sender, splitter, sweep, watch, worker
from chalicelib import bootstrap
from chalicelib.adapters import log_lines
from chalicelib.domain import codes, events
from chalicelib.domain.batch_messages import encode as encode_row_message
from chalicelib.domain.codes import ROWS
from chalicelib.domain.errors import ServiceError
from chalicelib.domain.events import BY_RESULT, EVENTS, METRICS, Event, Metric
from chalicelib.domain.messages import Ask, Deliver, Repair, decode, encode
from chalicelib.domain.packages import Package
from chalicelib.domain.verification import Answer, DerivedFields, Person
from chalicelib.services.intake import RESEND_AFTER
from local_stack.events import created, scheduled
from tests.examples import NAME, NUMBER
from tests.fakes.clock import FakeClock
from tests.hook_payloads import build
from tests.hook_sources import source_of
from tests.unit.conftest import SECRET, World, make_world
from tests.unit.test_http import FORM, JSON, event

ROOT = Path(__file__).parents[2]
REQUEST = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"
CALLBACK = "https://shop.example/told?secret=word"
SOURCES = (source_of("typeform"), source_of("tally", mode="shadow"))


def start(world: World) -> World:
    """The app over the world, as a container is that was asked nothing yet."""
    world.secrets.now = replace(SECRET, sources={source.id: source for source in SOURCES})
    bootstrap.override(world.container())
    return world


@pytest.fixture
def served(world: World) -> Iterator[World]:
    yield start(world)
    bootstrap.override(None)


def requested(one: dict[str, Any]) -> dict[str, Any]:
    one["requestContext"]["requestId"] = REQUEST
    answer: dict[str, Any] = app(one, None)
    return answer


def ask(name: object = NAME, number: object = NUMBER, **headers: str) -> dict[str, Any]:
    body = {"name": name, "id_number": number}
    if "prefer" not in headers:
        body["callback_url"] = CALLBACK
    one = event("POST", "/v1/verifications", body=json.dumps(body), headers=JSON | headers)
    return requested(one)


def operate(method: str, path: str, body: object = None, **ids: Any) -> dict[str, Any]:
    """As an admin."""
    text = None if body is None else json.dumps(body)
    headers = JSON | {"authorization": "Bearer ops-key"}
    return requested(event(method, path, body=text, headers=headers, **ids))


def look(verification_id: str) -> dict[str, Any]:
    path = "/v1/verifications/{verification_id}"
    return requested(event("GET", path, headers=JSON, verification_id=verification_id))


def drop_in(**headers: str) -> dict[str, Any]:
    form = f"name={NAME}&idNo={NUMBER}"
    return requested(event("POST", "/idenAuthentication", body=form, headers=FORM | headers))


def form(world: World, vendor: str, source: str, **changes: Any) -> dict[str, Any]:
    hook = build(vendor, now=world.clock.now(), **changes)
    one = event(
        "POST", "/hooks/{source}", body=hook.body, headers=dict(hook.headers), source=source
    )
    one["requestContext"]["identity"] = {"sourceIp": hook.source_ip}
    return requested(one)


def work(world: World) -> None:
    """Let the worker have what is queued."""
    messages, world.queue.sent = world.queue.messages, []
    for message in messages:
        handed(encode(message))


def handed(body: str) -> None:
    record = {"messageId": "1", "body": body, "receiptHandle": "r", "attributes": {}}
    worker({"Records": [record]}, None)


# One scenario each: what is done, and the lines that it makes, in their order.


def completed(world: World) -> None:
    def slow(person: Person) -> Answer:
        world.clock.advance(0.25)
        return Answer("0000", "身份证信息匹配", "A-REQUEST")

    world.script([slow])
    ask()
    work(world)


def replayed(world: World) -> None:
    for _ in range(2):
        ask(**{"idempotency-key": "k"})


def failed_again(world: World) -> None:
    world.script(["I404NF"])
    for _ in range(2):
        ask(**{"idempotency-key": "k"})


def another_payload(world: World) -> None:
    for name in (NAME, "李四"):
        ask(name, **{"idempotency-key": "k"})


def reused(world: World) -> None:
    for _ in range(2):
        drop_in()


def unknown(world: World) -> None:
    world.script([codes.NO_ANSWER])
    ask()


def not_sent(world: World) -> None:
    world.script([codes.NOT_SENT] * 3)
    ask()


def no_quota(world: World) -> None:
    world.script(["B403MQ"])
    ask()
    ask()


def maintenance(world: World) -> None:
    world.script(["0010"])
    ask(prefer="respond-async")
    work(world)


def key_service_down(world: World) -> None:
    def down(person: Person) -> Answer:
        world.sealer.down = True
        return Answer("0000", person=DerivedFields(province="安徽省"))

    world.script([down])
    ask()


def table_down(world: World) -> None:
    world.repository.down = True
    ask()


def secret_down(world: World) -> None:
    world.secrets.down = True
    ask()
    form(world, "typeform", "typeform-form")


def check_character(world: World) -> None:
    ask(number=NUMBER[:-1] + ("0" if NUMBER[-1] != "0" else "1"))


def strangers(world: World) -> None:
    ask(authorization="Bearer nobody")
    drop_in(authorization="Bearer shop-key")
    form(world, "typeform", NAME)


def malformed(world: World) -> None:
    requested(event("POST", "/v1/verifications", body=f"{NAME}{NUMBER}", headers=JSON))


def elsewhere(world: World) -> None:
    requested(
        event("GET", "/v1/verifications/{verification_id}", headers=JSON, verification_id=NAME)
    )


def queued(world: World) -> None:
    ask(prefer="respond-async")
    work(world)


def queued_while_stopped(world: World) -> None:
    world.script(["B403MQ"])
    drop_in()
    ask(prefer="respond-async")
    work(world)


def given_up(world: World) -> None:
    queued_while_stopped(world)
    world.clock.advance(days=1)
    sweep(scheduled(), None)
    work(world)


def message_lost(world: World) -> None:
    world.queue.down = True
    ask(prefer="respond-async")
    world.queue.down = False
    world.clock.advance(RESEND_AFTER.total_seconds())
    sweep(scheduled(), None)


def died(world: World) -> None:
    class Killed(BaseException):
        pass

    def kill(person: Person) -> Answer:
        raise Killed

    world.script([kill])
    with pytest.raises(Killed):
        ask()
    world.clock.advance(91)
    sweep(scheduled(), None)


def repaired(world: World) -> None:
    def outage(person: Person) -> Answer:
        world.repository.down = True
        return Answer("0000", upstream_request_id="A-REQUEST")

    world.script([outage])
    ask()
    world.repository.down = False
    work(world)


def entries(world: World) -> None:
    for _ in range(2):
        form(world, "typeform", "typeform-form")
    form(world, "typeform", "typeform-form", dedupe="another", number="1")
    form(world, "tally", "tally-form")
    form(world, "typeform", "typeform-form", dedupe="third", form="other")


def deliveries_fail(world: World) -> None:
    world.callbacks.results.extend([500, 410])
    ask()
    work(world)
    world.clock.advance(10)
    sender(scheduled(), None)
    work(world)


def broken_messages(world: World) -> None:
    handed("{")
    ask(prefer="respond-async")
    world.sealer.down = True
    work(world)


def fault(world: World) -> None:
    def broken(person: Person) -> Answer:
        raise RuntimeError(f"{NAME} {NUMBER}")

    world.script([broken, broken])
    ask()
    drop_in()


def bought(world: World) -> None:
    world.script(["B403MQ"])
    ask()
    for _ in range(2):
        text = json.dumps({"calls": 5_000, "price": "149.00"})
        headers = JSON | {"authorization": "Bearer ops-key", "idempotency-key": "package-1"}
        requested(event("POST", "/v1/packages", body=text, headers=headers))
    (package,) = world.packages.items
    operate("DELETE", "/v1/packages/{package_id}", package_id=package)


def settled(world: World) -> None:
    world.script([codes.NO_ANSWER])
    ask()
    (found,) = world.repository.items
    path = "/v1/verifications/{verification_id}"
    body = {"billed": "yes", "action": "close"}
    operate("POST", f"{path}/resolve", body, verification_id=found)
    operate("DELETE", path, verification_id=found)
    operate("POST", "/v1/breaker/close")


def batch(world: World) -> None:
    """Paused by the upstream's quota, resumed by a human, then without a file that can be read."""
    batching: Any = bootstrap.container().batching()
    world.script(["B403MQ"])
    uploaded(f"姓名,身份证号\n{NAME},{NUMBER}\n")
    asked_by_row_worker(batching)
    operate("POST", "/v1/breaker/close")
    (found,) = batching.batches.items
    own("POST", "/v1/batches/{batch_id}/resume", batch_id=found)
    asked_by_row_worker(batching)
    uploaded("a,b\n")


def own(method: str, path: str, body: object = None, **ids: Any) -> dict[str, Any]:
    """As the client whose batch it is."""
    text = None if body is None else json.dumps(body)
    return requested(event(method, path, body=text, headers=JSON, **ids))


def uploaded(text: str) -> None:
    content = base64.b64encode(text.encode()).decode()
    made = own("POST", "/v1/batches", {"format": "csv", "content": content})
    key = f"uploads/{json.loads(made['body'])['id']}"
    splitter(created("a-bucket", key, len(text), "etag") | {"id": REQUEST}, None)


def asked_by_row_worker(batching: Any) -> None:
    while batching.rows.sent:
        handed_to_row_worker(encode_row_message(batching.rows.sent.pop(0)[0]))


def handed_to_row_worker(body: str) -> None:
    row_worker({"Records": [{"messageId": "1", "body": body}]}, None)


def alerted(world: World) -> None:
    world.packages.items["pkg_1"] = Package(
        "pkg_1", 1000, Decimal(30), world.clock.now(), world.clock.now() + timedelta(days=5)
    )
    world.dead_letters.down = True
    watch(scheduled(), None)


ENDED, REFUSED, V, B = "verification_ended", "refused", Metric.VERIFICATIONS, Metric.BILLED
FREE = Metric.REFUSED_BEFORE_PAY
Line = tuple[str, str | None, set[Metric]]
SCENARIOS: list[tuple[Callable[[World], None], list[Line]]] = [
    (completed, [(ENDED, "match", {V, B}), ("delivery_attempted", None, set())]),
    (replayed, [(ENDED, "no_record", {V, B}), ("replayed", None, set())]),
    (failed_again, [(ENDED, "upstream_rejected", {V}), ("replayed", None, set())]),
    (
        another_payload,
        [(ENDED, "no_record", {V, B}), (REFUSED, "idempotency_key_reused", {FREE})],
    ),
    (reused, [(ENDED, "no_record", {V, B}), (ENDED, "no_record", {V})]),
    (unknown, [(ENDED, "outcome_unknown", {V, Metric.UNKNOWNS})]),
    (not_sent, [(ENDED, "upstream_unreachable", {V})]),
    (
        no_quota,
        [
            (ENDED, "quota_exhausted", {V}),
            ("breaker_opened", None, {Metric.BREAKER_OPEN}),
            (REFUSED, "quota_exhausted", {FREE, Metric.BREAKER_OPEN}),
        ],
    ),
    (
        maintenance,
        [
            ("accepted", None, {Metric.ACCEPTED}),
            (ENDED, "upstream_maintenance", {V, Metric.QUEUED_AGAIN}),
            ("breaker_opened", None, {Metric.BREAKER_OPEN}),
        ],
    ),
    (
        key_service_down,
        [("person_not_kept", None, {Metric.PERSON_NOT_KEPT}), (ENDED, "match", {V, B})],
    ),
    (table_down, [(REFUSED, "service_unavailable", {FREE})]),
    (secret_down, [(REFUSED, "service_unavailable", {FREE})] * 2),
    (check_character, [(REFUSED, "check_character", {FREE})]),
    (strangers, [(REFUSED, "unauthenticated", {FREE})] * 3),
    (malformed, [(REFUSED, "malformed_request", {FREE})]),
    (elsewhere, [(REFUSED, "not_found", set())]),
    (queued, [("accepted", None, {Metric.ACCEPTED}), (ENDED, "no_record", {V, B})]),
    (
        queued_while_stopped,
        [
            (ENDED, "quota_exhausted", {V}),
            ("breaker_opened", None, {Metric.BREAKER_OPEN}),
            ("accepted", None, {Metric.ACCEPTED}),
            ("queued_again", None, {Metric.QUEUED_AGAIN, Metric.BREAKER_OPEN}),
        ],
    ),
    (
        given_up,
        [
            (ENDED, "quota_exhausted", {V}),
            ("breaker_opened", None, {Metric.BREAKER_OPEN}),
            ("accepted", None, {Metric.ACCEPTED}),
            ("queued_again", None, {Metric.QUEUED_AGAIN, Metric.BREAKER_OPEN}),
            ("queued_again", None, {Metric.QUEUED_AGAIN}),
            (ENDED, "quota_exhausted", {V}),
        ],
    ),
    (
        message_lost,
        [
            ("accepted", None, {Metric.ACCEPTED}),
            ("queued_again", None, {Metric.QUEUED_AGAIN}),
        ],
    ),
    (died, [(ENDED, "outcome_unknown", {V, Metric.UNKNOWNS})]),
    (repaired, [(ENDED, "match", {V, B}), ("repaired", None, set())]),
    (
        entries,
        [
            ("accepted", None, {Metric.ACCEPTED}),
            ("replayed", None, set()),
            ("submission_rejected", "length", {Metric.SUBMISSIONS_REJECTED}),
            ("submission_shadowed", None, set()),
            ("submission_ignored", None, set()),
        ],
    ),
    (
        deliveries_fail,
        [
            (ENDED, "no_record", {V, B}),
            ("delivery_attempted", None, set()),
            ("delivery_attempted", None, {Metric.DELIVERIES_FAILED}),
        ],
    ),
    (
        broken_messages,
        [
            ("fault", None, set()),
            ("accepted", None, {Metric.ACCEPTED}),
            ("message_given_back", None, set()),
        ],
    ),
    (fault, [("fault", None, set())] * 2),
    (
        batch,
        [
            ("batch_moved", None, set()),
            (ENDED, "quota_exhausted", {V}),
            ("breaker_opened", None, {Metric.BREAKER_OPEN}),
            ("batch_moved", None, set()),
            ("breaker_closed", None, set()),
            ("batch_moved", None, set()),
            (ENDED, "no_record", {V, B}),
            ("batch_moved", None, set()),
            ("batch_moved", None, set()),
        ],
    ),
    (
        settled,
        [
            (ENDED, "outcome_unknown", {V, Metric.UNKNOWNS}),
            ("resolved", None, set()),
            ("erased", None, set()),
            ("breaker_closed", None, set()),
        ],
    ),
    (
        alerted,
        [
            ("watch_hindered", None, set()),
            ("balance_low", None, {Metric.LOW_BALANCE}),
            ("alert_sent", None, set()),
        ],
    ),
    (
        bought,
        [
            (ENDED, "quota_exhausted", {V}),
            ("breaker_opened", None, {Metric.BREAKER_OPEN}),
            ("package_recorded", None, set()),
            ("breaker_closed", None, set()),
            ("package_removed", None, set()),
        ],
    ),
]


@pytest.mark.parametrize(("done", "lines"), SCENARIOS, ids=[one.__name__ for one, _ in SCENARIOS])
def test_each_path_makes_exactly_its_lines(
    served: World, done: Callable[[World], None], lines: list[Line]
) -> None:
    done(served)
    told = [(one.name, one.result, set(one.metrics)) for one in served.observer.events]
    assert told == lines


def told_of_everything() -> list[Event]:
    """What all scenarios tell, each in a world of its own."""
    told: list[Event] = []
    for done, _ in SCENARIOS:
        world = start(make_world(FakeClock()))
        done(world)
        told += world.observer.events
    bootstrap.override(None)
    return told


@pytest.fixture(scope="module")
def everything() -> list[Event]:
    return told_of_everything()


def written(told: list[Event], stage: str = "prod") -> list[dict[str, Any]]:
    """The lines, as the handler writes them."""
    return [json.loads(text) for text in texts(told, stage)]


def texts(told: list[Event], stage: str = "prod") -> list[str]:
    lines = log_lines.JsonLines(stage)
    records = [
        logging.LogRecord("eryaosu", logging.INFO, "", 0, "%s", (one,), None) for one in told
    ]
    return [lines.format(record) for record in records]


def test_every_kind_and_every_number_occurs(everything: list[Event]) -> None:
    assert {one.name for one in everything} | {"trouble"} == EVENTS.keys()
    assert {metric for one in everything for metric in one.metrics} == set(Metric) == METRICS.keys()
    for name, kind in EVENTS.items():
        seen = {m for one in everything if one.name == name for m, v in one.members.items() if v}
        optional = {"lacks", "reused_from", "retryable", "outcome", "problem"}
        assert name == "trouble" or kind.members - seen <= optional, name
        counted = {m for one in everything if one.name == name for m in one.metrics}
        assert counted == kind.metrics, name


def test_a_line_is_one_json_object(everything: list[Event]) -> None:
    for text in texts(everything):
        assert "\n" not in text
        assert text.isascii()
        line = json.loads(text)
        assert list(line)[:3] == ["time", "level", "event"]
        assert isinstance(line["cold"], bool)


UNITS = {"Count"}


def check_emf(line: dict[str, Any]) -> None:
    """CloudWatch's embedded metric format: its published JSON schema, in words of Python."""
    aws = line["_aws"]
    assert aws.keys() == {"Timestamp", "CloudWatchMetrics"}
    assert isinstance(aws["Timestamp"], int)
    for directive in aws["CloudWatchMetrics"]:
        assert directive.keys() == {"Namespace", "Dimensions", "Metrics"}
        assert directive["Namespace"] == "eryaosu"
        assert directive["Dimensions"]
        for dimensions in directive["Dimensions"]:
            assert len(dimensions) <= 30
            for name in dimensions:
                assert isinstance(line[name], str)
                assert 0 < len(line[name]) <= 250
        assert 0 < len(directive["Metrics"]) <= 100
        for metric in directive["Metrics"]:
            assert metric.keys() == {"Name", "Unit"}
            assert metric["Unit"] in UNITS
            assert isinstance(line[metric["Name"]], int)


def test_numbers_are_in_the_embedded_metric_format(everything: list[Event]) -> None:
    for one, line in zip(everything, written(everything), strict=True):
        assert ("_aws" in line) == bool(one.metrics)
        if one.metrics:
            check_emf(line)
            by_stage, *by_result = line["_aws"]["CloudWatchMetrics"]
            assert by_stage["Dimensions"] == [["Stage"]]
            assert {m["Name"] for m in by_stage["Metrics"]} == set(one.metrics)
            apart = BY_RESULT & one.metrics.keys()
            assert [{m["Name"] for m in d["Metrics"]} for d in by_result] == [apart] * bool(apart)


def test_there_are_few_results(everything: list[Event]) -> None:
    outcomes = {outcome.value for outcome in codes.Outcome}
    for one in everything:
        reasons = {error.reason for error in subclasses(ServiceError)}
        assert one.result in {None, *outcomes, *codes.PROBLEMS, *reasons}


def subclasses(root: type[ServiceError]) -> Iterator[type[ServiceError]]:
    for child in root.__subclasses__():
        yield child
        yield from subclasses(child)


def test_steps_are_timed_by_the_clock(served: World) -> None:
    completed(served)
    spent = dict.fromkeys(("secret", "read", "breaker", "claim", "seal", "write"), 0.0)
    steps = served.observer.events[0].members["ms"]
    assert steps == spent | {"ask": 250.0, "total": 250.0}


class TestWhereItComesFrom:
    def test_from_the_request_through_the_queue_to_the_delivery(self, served: World) -> None:
        answer = ask(prefer="respond-async")
        assert answer["headers"]["X-Correlation-Id"] == REQUEST
        assert served.queue.messages == [Ask(json.loads(answer["body"])["id"], REQUEST)]
        work(served)
        ask()
        (told,) = served.queue.messages
        assert isinstance(told, Deliver)
        work(served)
        traces = [one.trace for one in served.observer.events]
        assert [trace.correlation_id for trace in traces] == [REQUEST] * 4
        assert [trace.cold for trace in traces] == [True, False, False, False]

    @pytest.mark.parametrize("done", [done for done, _ in SCENARIOS if done is not broken_messages])
    def test_every_line_says_so(self, served: World, done: Callable[[World], None]) -> None:
        done(served)
        ids = {one.trace.correlation_id for one in served.observer.events}
        # What nobody asks for comes from a schedule.
        assert None not in ids

    def test_a_callers_own_is_not_taken(self, served: World) -> None:
        for name in ("x-correlation-id", "x-request-id", "x-amzn-trace-id"):
            answer = ask(**{name: f"{NAME}"})
            assert answer["headers"]["X-Correlation-Id"] == REQUEST

    @pytest.mark.parametrize("given", [NAME, "", "a b", "x" * 65, 7, None, {"a": 1}, "a\n"])
    def test_a_strange_one_is_dropped(self, served: World, given: object) -> None:
        one = event("GET", "/healthz")
        one["requestContext"]["requestId"] = given
        assert "X-Correlation-Id" not in app(one, None)["headers"]
        for message in (Ask("vrf_1"), Deliver("dlv_1"), Repair("vrf_1", "t", Answer("0000"))):
            text = json.dumps(json.loads(encode(message)) | {"correlation": given})
            assert decode(text) == message
            assert decode(encode(message)) == message
            traced = message._replace(correlation=REQUEST)
            assert decode(encode(traced)) == traced


RELAXED = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    max_examples=60,
)
HANS = st.text("赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨·", min_size=2, max_size=8)
DIGITS = st.text("0123456789", min_size=15, max_size=19)


@RELAXED
@given(
    name=HANS,
    number=DIGITS | st.just(NUMBER),
    code=st.sampled_from([*ROWS, "T429UR", "Z999ZZ"]),
    source=st.booleans(),
)
def test_no_line_tells_a_person(
    served: World, name: str, number: str, code: str, source: bool
) -> None:
    served.observer.taken()
    served.script([code])
    if source:
        form(served, "typeform", "typeform-form", name=name, number=number, dedupe=number)
    else:
        ask(name, number, **{"idempotency-key": f"key-{number}"})
    ask(number, name, prefer="respond-async", **{"idempotency-key": f"key-{number}"})
    look(number)
    work(served)
    told = served.observer.taken()
    assert told
    text = "".join(texts(told))
    assert number not in text
    for hidden in (name, number, "secret=word", "shop-key", SECRET.appcode, "shop.example"):
        assert json.dumps(hidden).strip('"') not in text


class TestTheLog:
    @pytest.fixture
    def log(self) -> Iterator[io.StringIO]:
        stream = io.StringIO()
        logger = logging.getLogger("eryaosu")
        before = logger.handlers[:], logger.level, logger.propagate
        log_lines.write_to(stream, "INFO", "prod")
        yield stream
        logger.handlers[:], logger.propagate = before[0], before[2]
        logger.setLevel(before[1])

    def test_an_event_is_one_line_and_nobody_writes_it_twice(self, log: io.StringIO) -> None:
        bootstrap.tell(events.fault("KeyError", "x.py:1"), events.Trace(REQUEST, cold=True))
        line = json.loads(log.getvalue())
        del line["time"]
        assert line == {
            "level": "ERROR",
            "event": "fault",
            "correlation_id": REQUEST,
            "cold": True,
            "error": "KeyError",
            "at": "x.py:1",
        }
        assert not logging.getLogger("eryaosu").propagate

    def test_a_level_leaves_the_rest_out(self, log: io.StringIO) -> None:
        log_lines.write_to(log, "ERROR", "prod")
        log_lines.observe(events.submission_ignored("a-form", "other_event"))
        assert not log.getvalue()

    def test_what_a_part_writes_itself_has_the_same_shape(self, log: io.StringIO) -> None:
        logging.getLogger("eryaosu").error("setting %s", "X: is not set")
        line = json.loads(log.getvalue())
        assert (line["event"], line["message"]) == ("trouble", "setting X: is not set")

    def test_an_exceptions_text_is_never_written(self, log: io.StringIO) -> None:
        logger = logging.getLogger("eryaosu")
        logger.error("Caught exception for path %s", "/hooks/a/token", exc_info=RuntimeError(NAME))
        line = json.loads(log.getvalue())
        assert line["message"] == "unhandled exception"
        assert "token" not in log.getvalue()

    def test_a_log_that_is_gone_harms_nobody(
        self, log: io.StringIO, capsys: pytest.CaptureFixture[str]
    ) -> None:
        log.close()
        log_lines.observe(events.fault("KeyError", "x.py:1"))
        assert capsys.readouterr() == ("", "")

    def test_a_broken_setting_is_named(
        self, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bootstrap.override(None)
        monkeypatch.delenv("UPSTREAM_URL", raising=False)
        requested(event("GET", "/healthz"))
        trouble, refused = map(json.loads, log.getvalue().splitlines())
        assert (trouble["event"], refused["event"]) == ("trouble", "refused")
        assert "UPSTREAM_URL: is not set" in trouble["message"]


DOCS = [ROOT / "docs" / name for name in ("observability.md", "observability.zh-CN.md")]


def between(text: str, mark: str) -> str:
    _, _, rest = text.partition(f"<!-- {mark} -->\n")
    found, mark_of_end, _ = rest.partition(f"<!-- /{mark} -->")
    assert mark_of_end
    return found


def table(text: str, mark: str) -> list[list[str]]:
    rows = between(text, mark).splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def shape(value: object) -> object:
    """Names and types; of a line's numbers also which."""
    if isinstance(value, dict):
        return {name: shape(member) for name, member in value.items()}
    if isinstance(value, list):
        return [one if isinstance(one, str) else shape(one) for one in value]
    return float if isinstance(value, int) and not isinstance(value, bool) else type(value)


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
class TestTheDocs:
    def test_every_event_and_every_number_is_listed(self, page: Path) -> None:
        text = page.read_text("utf-8")
        found = {row[0].strip("`"): row for row in table(text, "events")}
        assert list(found) == list(EVENTS)
        for name, row in found.items():
            assert set(re.findall(r"`(\w+)`", row[2])) == EVENTS[name].metrics
            assert "zh" in page.name or row[1] == EVENTS[name].says
        numbers = {row[0].strip("`"): row for row in table(text, "metrics")}
        assert list(numbers) == list(METRICS)
        for metric, says in METRICS.items():
            assert bool(numbers[metric][2]) == (metric in BY_RESULT)
            assert "zh" in page.name or numbers[metric][1] == says

    def test_its_lines_are_what_is_really_written(
        self, page: Path, everything: list[Event]
    ) -> None:
        shown = [
            json.loads(text)
            for text in between(page.read_text("utf-8"), "lines").splitlines()
            if text.startswith("{")
        ]
        assert [line["event"] for line in shown] == list(EVENTS)
        trouble = Event("trouble", "ERROR", {"message": "amiss"})
        real = [shape(line) for line in written([*everything, trouble])]
        for line in shown:
            assert shape(line) in real, line["event"]

    def test_its_queries_name_what_there_is(self, page: Path, everything: list[Event]) -> None:
        queries = "".join(re.findall(r"```text\n(.*?)```", page.read_text("utf-8"), re.DOTALL))
        members = {"level", "event", "cold", "correlation_id", "result", "@timestamp"}
        members |= {name for kind in EVENTS.values() for name in kind.members}
        steps = {step for line in written(everything) for step in line.get("ms", ())}
        named = set(re.findall(r"ms\.(\w+)", queries))
        assert named
        assert named <= steps
        fields = re.findall(r"fields (.*)", queries)
        assert {name for one in fields for name in one.split(", ")} <= members
