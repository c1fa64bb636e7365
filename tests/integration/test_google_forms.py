"""The script for Google Forms, run in node on stubs of Google's services, and our endpoint."""

import base64
import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from chalicelib import bootstrap
from chalicelib.domain.source_entry import read_sources
from chalicelib.domain.verification import Status
from tests.examples import NAME, NUMBER
from tests.fakes.clock import START, FakeClock
from tests.hook_payloads import WHSEC, Hook
from tests.unit.conftest import World, make_world
from tests.unit.test_webhooks import configure, only, post, run

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "integrations/google_forms/Code.gs"

SOURCE = "google-kyc"
ENTRY = {
    "vendor": "standard_webhooks",
    "secrets": [WHSEC],
    "fields": {"name": "/name", "id_number": "/id_number", "reference": "/reference"},
}
PROPERTIES = {
    "ENDPOINT": f"https://verify.example/hooks/{SOURCE}",
    "SECRET": WHSEC,
    "NAME_QUESTION": "姓名",
    "ID_NUMBER_QUESTION": "身份证号码",
    "REFERENCE_QUESTION": "订单",
}
NOW = int(START.timestamp() * 1000)
MINUTE = 60_000
MOST_PENDING = 200

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")


@dataclass(frozen=True)
class Seen:
    """What the script did."""

    requests: list[dict[str, Any]]
    mails: list[dict[str, str]]
    logs: list[str]
    errors: list[str]
    triggers: list[list[str]]
    properties: dict[str, str]
    most_stored: int

    @property
    def pending(self) -> list[dict[str, Any]]:
        return [
            json.loads(kept) for name, kept in self.properties.items() if name.startswith("pending")
        ]

    @property
    def hooks(self) -> list[Hook]:
        return [Hook(base64.b64decode(one["body"]), dict(one["headers"])) for one in self.requests]

    @property
    def ids(self) -> list[str]:
        return [one["headers"]["webhook-id"] for one in self.requests]


def response(number: int = 1, **answers: object) -> dict[str, Any]:
    return {
        "id": f"2_ABaOnud{number}",
        "at": NOW + number * 1000,
        "answers": {"姓名": NAME, "身份证号码": NUMBER, "订单": "order-9"} | answers,
    }


def submit(number: int = 1, **more: object) -> dict[str, object]:
    return {"call": "onSubmit", "response": f"2_ABaOnud{number}", **more}


def retry(after: float, **more: object) -> dict[str, object]:
    return {"call": "retry", "now": NOW + int(after * MINUTE), **more}


def play(
    *steps: Mapping[str, object],
    responses: int = 1,
    script: Path = SCRIPT,
    properties: Mapping[str, str] | None = None,
) -> Seen:
    """Let the script run; ``properties`` take the place of those of the same name."""
    scenario = {
        "now": NOW,
        "form": {"title": "实名登记", "responses": [response(n + 1) for n in range(responses)]},
        "properties": {**PROPERTIES, **(properties or {})},
        "steps": steps,
    }
    done = subprocess.run(
        ["node", ROOT / "tests/google_stubs.mjs", script],
        input=json.dumps(scenario),
        capture_output=True,
        text=True,
        check=True,
    )
    return Seen(**json.loads(done.stdout))


@pytest.fixture
def served() -> Iterator[World]:
    world = make_world(FakeClock())
    bootstrap.override(world.container())
    configure(world, read_sources({SOURCE: ENTRY})[SOURCE])
    yield world
    bootstrap.override(None)


def answered(hook: Hook) -> tuple[int, dict[str, Any]]:
    answer = post(hook, SOURCE)
    return answer["statusCode"], json.loads(answer["body"])


def test_set_up_installs_both_triggers_once() -> None:
    seen = play({"call": "setUp"}, {"call": "setUp"})
    assert seen.triggers == [["onSubmit", "form submit"], ["retry", "every 5 minutes"]]
    assert not seen.errors


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ENDPOINT", ""),
        ("ENDPOINT", "http://verify.example/hooks/x"),
        ("SECRET", "secret"),
        ("NAME_QUESTION", ""),
        ("ID_NUMBER_QUESTION", ""),
    ],
)
def test_set_up_names_what_is_missing(name: str, value: str) -> None:
    seen = play({"call": "setUp"}, properties={name: value})
    (error,) = seen.errors
    assert error.startswith(f"script property {name}: must be ")
    assert not seen.triggers


def test_from_the_form_to_the_outcome(served: World) -> None:
    seen = play(submit())
    (hook,) = seen.hooks
    assert seen.requests[0]["url"] == PROPERTIES["ENDPOINT"]
    assert not seen.requests[0]["follows"]
    status, body = answered(hook)
    assert (status, body["status"]) == (202, "accepted")
    assert run(served) == {"batchItemFailures": []}
    done = only(served)
    assert (done.status, done.reference) == (Status.COMPLETED, "order-9")
    assert done.submission == response()["id"]
    (asked,) = served.provider.asked
    assert (asked.name, asked.id_number) == (NAME, NUMBER)
    assert answered(hook) == (200, {"status": "duplicate", "id": done.id})
    assert not seen.properties.keys() - PROPERTIES.keys()


def test_another_library_accepts_the_signature() -> None:
    (hook,) = play(submit(now=None)).hooks
    key = base64.b64decode(WHSEC.removeprefix("whsec_"))
    moment = START.replace(tzinfo=None)
    signed = Webhook(key).sign(hook.headers["webhook-id"], moment, hook.body.decode())
    assert signed == hook.headers["webhook-signature"]


