"""usage, packages, export, batches."""

import csv
import io
import json
from pathlib import Path

import pytest

from client.exits import Exit
from tests.client.conftest import Run
from tests.client.fake_service import FakeService, Reply, lost, problem

BILLED = {"yes": 3, "no": 1, "unknown": 0}
USAGE = {
    "from": "2026-11-23",
    "to": "2026-11-24",
    "days": [{"date": "2026-11-24", "calls": 4, "billed": BILLED, "codes": {"0000": 3}}],
    "total": {"calls": 4, "billed": BILLED, "codes": {"0000": 3}},
}
PACKAGE = {
    "id": "pkg_0123456789abcdefghjkmnpqrs",
    "calls": 5000,
    "price": "149.00",
    "purchased_at": "2026-11-24T00:00:00.000Z",
    "expires_at": "2027-11-24T00:00:00.000Z",
    "note": None,
}
COUNTS = {"used": 12, "total": 5000, "left": 4988, "unknown": 1, "uncovered": 0}
BASIS = {"from": "2026-10-28", "days": 28, "calls": 410, "calls_a_day": "14.64", "today": 3}
SUMS = {
    "packages": [
        {"number": 1, "calls": 5000, "price": "149.00", "sum": "149.00"},
        {"number": 2, "calls": 100, "price": "9.90", "sum": "19.80"},
    ],
    "calls": 5200,
    "price": "168.80",
}
SINGLE = {
    "packages": [{"number": 1, "calls": 10000, "price": "279.00", "sum": "279.00"}],
    "calls": 10000,
    "price": "279.00",
}
ADVICE = {
    "until": "2027-11-24",
    "basis": BASIS,
    "left": 123,
    "runs_out_on": "2026-12-02",
    "expected": 5345,
    "covered": 123,
    "missing": 5222,
    "purchases": [
        {
            "day": "2026-12-02",
            "until": "2027-11-24",
            "calls": 5222,
            "cheapest": SUMS,
            "single": SINGLE,
        }
    ],
    "price": "168.80",
}


BUY = (
    "buy on 2026-12-02, until 2027-11-24, for 5222 calls: "
    "1 × 5000 (¥149.00) = ¥149.00 + 2 × 100 (¥9.90) = ¥19.80 = ¥168.80"
)


def test_usage(service: FakeService, run: Run) -> None:
    service.routes["GET", "/v1/usage"] = Reply(USAGE)
    done = run("usage", "--from", "2026-11-23", "--to", "2026-11-24")
    assert done.exit == Exit.OK
    assert done.out.splitlines() == [
        "date        calls  billed  not billed  unknown",
        "2026-11-24  4      3       1           0",
        "total       4      3       1           0",
    ]
    assert service.asked[0].query == {"from": "2026-11-23", "to": "2026-11-24"}
    # Chinese characters are two columns wide.
    assert run("usage", "--lang", "zh").out.splitlines() == [
        "日期        调用  已扣费  未扣费  未知",
        "2026-11-24  4     3       1       0",
        "合计        4     3       1       0",
    ]
    assert service.asked[1].query == {}
    assert json.loads(run("usage", "--json").out) == USAGE


def test_packages(service: FakeService, run: Run) -> None:
    state = PACKAGE | {"used": 12, "left": 4988, "live": True}
    past = PACKAGE | {"used": None, "left": None, "live": False}
    service.routes["GET", "/v1/packages"] = Reply(COUNTS | {"items": [state, past]})
    done = run("packages")
    assert done.out.splitlines()[0] == "used 12 of 5000, 4988 left; unknown 1, uncovered 0"
    assert done.out.splitlines()[2].split() == [
        *(PACKAGE["id"], "5000", "¥149.00", "12", "4988", "2027-11-24")
    ]
    assert done.out.splitlines()[3].split()[3:5] == ["-", "-"]
    assert "已用 12 / 共 5000，剩余 4988" in run("packages", "list", "--lang", "zh").out
    assert json.loads(run("packages", "--json").out)["left"] == 4988


def test_a_package_is_added_once(service: FakeService, run: Run) -> None:
    service.routes["POST", "/v1/packages"] = Reply(PACKAGE, 201)
    service.replies = [lost]
    done = run("packages", "add", "--calls", "5000", "--price", "149.00", "--note", "order 7")
    assert (done.exit, done.out) == (Exit.OK, f"recorded: {PACKAGE['id']}\n")
    assert service.asked[0].json == {"calls": 5000, "price": "149.00", "note": "order 7"}
    assert len({asked.headers["idempotency-key"] for asked in service.asked}) == 1
    service.replies = [lost] * 99
    done = run("packages", "add", "--calls", "5000", "--price", "149.00")
    assert done.exit == Exit.LATER
    assert f"--idempotency-key {service.asked[-1].headers['idempotency-key']}" in done.err
    assert run("packages", "add", "--calls", "5000").exit == Exit.USAGE


