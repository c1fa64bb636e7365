"""Packages, advice, the comparison and the export over HTTP, with fakes behind."""

import csv
import io
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib import bootstrap
from chalicelib.domain.breaker import Breaker
from chalicelib.domain.errors import MalformedRequestError, VerificationEndedError
from chalicelib.domain.verification import Verification, utc
from chalicelib.entrypoints import book_schemas
from chalicelib.services import export as exporting
from tests.examples import NAME, NUMBER
from tests.unit.conftest import OPS, OTHER, SHOP, World
from tests.unit.test_http import RELAXED, VALUES, call, documented, event
from tests.unit.test_packages import DAY, NOON, TODAY

OPS_KEY = {"content-type": "application/json", "authorization": "Bearer ops-key"}
PACKAGE = {"calls": 5_000, "price": "149"}


@pytest.fixture
def served(world: World) -> Iterator[World]:
    bootstrap.override(world.container())
    yield world
    bootstrap.override(None)


def ask(
    method: str, path: str, body: object = None, *, key: str | None = None, **query: str
) -> dict[str, Any]:
    headers = OPS_KEY | ({} if key is None else {"idempotency-key": key})
    return call(
        event(
            method,
            path,
            body=None if body is None else json.dumps(body),
            headers=headers,
            query={name: [value] for name, value in query.items()} or None,
        )
    )


def told(answer: dict[str, Any], status: int = 200) -> Any:
    assert answer["statusCode"] == status, answer["body"]
    return json.loads(answer["body"])


