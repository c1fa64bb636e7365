"""docs/forms.md in both languages: complete, equal, and each of its commands does what it says."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal

import pytest
import requests

from app import app
from chalicelib import bootstrap
from chalicelib.adapters.callbacks import HttpCallbacks
from chalicelib.bootstrap import Container
from chalicelib.domain import delivery, errors, source_entry
from chalicelib.domain.callback import read_whsec
from chalicelib.domain.codes import Billed, Outcome
from chalicelib.domain.secret import parse
from chalicelib.domain.source_entry import VENDORS, read_sources
from chalicelib.domain.standard_webhooks import sign
from chalicelib.domain.submission import Reason
from chalicelib.domain.verification import Status, Verification
from chalicelib.entrypoints.forms import registry
from chalicelib.services.verify import Tools
from local_stack import __main__ as local_stack
from local_stack.gateway import ApiServer
from tests.e2e.conftest import until
from tests.fakes.clock import FakeClock
from tests.hook_payloads import NOW, build
from tests.hook_sources import request_of, source_of
from tests.unit.conftest import World, make_world
from tests.unit.test_webhooks import run

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
Language = Literal["en", "zh"]
PAGES: dict[Language, Path] = {"en": DOCS / "forms.md", "zh": DOCS / "forms.zh-CN.md"}
SECRET = (DOCS / "forms-secret.json").read_text("utf-8")
SOURCES = json.loads(SECRET)["sources"]
ADDRESS = "http://127.0.0.1:8000"
NAME, NUMBER = "王建国", "110104185303050217"
FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
MODULES = ROOT / ".peers/node_modules"

both = pytest.mark.parametrize("language", PAGES)
needs_shell = pytest.mark.skipif(
    not all(shutil.which(tool) for tool in ("bash", "curl", "openssl")),
    reason="bash, curl or openssl is not installed",
)


@cache
def page(language: Language) -> str:
    return PAGES[language].read_text("utf-8")


def prose(language: Language) -> str:
    return FENCED.sub("", page(language))


def marked(mark: str) -> list[str]:
    """Give the code between two marks of the English page; the Chinese one has the same."""
    found = re.search(rf"<!-- {mark} -->\n(.*?)<!-- /{mark} -->", page("en"), re.DOTALL)
    assert found, mark
    return [code for _, code in FENCED.findall(found[1])]


def rows(language: Language, head: str) -> list[list[str]]:
    """Give the cells of the table that begins with a head (of both languages, by its place)."""
    tables = re.findall(r"(?:^\|.*\|\n)+", prose("en"), re.MULTILINE)
    place = next(i for i, table in enumerate(tables) if table.startswith(f"| {head} |"))
    table = re.findall(r"(?:^\|.*\|\n)+", prose(language), re.MULTILINE)[place]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]]


def quoted(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def sections() -> dict[str, list[tuple[str, str]]]:
    """The code of each vendor's section."""
    found = {}
    for section in re.split(r"^##+ ", page("en"), flags=re.MULTILINE):
        blocks = FENCED.findall(section)
        entries = [code for kind, code in blocks if kind == "json" and code.startswith('"kyc-')]
        if entries:
            (entry,) = entries
            ((name, source),) = json.loads("{" + entry + "}").items()
            assert SOURCES[name] == source, name
            assert source["vendor"] not in found
            found[source["vendor"]] = [(kind, code) for kind, code in blocks if kind == "sh"]
    return found


def command_of(vendor: str) -> str:
    return sections()[vendor][-1][1]


