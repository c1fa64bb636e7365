"""Forms over real HTTP: posted as their vendors post, asked once, told to their owner."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import boto3
import pytest
import requests

from chalicelib.entrypoints.hook import MAX_BODY
from tests.e2e.callback_server import GOOD, CallbackServer, Told
from tests.e2e.conftest import Running, start_stack, stop_stack, until, unused_number
from tests.e2e.forms import (
    CLIENT,
    VENDORS,
    callback_secret,
    entry_of,
    fresh_entry,
    post,
    secret_with_forms,
    source_id,
    written,
)
from tests.examples import NAME
from tests.hook_payloads import SECRET, Hook, build, dumps, json_hook, mac

MISMAPPED = {"name": "nom", "id_number": "number"}
LITERAL = {"fanqier": "success", "feishu": "{}"}
OUTCOME = {"status": "completed", "outcome": "match", "resp_code": "0000", "billed": "yes"}


@dataclass
class Forms:
    """A stack with a form of every vendor, and the server that its results go to."""

    stack: Running
    owner: CallbackServer
    secret: dict[str, Any]

    def post(self, hook: Hook, source: str) -> requests.Response:
        return post(self.stack.api, hook, source)

    def send(self, vendor: str, source: str | None = None, **changes: Any) -> requests.Response:
        """An entry, one of its own unless ``dedupe`` says otherwise."""
        entry = {"now": datetime.now(UTC), "dedupe": fresh_entry()} | changes
        return self.post(build(vendor, **entry), source or source_id(vendor))

    def items(self, path: str) -> Any:
        answer = self.stack.call("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()["items"]

    def rotate(self) -> None:
        """Store the secret as it is now, and have the service read it.

        It does so when the upstream refuses its AppCode.
        """
        env = self.stack.env
        session = boto3.Session("x", "x", region_name=env["AWS_REGION"])
        client = session.client("secretsmanager", endpoint_url=env["AWS_ENDPOINT_URL"])
        client.put_secret_value(SecretId=env["SECRET_ID"], SecretString=json.dumps(self.secret))
        client.close()
        self.stack.admin("POST", "faults", {"kind": "gateway:A401AC", "times": 1})
        refused = self.stack.verify(NAME, unused_number(700))
        assert refused.json()["code"] == "appcode_invalid"
        self.stack.close_breaker()


@pytest.fixture(scope="module")
def _forms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forms]:
    folder = tmp_path_factory.mktemp("forms")
    with CallbackServer() as owner:
        secret = secret_with_forms(
            owner.url,
            jinshuju_abroad=entry_of("jinshuju", "jinshuju-abroad", owner.url, allow_ips=None),
            typeform_shadow=entry_of("typeform", "typeform-shadow", owner.url, mode="shadow"),
            typeform_amiss=entry_of("typeform", "typeform-amiss", owner.url, fields=MISMAPPED),
        )
        del secret["sources"]["jinshuju-abroad"]["allow_ips"]
        running = start_stack(folder, "--secret", written(secret, folder))
        yield Forms(running, owner, secret)
        stop_stack(running)


@pytest.fixture
def forms(_forms: Forms) -> Forms:
    _forms.stack.admin("POST", "reset", {})
    _forms.stack.close_breaker()
    _forms.owner.status = GOOD
    return _forms


def people(forms: Forms) -> list[dict[str, Any]]:
    """The mock's invented ones: name and number belong together."""
    return [
        one
        for one in forms.stack.admin("GET", "identities")
        if one["answers"] == "0000" and not one["any_name"]
    ]


def is_thin(told: Told, name: str, number: str) -> bool:
    """Whether nothing of the person is in it, not even a part of the number."""
    body = told.body + b"".join(value.encode() for value in told.headers.values())
    marks = (name, json.dumps(name)[1:-1], name[0], json.dumps(name[0])[1:-1], number[6:14])
    return not any(mark.encode() in body for mark in marks)


def test_every_vendor_from_the_form_to_its_owner(forms: Forms) -> None:
    chosen = dict(zip(VENDORS, people(forms), strict=False))

    def send(vendor: str) -> requests.Response:
        one = chosen[vendor]
        return forms.send(vendor, name=one["name"], number=one["id_number"])

    with ThreadPoolExecutor(4) as pool:
        answers = dict(zip(VENDORS, pool.map(send, VENDORS), strict=True))
    assert {v: a.text for v, a in answers.items() if a.status_code not in {200, 202}} == {}
    assert {vendor: answers[vendor].text for vendor in LITERAL} == LITERAL
    for vendor, one in chosen.items():
        (told,) = until(partial(forms.owner.at, f"/{source_id(vendor)}"))
        event = told.verified(callback_secret(source_id(vendor)))
        assert event["type"] == "verification.completed", vendor
        data = event["data"]
        assert OUTCOME.items() <= data.items(), (vendor, data)
        assert data["reference"] == "order-9", vendor
        if vendor not in LITERAL:
            assert answers[vendor].json() == {"status": "accepted", "id": data["verification_id"]}
        assert is_thin(told, one["name"], one["id_number"]), vendor
        assert forms.stack.paid(one["id_number"]) == 1, vendor
    assert forms.stack.admin("GET", "ledger")["paid_calls"] == len(VENDORS)


