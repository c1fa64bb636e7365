"""The secret's JSON: strict, and silent about values."""

import hashlib
import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain import secret
from chalicelib.domain.caps import Limits
from chalicelib.domain.secret import SecretError
from tests.hook_payloads import ENTRIES

NOON = datetime(2026, 11, 24, 4, tzinfo=UTC)


def good() -> dict[str, Any]:
    return {
        "appcode": "code-of-a-test",
        "id_key": "i" * 32,
        "hash_key": "h" * 32,
        "clients": [
            {
                "name": "shop",
                "key_sha256": [hashlib.sha256(b"shop-key").hexdigest()],
                "scopes": ["verify", "read"],
                "max_age_seconds": 600,
                "caps": {"day": 500},
                "callback": {
                    "hosts": ["shop.example", "127.0.0.1"],
                    "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                },
            },
            {
                "name": "ops",
                "key_sha256": [hashlib.sha256(key).hexdigest() for key in (b"old", b"new")],
                "scopes": ["admin"],
            },
        ],
        "sources": {"survey": {**ENTRIES["typeform"], "caps": {"month": 3000}}},
        "caps": {"day": 1000, "month": 20_000},
    }


def test_it_is_read() -> None:
    one = secret.parse(json.dumps(good()))
    shop = one.client_of("shop-key")
    assert shop is not None
    assert (shop.name, shop.max_age_seconds) == ("shop", 600)
    assert shop.scopes == frozenset({"verify", "read"})
    assert one.client_of("old") is one.client_of("new") is not None
    assert shop.callback is not None
    assert shop.callback.hosts == ("shop.example", "127.0.0.1")
    assert len(shop.callback.secret) == 24
    assert one.sources["survey"].vendor == "typeform"
    assert (one.caps, shop.caps) == (Limits(1000, 20_000), Limits(500, None))
    assert one.sources["survey"].caps == Limits(None, 3000)
    assert [cap.limit for cap in one.caps_of("shop", NOON)] == [20_000, 1000, 500]
    assert [cap.limit for cap in one.caps_of("ops", NOON)] == [20_000, 1000]
    assert [cap.limit for cap in one.all_caps(NOON)] == [20_000, 1000, 500, 3000]
    assert one.client_of("other") is None
    assert one.client_of("\udcff") is None


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (("appcode",), None, "appcode: is missing"),
        (("appcode",), "has blank", "appcode: must be"),
        (("appcode",), "", "appcode: must be"),
        (("id_key",), "short", "id_key: must be at least 32"),
        (("hash_key",), 3, "hash_key: must be at least 32"),
        (("clients",), [], "clients: must be a list"),
        (("clients",), {}, "clients: must be a list"),
        (("clients", 0), 1, "clients[0]: must be a JSON object"),
        (("clients", 0, "name"), "Shop", "clients[0].name"),
        (("clients", 0, "name"), "ops", "clients: two have the same name"),
        (("clients", 1, "key_sha256"), [], "clients[1].key_sha256: must be a list"),
        (("clients", 1, "key_sha256"), ["abc"], "clients[1].key_sha256: each"),
        (("clients", 1, "scopes"), ["root"], "clients[1].scopes: must be some of"),
        (("clients", 0, "max_age_seconds"), -1, "clients[0].max_age_seconds"),
        (("clients", 0, "max_age_seconds"), True, "clients[0].max_age_seconds"),
        (("clients", 0, "key"), "x", "clients[0]: has an unknown field"),
        (("clients", 0, "callback"), [], "clients[0].callback: must be a JSON object"),
        (("clients", 0, "callback", "hosts"), [], "clients[0].callback.hosts: must be a list"),
        (("clients", 0, "callback", "hosts"), ["A.example"], "clients[0].callback.hosts: each"),
        (("clients", 0, "callback", "hosts"), ["a:80"], "clients[0].callback.hosts: each"),
        (("clients", 0, "callback", "hosts"), ["a", "a"], "clients[0].callback.hosts: one"),
        (("clients", 0, "callback", "secret"), "whsec_AAAA", "clients[0].callback.secret: must"),
        (("clients", 0, "callback", "url"), "x", "clients[0].callback: has an unknown field"),
        (("sources",), [], "sources: must be a JSON object of sources by their name"),
        (("sources", "Big"), {}, "sources: each name: must be 1 to 32"),
        (("sources", "shop"), {}, "sources.shop.vendor: is missing"),
        (("caps",), [], "caps: must be a JSON object"),
        (("caps",), {}, "caps: must have day, month or both"),
        (("caps", "week"), 1, "caps: has an unknown field; allowed are day, month"),
        (("caps", "day"), 0, "caps.day: must be a whole number from 1 to 1000000000"),
        (("caps", "day"), 10**9 + 1, "caps.day: must be"),
        (("caps", "month"), "5", "caps.month: must be"),
        (("caps", "month"), True, "caps.month: must be"),
        (("caps", "month"), 5.0, "caps.month: must be"),
        (("clients", 0, "caps"), {"day": -1}, "clients[0].caps.day: must be"),
        (("clients", 0, "caps"), {"week": 1}, "clients[0].caps: has an unknown field"),
        (("sources", "survey", "caps"), {"month": 0}, "sources.survey.caps.month: must be"),
        (("sources", "survey", "caps"), 5, "sources.survey.caps: must be a JSON object"),
        (("extra",), "x", "secret: has an unknown field; allowed are appcode"),
    ],
)
def test_each_fault_names_its_field(path: tuple[str | int, ...], value: object, says: str) -> None:
    broken = good()
    place: Any = broken
    for step in path[:-1]:
        place = place[step]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    with pytest.raises(SecretError) as caught:
        secret.parse(json.dumps(broken))
    assert says in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "null", "{", "1" * 5000])
