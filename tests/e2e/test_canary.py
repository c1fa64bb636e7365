"""Marked persons through every path: no plain text of them rests or leaks anywhere."""

import base64
import json
import logging
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import boto3
import pytest
import requests

import app
from chalicelib.adapters import spreadsheet
from chalicelib.bootstrap import Container
from chalicelib.domain.events import EVENTS
from local_stack.events import created
from local_stack.pump import Handler, Pump
from tests.e2e.callback_server import GOOD, CallbackServer
from tests.e2e.conftest import (
    KEY,
    Running,
    answered_in_vain,
    container_of,
    dead_letters_of,
    peek,
    start_stack,
    stop_stack,
    unused_number,
)
from tests.e2e.forms import (
    VENDORS,
    callback_secret,
    entry_of,
    fresh_entry,
    post,
    secret_with_forms,
    source_id,
    written,
)
from tests.hook_payloads import TOKEN, Hook, build, json_hook, secrets_of
from tools import redrive

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

NAME = "金丝雀"
NUMBERS = [unused_number(serial) for serial in range(900, 1000)]
HOPELESS = [
    number[:-1] + ("1" if number[-1] == "0" else "0")
    for number in (unused_number(serial) for serial in range(1000, 1020))
]
AMISS = {"name": "nom", "id_number": "number"}
SWAPPED = {"name": "number", "id_number": "name"}


@dataclass(frozen=True)
class Watched:
    """A stack of its own, whose whole output is in one file; what is queued stays there."""

    running: Running
    log: Path
    owner: CallbackServer


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    with CallbackServer() as owner:
        more = {
            f"typeform_{name}": entry_of("typeform", name, owner.url, **changes)
            for name, changes in (
                ("shadow", {"mode": "shadow"}),
                ("amiss", {"fields": AMISS}),
                ("swapped", {"fields": SWAPPED}),
            )
        }
        running = start_stack(
            tmp_path,
            "--no-worker",
            "--log",
            "--secret",
            written(secret_with_forms(owner.url, **more), tmp_path),
            DEADLINE_SECONDS="4",
            LEASE_SECONDS="30",
        )
        yield Watched(running, tmp_path / "stack.log", owner)
        if running.process.poll() is None:
            stop_stack(running)


def spellings(text: str) -> set[bytes]:
    """How a text can stand in logs, JSON, forms and binary attributes."""
    return {
        text.encode(),
        json.dumps(text).strip('"').encode(),
        quote(text).encode(),
        text.encode("gb18030"),
        base64.b64encode(text.encode()).rstrip(b"="),
        repr(text.encode())[2:-1].encode(),
    }