class TestThePages:
    def test_they_are_equal_but_for_the_language(self) -> None:
        english, chinese = (FENCED.findall(page(language)) for language in PAGES)
        for here, there in zip_longest(english, chinese):
            assert here == there
        for pattern in (
            r"^(#+) ",  # headings
            r"^(- |\d\. )",  # points and steps
            r"^(\|)",  # rows
            r"\]\(((?!#)[^)]*?)(?:\.zh-CN)?(?:\.md)?(?:#[^)]*)?\)",  # links
            r"<!-- (.*?) -->",
        ):
            found = [re.findall(pattern, prose(language), re.MULTILINE) for language in PAGES]
            assert found[0] == found[1], pattern
            assert found[0]

    @both
    def test_every_link_within_the_page_leads_somewhere(self, language: Language) -> None:
        headings = re.findall(r"^#+ (.*)$", prose(language), re.MULTILINE)
        anchors = {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}
        links = re.findall(r"\]\(#([^)]+)\)", prose(language))
        assert len(links) > 25
        assert set(links) <= anchors

    @both
    def test_the_first_screen_says_what_is_needed(self, language: Language) -> None:
        first = "\n".join(page(language).splitlines()[:22])
        for told in ("https://", "`sources`", "/hooks/<"):
            assert told in first

    @both
    def test_every_vendor(self, language: Language) -> None:
        told = {quoted(cells[1])[0]: quoted(cells[2]) for cells in rows(language, "sender")}
        assert tuple(told) == VENDORS
        assert sections().keys() == told.keys()
        for vendor, assurances in told.items():
            request, source = request_of(build(vendor)), source_of(vendor)
            assert registry.authenticate(request, source, NOW) == assurances[0], vendor

    @both
    def test_every_member_of_a_source(self, language: Language) -> None:
        told = {quoted(cells[0])[0]: cells[1:3] for cells in rows(language, "member")}
        everybodys = {"vendor", "fields", "callback", "max_age_seconds", "mode", "allow_ips"}
        everybodys |= {"caps"}
        nested = {"fields.name", "fields.id_number", "fields.reference"}
        nested |= {"callback.url", "callback.secret"}
        rules = source_entry._VENDORS
        own = {member for rule in rules.values() for member in (*rule.required, *rule.optional)}
        assert told.keys() == everybodys | nested | own | {"secrets"}
        for member in own:
            required = [vendor for vendor, rule in rules.items() if member in rule.required]
            optional = [vendor for vendor, rule in rules.items() if member in rule.optional]
            assert [sorted(quoted(cell)) for cell in told[member]] == [
                sorted(required),
                sorted(optional),
            ], member
        without = [vendor for vendor, rule in rules.items() if rule.secret is None]
        assert quoted(told["secrets"][0]) == without

    def test_the_entry_that_shows_all_is_taken(self) -> None:
        (entry,) = marked("source")
        (source,) = read_sources(json.loads("{" + entry + "}")).values()
        assert len(source.secrets) == 2
        assert source.callback
        assert all(source.caps)

    def test_the_members_that_the_configuration_page_shows(self) -> None:
        text = (DOCS / "configuration.md").read_text("utf-8")
        (shown,) = re.findall(r'^```json\n("clients".*?)^```$', text, re.DOTALL | re.MULTILINE)
        digits, key = json.dumps(["0" * 64]), SOURCES["kyc-standard-webhooks"]["secrets"][0]
        shown = re.sub(r'\["64 hex .*?"\]', digits, shown).replace("whsec_…", key)
        whole = json.loads(SECRET) | json.loads("{" + shown + "}")
        secret = parse(json.dumps(whole))
        (client,) = secret.clients
        assert client.callback is not None
        assert client.caps.day
        assert secret.caps.month
        members = {*whole["clients"][0], "max_age_seconds"}
        members |= {f"callback.{member}" for member in whole["clients"][0]["callback"]}
        assert members == set(re.findall(r"^\| `clients\[\]\.(\S+)`", text, re.MULTILINE))

    @both
    def test_every_reason(self, language: Language) -> None:
        told = {reason for cells in rows(language, "reason") for reason in quoted(cells[0])}
        of_people = {
            kind.reason or kind.code
            for base in (errors.PersonNameError, errors.ResidentIdError)
            for kind in leaves(base)
        }
        unmapped = {Reason.FIELDS_MISSING, Reason.MALFORMED_BODY, Reason.DEDUPE_MISSING}
        assert told == of_people | unmapped | {
            Reason.SEVERAL_RECORDS,
            errors.MalformedRequestError.code,
            errors.TestIdentityError.code,
        }

    @both
    def test_the_schedule_of_results(self, language: Language) -> None:
        units = {"s": 1, "min": 60, "h": 3600, "秒": 1, "分": 60, "小时": 3600}
        told = re.search(
            r"^- (?:Attempts|尝试时间)(.*?)(?:after the|，每次)",
            page(language),
            re.MULTILINE | re.DOTALL,
        )
        assert told
        delays = re.findall(r"(\d+) (s|min|h|秒|分|小时)", told[1])
        seconds = [int(number) * units[unit] for number, unit in delays]
        assert seconds == [delay.total_seconds() for delay in delivery.SCHEDULE[1:]]

    @both
    def test_the_properties_of_the_script(self, language: Language) -> None:
        script = (ROOT / "integrations/google_forms/Code.gs").read_text("utf-8")
        told = [quoted(cells[0])[0] for cells in rows(language, "property")]
        read = re.findall(r"read\('(\w+)'", script)
        assert sorted(told) == sorted([*read, "REFERENCE_QUESTION"])
        (most,) = re.findall(r"MOST_PENDING = (\d+);", script)
        assert f" {most} " in page(language)

    def test_what_starts_the_local_stack(self) -> None:
        (command,) = marked("start")
        assert command.startswith("python -m local_stack ")
        options = local_stack._options(command.split()[3:])
        assert local_stack._secret(ROOT / options.secret) == SECRET

    def test_what_a_result_looks_like(self) -> None:
        (shown,) = marked("payload")
        now = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)
        told = json.loads(shown)
        verification = Verification(
            id=told["data"]["verification_id"],
            client="kyc",
            created_at=now,
            status=Status.COMPLETED,
            outcome=Outcome.MATCH,
            resp_code="0000",
            ended_at=now,
            reference="order-9",
            submission="try-2",
        )
        real = json.loads(delivery.payload(replace(verification)))
        assert real["data"] | {"billed": "yes"} == told["data"]
        assert real.keys() == told.keys()

    @needs_shell
    def test_the_keys_that_are_made_can_be_used(self) -> None:
        (command,) = marked("keys")
        token, secret = shell(command).split()
        entry = {**SOURCES["kyc-url-token"], "secrets": [token]}
        assert read_sources({"one": entry})["one"].secrets == (token.encode(),)
        assert len(read_whsec(secret, "secret")) == 32


