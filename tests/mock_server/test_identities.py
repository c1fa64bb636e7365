import contextlib
from datetime import date
from typing import Any

import pytest
import requests

from mock_server import identities, person_name, resident_id, resp_codes
from mock_server.effects import TRANSPORT, VALUED
from mock_server.gateway_errors import TABLE
from tests.mock_server.support import PATH, Upstream, code

ROWS = list(identities.load().values())
PEOPLE = [row for row in ROWS if row.effect is None]


def test_numbers_are_valid_and_belong_to_nobody_alive() -> None:
    for row in ROWS:
        assert resident_id.is_well_formed(row.id_number, date(1860, 1, 1)), row
        assert 1850 <= int(row.id_number[6:10]) <= 1859
        assert person_name.is_plain(row.name)
    assert len(ROWS) == len({row.name for row in ROWS})


def test_there_is_one_for_every_answer() -> None:
    answers = {row.answers for row in ROWS}
    assert answers == {*resp_codes.MESSAGES, *TABLE, *TRANSPORT}


def test_the_people_are_a_fair_mix() -> None:
    assert len(PEOPLE) >= 30
    assert {row.id_number[:1] for row in PEOPLE} == set("1234568")
    assert {resident_id.sex(row.id_number) for row in PEOPLE} == {"M", "F"}
    assert sum(row.id_number.endswith("X") for row in PEOPLE) > 5
    assert sum("·" in row.name for row in PEOPLE) > 1
    text = "".join(row.name for row in PEOPLE)
    # Ext A, B, E and G; a character that old systems write as private use; a compatibility one.
    for first, last in (
        (0x3400, 0x4DBF),
        (0x20000, 0x2A6DF),
        (0x2B820, 0x2CEAF),
        (0x30000, 0x3134F),
        (0x4DAE, 0x4DAE),
        (0xFA0E, 0xFA29),
    ):
        assert any(first <= ord(character) <= last for character in text)


def test_every_person_answers_to_their_name_only(upstream: Upstream) -> None:
    for row in PEOPLE:
        answer = upstream.ask(row.name, row.id_number)
        assert code(answer) == "0000"
        assert answer.json()["province"]
        assert code(upstream.ask("谁", row.id_number)) == "0008"


@pytest.mark.parametrize("row", [r for r in ROWS if r.answers in resp_codes.MESSAGES and r.effect])
@pytest.mark.parametrize("name", ["谁", "", "not a name"])
def test_resp_codes_whatever_the_name(
    upstream: Upstream, row: identities.Identity, name: str
) -> None:
    assert code(upstream.ask(name, row.id_number)) == row.answers
    assert upstream.paid == row.charged(frozenset({"0000", "0007", "0008"}))


@pytest.mark.parametrize(
    "row", [r for r in ROWS if r.answers in TRANSPORT], ids=lambda r: f"{r.answers}-{r.effect.when}"
)
def test_faults_whatever_the_name(upstream: Upstream, row: identities.Identity) -> None:
    patience = 0.5 if row.answers == "hang" else 20
    with contextlib.suppress(requests.RequestException):
        # Only the head: a drip takes its time, and the ledger is what matters here.
        requests.post(
            upstream.url + PATH,
            {"name": "谁", "idNo": row.id_number},
            headers={"Authorization": "APPCODE x"},
            timeout=patience,
            stream=True,
        ).close()
    (entry,) = upstream.get("/requests")["requests"]
    assert entry["fault"]["kind"] == row.answers
    assert upstream.paid == row.charged(frozenset({"0000"}))


def test_the_table_is_published(upstream: Upstream) -> None:
    rows: list[dict[str, Any]] = upstream.get("/identities")
    assert [row["id_number"] for row in rows] == [row.id_number for row in ROWS]
    assert rows[0] == {
        "name": "答码零一",
        "id_number": "110101185001010114",
        "answers": "0000",
        "charged": True,
        "any_name": True,
        "when": None,
    }
    assert rows[-1]["any_name"] is False


def test_both_sides_of_the_charge_are_there() -> None:
    for kind in TRANSPORT:
        sides = {row.effect.when for row in ROWS if row.effect and row.effect.kind == kind}
        if kind == "latency_ms":  # who waits is charged, so one side is enough
            assert sides == {"after_charge"}
        else:
            assert sides == {"before_charge", "after_charge"}, kind
    assert set(VALUED) < set(TRANSPORT)
