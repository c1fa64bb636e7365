"""Forms' webhooks at the HTTP edge, over fakes: every vendor, from its request to the outcome."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app import app, worker
from chalicelib import bootstrap
from chalicelib.domain.codes import Billed
from chalicelib.domain.messages import Ask, Deliver, encode
from chalicelib.domain.source import Source
from chalicelib.domain.stored_submission import SubmissionStatus
from chalicelib.domain.verification import Status, Verification
from chalicelib.entrypoints.hook import MAX_BODY
from tests.examples import NAME, NUMBER
from tests.hook_payloads import BUILDERS, ENTRIES, Hook, build
from tests.hook_sources import source_of
from tests.unit.conftest import SECRET, World
from tests.unit.test_http import call, event

VENDORS = sorted(BUILDERS)
CALLBACK = {"url": "https://owner.example/verified", "secret": "whsec_" + "A" * 32}
EVERYTHING = {"admin": {"authorization": "Bearer ops-key"}}


def configure(world: World, *sources: Source) -> None:
    world.secrets.now = replace(SECRET, sources={source.id: source for source in sources})


@pytest.fixture
def served(world: World) -> Iterator[World]:
    bootstrap.override(world.container())
    configure(world, *map(source_of, VENDORS))
    yield world
    bootstrap.override(None)


def source_id(vendor: str) -> str:
    return f"{vendor.replace('_', '-')}-form"


def post(hook: Hook, source: str) -> dict[str, Any]:
    path = "/hooks/{source}" + ("/{token}" if hook.token else "")
    one = event(
        "POST",
        path,
        body=hook.body,
        headers=dict(hook.headers),
        query=parse_qs(hook.query) or None,
        source=source,
        **({"token": hook.token} if hook.token else {}),
    )
    one["requestContext"]["identity"] = {"sourceIp": hook.source_ip}
    return call(one)


def send(world: World, vendor: str, **changes: Any) -> dict[str, Any]:
    return post(build(vendor, now=world.clock.now(), **changes), source_id(vendor))


def run(world: World) -> dict[str, Any]:
    """Let the worker have what is queued, as SQS hands it over."""
    messages, world.queue.sent = world.queue.messages, []
    records = [
        {"messageId": str(number), "body": encode(message), "receiptHandle": "r", "attributes": {}}
        for number, message in enumerate(messages)
    ]
    answer: dict[str, Any] = worker({"Records": records}, None)
    return answer


def only(world: World) -> Verification:
    (found,) = world.repository.items.values()
    return found


def admin(method: str, path: str, **more: Any) -> dict[str, Any]:
    return call(event(method, path, headers=EVERYTHING["admin"], **more))


class TestEveryVendor:
    @pytest.mark.parametrize("vendor", VENDORS)
    def test_from_the_form_to_the_outcome(self, served: World, vendor: str) -> None:
        answer = send(served, vendor)
        assert answer["statusCode"] in {200, 202}, answer
        pending = only(served)
        assert (pending.status, pending.client) == (Status.PENDING, source_id(vendor))
        assert pending.reference == "order-9"
        assert run(served) == {"batchItemFailures": []}
        done = only(served)
        assert (done.status, done.billed) == (Status.COMPLETED, Billed.YES)
        (asked,) = served.provider.asked
        assert (asked.name, asked.id_number) == (NAME, NUMBER)

    @pytest.mark.parametrize("vendor", VENDORS)
    def test_sent_twice_is_asked_once(self, served: World, vendor: str) -> None:
        for _ in range(2):
            assert send(served, vendor)["statusCode"] in {200, 202}
        run(served)
        assert send(served, vendor)["statusCode"] == 200
        run(served)
        assert len(served.provider.asked) == 1

    @pytest.mark.parametrize("vendor", VENDORS)
    def test_fifty_at_once_are_one(self, served: World, vendor: str) -> None:
        hook = build(vendor, now=served.clock.now())
        with ThreadPoolExecutor(16) as pool:
            answers = [*pool.map(lambda _: post(hook, source_id(vendor)), range(50))]
        assert {answer["statusCode"] for answer in answers} <= {200, 202}
        run(served)
        assert len(served.provider.asked) == 1

    @pytest.mark.parametrize("vendor", VENDORS)
    def test_a_wrong_secret(self, served: World, vendor: str) -> None:
        hook = build(vendor, now=served.clock.now())
        configure(served, source_of(vendor, **_other_secrets(vendor)))
        answer = post(hook, source_id(vendor))
        assert answer["statusCode"] == 401
        assert json.loads(answer["body"])["code"] == "unauthenticated"
        assert not served.repository.items
        assert not served.submissions.items

    @pytest.mark.parametrize("vendor", VENDORS)
    @pytest.mark.parametrize("part", ["repository", "sealer", "secrets"])
    def test_our_own_trouble_is_503(self, served: World, vendor: str, part: str) -> None:
        getattr(served, part).down = True
        answer = send(served, vendor)
        assert answer["statusCode"] == 503
        assert answer["headers"]["Retry-After"] == "30"

    @pytest.mark.parametrize("vendor", VENDORS)
    def test_the_queue_down_loses_nothing(self, served: World, vendor: str) -> None:
        served.queue.down = True
        assert send(served, vendor)["statusCode"] in {200, 202}
        assert only(served).status is Status.PENDING
        served.queue.down = False
        send(served, vendor)
        assert served.queue.messages == [Ask(only(served).id)]

    @pytest.mark.parametrize(
        "vendor", sorted(set(VENDORS) - {"wufoo", "jotform", "fanqier", "url_token"})
    )
    def test_a_number_sent_as_a_number_is_kept_and_told(self, served: World, vendor: str) -> None:
        answer = send(served, vendor, number=110105194912310021)
        assert answer["statusCode"] == 200
        assert not served.repository.items
        (stored,) = served.submissions.items.values()
        assert stored.reason == "id_number_not_text", vendor
        assert stored.sealed


def _other_secrets(vendor: str) -> dict[str, Any]:
    entry = ENTRIES[vendor]
    if "verification_token" in entry:
        return {"verification_token": "another-token-of-a-test"}
    other = {
        "standard_webhooks": "whsec_" + "B" * 32,
        "basic": "form:another-token-0123456789",
    }.get(vendor, "another-secret-0123456789-abc")
    return {"secrets": [other]}


class TestRejected:
    def test_a_hopeless_number_is_kept_masked_and_sealed(self, served: World) -> None:
        answer = send(served, "typeform", number=NUMBER[:-1] + "1")
        assert answer["statusCode"] == 200
        assert json.loads(answer["body"]) == {"status": "rejected", "reason": "check_character"}
        (stored,) = served.submissions.items.values()
        assert stored.status is SubmissionStatus.REJECTED
        assert stored.id_number_masked == NUMBER[:3] + "*" * 11 + NUMBER[-4:-1] + "1"
        assert stored.sealed is not None
        assert NAME.encode() not in stored.sealed
        listed = json.loads(admin("GET", "/v1/submissions")["body"])["items"]
        assert [(one["source"], one["status"], one["reason"]) for one in listed] == [
            ("typeform-form", "rejected", "check_character")
        ]
        assert listed[0]["replayable"]
        assert listed[0]["assurance"] == "signed"

    def test_a_wrong_mapping_is_mended_and_replayed(self, served: World) -> None:
        configure(served, source_of("typeform", fields={"name": "nom", "id_number": "number"}))
        answer = send(served, "typeform")
        assert json.loads(answer["body"])["status"] == "rejected"
        (stored,) = served.submissions.items.values()
        assert stored.missing == ("name",)
        path = "/v1/submissions/{submission_id}/replay"
        again = admin("POST", path, submission_id=stored.id)
        assert json.loads(again["body"])["status"] == "rejected"
        configure(served, source_of("typeform"))
        replayed = json.loads(admin("POST", path, submission_id=stored.id)["body"])
        assert (replayed["status"], replayed["replayable"]) == ("replayed", False)
        assert only(served).id == stored.id
        run(served)
        assert len(served.provider.asked) == 1
        assert json.loads(send(served, "typeform")["body"])["status"] == "duplicate"
        assert json.loads(admin("POST", path, submission_id=stored.id)["body"]) == replayed

    def test_fields_that_were_swapped_are_replayed_too(self, served: World) -> None:
        fields = {"name": "number", "id_number": "name"}
        configure(served, source_of("typeform", fields=fields))
        send(served, "typeform")
        (stored,) = served.submissions.items.values()
        configure(served, source_of("typeform"))
        admin("POST", "/v1/submissions/{submission_id}/replay", submission_id=stored.id)
        run(served)
        assert [asked.name for asked in served.provider.asked] == [NAME]

    def test_what_is_not_kept_cannot_be_replayed(self, served: World) -> None:
        served.obey(keep_person=False)
        bootstrap.override(served.container())
        send(served, "typeform", number="1")
        (stored,) = served.submissions.items.values()
        assert stored.sealed is None
        path = "/v1/submissions/{submission_id}/replay"
        assert admin("POST", path, submission_id=stored.id)["statusCode"] == 410
        assert admin("POST", path, submission_id="vrf_nothing")["statusCode"] == 404

    def test_sent_again_it_is_rejected_once(self, served: World) -> None:
        for _ in range(3):
            send(served, "tally", number="1")
            served.clock.advance(1)
        assert len(served.submissions.items) == 1

    def test_half_a_character_is_kept_as_a_question_mark(self, served: World) -> None:
        """Some vendors cut texts between the halves of an emoji; no table holds a half."""
        hook = build("bearer", now=served.clock.now())
        half = {"submission_id": "1", "name": "\ud83d三", "id_number": "\ud83d" * 18}
        answer = post(replace(hook, body=json.dumps(half).encode()), "bearer-form")
        assert answer["statusCode"] == 200
        (stored,) = served.submissions.items.values()
        assert (stored.name_masked, stored.id_number_masked) == ("?*", "???" + "*" * 11 + "????")

    def test_a_reference_that_holds_a_number_is_left_out(self, served: World) -> None:
        send(served, "typeform", reference=f"of {NUMBER}")
        assert only(served).reference is None


class TestShadow:
    def test_nothing_is_asked_and_all_is_shown(self, served: World) -> None:
        configure(served, source_of("typeform", mode="shadow"))
        assert send(served, "typeform")["statusCode"] == 200
        assert not served.repository.items
        assert not served.queue.sent
        (stored,) = served.submissions.items.values()
        assert (stored.status, stored.reason) == (SubmissionStatus.SHADOW, "would_be_verified")
        assert stored.name_masked == "张*"

    def test_what_would_be_rejected_says_so(self, served: World) -> None:
        configure(served, source_of("typeform", mode="shadow"))
        send(served, "typeform", number="1")
        (stored,) = served.submissions.items.values()
        assert (stored.status, stored.reason) == (SubmissionStatus.REJECTED, "length")


class TestTheEdge:
    def test_an_unknown_source(self, served: World) -> None:
        answer = post(build("typeform", now=served.clock.now()), "nobodys")
        assert answer["statusCode"] == 401

    def test_a_body_that_is_too_large(self, served: World) -> None:
        hook = replace(build("typeform", now=served.clock.now()), body=b"x" * (MAX_BODY + 1))
        assert post(hook, "typeform-form")["statusCode"] == 413

    def test_another_address(self, served: World) -> None:
        hook = replace(build("jinshuju", now=served.clock.now()), source_ip="192.0.2.1")
        forwarded = replace(hook, headers={**hook.headers, "x-forwarded-for": "52.82.74.116"})
        assert post(hook, "jinshuju-form")["statusCode"] == 401
        assert post(forwarded, "jinshuju-form")["statusCode"] == 401

    def test_the_literal_answer_that_a_vendor_wants(self, served: World) -> None:
        for _ in range(2):
            answer = send(served, "fanqier")
            assert (answer["statusCode"], answer["body"]) == (200, "success")
        assert send(served, "fanqier", dedupe="other", number="1")["body"] == "success"

    @settings(
        max_examples=60,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(
        st.sampled_from(VENDORS),
        st.binary(max_size=200),
        st.dictionaries(
            st.sampled_from(["webhook-signature", "typeform-signature", "authorization", "x-y"]),
            st.text(max_size=40),
        ),
        st.none() | st.text(max_size=40),
    )
    def test_nothing_becomes_a_500(
        self,
        served: World,
        vendor: str,
        body: bytes,
        headers: dict[str, str],
        token: str | None,
    ) -> None:
        answer = post(Hook(body, headers, token=token), source_id(vendor))
        assert answer["statusCode"] == 401

    @settings(
        max_examples=60,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        )
    )
    def test_whatever_an_authenticated_sender_says(self, served: World, document: object) -> None:
        hook = build("url_token", now=served.clock.now())
        answer = post(replace(hook, body=json.dumps(document).encode()), "url-token-form")
        assert answer["statusCode"] == 200


class TestResultsOfASource:
    def test_its_callback_is_told(self, served: World) -> None:
        configure(served, source_of("typeform", callback=CALLBACK))
        send(served, "typeform", dedupe="response-7")
        run(served)
        assert [type(message) for message in served.queue.messages] == [Deliver]
        run(served)
        (posted,) = served.callbacks.posted
        assert posted.url == CALLBACK["url"]
        data = json.loads(posted.body)["data"]
        assert (data["submission_id"], data["outcome"]) == ("response-7", "no_record")
        listed = json.loads(admin("GET", "/v1/deliveries")["body"])["items"]
        assert [(one["host"], one["status"]) for one in listed] == [("owner.example", "delivered")]
        path = "/v1/deliveries/{delivery_id}/replay"
        again = json.loads(admin("POST", path, delivery_id=listed[0]["id"])["body"])
        assert again["status"] == "pending"
        run(served)
        assert len(served.callbacks.posted) == 2

    def test_a_hash_of_the_entry_is_neither_kept_nor_told(self, served: World) -> None:
        send(served, "formspree")
        assert only(served).submission is None

    def test_a_submission_id_that_holds_a_number_is_not_told(self, served: World) -> None:
        configure(served, source_of("typeform", callback=CALLBACK))
        send(served, "typeform", dedupe=NUMBER)
        assert only(served).submission is None


class TestTheWorker:
    def test_one_bad_message_fails_alone(self, served: World) -> None:
        send(served, "typeform")
        records = [
            {"messageId": "bad", "body": "{", "receiptHandle": "r", "attributes": {}},
            {
                "messageId": "good",
                "body": encode(Ask(only(served).id)),
                "receiptHandle": "r",
                "attributes": {},
            },
        ]
        answer = worker({"Records": records}, None)
        assert answer == {"batchItemFailures": [{"itemIdentifier": "bad"}]}
        assert only(served).status is Status.COMPLETED

    def test_what_there_is_no_time_for_comes_again_unbegun(self, served: World) -> None:
        send(served, "typeform")

        class Context:
            @staticmethod
            def get_remaining_time_in_millis() -> int:
                return 29_000

        body = encode(Ask(only(served).id))
        record = {"messageId": "late", "body": body, "receiptHandle": "r", "attributes": {}}
        answer = worker({"Records": [record]}, Context())
        assert answer == {"batchItemFailures": [{"itemIdentifier": "late"}]}
        assert only(served).status is Status.PENDING

    def test_what_is_out_of_reach_comes_again(self, served: World) -> None:
        send(served, "typeform")
        served.sealer.down = True
        assert run(served) == {"batchItemFailures": [{"itemIdentifier": "0"}]}


def test_binary_bodies_survive_the_gateway() -> None:
    assert "multipart/form-data" in app.api.binary_types
