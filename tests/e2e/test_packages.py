"""What was paid for: the mock's ledger, the usage and the packages say the same."""

import csv
import io
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from chalicelib.entrypoints.book_documents import COLUMNS
from tests.e2e.conftest import KEY, ROOT, Running, start_stack, stop_stack, unused_number
from tests.e2e.test_readme import PACKAGES, block, steady
from tests.examples import NAME

CALLS = 12


@pytest.fixture
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A stack of its own: nobody else's calls count."""
    running = start_stack(tmp_path_factory.mktemp("packages"), DEADLINE_SECONDS="4")
    yield running
    stop_stack(running)


def ok(answer: Any, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json()


def bought(running: Running, key: str, calls: int = CALLS) -> Any:
    """A package that the mock sold and that is recorded here."""
    quota = running.admin("GET", "quota")
    running.admin("POST", "quota", {"total": (quota["total"] or 0) + calls})
    return ok(
        running.call(
            "POST", "/v1/packages", {"calls": calls, "price": "3.10"}, Idempotency_Key=key
        ),
        201,
    )


def compared(running: Running) -> Any:
    """With what the mock's console shows."""
    quota = running.admin("GET", "quota")
    body = {"used": quota["used"], "total": quota["total"]}
    return ok(running.call("POST", "/v1/usage/reconcile", body))


def counted(running: Running) -> tuple[int, int, int]:
    """The mock's ledger, the usage, the packages' used."""
    usage = ok(running.call("GET", "/v1/usage"))["total"]["billed"]["yes"]
    balance = ok(running.call("GET", "/v1/packages"))
    assert balance["uncovered"] == 0
    return running.admin("GET", "ledger")["paid_calls"], usage, balance["used"]


def test_ledger_usage_and_packages_are_one(shop: Running) -> None:
    first = bought(shop, "package-1")
    again = shop.call(
        "POST", "/v1/packages", {"calls": CALLS, "price": "3.10"}, Idempotency_Key="package-1"
    )
    assert ok(again) == first
    known = {one["answers"]: one for one in shop.admin("GET", "identities")}
    for n, answers in enumerate(("0000", "0007", "0008")):
        one = known[answers]
        for _ in range(2):  # the second is a replay
            ok(shop.verify(one["name"], one["id_number"], f"k{n}"))
    assert shop.verify(NAME, "123").status_code == 422
    accepted = ok(shop.accept(NAME, unused_number(1)), 202)
    assert shop.ended(accepted["id"])["status"] == "completed"
    assert counted(shop) == (4, 4, 4)
    assert compared(shop)["verdict"] == "agrees"

    # Charged, and the answer lost: nobody knows until somebody compares.
    shop.admin("POST", "faults", {"kind": "reset", "when": "after_charge", "times": 1})
    lost = ok(shop.verify(NAME, unused_number(2), "lost"), 504)
    shop.admin("POST", "faults", {"kind": "reset", "when": "before_charge", "times": 1})
    free = ok(shop.verify(NAME, unused_number(3), "free"), 504)
    assert counted(shop) == (5, 4, 4)
    found = compared(shop)
    assert (found["verdict"], found["difference"]["used"], found["unknowns"]) == ("explained", 1, 2)
    explained = [(one["billed_codes"], one["unknowns"]) for one in found["explanations"]]
    assert ("0007=yes,0008=yes", 1) in explained
    for one, billed in ((lost, "yes"), (free, "no")):
        body = {"billed": billed, "action": "close"}
        ok(shop.call("POST", f"/v1/verifications/{one['verification_id']}/resolve", body))
    assert counted(shop) == (5, 5, 5)
    assert compared(shop)["verdict"] == "agrees"

    # Used up; buying more lets the calls go on, from the package that was bought last.
    for n in range(CALLS - 5):
        ok(shop.verify(NAME, unused_number(10 + n)))
    assert ok(shop.verify(NAME, unused_number(50), "one-more"), 503)["code"] == "quota_exhausted"
    assert ok(shop.call("GET", "/v1/breaker"))["state"] == "open"
    assert ok(shop.call("GET", "/v1/packages"))["left"] == 0
    bought(shop, "package-2")
    assert ok(shop.call("GET", "/v1/breaker"))["state"] == "closed"
    ok(shop.verify(NAME, unused_number(50), "one-more"))
    assert counted(shop) == (CALLS + 1,) * 3
    balance = ok(shop.call("GET", "/v1/packages"))
    assert [one["used"] for one in balance["items"]] == [CALLS, 1]
    assert compared(shop)["verdict"] == "agrees"
    _exported(shop)
    _advised(shop)


def _exported(running: Running) -> None:
    """The charged lines of the export are the ledger."""
    answer = requests.get(
        f"{running.api}/v1/export", headers={"Authorization": f"Bearer {KEY}"}, timeout=10
    )
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert "X-Next-Cursor" not in answer.headers
    lines = [*csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline=""))]
    assert sum(line["billed"] == "yes" for line in lines) == CALLS + 1
    for line in lines:
        assert "*" in line["id_number"]
        assert "*" in line["name"]


def _advised(running: Running) -> None:
    found = ok(running.call("GET", "/v1/packages/advice?days=30"))
    calls = CALLS + 1
    assert found["basis"]["calls"] == calls
    assert found["expected"] == calls * 30
    assert found["missing"] == calls * 30 - (CALLS - 1)
    assert found["purchases"][0]["cheapest"]["price"] == found["price"] == "12.40"


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_page_shows_what_its_commands_answer(shop: Running) -> None:
    pages = [(ROOT / name).read_text("utf-8") for name in PACKAGES]

    def run(mark: str) -> str:
        commands = {block(page, mark).replace("http://127.0.0.1:8000", shop.api) for page in pages}
        (command,) = commands
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
        return done.stdout

    def shown(mark: str) -> str:
        (text,) = {block(page, mark) for page in pages}
        return text

    def timeless(text: str) -> Any:
        text = re.sub(r"pkg_\w+", "pkg_ID", steady(text))
        return json.loads(re.sub(r"\d{4}-\d\d-\d\d", "DAY", text))

    assert timeless(run("record")) == timeless(shown("recorded"))
    known = {one["answers"]: one for one in shop.admin("GET", "identities")}
    for answers, times in (("0000", 21), ("0007", 3)):
        one = known[answers]
        for _ in range(times):
            ok(shop.verify(one["name"], one["id_number"]))
    for asked, answered in (
        ("balance", "balanced"),
        ("advice", "advised"),
        ("compare", "compared"),
    ):
        assert timeless(run(asked)) == timeless(shown(answered)), asked
    (names, line), lines = shown("exported").splitlines(), run("export").splitlines()
    assert lines[0] == "\ufeff" + names == "\ufeff" + ",".join(COLUMNS)
    masked = steady(line).replace("order-24", "")
    assert masked in [steady(other) for other in lines]