def test_a_package_is_removed(service: FakeService, run: Run) -> None:
    service.routes["DELETE", f"/v1/packages/{PACKAGE['id']}"] = Reply("", 204)
    assert run("packages", "remove", PACKAGE["id"]).out == f"removed: {PACKAGE['id']}\n"
    told = run("packages", "remove", PACKAGE["id"], "--json")
    assert json.loads(told.out) == {"removed": PACKAGE["id"]}
    asked = len(service.asked)
    assert run("packages", "remove").exit == run("packages", "remove", "张三").exit == Exit.USAGE
    assert len(service.asked) == asked
    missing = run("packages", "remove", "pkg_0")
    assert missing.exit == Exit.REFUSED


def test_advice_shows_its_sums(service: FakeService, run: Run) -> None:
    service.routes["GET", "/v1/packages/advice"] = Reply(ADVICE)
    done = run("packages", "advice", "--days", "365")
    assert done.out.splitlines() == [
        "410 calls in 28 days, 14.64 a day; 123 left, used up on 2026-12-02",
        "until 2027-11-24: 5345 expected - 123 covered = 5222 missing",
        BUY,
        "  the best single package: 1 × 10000 (¥279.00) = ¥279.00",
        "in all: ¥168.80",
    ]
    assert service.asked[0].query == {"days": "365"}
    assert "合计：¥168.80" in run("packages", "advice", "--lang", "zh").out


def pages(service: FakeService) -> None:
    first = Reply("\ufeffid,name\r\nvrf_1,张*\r\n", 200, {"X-Next-Cursor": "c2"})
    service.replies = [first, Reply('\ufeffid,name\r\nvrf_2,"\'=1\n2"\r\n')]


def test_export(service: FakeService, run: Run, tmp_path: Path) -> None:
    wanted = [["id", "name"], ["vrf_1", "张*"], ["vrf_2", "'=1\n2"]]
    pages(service)
    done = run("export", "--from", "2026-11-01", "--out", tmp_path / "a.csv")
    assert (done.exit, done.out) == (Exit.OK, f"{tmp_path / 'a.csv'}: 2 lines\n")
    text = (tmp_path / "a.csv").read_bytes().decode("utf-8-sig")
    assert list(csv.reader(io.StringIO(text, newline=""))) == wanted
    assert [asked.query.get("cursor") for asked in service.asked] == [None, "c2"]
    pages(service)
    assert list(csv.reader(io.StringIO(run("export").out))) == wanted
    pages(service)
    assert json.loads(run("export", "--json").out)[1] == {"id": "vrf_2", "name": "'=1\n2"}
    pages(service)
    told = run("export", "--json", "--out", tmp_path / "b.csv")
    assert json.loads(told.out) == {"out": str(tmp_path / "b.csv"), "lines": 2}


def test_an_export_that_breaks_off_leaves_no_half_file(
    service: FakeService, run: Run, tmp_path: Path
) -> None:
    pages(service)
    service.replies[1:] = [problem("service_unavailable", 503, retryable=True)] * 99
    assert run("export", "--out", tmp_path / "a.csv").exit == Exit.LATER
    assert not list(tmp_path.iterdir())
    service.replies = []
    pages(service)
    assert run("export", "--out", tmp_path / "none" / "a.csv").exit == Exit.USAGE


def test_batches(service: FakeService, run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("name,id_number\n张三,11010519491231002X\n", "utf-8")
    run("batch", "a.csv", "--dry-run", "--label", "spring")
    (name,) = service.batches
    listed = run("batches")
    assert listed.out.splitlines()[1].split() == [
        *(name, "2026-11-24T04:00:00.000Z", "checked", "1", "0", "spring")
    ]
    assert run("batches", "resume", name, "--lang", "zh").out.startswith(f"{name}：核验中")
    assert run("batches", "pause", name).out.startswith(f"{name}: paused (requested)")
    assert run("batches", "cancel", name).out.startswith(f"{name}: cancelled")
    assert json.loads(run("batches", "show", name, "--json").out)["status"] == "cancelled"
    assert json.loads(run("batches", "--json", "--day", "2026-11-24").out)["items"][0]["id"] == name


@pytest.mark.parametrize("given", [(), ("张三",)])
def test_batches_without_an_id(service: FakeService, run: Run, given: tuple[str, ...]) -> None:
    done = run("batches", "show", *given)
    assert done.exit == Exit.USAGE
    assert "张三" not in done.err
    assert not service.asked