class TestPackages:
    def test_recording_and_reading(self, served: World) -> None:
        recorded = told(ask("POST", "/v1/packages", PACKAGE, key="k"), 201)
        assert recorded["price"] == "149.00"
        assert recorded["purchased_at"] == "2026-11-24T04:00:00.000Z"
        assert recorded["expires_at"] == "2027-11-24T04:00:00.000Z"
        assert told(ask("POST", "/v1/packages", PACKAGE, key="k")) == recorded
        for n in range(3):
            served.verify(key=f"k{n}")
        found = told(ask("GET", "/v1/packages"))
        assert (found["used"], found["total"], found["left"]) == (3, 5_000, 4_997)
        assert (found["unknown"], found["uncovered"]) == (0, 0)
        assert (found["unit_price"], found["since"]) == ("0.029800", "2026-11-24")
        assert found["runs_out_on"] == (TODAY + 366 * DAY).isoformat()
        assert found["items"] == [{**recorded, "used": 3, "left": 4_997, "live": True}]

    def test_what_was_not_counted_is_not_said_to_be_unused(self, served: World) -> None:
        old = {"purchased_at": "2024-01-01", "expires_at": "2025-01-01"}
        told(ask("POST", "/v1/packages", PACKAGE | old), 201)
        (alone,) = told(ask("GET", "/v1/packages"))["items"]
        assert (alone["used"], alone["left"]) == (0, 5_000)
        told(ask("POST", "/v1/packages", PACKAGE), 201)
        before, now = told(ask("GET", "/v1/packages"))["items"]
        assert (before["used"], before["left"]) == (None, None)
        assert (now["used"], now["left"]) == (0, 5_000)

    def test_one_that_was_recorded_wrongly_is_taken_out(self, served: World) -> None:
        wrong = told(ask("POST", "/v1/packages", {**PACKAGE, "calls": 50_000}, key="k"), 201)
        right = told(ask("POST", "/v1/packages", PACKAGE), 201)
        served.verify()
        path = "/v1/packages/{package_id}"
        answer = call(event("DELETE", path, headers=OPS_KEY, package_id=wrong["id"]))
        assert (answer["statusCode"], answer["body"]) == (204, "")
        found = told(ask("GET", "/v1/packages"))
        assert found["items"] == [{**right, "used": 1, "left": 4_999, "live": True}]
        again = call(event("DELETE", path, headers=OPS_KEY, package_id=wrong["id"]))
        assert documented(again)["code"] == "not_found"

    def test_another_package_under_the_key(self, served: World) -> None:
        assert ask("POST", "/v1/packages", PACKAGE, key="k")["statusCode"] == 201
        answer = ask("POST", "/v1/packages", {**PACKAGE, "calls": 1}, key="k")
        assert documented(answer)["code"] == "idempotency_key_reused"
        assert len(served.packages.items) == 1

    def test_calls_go_out_again(self, served: World) -> None:
        mark = served.secrets.now.appcode_mark
        served.repository.breaker_now = Breaker(1, "quota_exhausted", NOON, None, mark)
        assert told(ask("GET", "/v1/breaker"))["state"] == "open"
        told(ask("POST", "/v1/packages", PACKAGE), 201)
        assert told(ask("GET", "/v1/breaker"))["state"] == "closed"
        assert served.verify().verification.outcome is not None

    def test_a_day_is_its_beginning_in_china(self, served: World) -> None:
        body = {**PACKAGE, "purchased_at": "2026-11-24", "expires_at": "2026-12-01"}
        recorded = told(ask("POST", "/v1/packages", body), 201)
        assert recorded["purchased_at"] == "2026-11-23T16:00:00.000Z"
        assert recorded["expires_at"] == "2026-11-30T16:00:00.000Z"

    @pytest.mark.parametrize(
        ("body", "says"),
        [
            ({**PACKAGE, "price": 149.0}, "price: must be yuan as a text"),
            ({**PACKAGE, "price": 149}, "price: must be yuan as a text"),
            ({**PACKAGE, "price": "149.001"}, "price: "),
            ({**PACKAGE, "price": "-1"}, "price: "),
            ({**PACKAGE, "price": "1e3"}, "price: "),
            ({**PACKAGE, "price": "NaN"}, "price: "),
            ({**PACKAGE, "price": "１"}, "price: "),
            ({**PACKAGE, "calls": 0}, "calls: must be a whole number"),
            ({**PACKAGE, "calls": "5000"}, "calls: "),
            ({**PACKAGE, "calls": True}, "calls: "),
            ({"calls": 1}, "price: is missing"),
            ({**PACKAGE, "purchased_at": "2027-01-01"}, "purchased_at: must not be in the future"),
            ({**PACKAGE, "purchased_at": "2026-11-24T09:30:00"}, "purchased_at: must be a time"),
            ({**PACKAGE, "purchased_at": "2026-02-30"}, "purchased_at: "),
            ({**PACKAGE, "purchased_at": "9999-12-31T23:59:59-23:59"}, "purchased_at: "),
            ({**PACKAGE, "purchased_at": "0001-01-01T00:00:00+23:59"}, "purchased_at: "),
            ({**PACKAGE, "purchased_at": 1_795_000_000}, "purchased_at: "),
            ({**PACKAGE, "purchased_at": "0001-01-01"}, "purchased_at: "),
            ({**PACKAGE, "expires_at": "9999-12-31"}, "expires_at: must be a time"),
            ({**PACKAGE, "expires_at": "2026-11-24"}, "expires_at: must be after"),
            ({**PACKAGE, "note": ""}, "note: must be"),
            ({**PACKAGE, "note": "a\nb"}, "note: must be"),
            ({**PACKAGE, "note": f"for {NUMBER}"}, "note: must not contain an identity number"),
            ({**PACKAGE, "note": f"{NUMBER[:6]} {NUMBER[6:14]} {NUMBER[14:]}"}, "note: must not"),
            ({**PACKAGE, "more": 1}, "unknown field"),
        ],
    )
    def test_what_cannot_be(self, served: World, body: object, says: str) -> None:
        problem = documented(ask("POST", "/v1/packages", body))
        assert problem["code"] == "malformed_request"
        assert says in problem["detail"]
        assert not served.packages.items

    def test_nothing_recorded_yet(self, served: World) -> None:
        found = told(ask("GET", "/v1/packages"))
        assert (found["total"], found["items"], found["unit_price"]) == (0, [], None)
        assert found["runs_out_on"] is None

    def test_money_is_never_a_float(self, served: World) -> None:
        told(ask("POST", "/v1/packages", {"calls": 3, "price": "0.1"}), 201)
        served.verify()
        for path in ("/v1/packages", "/v1/packages/advice"):
            answer = ask("GET", path)
            floats: list[str] = []
            json.loads(answer["body"], parse_float=floats.append)
            assert answer["statusCode"] == 200
            assert not floats

    def test_the_table_out_of_reach(self, served: World) -> None:
        served.packages.down = True
        for method, path in (("POST", "/v1/packages"), ("GET", "/v1/packages")):
            problem = documented(ask(method, path, PACKAGE if method == "POST" else None))
            assert problem["code"] == "service_unavailable"


