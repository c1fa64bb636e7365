"""`POST /__admin/requests/verify`: how many requests were as wanted, and which nearly so."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from mock_server import near_misses
from mock_server.admin_input import InvalidInputError
from mock_server.call import Fields
from mock_server.effects import KINDS, Effect
from mock_server.gateway_errors import TABLE
from mock_server.journal import Entry
from tests.mock_server.support import APPCODE, OTHER, PATH, PERSON, UNHELD, Json, Upstream


def verify(upstream: Upstream, count: Json, **match: Json) -> requests.Response:
    return upstream.admin("POST", "/requests/verify", {"count": count, "match": match})


def found(upstream: Upstream, **match: Json) -> int:
    refused = verify(upstream, 1_000, **match)
    assert refused.status_code == 422
    number: int = refused.json()["found"]
    assert verify(upstream, number, **match).json() == {"count": number}
    return number


@pytest.fixture
def asked(upstream: Upstream) -> Upstream:
    """Seven calls, each of another kind."""
    upstream.ask(*PERSON)
    upstream.ask("谁", PERSON[1])
    upstream.ask("谁", UNHELD)
    upstream.arm("close", times=1, when="after_charge")
    with pytest.raises(requests.ConnectionError):
        upstream.ask(*OTHER)
    upstream.arm("gateway:D504TO", times=1)
    upstream.ask(*OTHER)
    upstream.send(b"", path="/elsewhere", method="GET")
    upstream.send({"name": "谁", "idNo": UNHELD}, Authorization="none")
    return upstream


@pytest.mark.parametrize(
    ("match", "count"),
    [
        ({}, 7),
        ({"name": PERSON[0]}, 1),
        ({"name": "谁"}, 2),
        ({"name": "谁", "id_number": PERSON[1]}, 1),
        ({"id_number": OTHER[1]}, 2),
        ({"id_number": UNHELD.lower()}, 0),
        ({"id_number": ""}, 2),
        ({"resp_code": "0000"}, 2),
        ({"resp_code": "0007"}, 1),
        ({"resp_code": "5"}, 0),
        ({"resp_code": ""}, 3),
        ({"gateway_code": "I404NF"}, 1),
        ({"gateway_code": ""}, 4),
        ({"fault": "close"}, 1),
        ({"fault": "gateway:D504TO"}, 1),
        ({"fault": "hang"}, 0),
        ({"fault": None}, 5),
        ({"method": "GET"}, 1),
        ({"method": "get"}, 0),
        ({"path": PATH}, 6),
        ({"path": "/elsewhere", "method": "GET"}, 1),
        ({"status": 200}, 3),
        ({"status": 504}, 1),
        ({"status": None}, 1),
        ({"charged": True}, 4),
        ({"charged": False}, 3),
        ({"charged": True, "fault": "close", "id_number": OTHER[1], "status": None}, 1),
    ],
)
def test_matching(asked: Upstream, match: Json, count: int) -> None:
    assert found(asked, **match) == count


def test_nothing_to_match_is_every_request(upstream: Upstream) -> None:
    assert upstream.do("/requests/verify", {"count": 0}) == {"count": 0}
    upstream.ask(*PERSON)
    assert upstream.do("/requests/verify", {"count": 1}) == {"count": 1}


def test_a_near_miss(upstream: Upstream) -> None:
    upstream.ask(*PERSON)
    refused = verify(upstream, 1, name=PERSON[0], id_number=OTHER[1], charged=True)
    assert refused.status_code == 422
    (entry,) = upstream.get("/requests")["requests"]
    assert entry["fields"]["idNo"] == "120***********0249"
    assert refused.json() == {
        "message": "expected 1 request, found 0",
        "expected": 1,
        "found": 0,
        "near_misses": [{"differs": ["id_number"], "request": entry}],
    }


def test_near_misses_nearest_first_and_of_those_the_latest(upstream: Upstream) -> None:
    names = ["甲", "乙", "丙", "丁", "戊", "己"]
    for name in names:
        upstream.ask(name, UNHELD)
    upstream.ask("甲", OTHER[1])
    refused = verify(upstream, 2, name="甲", id_number=OTHER[1]).json()
    assert refused["message"] == "expected 2 requests, found 1"
    shown = [(near["differs"], near["request"]["request_id"]) for near in refused["near_misses"]]
    ids = [entry["request_id"] for entry in upstream.get("/requests")["requests"]]
    both = ["name", "id_number"]
    assert shown == [
        (["id_number"], ids[0]),
        (both, ids[5]),
        (both, ids[4]),
        (both, ids[3]),
        (both, ids[2]),
    ]


def test_too_many_have_no_near_misses(asked: Upstream) -> None:
    refused = verify(asked, 1, resp_code="0000").json()
    assert refused["message"] == "expected 1 request, found 2"
    assert refused["near_misses"] == []


def test_near_misses_leak_nothing(asked: Upstream) -> None:
    text = verify(asked, 9, name="谁谁").text
    for secret in (PERSON[0], PERSON[1], UNHELD, APPCODE):
        assert secret not in text


def test_near_misses_of_a_mock_that_reveals(start: Callable[..., Upstream]) -> None:
    upstream = start(reveal=True)
    upstream.ask(*PERSON)
    (near,) = verify(upstream, 1, name="谁").json()["near_misses"]
    assert near["request"]["fields"] == {"name": PERSON[0], "idNo": PERSON[1]}


def test_a_full_journal_says_so(start: Callable[..., Upstream]) -> None:
    upstream = start(journal_length=1)
    upstream.ask(*PERSON)
    upstream.ask(*OTHER)
    refused = verify(upstream, 1, name=PERSON[0]).json()
    assert refused["message"].startswith("expected 1 request, found 0: the journal is full")


def test_forgotten_requests_are_not_found(asked: Upstream) -> None:
    asked.admin("DELETE", "/requests")
    assert found(asked) == 0


@pytest.mark.parametrize(
    ("body", "field", "allowed"),
    [
        ([], "body", ["count", "match"]),
        ({}, "count", "0 to 1000000000"),
        ({"count": -1}, "count", "0 to 1000000000"),
        ({"count": 1.5}, "count", "0 to 1000000000"),
        ({"count": True}, "count", "0 to 1000000000"),
        ({"count": 1, "times": 1}, "times", ["count", "match"]),
        ({"count": 1, "match": []}, "match", [*near_misses.KEYS]),
        ({"count": 1, "match": None}, "match", [*near_misses.KEYS]),
        ({"count": 1, "match": {"idNo": UNHELD}}, "idNo", [*near_misses.KEYS]),
        ({"count": 1, "match": {"name": None}}, "name", None),
        ({"count": 1, "match": {"id_number": 1}}, "id_number", None),
        ({"count": 1, "match": {"resp_code": 0}}, "resp_code", "1 to 10 letters and digits"),
        ({"count": 1, "match": {"gateway_code": "T429xx"}}, "gateway_code", ["", *TABLE]),
        ({"count": 1, "match": {"fault": "explode"}}, "fault", [*KINDS]),
        ({"count": 1, "match": {"status": "200"}}, "status", "100 to 599"),
        ({"count": 1, "match": {"status": 1000}}, "status", "100 to 599"),
        ({"count": 1, "match": {"charged": 1}}, "charged", [True, False]),
        ({"count": 1, "match": {"charged": None}}, "charged", [True, False]),
    ],
)
def test_bad_input(upstream: Upstream, body: Json, field: str, allowed: Json) -> None:
    response = upstream.admin("POST", "/requests/verify", body)
    assert response.status_code == 422
    assert (response.json()["field"], response.json()["allowed"]) == (field, allowed)


# Few values, so that they meet.
NAMES = st.sampled_from(["甲", "乙", ""])
NUMBERS = st.sampled_from([UNHELD, OTHER[1], ""])
RESP_CODES = st.sampled_from(["", "0000", "0008"])
GATEWAY_CODES = st.sampled_from(["", "B403MQ"])
FAULTS = st.sampled_from([None, "close", "hang"])
METHODS = st.sampled_from(["POST", "GET"])
PATHS = st.sampled_from([PATH, "/"])
STATUSES = st.sampled_from([None, 200, 403])


def entry(wanted: dict[str, Json]) -> Entry:
    return Entry(
        datetime.now(UTC),
        "id",
        wanted["method"],
        wanted["path"],
        "",
        (),
        Fields(wanted["name"], wanted["id_number"]),
        status=wanted["status"],
        resp_code=wanted["resp_code"],
        gateway_code=wanted["gateway_code"],
        effect=wanted["fault"] and Effect(wanted["fault"]),
        charged=wanted["charged"],
    )


VALUES = {
    "name": NAMES,
    "id_number": NUMBERS,
    "resp_code": RESP_CODES,
    "gateway_code": GATEWAY_CODES,
    "fault": FAULTS,
    "method": METHODS,
    "path": PATHS,
    "status": STATUSES,
    "charged": st.booleans(),
}


def test_the_property_knows_every_key() -> None:
    assert set(VALUES) == set(near_misses.KEYS)


@given(
    st.lists(st.fixed_dictionaries(VALUES), max_size=12),
    st.fixed_dictionaries({}, optional=VALUES),
)
def test_matching_is_comparing_key_by_key(
    facts: list[dict[str, Json]], match: dict[str, Json]
) -> None:
    entries = [entry(fact) for fact in facts]
    count, nearest = near_misses.look(entries, near_misses.wanted(match))

    differing = [{key for key in match if fact[key] != match[key]} for fact in facts]
    assert count == sum(not keys for keys in differing)
    missed = sorted(
        (len(keys), -i) for i, keys in enumerate(differing) if keys
    )  # the nearest, and of those the latest
    assert [(len(near.differs), near.entry) for near in nearest] == [
        (size, entries[-i]) for size, i in missed[:5]
    ]
    for near in nearest:
        position = next(i for i, one in enumerate(entries) if one is near.entry)
        assert set(near.differs) == differing[position]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(JSON | st.dictionaries(st.sampled_from(near_misses.KEYS), JSON))
def test_whatever_is_wanted_is_taken_or_refused(value: Json) -> None:
    with suppress(InvalidInputError):
        assert near_misses.look([], near_misses.wanted(value)) == (0, [])