def leaves(base: type[errors.RequestError]) -> Iterator[type[errors.RequestError]]:
    below = base.__subclasses__()
    if not below:
        yield base
    for kind in below:
        yield from leaves(kind)


def shell(command: str) -> str:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


@pytest.fixture(scope="module")
def api() -> Iterator[str]:
    """The app on a port, as the local stack has it."""
    kind = app.__class__
    server = ApiServer(app).start()
    yield server.url
    server.stop()
    app.__class__ = kind


@pytest.fixture
def world() -> Iterator[World]:
    """Fakes in the place of AWS and the upstream, and the page's own secret."""
    world = make_world(FakeClock(datetime.now(UTC)))
    world.secrets.now = parse(SECRET)
    world.provider.people = {NUMBER: NAME}
    with serving(world, world.tools):
        yield world


@contextmanager
def serving(world: World, tools: Tools) -> Iterator[None]:
    bootstrap.override(Container(tools, world.policy))
    yield
    bootstrap.override(None)


def obey(api: str, command: str) -> str:
    assert ADDRESS in command
    return shell(command.replace(ADDRESS, api))


def accepted(vendor: str, answer: str) -> bool:
    if vendor in {"fanqier", "feishu"}:
        return answer == {"fanqier": "success", "feishu": "{}"}[vendor]
    body: dict[str, str] = json.loads(answer)
    return body.keys() == {"status", "id"} and body["status"] == "accepted"


