"""The way in: one file a vendor, imported when asked for, each with its answers."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from chalicelib.domain.errors import UnauthenticatedError
from chalicelib.domain.source_entry import VENDORS
from chalicelib.entrypoints.errors import STATUSES
from chalicelib.entrypoints.forms import (
    basic,
    bearer,
    fanqier,
    feishu,
    formspree,
    github,
    hubspot,
    jiandaoyun,
    jinshuju,
    jotform,
    registry,
    standard_webhooks,
    tally,
    typeform,
    url_token,
    webflow,
    wjx,
    wufoo,
)
from chalicelib.entrypoints.forms.profile import Answer, Profile
from chalicelib.entrypoints.forms.registry import Vendor

ROOT = Path(__file__).parents[3]

# A dictionary of the protocol's type: mypy checks every file against it.
FILES: dict[str, Vendor] = {
    "standard_webhooks": standard_webhooks,
    "github": github,
    "bearer": bearer,
    "basic": basic,
    "url_token": url_token,
    "typeform": typeform,
    "tally": tally,
    "jotform": jotform,
    "formspree": formspree,
    "webflow": webflow,
    "wufoo": wufoo,
    "hubspot": hubspot,
    "jinshuju": jinshuju,
    "jiandaoyun": jiandaoyun,
    "wjx": wjx,
    "feishu": feishu,
    "fanqier": fanqier,
}


def test_every_configurable_vendor_has_its_file() -> None:
    assert {name: registry.vendor(name) for name in VENDORS} == FILES


@pytest.mark.parametrize("name", ["", "signatures", "mapping", "os", "Typeform", "typeform.parse"])
def test_nothing_else_is_a_vendor(name: str) -> None:
    with pytest.raises(UnauthenticatedError):
        registry.vendor(name)


def test_one_vendor_imports_no_other_and_nothing_heavy() -> None:
    code = (
        "import sys, json\n"
        "from chalicelib.entrypoints.forms import registry\n"
        "before = [name for name in sys.modules if '.forms.' in name]\n"
        "registry.vendor('typeform')\n"
        "print(json.dumps([before, list(sys.modules)]))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True, text=True
    )
    before, loaded = json.loads(shown.stdout)
    forms = "chalicelib.entrypoints.forms."
    assert {f"{forms}{name}" for name in VENDORS} & {*before} == set()
    assert {f"{forms}{name}" for name in VENDORS} & {*loaded} == {f"{forms}typeform"}
    assert not {"chalice", "boto3", "requests", "cryptography", "email", "http.client"} & {*loaded}


class TestAnswers:
    def test_our_own_contract(self) -> None:
        for name in ("standard_webhooks", "github", "bearer", "basic", "url_token"):
            answer = registry.vendor(name).PROFILE.accepted("vrf_1")
            assert (answer.status, json.loads(answer.body)) == (
                202,
                {"status": "accepted", "id": "vrf_1"},
            )
            duplicate = registry.vendor(name).PROFILE.duplicate("vrf_1")
            assert (duplicate.status, json.loads(duplicate.body)) == (
                200,
                {"status": "duplicate", "id": "vrf_1"},
            )

    @pytest.mark.parametrize("name", VENDORS)
    def test_a_rejection_is_no_status_on_which_a_vendor_retries_or_gives_up(
        self, name: str
    ) -> None:
        profile = registry.vendor(name).PROFILE
        for answer in (profile.rejected("fields_missing"), profile.ignored("other_event")):
            assert answer.status == 200
            assert profile.literal or json.loads(answer.body)["reason"]
        assert STATUSES["service_unavailable"][0] == 503

    def test_two_vendors_want_their_own_body_and_nothing_else(self) -> None:
        literal = {name: registry.vendor(name).PROFILE for name in VENDORS}
        assert {name: one.literal for name, one in literal.items() if one.literal} == {
            "feishu": "{}",
            "fanqier": "success",
        }
        for answer in _all(literal["fanqier"]):
            assert answer == Answer(200, "success", "text/plain")
        for answer in _all(literal["feishu"]):
            assert answer == Answer(200, "{}", "application/json")


def _all(profile: Profile) -> list[Answer]:
    return [
        profile.accepted("vrf_1"),
        profile.duplicate("vrf_1"),
        profile.rejected("fields_missing"),
        profile.ignored("other_event"),
    ]
