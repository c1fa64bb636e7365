"""Every signature that a vendor published, and those recomputed with another program."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chalicelib.domain.errors import UnauthenticatedError
from chalicelib.domain.source import Assurance, HmacScheme, Source
from chalicelib.domain.submission import HookRequest
from chalicelib.entrypoints.forms import feishu_cipher, hubspot, registry, signatures
from tests.hook_sources import source_of

FACTS = json.loads(
    (Path(__file__).parents[2] / "data" / "webhook_signatures.json").read_text("utf-8")
)
PUBLISHED, OWN = FACTS["published"], FACTS["own"]
# Those below are all of them: a new fact in the file fails until it is used.
USED = {
    "standard_webhooks",
    "github",
    "hubspot",
    "feishu_decrypt",
    "convoy_hmac_sha512",
    "typeform",
    "tally",
    "formspree",
    "webflow",
    "jiandaoyun",
    "wjx",
    "fanqier",
    "feishu_signature",
}


def at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def with_secret(vendor: str, secret: str, **changes: Any) -> Source:
    return replace(source_of(vendor), secrets=(secret.encode(),), **changes)


def ask(
    body: str, headers: dict[str, str], *, query: str = "", method: str = "POST"
) -> HookRequest:
    lower = {name.lower(): value for name, value in headers.items()}
    return HookRequest(method, "/hooks/x", query, lower, body.encode(), "192.0.2.1")


def accepts(request: HookRequest, source: Source, now: datetime) -> Assurance:
    """And refuses the same with another body."""
    found = registry.authenticate(request, source, now)
    with pytest.raises(UnauthenticatedError):
        registry.authenticate(replace(request, raw=b"[" + request.raw), source, now)
    return found


def test_every_fact_is_used() -> None:
    assert {*PUBLISHED, *OWN} == USED


def test_standard_webhooks() -> None:
    fact = PUBLISHED["standard_webhooks"]
    key = base64.b64decode(fact["secret"].removeprefix("whsec_"))
    headers = {
        "webhook-id": fact["id"],
        "webhook-timestamp": fact["timestamp"],
        "webhook-signature": fact["signature"],
    }
    source = replace(source_of("standard_webhooks"), secrets=(key,))
    accepts(ask(fact["body"], headers), source, at(int(fact["timestamp"])))


def test_github() -> None:
    fact = PUBLISHED["github"]
    request = ask(fact["body"], {fact["header"]: fact["signature"]})
    assert accepts(request, with_secret("github", fact["secret"]), at(0)) is Assurance.SIGNED


def test_an_hmac_of_another_hash_without_prefix() -> None:
    fact = PUBLISHED["convoy_hmac_sha512"]
    scheme = HmacScheme("x-convoy-signature", "sha512", "hex", "")
    source = with_secret("github", fact["secret"], hmac=scheme)
    accepts(ask(fact["body"], {"X-Convoy-Signature": fact["hex"]}), source, at(0))
    accepts(ask(fact["body"], {"X-Convoy-Signature": fact["hex"].upper()}), source, at(0))
    encoded = base64.b64encode(bytes.fromhex(fact["hex"])).decode()
    in_base64 = replace(source, hmac=replace(scheme, encoding="base64"))
    accepts(ask(fact["body"], {"X-Convoy-Signature": encoded}), in_base64, at(0))


def test_hubspot_version_3() -> None:
    fact = PUBLISHED["hubspot"]
    content = hubspot.signed_content(
        fact["method"], fact["url"], fact["body"].encode(), fact["timestamp"]
    )
    assert signatures.hmac_base64(fact["secret"].encode(), content) == fact["v3"]


@pytest.mark.parametrize("version", ["v1", "v2", "v2_get_empty_body"])
def test_hubspot_refuses_the_plain_hashes(version: str) -> None:
    fact = PUBLISHED["hubspot"]
    timestamp = "1700000000000"
    source = with_secret("hubspot", fact["secret"], public_url=fact["url"])
    for header in ("x-hubspot-signature", "x-hubspot-signature-v3"):
        headers = {header: fact[version], "x-hubspot-request-timestamp": timestamp}
        with pytest.raises(UnauthenticatedError):
            registry.authenticate(ask(fact["body"], headers), source, at(1_700_000_000))


@pytest.mark.parametrize("vendor", ["typeform", "tally"])
def test_hmac_of_the_body(vendor: str) -> None:
    fact = OWN[vendor]
    request = ask(fact["body"], {fact["header"]: fact["signature"]})
    assert accepts(request, with_secret(vendor, fact["secret"]), at(0)) is Assurance.SIGNED


def test_formspree() -> None:
    fact = OWN["formspree"]
    request = ask(fact["body"], {fact["header"]: fact["signature"]})
    accepts(request, with_secret("formspree", fact["secret"]), at(1_700_000_000))


def test_webflow() -> None:
    fact = OWN["webflow"]
    headers = {fact["header"]: fact["signature"], "x-webflow-timestamp": fact["timestamp"]}
    accepts(ask(fact["body"], headers), with_secret("webflow", fact["secret"]), at(1_700_000_000))


def test_jiandaoyun() -> None:
    fact = OWN["jiandaoyun"]
    query = f"timestamp={fact['timestamp']}&nonce={fact['nonce']}"
    request = ask(fact["body"], {fact["header"]: fact["signature"]}, query=query)
    assert accepts(request, with_secret("jiandaoyun", fact["secret"]), at(0)) is Assurance.SIGNED


def test_wjx() -> None:
    fact = OWN["wjx"]
    body = json.dumps(
        {"activity": fact["activity"], "index": fact["index"], "sign": fact["signature"]}
    )
    source = with_secret("wjx", fact["secret"])
    assert accepts(ask(body, {}), source, at(0)) is Assurance.SHARED_SECRET
    upper = body.replace(fact["signature"], fact["signature"].upper())
    assert accepts(ask(upper, {}), source, at(0)) is Assurance.SHARED_SECRET


def test_fanqier() -> None:
    fact = OWN["fanqier"]
    body = json.dumps({"data": fact["data"], "time": fact["time"], "sign": fact["signature"]})
    accepts(ask(body, {}), with_secret("fanqier", fact["token"]), at(0))
    as_number = json.dumps(
        {"data": fact["data"], "time": int(fact["time"]), "sign": fact["signature"]}
    )
    accepts(ask(as_number, {}), with_secret("fanqier", fact["token"]), at(0))


def test_feishu_signs_and_encrypts() -> None:
    fact = OWN["feishu_signature"]
    headers = {
        fact["header"]: fact["signature"],
        "X-Lark-Request-Timestamp": fact["timestamp"],
        "X-Lark-Request-Nonce": fact["nonce"],
    }
    source = replace(source_of("feishu"), encrypt_keys=(fact["encrypt_key"].encode(),))
    assert accepts(ask(fact["body"], headers), source, at(0)) is Assurance.SIGNED


def test_feishu_decrypts() -> None:
    fact = PUBLISHED["feishu_decrypt"]
    key = fact["encrypt_key"].encode()
    assert feishu_cipher.decrypt(fact["encrypt"], key) == fact["plaintext"]
    assert feishu_cipher.decrypt(fact["encrypt"], b"another") is None
