"""Lists of people over the whole system: ledger, usage, result files and packages say the same."""

import csv
import io
import itertools
import subprocess
import sys
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
import requests

from tests.e2e.conftest import ROOT, Running, start_stack, stop_stack, until, unused_number
from tests.examples import NAME, OTHER_NAME
from tests.spreadsheets import workbook

Person = tuple[str, str]
LATENCY = 300

_serials = itertools.count(5000)


@dataclass
class Place:
    """A stack of its own, and the batches that were made in it."""

    running: Running
    batches: list[str] = field(default_factory=list)

    def made(self, content: bytes | None, *, key: str | None = None, **about: object) -> Any:
        body = {"format": "csv", **about}
        if content is not None:
            body["content"] = b64encode(content).decode()
        headers = {} if key is None else {"Idempotency_Key": key}
        answer = self.running.call("POST", "/v1/batches", body, **headers)
        assert answer.status_code in {200, 201}, answer.text
        found = answer.json()
        if found["id"] not in self.batches:
            self.batches.append(found["id"])
        return found

    def now(self, batch_id: str) -> Any:
        answer = self.running.call("GET", f"/v1/batches/{batch_id}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def act(self, batch_id: str, act: str, status: int = 200) -> Any:
        answer = self.running.call("POST", f"/v1/batches/{batch_id}/{act}")
        assert answer.status_code == status, answer.text
        return answer.json()

    def reaches(self, batch_id: str, *statuses: str) -> Any:
        def look() -> Any:
            found = self.now(batch_id)
            return found if found["status"] in statuses else None

        return until(look, seconds=60)

    def results(self, batch_id: str, limit: int = 5000) -> list[dict[str, str]]:
        """All of the file, part by part."""
        lines: list[dict[str, str]] = []
        row: str | None = "1"
        while row:
            path = f"/v1/batches/{batch_id}/results?from_row={row}&limit={limit}"
            answer = self.running.call("GET", path)
            assert answer.status_code == 200, answer.text
            assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
            lines += csv.DictReader(io.StringIO(answer.content.decode()))
            row = answer.headers.get("X-Next-Row")
        return lines

    def paid(self) -> int:
        return int(self.running.admin("GET", "ledger")["paid_calls"])

    def slow(self, calls: int) -> None:
        fault = {"kind": "latency_ms", "value": LATENCY, "times": calls}
        self.running.admin("POST", "faults", fault)

    def agrees(self) -> int:
        """Ledger, usage, result files and packages; returns how many calls were paid."""
        ledger = self.paid()
        usage = self.running.call("GET", "/v1/usage").json()["total"]["billed"]
        files = Counter(line["billed"] for one in self.batches for line in self.split_results(one))
        packages = self.running.call("GET", "/v1/packages").json()
        assert (usage["yes"], usage["unknown"]) == (ledger, 0)
        assert (files["yes"], files["unknown"]) == (ledger, 0)
        assert packages["used"] + packages["uncovered"] == ledger
        return ledger

    def split_results(self, batch_id: str) -> list[dict[str, str]]:
        has_rows = self.now(batch_id)["rows"]["total"]
        return self.results(batch_id) if has_rows else []

    def record(self, calls: int) -> None:
        body = {"calls": calls, "price": "3.10"}
        assert self.running.call("POST", "/v1/packages", body).status_code == 201


@pytest.fixture(scope="module")
def _place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    running = start_stack(
        tmp_path_factory.mktemp("batches"), "--sweep-seconds", "1", DEADLINE_SECONDS="4"
    )
    place = Place(running)
    place.record(100_000)
    yield place
    stop_stack(running)


@pytest.fixture
def place(_place: Place) -> Iterator[Place]:
    yield _place
    _place.agrees()


def people(count: int) -> list[Person]:
    """Persons nobody was asked about yet."""
    return [(NAME, unused_number(next(_serials))) for _ in range(count)]


def csv_of(persons: Sequence[Person], titles: str = "姓名,身份证号") -> str:
    return "\n".join([titles, *(",".join(person) for person in persons)]) + "\n"


def known(place: Place, count: int) -> list[Person]:
    """The mock's invented people whose name is right."""
    found = place.running.admin("GET", "identities")
    good = [one for one in found if one["answers"] == "0000" and not one["any_name"]]
    return [(one["name"], one["id_number"]) for one in good[:count]]


def test_a_small_list_in_gb18030(place: Place) -> None:
    match = known(place, 3)
    some = people(40)
    hopeless = [(NAME, "3.40421E+17"), ("", unused_number(1)), ("张3", unused_number(2))]
    listed = [*match, *some, *hopeless, *match, (OTHER_NAME, match[0][1])]
    made = place.made(csv_of(listed).encode("gb18030"), key="small", label="april")
    assert made["status"] == "awaiting_upload"
    done = place.reaches(made["id"], "completed")
    assert done["rows"] == {"total": 50, "hopeless": 3, "duplicates": 3, "done": 50}
    assert done["flaws"] == {"id_number_not_text": 1, "name_empty": 1, "name_invalid": 1}
    assert done["outcomes"]["match"] == 3
    assert done["outcomes"]["mismatch"] == 1
    assert done["outcomes"]["duplicate"] == 3
    assert done["billed"] == {"yes": 44, "no": 6, "unknown": 0}
    assert done["label"] == "april"
    until(lambda: place.now(made["id"])["files_until"] is None)
    lines = place.results(made["id"], limit=7)
    assert [int(line["row"]) for line in lines] == [*range(2, 52)]
    assert lines == place.results(made["id"])
    assert [line["outcome"] for line in lines[:3]] == ["match"] * 3
    assert [line["reason"] for line in lines[43:46]] == [
        "id_number_not_text",
        "name_empty",
        "name_invalid",
    ]
    for line, original in zip(lines[46:49], lines[:3], strict=True):
        assert line["reason"] == f"duplicate_of:{original['row']}"
        assert (line["outcome"], line["billed"]) == ("match", "no")
        assert line["verification_id"] == original["verification_id"]
    for line in lines:
        assert "*" in line["name"] or not line["name"]
        if line["verification_id"]:
            seen = place.running.seen(line["verification_id"])
            assert (seen["outcome"], seen["person"]) == (line["outcome"], None)
    # The key leads there again, and to nothing else.
    assert place.made(csv_of(listed).encode("gb18030"), key="small", label="april") == place.now(
        made["id"]
    )
    body = {"format": "csv", "content": b64encode(b"x").decode(), "label": "april"}
    other = place.running.call("POST", "/v1/batches", body, Idempotency_Key="small")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


def test_a_workbook_put_from_another_process(place: Place, tmp_path: Any) -> None:
    some = people(30)
    rows = [("no", "who", "number", "order"), *((n, *one, f"r-{n}") for n, one in enumerate(some))]
    file = tmp_path / "people.xlsx"
    file.write_bytes(workbook(*rows))
    columns = {"name": "who", "id_number": 3, "reference": "order"}
    made = place.made(None, format="xlsx", columns=columns)
    upload = made["upload"]
    program = (
        "import sys, requests; h = dict(a.split('=', 1) for a in sys.argv[3:]); "
        "requests.put(sys.argv[1], open(sys.argv[2], 'rb'), headers=h).raise_for_status()"
    )
    headers = [f"{name}={value}" for name, value in upload["headers"].items()]
    subprocess.run(
        [sys.executable, "-c", program, upload["url"], str(file), *headers], check=True, cwd=ROOT
    )
    place.reaches(made["id"], "completed")
    until(lambda: place.now(made["id"])["files_until"] is None)
    done = place.now(made["id"])
    assert done["billed"]["yes"] == 30
    lines = place.results(made["id"])
    assert [line["reference"] for line in lines] == [f"r-{n}" for n in range(30)]
    # What is put there later is read by nobody, and does not stay.
    late = requests.put(upload["url"], b"name,id_number\n", headers=upload["headers"], timeout=10)
    assert late.ok
    until(lambda: not objects(place.running))
    until(lambda: place.now(made["id"]) == done | {"files_until": None})


def objects(running: Running) -> list[str]:
    """What lies in the bucket."""
    client = boto3.client(
        "s3",
        endpoint_url=running.env["AWS_ENDPOINT_URL"],
        region_name=running.env["AWS_REGION"],
        aws_access_key_id="x",
        aws_secret_access_key="x",
    )
    found = client.list_objects_v2(Bucket=running.env["BUCKET_NAME"]).get("Contents", [])
    client.close()
    return [one["Key"] for one in found]


def test_a_file_that_cannot_be_read_costs_nothing(place: Place) -> None:
    for content, says in (
        (b"a,b\n1,2\n", "columns"),
        ("姓名,身份证号\n".encode(), "no rows"),
        (workbook(("姓名", "身份证号")), "workbook"),
        (b"\xff\xfe\x00\x01" * 10, ""),
    ):
        made = place.made(content)
        failed = place.reaches(made["id"], "failed")
        assert failed["problem"]["code"] == "batch_file_unreadable"
        assert says in failed["problem"]["detail"]
        answer = place.running.call("GET", f"/v1/batches/{made['id']}/results")
        assert (answer.status_code, answer.json()["code"]) == (422, "batch_file_unreadable")
    assert not objects(place.running)


def test_paused_and_resumed(place: Place) -> None:
    place.slow(60)
    some = people(60)
    before = place.paid()
    one = place.made(csv_of(some).encode())["id"]
    until(lambda: place.paid() > before)
    paused = place.act(one, "pause")
    assert (paused["status"], paused["paused"]) == ("paused", {"cause": "requested", "until": None})
    assert place.act(one, "pause")["status"] == "paused"

    def ended() -> int:
        """How many rows have their end, once no worker has any without."""
        done = int(place.now(one)["rows"]["done"])
        return done if done == place.paid() - before else 0

    done = until(ended)
    assert done < 60
    reasons = Counter(line["reason"] for line in place.results(one))
    assert reasons == {"": done, "waiting": 60 - done}
    assert place.act(one, "resume")["status"] == "running"
    assert place.reaches(one, "completed")["billed"]["yes"] == 60
    assert place.act(one, "resume", 409)["code"] == "batch_state"


def test_cancelled_in_the_middle(place: Place) -> None:
    place.slow(30)
    before = place.paid()
    one = place.made(csv_of(people(60)).encode())["id"]
    until(lambda: place.paid() > before)
    assert place.act(one, "cancel")["status"] == "cancelled"
    assert place.act(one, "cancel")["status"] == "cancelled"
    until(lambda: not objects(place.running))

    until(lambda: len(place.results(one)) == place.paid() - before)
    assert len(place.results(one)) < 60


def test_a_dry_run_and_then_the_real_one(place: Place) -> None:
    some = people(50)
    listed = [*some, (NAME, "1"), some[0]]
    before = place.agrees()
    one = place.made(csv_of(listed).encode(), dry_run=True)["id"]
    checked = place.reaches(one, "checked")
    assert checked["rows"] == {"total": 52, "hopeless": 1, "duplicates": 1, "done": 0}
    left = place.running.call("GET", "/v1/packages").json()["left"]
    assert checked["cost"] == {
        "calls": 50,
        "unit_price": "0.000031",
        "yuan": "0.00",
        "balance_left": left,
        "enough": True,
    }
    reasons = Counter(line["reason"] for line in place.results(one))
    assert reasons == {"waiting": 51, "id_number_invalid": 1}
    assert place.agrees() == before, "a dry run is free"
    place.act(one, "resume")
    assert place.reaches(one, "completed")["billed"]["yes"] == 50
    assert place.agrees() == before + 50


def test_the_quota_ends_in_the_middle(place: Place) -> None:
    quota = place.running.admin("GET", "quota")
    place.running.admin("POST", "quota", {"total": quota["used"] + 25})
    one = place.made(csv_of(people(60)).encode())["id"]
    paused = place.reaches(one, "paused")
    assert paused["paused"] == {"cause": "quota_exhausted", "until": None}
    assert place.running.call("GET", "/v1/breaker").json()["state"] == "open"
    place.running.admin("POST", "quota", {"total": None})
    place.record(1000)
    assert place.running.call("GET", "/v1/breaker").json()["state"] == "closed"
    place.act(one, "resume")
    # Another container may know the breaker as it was a moment ago, and pause it once more.
    done = until(lambda: resumed(place, one), seconds=60)
    assert done["billed"]["yes"] == 60
    assert Counter(line["reason"] for line in place.results(one)) == {"": 60}


def resumed(place: Place, one: str) -> Any:
    found = place.now(one)
    if found["status"] == "paused":
        place.act(one, "resume")
    return found if found["status"] == "completed" else None


def test_unknown_rows_are_resolved_and_it_shows(place: Place) -> None:
    some = people(20)
    charged, free = some[3][1], some[12][1]
    for number, when in ((charged, "after_charge"), (free, "before_charge")):
        fault = {"kind": "reset", "when": when, "times": 1, "match": {"id_number": number}}
        place.running.admin("POST", "faults", fault)
    one = place.made(csv_of(some).encode())["id"]
    done = place.reaches(one, "completed")
    assert (done["outcomes"]["unknown"], done["billed"]["unknown"]) == (2, 2)
    unknown = [line for line in place.results(one) if line["billed"] == "unknown"]
    assert {line["reason"] for line in unknown} == {"outcome_unknown"}
    assert [int(line["row"]) for line in unknown] == [5, 14]
    for line, number in zip(unknown, (charged, free), strict=True):
        billed = "yes" if place.running.paid(number) else "no"
        body = {"billed": billed, "action": "close"}
        path = f"/v1/verifications/{line['verification_id']}/resolve"
        assert place.running.call("POST", path, body).ok
    settled = {line["row"]: line for line in place.results(one)}
    assert [settled[row]["billed"] for row in ("5", "14")] == ["yes", "no"]
    assert {settled[row]["reason"] for row in ("5", "14")} == {"closed_without_outcome"}


def test_many_at_once(place: Place) -> None:
    with ThreadPoolExecutor(6) as pool:
        lists = [csv_of(people(10)).encode() for _ in range(6)]
        ids = [made["id"] for made in pool.map(place.made, lists)]
    for one in ids:
        assert place.reaches(one, "completed")["billed"]["yes"] == 10
    page = place.running.call("GET", "/v1/batches?limit=3").json()
    assert len(page["items"]) == 3
    rest = place.running.call("GET", f"/v1/batches?cursor={page['next_cursor']}").json()
    assert {one["id"] for one in page["items"] + rest["items"]} >= set(ids)