def test_what_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(SecretError):
        secret.parse(text)


def test_it_never_shows_itself() -> None:
    one = secret.parse(json.dumps(good()))
    digest = hashlib.sha256(b"shop-key").hexdigest()
    for value in ("code-of-a-test", "i" * 32, "h" * 32, digest, "secret-of-a-test", "1\\xf2\\x90"):
        assert value not in repr(one)


def test_ids_are_stable_apart_by_client_and_key_and_well_formed() -> None:
    one = secret.parse(json.dumps(good()))
    ids = {one.verification_id(c, k) for c in ("shop", "ops") for k in ("1", "2", "shop")}
    assert len(ids) == 6
    assert one.verification_id("shop", "1") == one.verification_id("shop", "1")
    assert all(re.fullmatch(r"vrf_[0-9a-hjkmnp-tv-z]{26}", found) for found in ids)


@given(st.text(), st.text(), st.text(), st.text())
def test_parts_never_run_into_each_other(a: str, b: str, c: str, d: str) -> None:
    one = secret.parse(json.dumps(good()))
    if (a, b) != (c, d):
        assert one.subject("shop", a, b) != one.subject("shop", c, d)


def test_the_hash_key_moves_subjects_and_leaves_ids() -> None:
    one, changed = good(), good()
    changed["hash_key"] = "g" * 32
    before, after = secret.parse(json.dumps(one)), secret.parse(json.dumps(changed))
    assert before.subject("shop", "n", "1") != after.subject("shop", "n", "1")
    assert before.verification_id("shop", "1") == after.verification_id("shop", "1")


def test_a_source_may_not_have_the_name_of_a_client() -> None:
    broken = good()
    broken["sources"]["ops"] = ENTRIES["tally"]
    with pytest.raises(SecretError, match="sources: one has the name of a client"):
        secret.parse(json.dumps(broken))


def test_a_secret_without_sources_has_none() -> None:
    without = good()
    del without["sources"], without["clients"][0]["callback"]
    one = secret.parse(json.dumps(without))
    assert one.sources == {}
    assert one.clients[0].callback is None


def test_the_local_key_is_recognised() -> None:
    one = good()
    one["clients"][0]["key_sha256"] = [hashlib.sha256(b"local-dev-key").hexdigest()]
    assert secret.has_local_dev_key(secret.parse(json.dumps(one)))
    assert not secret.has_local_dev_key(secret.parse(json.dumps(good())))