FIELDS = st.sampled_from(
    ["calls", "price", "purchased_at", "expires_at", "note", "used", "total", "at"]
)
LIKELY = st.sampled_from([1, 0, "149.00", "2026-11-24", "2026-11-24T00:00:00Z", 10**9, -1])


@RELAXED
@given(
    path=st.sampled_from(["/v1/packages", "/v1/usage/reconcile"]),
    body=st.dictionaries(FIELDS, LIKELY | VALUES, max_size=5),
)
def test_any_body_is_answered_as_documented(served: World, path: str, body: object) -> None:
    answer = ask("POST", path, body)
    if answer["statusCode"] != 201:
        documented(answer)


@given(st.datetimes(), st.integers(-1439, 1439))
def test_any_time_is_read_or_refused(moment: Any, minutes: int) -> None:
    sign, offset = "-" if minutes < 0 else "+", abs(minutes)
    text = f"{moment.isoformat()}{sign}{offset // 60:02}:{offset % 60:02}"
    try:
        found = book_schemas.moment("at", text)
    except MalformedRequestError:
        return
    assert found.replace(tzinfo=None) - found.utcoffset() == moment - timedelta(minutes=minutes)  # type: ignore[operator]


class TestAdvice:
    def test_the_sums_are_shown(self, served: World) -> None:
        told(ask("POST", "/v1/packages", {"calls": 1_000, "price": "30.00"}), 201)
        for n in range(20):
            served.verify(key=f"k{n}")
        served.clock.advance(days=1)
        found = told(ask("GET", "/v1/packages/advice", days="100"))
        assert found["basis"] == {
            "from": "2026-11-24",
            "days": 1,
            "calls": 20,
            "calls_a_day": "20.00",
            "today": 0,
        }
        # 980 are left, and 20 a day are expected today and on 100 days after it.
        assert (found["left"], found["expected"], found["covered"]) == (980, 2_020, 980)
        assert (found["missing"], found["price"]) == (1_040, "33.10")
        (one,) = found["purchases"]
        assert (one["day"], one["calls"]) == ("2027-01-13", 1_040)
        assert one["cheapest"] == {
            "packages": [
                {"number": 1, "calls": 1_000, "price": "30.00", "sum": "30.00"},
                {"number": 1, "calls": 100, "price": "3.10", "sum": "3.10"},
            ],
            "calls": 1_100,
            "price": "33.10",
        }
        assert one["single"]["price"] == "149.00"
        assert found["runs_out_on"] == one["day"]

    @pytest.mark.parametrize("days", ["0", "731", "x", "-1"])
    def test_a_horizon_that_cannot_be(self, served: World, days: str) -> None:
        problem = documented(ask("GET", "/v1/packages/advice", days=days))
        assert problem["detail"] == "days: must be a whole number from 1 to 730."


