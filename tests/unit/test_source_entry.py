"""One entry of ``sources``: strict, and silent about values."""

import base64
import copy
from ipaddress import ip_network
from typing import Any
from urllib.parse import urlsplit

import pytest

from chalicelib.domain.callback import is_loopback
from chalicelib.domain.secret_fields import SecretError
from chalicelib.domain.source import FieldNames, HmacScheme, Mode, Source
from chalicelib.domain.source_entry import VENDORS, read_sources
from tests.hook_payloads import ENTRIES, OLD_TOKEN, SECRET, TOKEN, WHSEC
from tests.hook_sources import source_of


def read(entry: object) -> Source:
    return read_sources({"survey-2026": entry})["survey-2026"]


@pytest.mark.parametrize("vendor", VENDORS)
def test_every_vendors_entry_is_read(vendor: str) -> None:
    source = source_of(vendor)
    assert source.vendor == vendor
    assert (source.mode, source.max_age_seconds) == (Mode.ENFORCE, 0)
    assert len(source.secrets or source.verification_tokens) == 2
    shown = repr(source)
    secrets = ENTRIES[vendor].get("secrets") or ENTRIES[vendor]["verification_token"]
    assert not [secret for secret in secrets if secret in shown]


def test_everything_that_an_entry_may_say() -> None:
    source = read(
        {
            **ENTRIES["typeform"],
            "callback": {"url": "https://shop.example/results?a=1", "secret": WHSEC},
            "max_age_seconds": 600,
            "mode": "shadow",
            "allow_ips": ["192.0.2.0/24", "2001:db8::1"],
        }
    )
    assert source.id == "survey-2026"
    assert source.secrets[0] == SECRET.encode()
    assert source.fields == FieldNames("name", "number", "order")
    assert source.callback is not None
    assert source.callback.secret == base64.b64decode(WHSEC.removeprefix("whsec_"))
    assert not is_loopback(urlsplit(source.callback.url).hostname or "")
    assert (source.mode, source.max_age_seconds) == (Mode.SHADOW, 600)
    assert source.allow_ips == (ip_network("192.0.2.0/24"), ip_network("2001:db8::1/128"))


def test_jinshuju_has_its_published_addresses() -> None:
    assert [str(network) for network in source_of("jinshuju").allow_ips] == [
        "52.82.74.116/32",
        "52.82.89.22/32",
        "52.82.100.17/32",
    ]


def test_githubs_way_is_the_default_and_every_part_may_differ() -> None:
    assert source_of("github").hmac == HmacScheme("x-hub-signature-256", "sha256", "hex", "sha256=")
    other = source_of("github", header="X-Sig", hash="sha512", encoding="base64", prefix="")
    assert other.hmac == HmacScheme("x-sig", "sha512", "base64", "")
    assert source_of("github", hash="sha384").hmac.prefix == "sha384="


def test_feishu_has_named_secrets() -> None:
    one = source_of("feishu", encrypt_key="a-key-of-a-test", verification_token=SECRET)
    assert one.encrypt_keys == (b"a-key-of-a-test",)
    assert one.verification_tokens == (SECRET.encode(),)
    assert one.secrets == ()
    assert "a-key-of" not in repr(one)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8080/cb",
        "http://localhost/cb",
        "http://[::1]:9/cb",
        "https://127.0.0.1/cb",
    ],
)
def test_a_loopback_callback_is_read(url: str) -> None:
    source = source_of("tally", callback={"url": url, "secret": WHSEC})
    assert source.callback is not None
    assert is_loopback(urlsplit(source.callback.url).hostname or "")


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.example/cb",
        "http://127.0.0.1.example/cb",
        "ftp://shop.example/cb",
        "https://user@shop.example/cb",
        "https://user:pass@shop.example/cb",
        "https://shop.example/cb#part",
        "https:///cb",
        "https://",
        "https://shop.example:99999/",
        "https://[::1/cb",
        "https://shop.example/ cb",
        "https://shop.example/张",
        "https://shop.example/" + "x" * 2_048,
        "",
        7,
    ],
)
@pytest.mark.parametrize("place", ["callback.url", "public_url"])
def test_other_addresses_are_refused(url: object, place: str) -> None:
    changes = (
        {"public_url": url}
        if place == "public_url"
        else {"callback": {"url": url, "secret": WHSEC}}
    )
    with pytest.raises(SecretError, match=rf"^sources\.hubspot-form\.{place}: must be an https"):
        source_of("hubspot", **changes)


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        "whsec_" + base64.b64encode(bytes(23)).decode(),
        "whsec_" + base64.b64encode(bytes(65)).decode(),
        "whsec_" + "é" * 40,
        "whsec_" + "!" * 40,
        WHSEC.removeprefix("whsec_"),
        5,
    ],
)
def test_other_whsec_secrets_are_refused(secret: object) -> None:
    with pytest.raises(SecretError, match=r"callback\.secret: must be whsec_ and the base64 of 24"):
        source_of("tally", callback={"url": "https://shop.example/", "secret": secret})


TOKENS = ["url_token", "jotform", "jinshuju"]


