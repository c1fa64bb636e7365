"""Whoever is not the vendor gets one error, whatever is wrong; the vendor gets in."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from chalicelib.domain.errors import UnauthenticatedError
from chalicelib.domain.source import Assurance, Source
from chalicelib.domain.source_entry import VENDORS
from chalicelib.entrypoints.forms import registry
from tests.hook_payloads import (
    BUILDERS,
    ENCRYPT_KEY,
    JINSHUJU_ADDRESS,
    NOW,
    OLD_WHSEC,
    PUBLIC_URL,
    SECRET,
    TOKEN,
    WHSEC,
    Entry,
    Hook,
    b64,
    build,
    dumps,
    feishu_encrypted,
    feishu_event,
    json_hook,
    mac,
    secrets_of,
)
from tests.hook_sources import request_of, source_of

ASSURANCES = {
    "bearer": Assurance.SHARED_SECRET,
    "basic": Assurance.SHARED_SECRET,
    "url_token": Assurance.URL_TOKEN,
    "jotform": Assurance.URL_TOKEN,
    "wufoo": Assurance.SHARED_SECRET,
    "jinshuju": Assurance.URL_TOKEN,
    "wjx": Assurance.SHARED_SECRET,
    "feishu": Assurance.SHARED_SECRET,
}
WINDOWED = ["standard_webhooks", "formspree", "webflow", "hubspot"]
BODY_SIGNED = sorted({*VENDORS} - {*ASSURANCES})

# Where each vendor's credentials stand: header, token, query, or a member of the body.
PLACES = {
    "standard_webhooks": [
        "header webhook-signature",
        "header webhook-id",
        "header webhook-timestamp",
    ],
    "github": ["header x-hub-signature-256"],
    "bearer": ["header authorization"],
    "basic": ["header authorization"],
    "url_token": ["token"],
    "typeform": ["header typeform-signature"],
    "tally": ["header tally-signature"],
    "jotform": ["token"],
    "formspree": ["header formspree-signature"],
    "webflow": ["header x-webflow-signature", "header x-webflow-timestamp"],
    "wufoo": ["field HandshakeKey"],
    "hubspot": ["header x-hubspot-signature-v3", "header x-hubspot-request-timestamp"],
    "jinshuju": ["token"],
    "jiandaoyun": ["header x-jdy-signature", "query nonce", "query timestamp"],
    "wjx": ["member sign", "member activity", "member index"],
    "feishu": ["inner token"],
    "fanqier": ["member sign", "member time", "member data"],
}

Edit = Callable[[str], str | None]
EDITS: dict[str, Edit] = {
    "missing": lambda _: None,
    "empty": lambda _: "",
    "too short": lambda value: value[:-1],
    "too long": lambda value: value + "0",
    "a line end": lambda value: value + "\n",
    "a blank before": lambda value: " " + value,
    "another last character": lambda value: value[:-1] + ("0" if value[-1] != "0" else "1"),
    "another first character": lambda value: ("0" if value[0] != "0" else "1") + value[1:],
    "not ASCII": lambda value: value[:-1] + "é",
    "other digits": lambda value: "１" + value[1:],
    "Chinese": lambda _: "签名",
    "a lone surrogate": lambda value: value[:-1] + "\udc80",
    "long": lambda _: "0" * 5_000,
    "no text": lambda _: "\x00",
}


def edited(hook: Hook, place: str, edit: Edit) -> Hook:
    kind, _, name = place.partition(" ")
    if kind == "token":
        assert hook.token
        return replace(hook, token=edit(hook.token))
    if kind == "header":
        changed = edit(hook.headers[name])
        others = {other: value for other, value in hook.headers.items() if other != name}
        return replace(hook, headers=others if changed is None else {**others, name: changed})
    if kind in {"query", "field"}:
        text = hook.query if kind == "query" else hook.body.decode()
        pairs = dict(parse_qsl(text))
        changed = edit(pairs.pop(name))
        if changed is not None:
            pairs[name] = changed
        again = urlencode(pairs, errors="surrogatepass")
        return replace(hook, **{"query": again} if kind == "query" else {"body": again.encode()})
    document = json.loads(hook.body)
    members = document["header"] if kind == "inner" else document
    changed = edit(members.pop(name))
    if changed is not None:
        members[name] = changed
    return replace(hook, body=json.dumps(document).encode())


def refused(hook: Hook, source: Source, now: datetime = NOW) -> None:
    with pytest.raises(UnauthenticatedError) as caught:
        registry.authenticate(request_of(hook), source, now)
    assert type(caught.value) is UnauthenticatedError
    assert str(caught.value) == "This request does not come from the source's vendor."


@pytest.mark.parametrize("vendor", VENDORS)
def test_the_vendor_gets_in(vendor: str) -> None:
    found = registry.authenticate(request_of(build(vendor)), source_of(vendor), NOW)
    assert found is ASSURANCES.get(vendor, Assurance.SIGNED)


@pytest.mark.parametrize("vendor", VENDORS)
def test_both_secrets_serve_during_a_rotation_and_no_third(vendor: str) -> None:
    new, old = secrets_of(vendor)
    hook = build(vendor, secret=old)
    registry.authenticate(request_of(hook), source_of(vendor), NOW)
    member = "verification_token" if vendor == "feishu" else "secrets"
    refused(hook, source_of(vendor, **{member: [new]}))


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
@pytest.mark.parametrize(
    ("vendor", "place"), [(vendor, place) for vendor in VENDORS for place in PLACES[vendor]]
)
def test_broken_credentials_are_one_error(vendor: str, place: str, edit: Edit) -> None:
    refused(edited(build(vendor), place, edit), source_of(vendor))


@pytest.mark.parametrize("vendor", BODY_SIGNED)
def test_a_changed_answer_is_refused(vendor: str) -> None:
    hook = build(vendor)
    changed = hook.body.replace("张三".encode(), "李四".encode())
    assert changed != hook.body
    refused(replace(hook, body=changed), source_of(vendor))


@pytest.mark.parametrize("vendor", WINDOWED)
@pytest.mark.parametrize("off", [-301, -3600, 301, 86_400 * 365])
def test_a_stale_or_future_stamp_is_refused(vendor: str, off: int) -> None:
    refused(build(vendor), source_of(vendor), NOW + timedelta(seconds=off))


@pytest.mark.parametrize("vendor", WINDOWED)
@pytest.mark.parametrize("off", [-299, 299])
def test_a_stamp_within_five_minutes_is_fresh(vendor: str, off: int) -> None:
    now = NOW + timedelta(seconds=off)
    registry.authenticate(request_of(build(vendor)), source_of(vendor), now)


@pytest.mark.parametrize("vendor", sorted({*VENDORS} - {*WINDOWED}))
def test_without_a_documented_window_a_late_retry_gets_in(vendor: str) -> None:
    now = NOW + timedelta(days=3)
    registry.authenticate(request_of(build(vendor)), source_of(vendor), now)


class TestBytesShiftedOverABoundary:
    """The same bytes are signed, parted elsewhere: only the formats can tell."""

    def test_standard_webhooks(self) -> None:
        hook = build("standard_webhooks")
        stamp, message_id = hook.headers["webhook-timestamp"], hook.headers["webhook-id"]
        body = f"{stamp}.".encode() + hook.body
        signed = Webhook(WHSEC).sign(message_id, NOW, body.decode())
        assert signed == Webhook(WHSEC).sign(f"{message_id}.{stamp}", NOW, hook.body.decode())
        headers = dict(hook.headers) | {"webhook-signature": signed}
        shifted = {**headers, "webhook-id": f"{message_id}.{stamp}"}
        source = source_of("standard_webhooks")
        registry.authenticate(request_of(replace(hook, body=body, headers=headers)), source, NOW)
        refused(replace(hook, headers=shifted), source)

    def test_formspree(self) -> None:
        stamp = "1772337600.1772337600"
        body = build("formspree").body
        signed = mac(SECRET, f"{stamp}.".encode() + body).hex()
        refused(
            json_hook(body, formspree_signature=f"t={stamp},v1={signed}"), source_of("formspree")
        )

    def test_webflow(self) -> None:
        hook = build("webflow")
        stamp = hook.headers["x-webflow-timestamp"]
        signed = mac(SECRET, f"{stamp}:{stamp}:".encode() + hook.body).hex()
        headers = {"x-webflow-signature": signed, "x-webflow-timestamp": f"{stamp}:{stamp}"}
        refused(replace(hook, headers=headers), source_of("webflow"))

    def test_hubspot(self) -> None:
        hook = build("hubspot")
        stamp = hook.headers["x-hubspot-request-timestamp"]
        content = f"POST{PUBLIC_URL}".encode() + hook.body + stamp.encode()
        assert hook.headers["x-hubspot-signature-v3"] == b64(mac(SECRET, content))
        headers = {**hook.headers, "x-hubspot-request-timestamp": stamp[1:]}
        refused(
            replace(hook, body=hook.body + stamp[:1].encode(), headers=headers),
            source_of("hubspot"),
        )

    def test_jiandaoyun(self) -> None:
        hook = build("jiandaoyun")
        start, rest = hook.body.split(b":", 1)
        shifted = urlencode({"timestamp": "1772337600", "nonce": f"0f5ade:{start.decode()}"})
        refused(replace(hook, body=rest, query=shifted), source_of("jiandaoyun"))

    @pytest.mark.parametrize("digits", [1, -1])
    def test_fanqier(self, digits: int) -> None:
        body = json.loads(build("fanqier").body)
        whole = body["data"] + body["time"]
        part = len(body["data"]) + digits
        shifted = dumps({"data": whole[:part], "time": whole[part:], "sign": body["sign"]})
        refused(json_hook(shifted), source_of("fanqier"))

    def test_wjx(self) -> None:
        body = json.loads(build("wjx", dedupe="17").body)
        shifted = dumps({**body, "activity": body["activity"] + "1", "index": "7"})
        refused(json_hook(shifted), source_of("wjx"))

    def test_feishu(self) -> None:
        body = dumps({"encrypt": "AAAA"})
        signed = hashlib.sha256(f"17723376001abc{ENCRYPT_KEY}".encode() + body).hexdigest()
        source = source_of("feishu", encrypt_key=ENCRYPT_KEY)
        for stamp, nonce, fine in [("1772337600", "1abc", True), ("17723376001", "abc", False)]:
            hook = json_hook(
                body,
                x_lark_signature=signed,
                x_lark_request_timestamp=stamp,
                x_lark_request_nonce=nonce,
            )
            if fine:
                registry.authenticate(request_of(hook), source, NOW)
            else:
                refused(hook, source)


class TestStandardWebhooks:
    def test_the_reference_library_signs_and_we_accept(self) -> None:
        body = '{"data":{}}'
        hook = json_hook(
            body.encode(),
            webhook_id="msg_1",
            webhook_timestamp=str(int(NOW.timestamp())),
            webhook_signature=Webhook(OLD_WHSEC).sign("msg_1", NOW, body),
        )
        registry.authenticate(request_of(hook), source_of("standard_webhooks"), NOW)

    @pytest.mark.parametrize(
        "others", ["v1,", "v2,AAAA", "v1,not-base64!", "v1a,xyz", "garbage", "v1," + "A" * 43 + "="]
    )
    def test_one_good_signature_among_bad_ones_is_enough(self, others: str) -> None:
        hook = build("standard_webhooks")
        good = hook.headers["webhook-signature"]
        for together in (f"{others} {good}", f"{good} {others}"):
            headers = {**hook.headers, "webhook-signature": together}
            registry.authenticate(
                request_of(replace(hook, headers=headers)), source_of("standard_webhooks"), NOW
            )

    def test_too_many_signatures_are_refused(self) -> None:
        hook = build("standard_webhooks")
        many = " ".join([hook.headers["webhook-signature"]] * 17)
        headers = {**hook.headers, "webhook-signature": many}
        refused(replace(hook, headers=headers), source_of("standard_webhooks"))


class TestBasic:
    @pytest.mark.parametrize(
        "value",
        ["Basic", "Basic !!!!", "Basic Zm9ybQ", f"Bearer {TOKEN}", "Basic " + b64(b"form")],
    )
    def test_what_is_no_basic_header_is_refused(self, value: str) -> None:
        refused(json_hook(b"{}", authorization=value), source_of("basic"))

    def test_a_password_may_hold_a_colon(self) -> None:
        secret = f"form:{TOKEN}:more"
        hook = build("basic", secret=secret)
        registry.authenticate(request_of(hook), source_of("basic", secrets=[secret]), NOW)
        refused(build("basic", secret=f"form:more:{TOKEN}"), source_of("basic", secrets=[secret]))


class TestWhatIsNotSigned:
    def test_a_webflow_hook_of_the_dashboard_brings_a_token(self) -> None:
        hook = replace(build("webflow"), headers={}, token=TOKEN)
        source = source_of("webflow", secrets=[TOKEN])
        assert registry.authenticate(request_of(hook), source, NOW) is Assurance.URL_TOKEN
        refused(replace(hook, token=TOKEN + "0"), source)
        refused(replace(hook, token=None), source)

    def test_a_wrong_webflow_signature_is_not_saved_by_a_token(self) -> None:
        hook = replace(build("webflow", secret="wrong"), token=TOKEN)
        refused(hook, source_of("webflow", secrets=[TOKEN]))

    def test_a_short_secret_is_no_token(self) -> None:
        refused(replace(build("webflow"), headers={}, token=SECRET), source_of("webflow"))

    def test_a_token_decides_alone_for_wufoo(self) -> None:
        source = source_of("wufoo", secrets=[TOKEN])
        hook = build("wufoo", secret=TOKEN)
        with_token = replace(hook, token=TOKEN)
        assert registry.authenticate(request_of(with_token), source, NOW) is Assurance.URL_TOKEN
        refused(replace(hook, token="x" * 30), source)

    def test_the_mode_through_the_respondents_browser_is_refused(self) -> None:
        hook = Hook(b"content=AES", {"content-type": "application/x-www-form-urlencoded"})
        refused(hook, source_of("wjx"))

    def test_another_activity_is_refused(self) -> None:
        refused(build("wjx"), source_of("wjx", form="5657755"))


class TestJiandaoyunQuery:
    @pytest.mark.parametrize(
        "query",
        [
            "timestamp=1772337600&nonce=0f5ade&nonce=0f5ade",
            "timestamp=1772337600&nonce=0f5ade" + "&a=1" * 40,
            "timestamp=1772337600",
            "",
            "%ff=%ff&timestamp=%ff&nonce=%ff",
        ],
    )
    def test_a_query_with_anything_twice_or_missing_is_refused(self, query: str) -> None:
        refused(replace(build("jiandaoyun"), query=query), source_of("jiandaoyun"))


class TestAddresses:
    def test_jinshuju_is_taken_from_its_published_addresses_only(self) -> None:
        hook = build("jinshuju")
        assert hook.source_ip == JINSHUJU_ADDRESS
        for address in ("192.0.2.1", "52.82.74.117", "", "nonsense", "::1", "52.82.74.116,1.1.1.1"):
            refused(replace(hook, source_ip=address), source_of("jinshuju"))

    def test_a_list_of_ones_own_replaces_them(self) -> None:
        source = source_of("jinshuju", allow_ips=["192.0.2.0/24", "2001:db8::/32"])
        for address in ("192.0.2.9", "::ffff:192.0.2.9", "2001:db8::1"):
            hook = replace(build("jinshuju"), source_ip=address)
            registry.authenticate(request_of(hook), source, NOW)
        refused(build("jinshuju"), source)

    def test_any_vendor_may_have_one(self) -> None:
        refused(build("typeform"), source_of("typeform", allow_ips=["198.51.100.1"]))


def test_an_unknown_vendor_is_refused() -> None:
    refused(build("typeform"), replace(source_of("typeform"), vendor="signatures"))
    refused(build("typeform"), replace(source_of("typeform"), vendor="../typeform"))


def test_every_vendor_is_built_here() -> None:
    assert set(BUILDERS) == set(VENDORS) == set(PLACES)


def names(kind: str) -> list[str]:
    places = {place.partition(" ")[::2] for listed in PLACES.values() for place in listed}
    return sorted(name for given, name in places if given == kind)


# Digits, base64 and hex of the right lengths are what a format alone would let through.
values = st.text(max_size=20) | st.sampled_from(
    [
        *("1772337600", "1772337600000", "0" * 40, "0" * 64, "A" * 43 + "=", "abc", "x" * 30),
        *("t=1772337600", "sha256=" + "0" * 64, "Bearer " + "x" * 30, "Basic Zm9ybQ==", "v1,AAAA"),
    ]
)
bodies = st.binary(max_size=40) | st.dictionaries(
    st.sampled_from([*names("member"), "header", "token", "encrypt", "type"]),
    values | st.none() | st.integers() | st.dictionaries(st.just("token"), values),
    max_size=4,
).map(lambda value: json.dumps(value).encode())


@pytest.mark.parametrize("vendor", VENDORS)
@settings(max_examples=40, deadline=None)
@given(
    headers=st.dictionaries(st.sampled_from([*names("header"), "content-type"]), values),
    body=bodies,
    query=values | values.map(lambda value: urlencode({"nonce": "abc", "timestamp": value[:9]})),
    token=st.none() | values,
)
def test_noise_is_one_error_and_never_another(
    vendor: str, headers: dict[str, str], body: bytes, query: str, token: str | None
) -> None:
    refused(Hook(body, headers, query, token, JINSHUJU_ADDRESS), source_of(vendor))


@pytest.mark.parametrize("vendor", VENDORS)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_noise_in_one_place_is_one_error(vendor: str, data: st.DataObject) -> None:
    place = data.draw(st.sampled_from(PLACES[vendor]))
    noise = data.draw(values)
    seen: list[str] = []

    def replaced(value: str) -> str:
        seen.append(value)
        return noise

    changed = edited(build(vendor), place, replaced)
    if seen != [noise]:
        refused(changed, source_of(vendor))


@given(st.binary(max_size=80))
def test_noise_for_an_encrypted_source_is_one_error(body: bytes) -> None:
    source = source_of("feishu", encrypt_key=ENCRYPT_KEY)
    refused(json_hook(body), source)
    refused(json_hook(dumps({"encrypt": b64(body)})), source)


def test_an_encrypted_source_takes_no_plain_event() -> None:
    source = source_of("feishu", encrypt_key=ENCRYPT_KEY)
    refused(build("feishu"), source)
    event = feishu_event(Entry())
    signed = feishu_encrypted(event)
    assert registry.authenticate(request_of(signed), source, NOW) is Assurance.SIGNED
    refused(replace(signed, headers={}), source)  # an event must be signed, a challenge need not
