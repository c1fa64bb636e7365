"""Results sent on: signed, by the schedule, at least once, to whom it concerns."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from urllib.parse import quote

import pytest
from standardwebhooks import Webhook

from chalicelib import bootstrap
from chalicelib.domain import codes
from chalicelib.domain.codes import Billed
from chalicelib.domain.delivery import SCHEDULE, Delivery, DeliveryStatus, Fault
from chalicelib.domain.errors import NotFoundError, VerificationEndedError
from chalicelib.domain.messages import Ask, Deliver
from chalicelib.domain.verification import Action, VerificationRequest
from chalicelib.services import resolve, work
from chalicelib.services.deliver import deliver, replay, send_due
from chalicelib.services.intake import accept
from chalicelib.services.sweep import sweep
from chalicelib.services.verify import verify
from tests.examples import NAME, NUMBER
from tests.unit.conftest import CALLBACK_SECRET, OPS, OTHER, SECRET, SHOP, World
from tests.unit.test_http import call, event

URL = "https://shop.example/hooks/verified"
LONGEST = 15 * 60


def ask(world: World, *, key: str = "k1", url: str | None = URL) -> None:
    request = VerificationRequest(NAME, NUMBER, "order-9", 0, key, callback_url=url)
    verify(request, client=SHOP, tools=world.tools, policy=world.policy)


def run(world: World) -> None:
    messages, world.queue.sent = world.queue.messages, []
    for message in messages:
        if isinstance(message, Deliver):
            deliver(message, tools=world.tools)
        if isinstance(message, Ask):
            work.ask(message, tools=world.tools, policy=world.policy)


def only(world: World) -> Delivery:
    (found,) = world.outbox.items.values()
    return found


def test_an_end_is_told_at_once_and_signed(world: World) -> None:
    ask(world)
    pending = only(world)
    assert (pending.status, pending.due_at) == (DeliveryStatus.PENDING, world.clock.now())
    assert world.queue.messages == [Deliver(pending.id)]
    run(world)
    assert only(world).status is DeliveryStatus.DELIVERED
    (posted,) = world.callbacks.posted
    assert posted.url == URL
    assert posted.headers["webhook-id"] == pending.id
    # The reference implementation takes it, but for its own clock.
    now = world.clock.now().timestamp()
    assert int(posted.headers["webhook-timestamp"]) == int(now)
    data = json.loads(posted.body)["data"]
    assert data == {
        "verification_id": pending.verification_id,
        "status": "completed",
        "outcome": "no_record",
        "resp_code": "0007",
        "billed": "yes",
        "reference": "order-9",
        "submission_id": None,
    }
    body = posted.body.decode()
    assert NAME not in body
    assert NUMBER[6:14] not in body
    signature = Webhook(CALLBACK_SECRET).sign(pending.id, world.clock.now(), posted.body.decode())
    assert posted.headers["webhook-signature"] == signature


def test_without_a_url_nobody_is_told(world: World) -> None:
    ask(world, url=None)
    assert not world.outbox.items
    assert not world.queue.sent


def test_a_replay_tells_nothing_new(world: World) -> None:
    ask(world)
    ask(world)
    assert len(world.outbox.items) == 1


def test_a_message_that_is_lost_is_made_good_by_the_schedule(world: World) -> None:
    world.queue.down = True
    ask(world)
    world.queue.down = False
    assert send_due(tools=world.tools).queued == 1
    run(world)
    assert only(world).status is DeliveryStatus.DELIVERED
    assert send_due(tools=world.tools).queued == 0


def test_copies_of_a_message_make_one_attempt(world: World) -> None:
    ask(world)
    world.queue.sent *= 5
    run(world)
    assert len(world.callbacks.posted) == 1


def test_the_whole_schedule_then_failed(world: World) -> None:
    world.callbacks.results.extend([500] * 20)
    ask(world)
    started = world.clock.now()
    waits = []
    while only(world).status is DeliveryStatus.PENDING:
        run(world)
        found = only(world)
        if found.due_at is None:
            break
        wait = (found.due_at - world.clock.now()).total_seconds()
        waits.append(wait)
        near = wait <= LONGEST
        assert bool(world.queue.sent) == near, "the queue keeps nothing longer than 15 minutes"
        if near:
            assert world.queue.sent[0][1] >= wait
        world.clock.advance(wait)
        if not near:
            assert send_due(tools=world.tools).queued == 1
    assert only(world).status is DeliveryStatus.FAILED
    assert len(world.callbacks.posted) == len(SCHEDULE)
    assert len({posted.headers["webhook-id"] for posted in world.callbacks.posted}) == 1
    assert world.clock.now() - started >= sum(SCHEDULE, timedelta())


def test_replayed_after_it_failed(world: World) -> None:
    world.callbacks.results.append(Fault.MALFORMED_URL)
    ask(world)
    run(world)
    assert only(world).status is DeliveryStatus.FAILED
    replay(only(world).id, client=OPS, tools=world.tools)
    run(world)
    assert only(world).status is DeliveryStatus.DELIVERED


def test_gone_disables_the_endpoint_until_a_replay(world: World) -> None:
    world.callbacks.results.append(410)
    ask(world)
    run(world)
    assert only(world).status is DeliveryStatus.DISABLED
    ask(world, key="k2")
    run(world)
    assert len(world.callbacks.posted) == 1
    assert {d.status for d in world.outbox.items.values()} == {DeliveryStatus.DISABLED}
    first = next(iter(world.outbox.items))
    replay(first, client=OPS, tools=world.tools)
    run(world)
    assert world.outbox.items[first].status is DeliveryStatus.DELIVERED
    ask(world, key="k3")
    run(world)
    assert len(world.callbacks.posted) == 3


def test_another_clients_delivery_is_not_there(world: World) -> None:
    ask(world)
    with pytest.raises(NotFoundError):
        replay(only(world).id, client=OTHER, tools=world.tools)
    with pytest.raises(NotFoundError):
        replay("dlv_x", client=OPS, tools=world.tools)


def test_no_key_to_sign_with(world: World) -> None:
    ask(world)
    world.secrets.now = replace(SECRET, clients=(OPS,))
    run(world)
    assert only(world).attempts[-1].code is Fault.NOT_CONFIGURED
    assert not world.callbacks.posted


def test_unknown_then_what_became_of_it(world: World) -> None:
    world.script([codes.NO_ANSWER])
    with pytest.raises(VerificationEndedError):
        ask(world)
    run(world)
    assert json.loads(world.callbacks.posted[0].body)["type"] == "verification.unknown"
    resolve.resolve(
        only(world).verification_id,
        billed=Billed.NO,
        action=Action.CLOSE,
        client=OPS,
        repository=world.repository,
        clock=world.clock,
        tell=world.tools.tell,
    )
    send_due(tools=world.tools)
    run(world)
    assert json.loads(world.callbacks.posted[1].body)["type"] == "verification.failed"
    ids = [posted.headers["webhook-id"] for posted in world.callbacks.posted]
    assert [one[-2:] for one in ids] == ["_1", "_2"]


def test_the_asynchronous_path_tells_its_end(world: World) -> None:
    request = VerificationRequest(NAME, NUMBER, None, 0, "k1", callback_url=URL)
    accept(request, client=SHOP, tools=world.tools, policy=world.policy)
    assert not world.outbox.items
    world.script(["0010"])
    run(world)
    assert not world.outbox.items, "it is pending again, which is no end"
    world.script([])
    world.clock.advance(3600)
    sweep(tools=world.tools)
    run(world)
    run(world)
    assert only(world).status is DeliveryStatus.DELIVERED


def test_a_sender_that_died_holds_nothing_up(world: World) -> None:
    ask(world)

    def die(*_: object) -> None:
        raise SystemExit

    world.callbacks.post = die  # type: ignore[method-assign, assignment]
    with pytest.raises(SystemExit):
        run(world)
    del world.callbacks.post
    assert send_due(tools=world.tools).queued == 0
    world.clock.advance(61)
    assert send_due(tools=world.tools).queued == 1
    run(world)
    assert only(world).status is DeliveryStatus.DELIVERED


POST = ("POST", "/v1/verifications")
HEADERS = {"authorization": "Bearer shop-key", "content-type": "application/json"}


@pytest.fixture
def served(world: World) -> Iterator[World]:
    bootstrap.override(world.container())
    yield world
    bootstrap.override(None)


@pytest.mark.parametrize("url", [URL, "https://SHOP.example:8443/x?y=z"])
def test_a_client_may_name_its_own_hosts(served: World, url: str) -> None:
    body = json.dumps({"name": NAME, "id_number": NUMBER, "callback_url": url})
    assert call(event(*POST, body=body, headers=HEADERS))["statusCode"] == 200
    assert only(served).url == url


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://evil.example/", "must lead to one of shop.example"),
        ("https://shop.example.evil.example/", "must lead to one of"),
        ("https://shop.example@evil.example/", "plain URL"),
        ("https://evil.example#shop.example", "plain URL"),
        ("https://evil.example\\.shop.example/", "plain URL"),
        ("http://shop.example/", "https://"),
        ("https://169.254.169.254/", "must lead to one of"),
        ("https://2130706433/", "plain URL"),
        ("ftp://shop.example/", "plain URL"),
        ("", "plain URL"),
        (f"https://shop.example/?of={NUMBER}", "must not contain"),
        (f"https://shop.example/{quote(NAME)}/done", "must not contain"),
    ],
)
def test_and_no_others(served: World, url: str, said: str) -> None:
    body = json.dumps({"name": NAME, "id_number": NUMBER, "callback_url": url})
    answer = call(event(*POST, body=body, headers=HEADERS))
    assert answer["statusCode"] == 400
    detail = json.loads(answer["body"])["detail"]
    assert detail.startswith("callback_url: ")
    assert said in detail
    assert not served.repository.items


def test_a_client_without_any(served: World) -> None:
    body = json.dumps({"name": NAME, "id_number": NUMBER, "callback_url": URL})
    headers = {**HEADERS, "authorization": "Bearer other-key"}
    answer = call(event(*POST, body=body, headers=headers))
    assert (answer["statusCode"], json.loads(answer["body"])["code"]) == (400, "malformed_request")