class TestComparison:
    def test_the_console_agrees(self, served: World) -> None:
        told(ask("POST", "/v1/packages", PACKAGE), 201)
        served.verify()
        found = told(ask("POST", "/v1/usage/reconcile", {"used": 1, "total": 5_000}))
        assert (found["verdict"], found["tolerance"]) == ("agrees", 0)
        assert found["console"] == {"used": 1, "total": 5_000, "left": 4_999}
        assert found["ours"]["used"] == 1

    def test_no_record_is_not_charged(self, served: World) -> None:
        told(ask("POST", "/v1/packages", PACKAGE), 201)
        served.script(["0000", "0007", "0007"])
        for n in range(3):
            served.verify(key=f"k{n}")
        before = dict(served.repository.days)
        found = told(ask("POST", "/v1/usage/reconcile", {"used": 1, "total": 5_000}))
        assert found["difference"] == {"used": -2, "total": 0}
        assert found["explanations"][0]["billed_codes"] == "0007=no"
        assert served.repository.days == before  # it settles nothing

    @pytest.mark.parametrize(
        ("body", "says"),
        [
            ({"used": 2, "total": 1}, "used: must not be more than total."),
            ({"used": -1, "total": 1}, "used: must be a whole number"),
            ({"used": 1}, "total: is missing."),
            ({"used": 1, "total": 1, "at": "2026-11-25"}, "at: must not be in the future."),
            ({"used": 1, "total": 1, "at": "now"}, "at: must be a time"),
        ],
    )
    def test_what_no_console_shows(self, served: World, body: object, says: str) -> None:
        problem = documented(ask("POST", "/v1/usage/reconcile", body))
        assert says in problem["detail"]


def rows(answer: dict[str, Any]) -> list[dict[str, str]]:
    """The lines of an export, read as a spreadsheet does."""
    assert answer["statusCode"] == 200, answer["body"]
    assert answer["headers"]["Content-Type"] == "text/csv; charset=utf-8"
    text = answer["body"].encode().decode("utf-8-sig")
    assert text != answer["body"], "no byte order mark"
    return [*csv.DictReader(io.StringIO(text, newline=""))]


def export(key: str, **query: str) -> dict[str, Any]:
    headers = {"authorization": f"Bearer {key}"}
    given = {name.rstrip("_"): [value] for name, value in query.items()}
    return call(event("GET", "/v1/export", headers=headers, query=given or None))


def stored(world: World, number: int, *, days: int = 0, **about: Any) -> Verification:
    found = world.verify(key=f"k{number}").verification
    moved = replace(
        found,
        id=f"vrf_{number:026}",
        created_at=found.created_at + days * DAY + timedelta(seconds=number),
        **about,
    )
    del world.repository.items[found.id]
    world.repository.items[moved.id] = moved
    return moved