@needs_shell
class TestTheCommands:
    @pytest.mark.parametrize("vendor", VENDORS)
    def test_each_vendors_entry_is_taken_and_asked_once(
        self, api: str, world: World, vendor: str
    ) -> None:
        command = command_of(vendor)
        assert accepted(vendor, obey(api, command))
        assert run(world) == {"batchItemFailures": []}
        (done,) = world.repository.items.values()
        assert (done.status, done.outcome, done.billed) == (
            Status.COMPLETED,
            Outcome.MATCH,
            Billed.YES,
        )
        source = SOURCES[done.client]
        assert source["vendor"] == vendor
        assert (done.reference is not None) == ("reference" in source["fields"])
        again = obey(api, command)
        if vendor not in {"fanqier", "feishu"}:
            assert json.loads(again) == {"status": "duplicate", "id": done.id}
        world.queue.sent = [sent for sent in world.queue.sent if "Ask" in repr(sent)]
        run(world)
        assert len(world.provider.asked) == 1
        assert not world.submissions.items

    @pytest.mark.parametrize("vendor", VENDORS)
    def test_with_another_secret_it_is_refused(self, api: str, world: World, vendor: str) -> None:
        """The command's own signing is what opens the door."""
        command = command_of(vendor)
        source = SOURCES[f"kyc-{vendor.replace('_', '-')}"]
        secret = (source.get("secrets") or [source["verification_token"]])[0]
        assert secret in command
        wrong = command.replace(secret, secret[:-2] + ("AA" if secret[-2:] != "AA" else "BB"))
        assert json.loads(obey(api, wrong))["code"] == "unauthenticated"
        assert not world.repository.items

    def test_the_challenge_of_feishu(self, api: str, world: World) -> None:
        (_, command), _ = sections()["feishu"]
        assert json.loads(obey(api, command)) == {"challenge": "ajls384kdjx98XX"}

    def test_the_first_one_and_what_came_of_it(self, api: str, world: World) -> None:
        command, shown = marked("first")
        answer = json.loads(obey(api, command))
        told = json.loads(shown)
        assert answer.keys() == told.keys()
        assert (answer["status"], len(answer["id"])) == (told["status"], len(told["id"]))
        run(world)
        (look,) = marked("look")
        (found,) = json.loads(obey(api, look))["items"]
        assert (found["id"], found["outcome"]) == (answer["id"], "match")

    def test_a_wrong_mapping_is_mended_and_replayed(self, api: str, world: World) -> None:
        mended = world.secrets.now
        entry = SOURCES["kyc-tally"] | {"fields": {"name": "nom", "id_number": "身份证号码"}}
        broken = read_sources({"kyc-tally": entry})
        world.secrets.now = replace(mended, sources={**mended.sources, **broken})
        answer = json.loads(obey(api, command_of("tally")))
        assert answer == {"status": "rejected", "reason": "fields_missing"}
        (rejected,), (replay,) = marked("rejected"), marked("replay")
        (item,) = json.loads(obey(api, rejected))["items"]
        assert (item["missing"], item["assurance"]) == (["name"], "signed")
        assert json.loads(obey(api, replay))["status"] == "rejected"
        world.secrets.now = mended
        replayed = json.loads(obey(api, replay))
        assert (replayed["id"], replayed["status"]) == (item["id"], "replayed")
        run(world)
        (done,) = world.repository.items.values()
        assert (done.id, done.outcome) == (item["id"], Outcome.MATCH)

    def test_shadow_mode_as_it_is_told(self, api: str, world: World) -> None:
        entry = SOURCES["kyc-tally"] | {"mode": "shadow"}
        secret = world.secrets.now
        world.secrets.now = replace(secret, sources=read_sources({"kyc-tally": entry}))
        answer = obey(api, command_of("tally"))
        shown = [text for cells in rows("en", "what happened") for text in quoted(cells[2])]
        assert answer in shown
        found = requests.get(
            f"{api}/v1/submissions?source=kyc-tally",
            headers={"Authorization": "Bearer local-dev-key"},
            timeout=10,
        ).json()["items"]
        assert [(one["reason"], one["name"]) for one in found] == [("would_be_verified", "王**")]
        assert not world.repository.items

    @both
    def test_every_answer_in_the_table_is_one(self, language: Language) -> None:
        told = {
            json.loads(text.replace("…", "x"))["status"]
            for cells in rows(language, "what happened")
            for text in quoted(cells[2])
        }
        assert told == {"accepted", "duplicate", "rejected", "ignored"}


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port: int = listener.getsockname()[1]
        return port