def test_what_was_tampered_with_is_refused(served: World) -> None:
    (hook,) = play(submit()).hooks
    other = hook.body.replace(NAME.encode(), "李四".encode())
    assert other != hook.body
    assert answered(replace(hook, body=other))[0] == 401
    for header in ("webhook-id", "webhook-timestamp"):
        headers = {**hook.headers, header: f"{hook.headers[header][:-1]}9"}
        assert answered(replace(hook, headers=headers))[0] == 401
    served.clock.advance(301)
    assert answered(hook)[0] == 401
    assert not served.repository.items


def test_a_question_that_was_left_empty_is_kept_by_the_service(served: World) -> None:
    (hook,) = play(submit(), properties={"NAME_QUESTION": "Name"}).hooks
    assert answered(hook) == (200, {"status": "rejected", "reason": "fields_missing"})
    (stored,) = served.submissions.items.values()
    assert stored.missing == ("name",)


@pytest.mark.parametrize("status", [0, 404, 429, 500, 503])
def test_a_failure_is_kept_and_tried_again(served: World, status: int) -> None:
    seen = play(
        submit(statuses=[status]),
        retry(4),  # not due yet
        retry(5, statuses=[status]),
        retry(14),  # the delay doubles
        retry(15),
        retry(30),  # delivered
    )
    first, second, third = seen.hooks
    assert len(set(seen.ids)) == 1
    assert first.body == second.body == third.body
    stamps = [int(hook.headers["webhook-timestamp"]) for hook in seen.hooks]
    assert [stamp - stamps[0] for stamp in stamps] == [0, 5 * 60, 15 * 60]
    assert len({hook.headers["webhook-signature"] for hook in seen.hooks}) == 3
    assert not seen.pending
    served.clock.advance(15 * 60)
    assert answered(third)[0] == 202


def test_what_is_kept_holds_no_person() -> None:
    seen = play(submit(statuses=[503]), retry(5, statuses=[0]))
    assert seen.pending == [
        {"id": response()["id"], "at": NOW + 1000, "tries": 2, "due": NOW + 15 * MINUTE}
    ]


def test_a_run_that_was_cut_off_is_made_up_for() -> None:
    kept = {"id": response()["id"], "at": NOW, "tries": 0, "due": NOW + 5 * MINUTE}
    seen = play(retry(5), properties={f"pending.{kept['id']}": json.dumps(kept)})
    assert seen.ids == [kept["id"]]
    assert not seen.pending


def test_a_wrong_secret_stops_it_until_it_is_set_up_again() -> None:
    seen = play(submit(statuses=[401]), submit(2), retry(60), retry(120), responses=2)
    assert len(seen.requests) == 1
    assert len(seen.pending) == 2
    (mail,) = seen.mails
    assert mail["to"] == "owner@forms.example"
    assert "401" in mail["body"]
    assert "setUp" in mail["body"]
    mended = play(
        submit(statuses=[401]), submit(2), {"call": "setUp"}, retry(5), retry(10), responses=2
    )
    assert sorted(mended.ids) == sorted([response(1)["id"], response(1)["id"], response(2)["id"]])
    assert not mended.pending


def test_it_gives_up_after_days_and_says_so() -> None:
    hours = [n / 12 for n in range(1, 12 * 24 * 4)]
    asked = [retry(60 * hour, statuses=[503]) for hour in hours]
    seen = play(submit(statuses=[503]), *asked)
    assert len(seen.requests) == 12
    stamps = [int(one["headers"]["webhook-timestamp"]) for one in seen.requests]
    assert timedelta(days=2) < timedelta(seconds=stamps[-1] - stamps[0]) < timedelta(days=3)
    assert not seen.pending
    (mail,) = seen.mails
    assert response()["id"] in mail["body"]
    assert "503" in mail["body"]


def test_what_is_kept_is_bounded_and_the_rest_is_found_again() -> None:
    many = MOST_PENDING + 60
    down = [submit(n + 1, statuses=[503]) for n in range(many)]
    seen = play(*down, responses=many)
    assert seen.most_stored == MOST_PENDING == len(seen.pending)
    again = play(*down, retry(5), retry(10), retry(15), responses=many)
    assert {*again.ids} == {response(n + 1)["id"] for n in range(many)}
    assert not again.pending
    assert not again.properties.keys() - PROPERTIES.keys()
    assert again.most_stored == MOST_PENDING


def test_a_response_that_was_deleted_holds_nothing_up() -> None:
    seen = play(
        submit(1, statuses=[503]),
        submit(2, statuses=[503]),
        retry(5, remove=[response(1)["id"]]),
        responses=2,
    )
    assert seen.ids == [response(n)["id"] for n in (1, 2, 2)]
    assert [kept["id"] for kept in seen.pending] == [response(1)["id"]]


def test_no_name_or_number_is_logged_or_mailed() -> None:
    seen = play(
        submit(statuses=[0]),
        *(retry(60 * hour, statuses=[500]) for hour in range(1, 24 * 4)),
        submit(2, statuses=[401]),
        responses=2,
    )
    assert len(seen.mails) == 2
    assert seen.logs
    told = json.dumps([seen.mails, seen.logs, seen.errors, seen.pending], ensure_ascii=False)
    for private in (NAME, NUMBER, NUMBER[-6:], "order-9", WHSEC, PROPERTIES["ENDPOINT"]):
        assert private not in told
    assert NAME.encode() in seen.hooks[0].body


def test_in_another_charset_the_names_would_be_lost(tmp_path: Path) -> None:
    """The stubs do as Apps Script does, or the tests above would prove nothing."""
    broken = tmp_path / "Code.gs"
    text = SCRIPT.read_text("utf-8")
    broken.write_text(text.replace("(text, 'UTF-8')", "(text, 'US-ASCII')"), "utf-8")
    (hook,) = play(submit(), script=broken).hooks
    assert json.loads(hook.body)["name"] == "??"