@pytest.mark.parametrize(
    ("vendors", "secrets", "says"),
    [
        (VENDORS, [], "must be a list of texts"),
        (VENDORS, None, "is missing"),
        (VENDORS, "one", "must be a list of texts"),
        (VENDORS, [1], "must be a list of texts"),
        (VENDORS, [TOKEN, OLD_TOKEN, TOKEN + "3"], "must be one, or two while"),
        (VENDORS, [TOKEN, TOKEN], "both are the same"),
        (TOKENS, ["x" * 21], "must be 22 to 256 of A-Z a-z 0-9 - _"),
        (TOKENS, ["x" * 21 + "+"], "must be 22 to 256"),
        (TOKENS, ["x" * 21 + "é"], "must be 22 to 256"),
        (["bearer"], ["x" * 21], "must be 22 to 512"),
        (["bearer"], ["x" * 21 + " x"], "must be 22 to 512"),
        (["basic"], [TOKEN], "must be user:password"),
        (["basic"], ["user:short"], "must be user:password"),
        (["basic"], [":" + TOKEN], "must be user:password"),
        (["standard_webhooks"], [TOKEN], "must be whsec_"),
        (["typeform", "tally", "wjx", "fanqier", "wufoo"], ["short"], "must be 8 to 512"),
        (["typeform"], ["密码密码密码密码"], "must be 8 to 512"),
    ],
)
def test_unusable_secrets_are_refused(vendors: tuple[str, ...], secrets: object, says: str) -> None:
    for vendor in {*vendors} - {"feishu"}:
        with pytest.raises(SecretError, match=rf"\.secrets: {says}") as caught:
            source_of(vendor, secrets=secrets)
        assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    ("vendor", "path", "value", "says"),
    [
        ("tally", ("vendor",), None, "vendor: is missing"),
        ("tally", ("vendor",), "tencent", "vendor: must be one of standard_webhooks, github"),
        ("tally", ("vendor",), ["tally"], "vendor: must be one of"),
        ("tally", ("fields",), None, "fields: is missing"),
        ("tally", ("fields",), [], "fields: must be a JSON object"),
        ("tally", ("fields", "name"), None, "fields.name: is missing"),
        ("tally", ("fields", "name"), "", "fields.name: must be a text of 1 to 256"),
        ("tally", ("fields", "name"), 1, "fields.name: must be a text"),
        ("tally", ("fields", "id_number"), "a\nb", "fields.id_number: must be a text"),
        ("tally", ("fields", "phone"), "x", "fields: has an unknown field; allowed are name"),
        ("bearer", ("fields", "name"), "/a~2", "fields.name: in a JSON pointer"),
        ("bearer", ("dedupe",), None, "dedupe: is missing"),
        ("basic", ("dedupe",), None, "dedupe: is missing"),
        ("url_token", ("dedupe",), None, "dedupe: is missing"),
        ("url_token", ("dedupe",), "/~", "dedupe: in a JSON pointer"),
        ("url_token", ("dedupe",), 3, "dedupe: must be a JSON pointer"),
        ("bearer", ("form",), "x", "has an unknown field; allowed are vendor"),
        ("typeform", ("dedupe",), "/x", "has an unknown field"),
        ("typeform", ("form",), "a b", "form: must be the vendor's own id"),
        ("typeform", ("form",), 5, "form: must be the vendor's own id"),
        ("wjx", ("form",), None, "form: is missing"),
        ("wjx", ("form",), "x", "form: must be the activity's digits"),
        ("hubspot", ("public_url",), None, "public_url: is missing"),
        ("feishu", ("verification_token",), None, "verification_token: is missing"),
        ("feishu", ("verification_token",), [], "verification_token: must be a list"),
        ("feishu", ("verification_token",), ["x" * 8] * 2, "verification_token: both"),
        ("feishu", ("verification_token",), 5, "verification_token: must be a list of texts"),
        ("feishu", ("encrypt_key",), "short", "encrypt_key: must be 8 to 512"),
        ("feishu", ("secrets",), [TOKEN], "has an unknown field"),
        ("github", ("hash",), "md5", "hash: must be one of sha256"),
        ("github", ("encoding",), "utf-8", "encoding: must be one of hex"),
        ("github", ("header",), "X Sig", "header: must be the name of a header"),
        ("github", ("prefix",), "é", "prefix: must be at most 32"),
        ("tally", ("mode",), "off", "mode: must be one of enforce, shadow"),
        ("tally", ("max_age_seconds",), -1, "max_age_seconds: must be a number from 0"),
        ("tally", ("max_age_seconds",), "5", "max_age_seconds: must be a number from 0"),
        ("tally", ("allow_ips",), [], "allow_ips: must be a list"),
        ("tally", ("allow_ips",), "192.0.2.1", "allow_ips: must be a list"),
        ("tally", ("allow_ips",), ["192.0.2.1/24"], "allow_ips: each must be an address"),
        ("tally", ("allow_ips",), ["nonsense"], "allow_ips: each must be an address"),
        ("tally", ("callback",), {}, "callback.url: is missing"),
        ("tally", ("callback",), "x", "callback: must be a JSON object"),
        ("tally", ("public_url",), "https://x.example", "has an unknown field"),
    ],
)
def test_each_fault_names_source_and_field(
    vendor: str, path: tuple[str, ...], value: object, says: str
) -> None:
    entry: dict[str, Any] = copy.deepcopy(ENTRIES[vendor])
    place = entry
    for step in path[:-1]:
        place = place[step]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    with pytest.raises(SecretError) as caught:
        read(entry)
    assert str(caught.value).startswith("sources.survey-2026")
    assert says in str(caught.value)


@pytest.mark.parametrize("name", ["", "Survey", "a_b", "-a", "a" * 33, "调查"])
def test_a_name_is_that_of_a_client(name: str) -> None:
    with pytest.raises(SecretError, match=r"^sources: each name: must be 1 to 32"):
        read_sources({name: ENTRIES["tally"]})


@pytest.mark.parametrize("entry", [None, [], "x", 5])
def test_an_entry_is_an_object(entry: object) -> None:
    with pytest.raises(SecretError, match=r"^sources\.survey-2026: must be a JSON object"):
        read(entry)