class TestExport:
    def test_one_line_a_verification(self, served: World) -> None:
        served.script(["0000"])
        served.verify(reference="order-9")
        (line,) = rows(export("shop-key"))
        (found,) = served.repository.items.values()
        assert line == {
            "id": found.id,
            "created_at": utc(found.created_at),
            "ended_at": utc(found.ended_at or found.created_at),
            "client": "shop",
            "reference": "order-9",
            "name": found.name_masked,
            "id_number": found.id_number_masked,
            "status": "completed",
            "outcome": "match",
            "code": "0000",
            "billed": "yes",
            "attempts": "1",
            "upstream_request_id": found.upstream_request_id or "",
            "problem": "",
        }

    def test_it_holds_no_person(self, served: World) -> None:
        served.script(["0000", "0008", "no_answer"])
        for n in range(3):
            with suppress(VerificationEndedError):
                served.verify(key=f"k{n}")
        answer = export("ops-key")
        lines = rows(answer)
        assert sorted(line["problem"] for line in lines) == ["", "", "outcome_unknown"]
        assert NAME not in answer["body"]
        assert NUMBER not in answer["body"]
        assert NUMBER[:6] not in answer["body"]

    def test_days_come_in_order_and_the_newest_of_a_day_first(self, served: World) -> None:
        for number, days in ((1, -1), (2, 0), (3, -3), (4, -1)):
            stored(served, number, days=days)
        lines = rows(export("ops-key", from_="2026-11-21", to="2026-11-24"))
        assert [line["id"][-1] for line in lines] == ["3", "4", "1", "2"]
        lines = rows(export("ops-key", from_="2026-11-22", to="2026-11-23"))
        assert [line["id"][-1] for line in lines] == ["4", "1"]
        assert [line["id"][-1] for line in rows(export("ops-key"))] == ["2"]

    def test_a_client_sees_its_own(self, served: World) -> None:
        stored(served, 1)
        stored(served, 2, client="other")
        shown = {key: [line["client"] for line in rows(export(key))] for key in KEYS}
        assert shown == {"shop-key": ["shop"], "other-key": ["other"], "ops-key": ["other", "shop"]}

    def test_page_by_page_nothing_is_lost_or_shown_twice(
        self, served: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for number in range(1, 24):
            owner = SHOP if number % 3 else OTHER
            stored(served, number, days=-(number % 4), client=owner.name)
        monkeypatch.setattr(exporting, "_PAGE", 2)
        for lines, pages in ((2_000, 2), (3, 100), (1, 1)):
            monkeypatch.setattr(exporting, "MAX_LINES", lines)
            monkeypatch.setattr(exporting, "_MAX_PAGES", pages)
            for key in KEYS:
                shown, cursor = self.walked(key)
                assert cursor > 1
                assert len(shown) == len(set(shown))
                if key == "ops-key":
                    assert len(shown) == 23
        assert len(self.walked("shop-key")[0]) == 16

    def test_others_lines_are_not_read_without_end(
        self, served: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for number in range(1, 9):
            stored(served, number, client="other")
        stored(served, 9, days=1)
        monkeypatch.setattr(exporting, "_PAGE", 2)
        monkeypatch.setattr(exporting, "_MAX_READ", 4)
        part = export("shop-key", from_="2026-11-24", to="2026-11-25")
        assert rows(part) == []
        assert "X-Next-Cursor" in part["headers"]
        shown, parts = self.walked("shop-key")
        assert (len(shown), parts) == (1, 3)

    @staticmethod
    def walked(key: str) -> tuple[list[str], int]:
        shown: list[str] = []
        query, parts = {"from_": "2026-11-20", "to": "2026-11-25"}, 0
        while True:
            answer = export(key, **query)
            shown += [line["id"] for line in rows(answer)]
            parts += 1
            cursor = answer["headers"].get("X-Next-Cursor")
            if cursor is None:
                return shown, parts
            query["cursor"] = cursor

    @pytest.mark.parametrize(
        "query",
        [
            {"cursor": "x"},
            {"cursor": "2026-11-23."},
            {"cursor": "2026-11-24.x"},
            {"from_": "2026-11-25"},
            {"from_": "2025-11-01"},
            {"from_": "yesterday"},
            {"more": "1"},
        ],
    )
    def test_broken_queries(self, served: World, query: dict[str, str]) -> None:
        stored(served, 1)
        assert documented(export("ops-key", **query))["code"] == "malformed_request"

    def test_no_cell_is_a_formula(self, served: World) -> None:
        stored(served, 1, reference="-1", resp_code="=cmd|' /C calc'!A0", upstream_request_id="+1")
        stored(served, 2, name_masked="@SUM(A1)", id_number_masked="\t=1", resp_code='a","b\r\n')
        first, second = sorted(rows(export("ops-key")), key=lambda line: line["id"])
        assert (first["reference"], first["upstream_request_id"]) == ("'-1", "'+1")
        assert first["code"] == "'=cmd|' /C calc'!A0"
        assert (second["name"], second["id_number"]) == ("'@SUM(A1)", "'\t=1")
        assert second["code"] == 'a","b\r\n'

    def test_what_was_erased_is_empty(self, served: World) -> None:
        stored(served, 1, name_masked=None, id_number_masked=None, reference=None, erased=True)
        (line,) = rows(export("ops-key"))
        assert (line["name"], line["id_number"], line["reference"]) == ("", "", "")


KEYS = [f"{one.name}-key" for one in (SHOP, OTHER, OPS)]