def connected(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def receiver(folder: Path, language: str, port: int) -> Iterator["subprocess.Popen[str]"]:
    """The page's program, on another port."""
    (text,) = marked(f"receiver-{language}")
    assert "9000" in text
    file = folder / {"python": "receiver.py", "node": "receiver.mjs"}[language]
    file.write_text(text.replace("9000", str(port)), "utf-8")
    runner = {"python": sys.executable, "node": "node"}[language]
    if language == "node":
        (folder / "node_modules").symlink_to(MODULES)
    with subprocess.Popen(
        [runner, file],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        try:
            until(lambda: connected(port) or process.poll())
            yield process
        finally:
            process.kill()


def signed(key: bytes, body: bytes, **changes: str) -> Mapping[str, str]:
    headers = sign(key, "dlv_1", datetime.now(UTC), body)
    return {**headers, **{name.replace("_", "-"): value for name, value in changes.items()}}


@needs_shell
@pytest.mark.parametrize(
    "language",
    [
        "python",
        pytest.param(
            "node",
            marks=pytest.mark.skipif(
                shutil.which("node") is None or not (MODULES / "standardwebhooks").exists(),
                reason="needs node and the npm package standardwebhooks; make peers installs it",
            ),
        ),
    ],
)
def test_results_are_sent_on_to_the_receiver(
    api: str, world: World, tmp_path: Path, language: str
) -> None:
    port = free_port()
    world.secrets.now = parse(SECRET.replace("127.0.0.1:9000", f"127.0.0.1:{port}"))
    tools = replace(world.tools, callbacks=HttpCallbacks(allow_loopback=True))
    with receiver(tmp_path, language, port) as process, serving(world, tools):
        assert accepted("", obey(api, command_of("standard_webhooks")))
        run(world)  # asked
        run(world)  # told
        (told,) = world.outbox.items.values()
        assert told.status is delivery.DeliveryStatus.DELIVERED, told.attempts
        key = SOURCES["kyc-standard-webhooks"]["callback"]["secret"]
        assert refusals(f"http://127.0.0.1:{port}/verified", read_whsec(key, "key")) == {401}
        obey(api, replayed(told.id))
        run(world)
        (again,) = world.outbox.items.values()
        assert [attempt.code for attempt in again.attempts] == [204, 204]
        process.kill()
        assert process.stdout is not None
        assert process.stdout.read() == "verification.completed match\n"


def replayed(delivery_id: str) -> str:
    return (
        f"curl -sf -X POST {ADDRESS}/v1/deliveries/{delivery_id}/replay"
        " -H 'Authorization: Bearer local-dev-key'"
    )


def refusals(url: str, key: bytes) -> set[int]:
    """What the receiver says to requests that are not ours."""
    body = b'{"type":"verification.completed","data":{"outcome":"mismatch"}}'
    forged: list[Mapping[str, Any]] = [
        {},
        signed(b"another-key-of-thirty-two-bytes!", body),
        signed(key, body + b" "),
        signed(key, body, webhook_id="dlv_2"),
        signed(key, body, webhook_timestamp="1772337600"),
        signed(key, body, webhook_signature="nonsense"),
    ]
    return {requests.post(url, body, headers=headers, timeout=10).status_code for headers in forged}