@pytest.mark.parametrize("vendor", ["jotform", "standard_webhooks"])
def test_fifty_at_once_are_one(forms: Forms, vendor: str) -> None:
    number = unused_number(701 + VENDORS.index(vendor))
    hook = build(vendor, now=datetime.now(UTC), dedupe=fresh_entry(), number=number)
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: forms.post(hook, source_id(vendor)), range(50)))
    assert {answer.status_code for answer in answers} <= {200, 202}
    statuses = sorted(answer.json()["status"] for answer in answers)
    assert statuses == ["accepted"] + ["duplicate"] * 49
    (one,) = {answer.json()["id"] for answer in answers}
    forms.owner.first_about(one)
    assert forms.stack.paid(number) == 1
    made = [item for item in forms.items("/v1/deliveries") if item["verification_id"] == one]
    assert [item["number"] for item in made] == [1]


def test_a_wrong_mapping_is_mended_and_its_entries_replayed(forms: Forms) -> None:
    number = unused_number(720)
    answer = forms.send("typeform", "typeform-amiss", number=number)
    assert (answer.status_code, answer.json()["status"]) == (200, "rejected")
    (kept,) = forms.items("/v1/submissions?source=typeform-amiss")
    assert (kept["status"], kept["missing"], kept["replayable"]) == ("rejected", ["name"], True)
    path = f"/v1/submissions/{kept['id']}/replay"
    assert forms.stack.call("POST", path).json()["status"] == "rejected"
    sources = forms.secret["sources"]
    sources["typeform-amiss"]["fields"] = sources["typeform-form"]["fields"]
    forms.rotate()
    replayed = forms.stack.call("POST", path).json()
    assert (replayed["status"], replayed["replayable"]) == ("replayed", False)
    told = forms.owner.first_about(kept["id"])
    assert told.verified(callback_secret("typeform-amiss"))["data"]["outcome"] == "no_record"
    assert forms.stack.call("POST", path).json() == replayed
    assert forms.stack.paid(number) == 1


def test_what_is_hopeless_is_kept_masked(forms: Forms) -> None:
    number = unused_number(721)
    wrong = number[:-1] + ("1" if number[-1] == "0" else "0")
    answer = forms.send("tally", name="欧阳春", number=wrong)
    assert (answer.status_code, answer.json()) == (
        200,
        {"status": "rejected", "reason": "check_character"},
    )
    (kept,) = forms.items("/v1/submissions?source=tally-form")
    assert (kept["reason"], kept["assurance"]) == ("check_character", "signed")
    assert kept["name"] == "欧**"
    assert kept["id_number"] == wrong[:3] + "*" * 11 + wrong[-4:]
    assert forms.stack.call("GET", f"/v1/verifications/{kept['id']}").status_code == 404
    assert forms.stack.paid(wrong) == 0


def test_in_shadow_mode_nothing_is_asked(forms: Forms) -> None:
    number = unused_number(722)
    answer = forms.send("typeform", "typeform-shadow", number=number)
    assert answer.status_code == 200
    (kept,) = forms.items("/v1/submissions?source=typeform-shadow&status=shadow")
    assert kept["reason"] == "would_be_verified"
    # Something that comes later is done: the first was not just waiting.
    forms.owner.first_about(forms.send("typeform", number=unused_number(723)).json()["id"])
    assert forms.stack.paid(number) == 0