def test_no_person_rests_or_leaks(
    watched: Watched,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    running = watched.running
    caplog.set_level(logging.DEBUG, "eryaosu")
    texts: list[tuple[str, bytes]] = []
    keys = [f"canary-key-{uuid.uuid4().hex}" for _ in NUMBERS]

    def keep(what: str, answer: Any) -> Any:
        texts.append((what, answer.content + str(answer.headers).encode()))
        return answer

    numbers = iter(zip(NUMBERS, keys, strict=True))
    # Success, replay, reuse, mismatch, another payload.
    number, key = next(numbers)
    running.admin("POST", "people", [{"name": NAME, "id_number": number}])
    for _ in range(2):
        keep("verify", running.verify(NAME, number, key, max_age_seconds=60))
    found = keep("reuse", running.verify(NAME, number, max_age_seconds=60)).json()
    keep("mismatch", running.verify("雀丝金", number))
    keep("reused key", running.verify("雀丝金", number, key))
    keep("get", running.call("GET", f"/v1/verifications/{found['id']}"))
    # Every fault of the transport, every word of gateway and vendor.
    refused = requests.post(f"{running.mock}/__admin/faults", json={"kind": "?"}, timeout=10)
    values = {"latency_ms": 1, "slow_drip": 1, "hang": 1, "oversize": 100_000}
    for kind in refused.json()["allowed"]:
        if kind.startswith("gateway:") and kind[8:12] not in {"B403", "A401", "T429", "D504"}:
            continue
        running.call("POST", "/v1/breaker/close")
        fault: dict[str, object] = {"kind": kind, "times": 1}
        if kind in values:
            fault["value"] = values[kind]
        running.admin("POST", "faults", fault)
        number, key = next(numbers)
        answer = keep(kind, running.verify(NAME, number, key))
        if answer.status_code == 504:
            one = answer.json()["verification_id"]
            body = {"billed": "no", "action": "close"}
            keep("resolve", running.call("POST", f"/v1/verifications/{one}/resolve", body))
    running.call("POST", "/v1/breaker/close")
    # Refusals, on both ways in.
    number = NUMBERS[0]
    for bad in (
        {"name": NAME, "id_number": int(number[:17])},
        {"name": NAME, "id_number": number[:-1] + "?"},
        {"name": NAME + "1", "id_number": number},
        {"name": NAME, "id_number": number, "reference": number},
        {"name": NAME, "id_number": number, NAME: number},
        {"name": [NAME], "id_number": number},
        {"name": NAME, "id_number": number, "max_age_seconds": NAME},
    ):
        keep("refusal", running.call("POST", "/v1/verifications", bad))
    for data in (f'{{"name":"{NAME}"', f"{NAME}{number}"):
        keep(
            "malformed",
            requests.post(
                f"{running.api}/v1/verifications",
                data=data.encode(),
                headers={"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"},
                timeout=10,
            ),
        )
    keep("path", running.call("GET", f"/v1/verifications/{number}"))
    keep("query", running.call("GET", f"/v1/verifications?name={NAME}&id={number}"))
    keep("nowhere", running.call("GET", f"/{NAME}/{number}"))
    keep("key", running.call("GET", "/v1/usage", Authorization=f"Bearer {number}"))
    for form in ({"name": NAME + "1", "idNo": number}, {"name": NAME, "idNo": number[:-1]}):
        # These answers repeat what was sent, as the upstream does: only their headers count.
        answer = requests.post(
            f"{running.api}/idenAuthentication",
            data=form,
            headers={"Authorization": f"APPCODE {KEY}"},
            timeout=10,
        )
        texts.append(("drop-in", str(answer.headers).encode()))
    # Nobody waits: sealed in the table while it is pending, ids only in the queue.
    texts += unwaited(running, monkeypatch, keep, numbers)
    texts += from_forms(watched, monkeypatch, keep)
    texts += from_lists(running, monkeypatch, keep)
    assert "JSONDecodeError" in caplog.text
    texts += [("log", caplog.text.encode()), ("output", "".join(capsys.readouterr()).encode())]
    keep("list", running.call("GET", "/v1/verifications"))
    keep("usage", running.call("GET", "/v1/usage"))
    note = {"calls": 1, "price": "1", "note": number}
    keep("package", running.call("POST", "/v1/packages", note))
    keep("packages", running.call("GET", "/v1/packages"))
    keep("export", running.call("GET", "/v1/export"))
    keep("journal", requests.get(f"{running.mock}/__admin/requests", timeout=10))
    keep("ledger", requests.get(f"{running.mock}/__admin/ledger", timeout=10))
    table = _whole_table(running)
    assert len(table) > 40
    texts += [("table", item) for item in table]
    assert running.call("DELETE", f"/v1/verifications/{found['id']}").status_code == 204
    stop_stack(running)
    log = watched.log.read_bytes()
    texts.append(("log", log))
    # It says something, and all of it in lines of its own shape.
    lines = [json.loads(line) for line in log.splitlines() if line.startswith(b"{")]
    kinds = {line["event"] for line in lines}
    assert {"verification_ended", "refused", "accepted", "submission_rejected"} <= kinds
    assert kinds <= EVENTS.keys()
    assert all(line.get("correlation_id") for line in lines if line["event"] != "trouble")
    secret = {running.env["APPCODE"], *keys}
    for vendor in VENDORS:
        signs = callback_secret(source_id(vendor)).removeprefix("whsec_")
        secret |= {signs, *secrets_of(vendor)}
    people = (NAME, "雀丝金", *NUMBERS, *HOPELESS)
    marks = set().union(*(spellings(text) for text in (*people, *secret)))
    leaks = {(what, mark) for what, text in texts for mark in marks if mark in text}
    assert not leaks


def unwaited(
    running: Running,
    patch: pytest.MonkeyPatch,
    keep: Callable[[str, Any], Any],
    numbers: Iterator[tuple[str, str]],
) -> Iterator[tuple[str, bytes]]:
    """What nobody waits for, looked at while it waits, and worked off in this process."""
    asked = [next(numbers) for _ in range(4)]
    running.admin("POST", "people", [{"name": NAME, "id_number": asked[0][0]}])
    kinds = {1: "reset", 2: "resp_code:0010"}
    ids = []
    for n, (number, key) in enumerate(asked):
        if n in kinds:
            fault = {"kind": kinds[n], "times": 1, "match": {"id_number": number}}
            running.admin("POST", "faults", fault)
        for _ in range(2):
            accepted = keep("accept", running.accept(NAME, number, key, max_age_seconds=60))
            assert accepted.json()["status"] == "pending"
        keep("other payload", running.accept("雀丝金", number, key))
        ids.append(accepted.json()["id"])
    yield from (("pending", item) for item in _whole_table(running))
    with container_of(running, patch) as container, running.sqs() as sqs:
        ids.append(answered_in_vain(container, patch, NAME, *next(numbers)).id)
        messages = peek(sqs, running.env["QUEUE_URL"])
        assert sum('"ask"' in text for text in messages) == len(asked)
        assert sum('"repair"' in text for text in messages) == 1
        yield from (("queue", text.encode()) for text in messages)
        # Whoever may write to the queue may write anything.
        strange = [NAME + asked[0][0], json.dumps({"ask": {NAME: asked[0][0]}})]
        _work_off(running, sqs, strange)
        assert sorted(peek(sqs, dead_letters_of(sqs, running.env["QUEUE_URL"]))) == sorted(strange)
        assert not peek(sqs, running.env["QUEUE_URL"])
        assert redrive.main(["--dry-run"]) == 0
    found = [keep("get", running.call("GET", f"/v1/verifications/{one}")).json() for one in ids]
    statuses = [one["status"] for one in found]
    assert statuses == ["completed", "unknown", "pending", "pending", "completed"]
    assert found[2]["problem"]["code"] == "upstream_maintenance"


def from_forms(
    watched: Watched, patch: pytest.MonkeyPatch, keep: Callable[[str, Any], Any]
) -> Iterator[tuple[str, bytes]]:
    """Entries of every vendor, taken, rejected and looked at; results told and not taken."""
    running, owner = watched.running, watched.owner
    numbers, hopeless = iter(NUMBERS[60:]), iter(HOPELESS)

    def send(vendor: str, source: str = "", **changes: Any) -> Any:
        entry = {"name": NAME, "now": datetime.now(UTC), "dedupe": fresh_entry()} | changes
        hook = build(vendor, **entry)
        return keep(vendor, post(running.api, hook, source or source_id(vendor)))

    for vendor in VENDORS:
        number = next(numbers)
        entry = fresh_entry()
        for _ in range(2):
            assert send(vendor, number=number, dedupe=entry).status_code in {200, 202}
        send(vendor, number=next(hopeless))
    # What an owner may have overlooked, and what a respondent may write.
    number = next(numbers)
    said = [
        send("typeform", "typeform-shadow", number=number),
        send("typeform", "typeform-amiss", number=number),
        send("typeform", "typeform-swapped", number=number),
        send("tally", number=int(next(hopeless))),
        send("tally", name=f"{NAME}1", number=number),
        send("tally", name=number, number=NAME),
        send("tally", name=[NAME], number={NAME: number}),
        send("tally", number=f"{number} {NAME}"),
    ]
    statuses = [answer.json()["status"] for answer in said]
    assert statuses == ["ignored"] + ["rejected"] * 7
    for telling in (number, f"{NAME}-{number}"):
        send("tally", number=number, reference=telling)
        send("tally", number=number, dedupe=telling)
    headers = {"authorization": f"Bearer {TOKEN}"}
    for body in (f'{{"name":"{NAME}"', f'"{NAME}{number}"', f'{{"name":"{NAME}","x":"{number}"}}'):
        hook = json_hook(body.encode(), **headers)
        answer = keep("broken", post(running.api, hook, source_id("bearer")))
        assert answer.json()["status"] == "rejected"
    keep("nobody", post(running.api, Hook(number.encode(), token=number), NAME))
    question = {"name": NAME, "id_number": number, "callback_url": f"{owner.url}/?of={number}"}
    keep("callback", running.call("POST", "/v1/verifications", question))
    question["callback_url"] = f"{owner.url}/{quote(NAME)}"
    keep("callback", running.call("POST", "/v1/verifications", question))
    keep("told", running.verify(NAME, number, callback_url=f"{owner.url}/order-9"))

    yield from (("pending entries", item) for item in _whole_table(running))
    running.close_breaker()
    owner.status = 500
    with container_of(running, patch), running.sqs() as sqs:
        messages = peek(sqs, running.env["QUEUE_URL"])
        assert sum('"ask"' in text for text in messages) >= len(VENDORS)
        yield from (("queue", text.encode()) for text in messages)
        _work_off(running, sqs, [])
        owner.status = GOOD
        for item in keep("deliveries", running.call("GET", "/v1/deliveries?limit=100")).json()[
            "items"
        ]:
            path = f"/v1/deliveries/{item['id']}/replay"
            assert keep("replay", running.call("POST", path)).json()["status"] == "pending"
        yield from (("queue", text.encode()) for text in peek(sqs, running.env["QUEUE_URL"]))
        _work_off(running, sqs, [])
        yield from (
            ("dead letters", text.encode())
            for text in peek(sqs, dead_letters_of(sqs, running.env["QUEUE_URL"]))
            if "deliver" in text
        )
    keep("deliveries", running.call("GET", "/v1/deliveries?status=delivered"))
    kept = keep("submissions", running.call("GET", "/v1/submissions?limit=100")).json()["items"]
    assert {one["status"] for one in kept} == {"rejected", "shadow"}
    for one in kept:
        keep("replay", running.call("POST", f"/v1/submissions/{one['id']}/replay"))
    assert len(owner.told) > len(VENDORS)
    assert len(owner.refused) > len(VENDORS)
    for told in owner.told + owner.refused:
        yield "told", told.body + repr(told.headers).encode() + told.path.encode()


def from_lists(
    running: Running, patch: pytest.MonkeyPatch, keep: Callable[[str, Any], Any]
) -> Iterator[tuple[str, bytes]]:
    """Lists of marked persons: at rest in the bucket only, and there no longer than needed."""
    good, bad = NUMBERS[80:90], HOPELESS[10:14]
    running.admin("POST", "people", [{"name": NAME, "id_number": good[0]}])
    running.close_breaker()

    def listed(numbers: list[str], reference: str = "") -> bytes:
        lines = ["姓名,身份证号,reference", *(f"{NAME},{one},{reference}" for one in numbers)]
        return "\n".join(lines).encode("gb18030")

    def made(content: bytes | None, **about: object) -> Any:
        body: dict[str, object] = {"format": "csv", "max_age_seconds": 60, **about}
        if content is not None:
            body["content"] = base64.b64encode(content).decode()
        answer = keep("batch", running.call("POST", "/v1/batches", body))
        return answer.json() if answer.ok else None

    batch = made(listed([*good, *bad, good[0], f"{NAME}{good[1]}"]))
    swapped = made(f"姓名,身份证号\n{good[2]},{NAME}\n".encode())
    told = made(listed(good[:2], reference=good[3]), dry_run=True)
    large = made(None)
    upload = large["upload"]
    put = requests.put(upload["url"], listed(good), headers=upload["headers"], timeout=10)
    assert put.ok, put.text
    broken = [
        made(f"{NAME},{good[4]}\n".encode()),
        made(listed(good), columns={"name": NAME, "id_number": good[4]}),
        made(f"姓名,身份证号\n{NAME},\0{good[4]}\n{'x' * 2000},{good[4]}".encode()),
        made(listed(good).replace(b"\n", b"\xff\n"), encoding="utf-8"),
    ]
    for refused in ({"label": good[5]}, {"sheet": [NAME]}, {NAME: good[5]}, {"format": NAME}):
        assert made(b"x", **refused) is None
    people = set().union(*(spellings(text) for text in (NAME, *good)))
    lying = _bucket(running)
    assert len(lying) == 4 + len(broken) + 2, "two of them with a layout"
    assert any(mark in body for body in lying.values() for mark in people), "nothing to be found"
    yield from (("keys", key.encode()) for key in lying)
    yield from (("waiting batches", item) for item in _whole_table(running))
    ids = [one["id"] for one in (batch, swapped, told, large)]
    with container_of(running, patch) as container, running.sqs() as sqs:
        url = running.env["ROWS_QUEUE_URL"]
        for key in (one for one in lying if one.startswith("uploads/")):
            app.splitter(created(running.env["BUCKET_NAME"], key, 1, "etag"), None)
        yield from (("rows' messages", text.encode()) for text in peek(sqs, url))
        for one in ids:
            keep("waiting", running.call("GET", f"/v1/batches/{one}/results"))
        keep("resume", running.call("POST", f"/v1/batches/{told['id']}/resume"))
        fault = {"kind": "reset", "times": 1, "match": {"id_number": good[6]}}
        running.admin("POST", "faults", fault)
        strange = [f"{NAME}{good[0]}", json.dumps({"rows": {NAME: good[0]}})]
        _work_off(running, sqs, strange, queue="ROWS_QUEUE_URL", worker=app.row_worker)
        dead = peek(sqs, dead_letters_of(sqs, url))
        assert sorted(dead) == sorted(strange), "what was put there by hand, and nothing of ours"
        _broken_reader(running, container, patch, made(listed(good)))
    for one in [*ids, *(found["id"] for found in broken)]:
        shown = keep("batch", running.call("GET", f"/v1/batches/{one}")).json()
        assert shown["status"] == ("completed" if one in ids else "failed"), shown
        keep("results", running.call("GET", f"/v1/batches/{one}/results"))
    keep("batches", running.call("GET", "/v1/batches?limit=100"))
    assert not _bucket(running), "the files are gone with the last row"


def _broken_reader(
    running: Running, container: Container, patch: pytest.MonkeyPatch, batch: Any
) -> None:
    """A fault of ours that knows a person, and then the batch is cancelled."""

    def rows(*_: object, **__: object) -> Iterator[Any]:
        raise ZeroDivisionError(f"{NAME}{NUMBERS[80]}")

    key = f"uploads/{batch['id']}"
    event = created(running.env["BUCKET_NAME"], key, 1, "etag")
    with patch.context() as broken:
        broken.setattr(spreadsheet, "rows", rows)
        with pytest.raises(RuntimeError, match=r"^ZeroDivisionError$"):
            app.splitter(event, None)
    assert running.call("POST", f"/v1/batches/{batch['id']}/cancel").ok
    assert container.batching().batches.get(batch["id"])


def _bucket(running: Running) -> dict[str, bytes]:
    env = running.env
    client = boto3.client(
        "s3",
        endpoint_url=env["AWS_ENDPOINT_URL"],
        region_name=env["AWS_REGION"],
        aws_access_key_id="x",
        aws_secret_access_key="x",
    )
    bucket = env["BUCKET_NAME"]
    listed = client.list_objects_v2(Bucket=bucket).get("Contents", [])
    found = {
        one["Key"]: client.get_object(Bucket=bucket, Key=one["Key"])["Body"].read()
        for one in listed
    }
    client.close()
    return found


def _work_off(
    running: Running,
    sqs: "SQSClient",
    strange: list[str],
    *,
    queue: str = "QUEUE_URL",
    worker: Handler = app.worker,
) -> None:
    """Everything in the queue, and what nobody can read five times."""
    url = running.env[queue]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "0"})
    for text in strange:
        sqs.send_message(QueueUrl=url, MessageBody=text)
    pump = Pump(sqs, url, worker)
    while pump.once():
        pass


def _whole_table(running: Running) -> list[bytes]:
    env = running.env
    client = boto3.client(
        "dynamodb",
        endpoint_url=env["AWS_ENDPOINT_URL"],
        region_name=env["AWS_REGION"],
        aws_access_key_id="x",
        aws_secret_access_key="x",
    )
    pages = client.get_paginator("scan").paginate(TableName=env["TABLE_NAME"])
    return [
        str(item).encode() + b"".join(_binaries(item)) for page in pages for item in page["Items"]
    ]


def _binaries(item: Any) -> Iterator[bytes]:
    for value in item.values():
        if "B" in value:
            yield value["B"]
