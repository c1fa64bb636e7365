"""飞书's encrypted mode, from the challenge to the entry, with and without a cipher library."""

import base64
import sys
from dataclasses import replace

import pytest

from chalicelib.domain.errors import ServiceUnavailableError, UnauthenticatedError
from chalicelib.domain.source import Assurance
from chalicelib.domain.submission import Handshake, Reason, Submission, Unmapped
from chalicelib.entrypoints.forms import feishu_cipher, registry
from tests.examples import NAME, NUMBER
from tests.hook_payloads import (
    ENCRYPT_KEY,
    NOW,
    SECRET,
    Entry,
    dumps,
    feishu_encrypted,
    feishu_event,
    feishu_sealed,
    json_hook,
)
from tests.hook_sources import request_of, source_of

OLD_KEY = "the-key-before-that"
SOURCE = source_of("feishu", encrypt_key=[ENCRYPT_KEY, OLD_KEY])
CHALLENGE = {"challenge": "c", "token": SECRET, "type": "url_verification"}


@pytest.mark.parametrize("key", [ENCRYPT_KEY, OLD_KEY])
def test_an_encrypted_entry_is_signed_opened_and_mapped(key: str) -> None:
    request = request_of(feishu_encrypted(feishu_event(Entry()), key=key))
    assert registry.authenticate(request, SOURCE, NOW) is Assurance.SIGNED
    found = registry.parse(request, SOURCE)
    assert isinstance(found, Submission)
    assert (found.name, found.id_number) == (NAME, NUMBER)


def test_a_third_key_opens_nothing() -> None:
    request = request_of(feishu_encrypted(feishu_event(Entry()), key="another-key"))
    with pytest.raises(UnauthenticatedError):
        registry.authenticate(request, SOURCE, NOW)
    found = registry.parse(request, SOURCE)
    assert isinstance(found, Unmapped)
    assert found.reason is Reason.MALFORMED_BODY


def test_the_challenge_needs_the_token_instead_of_a_signature() -> None:
    request = request_of(replace(feishu_encrypted(CHALLENGE), headers={}))
    assert registry.authenticate(request, SOURCE, NOW) is Assurance.SHARED_SECRET
    assert registry.parse(request, SOURCE) == Handshake('{"challenge": "c"}', "application/json")
    for wrong in ({**CHALLENGE, "token": "x"}, {**CHALLENGE, "type": "x"}):
        with pytest.raises(UnauthenticatedError):
            registry.authenticate(
                request_of(replace(feishu_encrypted(wrong), headers={})), SOURCE, NOW
            )


@pytest.mark.parametrize("change", ["signature", "timestamp", "nonce"])
def test_every_part_of_the_signature_counts(change: str) -> None:
    hook = feishu_encrypted(feishu_event(Entry()))
    name = next(name for name in hook.headers if name.endswith(change))
    value = hook.headers[name]
    for edit in ("0" + value[1:] + "0", value[:-1] + "é", "", "1" * 10):
        with pytest.raises(UnauthenticatedError):
            registry.authenticate(request_of(hook, {**hook.headers, name: edit}), SOURCE, NOW)


@pytest.mark.parametrize(
    "sealed",
    [
        "",
        "é",
        "not base64!",
        base64.b64encode(bytes(16)).decode(),
        base64.b64encode(bytes(33)).decode(),
        base64.b64encode(bytes(48)).decode(),
        None,
        5,
    ],
)
def test_what_cannot_be_opened_is_nothing(sealed: object) -> None:
    assert feishu_cipher.decrypt(sealed, ENCRYPT_KEY.encode()) is None


def test_bytes_that_are_no_text_are_nothing() -> None:
    assert feishu_cipher.decrypt(feishu_sealed(b"\xff\xfe", "k"), b"k") is None
    assert feishu_cipher.decrypt(feishu_sealed(b"", "k"), b"k") == ""


def test_without_the_library_the_error_says_what_to_add(monkeypatch: pytest.MonkeyPatch) -> None:
    request = request_of(feishu_encrypted(feishu_event(Entry())))
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers", None)
    assert registry.authenticate(request, SOURCE, NOW) is Assurance.SIGNED
    with pytest.raises(ServiceUnavailableError, match=r"add it to requirements\.txt"):
        registry.parse(request, SOURCE)


def test_a_plain_source_needs_no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    monkeypatch.setitem(sys.modules, "chalicelib.entrypoints.forms.feishu_cipher", None)
    hook = json_hook(dumps(feishu_event(Entry())))
    found = registry.parse(request_of(hook), source_of("feishu"))
    assert isinstance(found, Submission)