def test_deliveries_are_listed_and_replayed(forms: Forms) -> None:
    one = forms.send("github", number=unused_number(724)).json()["id"]
    first = forms.owner.first_about(one)

    def delivered() -> Any:
        found = forms.items("/v1/deliveries?status=delivered")
        return [item for item in found if item["verification_id"] == one]

    (item,) = until(delivered)
    assert (item["id"], item["host"], item["due_at"]) == (first.id, "127.0.0.1", None)
    assert [attempt["code"] for attempt in item["attempts"]] == [GOOD]
    path = f"/v1/deliveries/{item['id']}/replay"
    assert forms.stack.call("POST", path).json()["status"] == "pending"
    again = until(lambda: forms.owner.about(one)[1:])[0]
    assert (again.id, again.body) == (first.id, first.body)
    assert again.verified(callback_secret("github-form"))
    (item,) = until(delivered)
    assert [attempt["code"] for attempt in item["attempts"]] == [GOOD, GOOD]
    nowhere = forms.stack.call("POST", "/v1/deliveries/dlv_x/replay")
    assert (nowhere.status_code, nowhere.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("status", [410, 500, None])
def test_an_endpoint_that_does_not_take_it(forms: Forms, status: int | None) -> None:
    forms.owner.status = status
    one = forms.send("bearer", number=unused_number(725)).json()["id"]

    def attempted() -> Any:
        found = forms.items("/v1/deliveries")
        return [item for item in found if item["verification_id"] == one and item["attempts"]]

    (item,) = until(attempted)
    assert item["attempts"][0]["code"] == (status or "no_answer")
    assert item["status"] == ("disabled" if status == 410 else "pending")
    # Before an attempt that the schedule may just make.
    forms.owner.status = GOOD
    assert forms.stack.call("POST", f"/v1/deliveries/{item['id']}/replay").status_code == 200
    assert forms.owner.first_about(one).id == item["id"]


@pytest.mark.parametrize("waits", [True, False])
def test_a_client_is_told_where_it_wants(forms: Forms, waits: bool) -> None:
    ask = forms.stack.verify if waits else forms.stack.accept
    number = unused_number(726 + waits)
    refused = ask(NAME, number, callback_url="https://elsewhere.example/")
    assert (refused.status_code, refused.json()["code"]) == (400, "malformed_request")
    url = f"{forms.owner.url}/orders?order=9"
    asked = ask(NAME, number, callback_url=url)
    assert asked.status_code == (200 if waits else 202), asked.text
    told = forms.owner.first_about(asked.json()["id"])
    assert told.path == "/orders?order=9"
    assert told.verified(callback_secret(CLIENT))["data"]["outcome"] == "no_record"


class TestTheGateway:
    """What only a real request shows: bytes, queries, addresses."""

    @pytest.mark.parametrize(
        ("kind", "status"), [("Multipart/Form-Data; boundary=x", 200), ("application/json", 401)]
    )
    def test_bytes_that_are_no_text_survive_in_a_multipart_alone(
        self, forms: Forms, kind: str, status: int
    ) -> None:
        body = bytes(range(256))
        signed = {"X-HUB-SIGNATURE-256": f"sha256={mac(SECRET, body).hex()}", "Content-Type": kind}
        assert forms.post(Hook(body, signed), "github-form").status_code == status

    def test_a_parameter_that_is_repeated_is_seen_twice(self, forms: Forms) -> None:
        hook = build("jiandaoyun", dedupe=fresh_entry(), number=unused_number(731))
        _refused(forms.post(replace(hook, query=f"{hook.query}&nonce=0f5ade"), "jiandaoyun-form"))
        assert forms.post(hook, "jiandaoyun-form").json()["status"] == "accepted"

    def test_the_address_is_the_connections_own(self, forms: Forms) -> None:
        hook = build("jinshuju", dedupe=fresh_entry(), number=unused_number(732))
        claimed = replace(hook, headers={**hook.headers, "x-forwarded-for": hook.source_ip})
        _refused(forms.post(claimed, "jinshuju-abroad"))
        assert forms.post(hook, "jinshuju-form").json()["status"] == "accepted"

    @pytest.mark.parametrize("vendor", VENDORS)
    def test_another_source_or_secret_is_refused(self, forms: Forms, vendor: str) -> None:
        hook = build(vendor, now=datetime.now(UTC), dedupe=fresh_entry())
        _refused(forms.post(hook, "nobodys"))
        other = f"{'whsec_' if vendor == 'standard_webhooks' else ''}{'QUJD' * 10}"
        _refused(forms.send(vendor, secret=f"form:{other}" if vendor == "basic" else other))

    def test_the_challenge_of_feishu(self, forms: Forms) -> None:
        body = {"type": "url_verification", "challenge": "c-1", "token": SECRET}
        answer = forms.post(json_hook(dumps(body)), "feishu-form")
        assert (answer.status_code, answer.json()) == (200, {"challenge": "c-1"})

    def test_a_body_that_is_too_large(self, forms: Forms) -> None:
        hook = replace(build("typeform"), body=b"x" * (MAX_BODY + 1))
        answer = forms.post(hook, "typeform-form")
        assert (answer.status_code, answer.json()["code"]) == (413, "payload_too_large")


def _refused(answer: requests.Response) -> None:
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated"), answer.text
