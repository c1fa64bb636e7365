"""What a hook makes a cold function import: its own vendor's file, and nothing that others need."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from chalicelib.domain.source_entry import VENDORS
from tests.fakes.clock import START
from tests.hook_payloads import (
    ENCRYPT_KEY,
    ENTRIES,
    Entry,
    Hook,
    build,
    feishu_encrypted,
    feishu_event,
    secrets_of,
)
from tests.unit.test_http import event

ROOT = Path(__file__).parents[2]
FORMS = "chalicelib.entrypoints.forms."
ENCRYPTED = "feishu-encrypted"
# Not the cheap part of ``email`` that every HTTP client needs: what reads a message of many parts.
PARSERS = {"multipart", "python_multipart", "cgi", "email.mime.multipart", "werkzeug.formparser"}


def given() -> dict[str, Any]:
    """A source and an event of every vendor; the one that needs a cipher comes last."""
    sources = {vendor.replace("_", "-"): ENTRIES[vendor] for vendor in VENDORS}
    sources[ENCRYPTED] = {**ENTRIES["feishu"], "encrypt_key": [ENCRYPT_KEY]}
    encrypted = feishu_event(Entry(secret=secrets_of("feishu")[0], dedupe="another"))
    hooks = {vendor.replace("_", "-"): build(vendor, now=START) for vendor in VENDORS}
    hooks[ENCRYPTED] = feishu_encrypted(encrypted, now=START)
    return {
        "sources": sources,
        "events": {source: posted(hook, source) for source, hook in hooks.items()},
    }


def posted(hook: Hook, source: str) -> dict[str, Any]:
    token = {"token": hook.token} if hook.token else {}
    one = event(
        "POST",
        "/hooks/{source}" + ("/{token}" if token else ""),
        body=hook.body,
        headers=dict(hook.headers),
        query=parse_qs(hook.query) or None,
        source=source,
        **token,
    )
    one["requestContext"]["identity"] = {"sourceIp": hook.source_ip}
    return one


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.unit.hook_imports"],
        input=json.dumps(given()),
        env={**os.environ, "AWS_DEFAULT_REGION": "cn-north-1"},
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def files_of_vendors(modules: list[str]) -> list[str]:
    return [vendor for vendor in VENDORS if FORMS + vendor in modules]


def test_the_app_loads_no_vendor_and_nothing_that_only_a_vendor_needs(
    report: dict[str, Any],
) -> None:
    assert "chalicelib.entrypoints.webhooks" in report["app"]
    assert not files_of_vendors(report["app"])
    assert not {"cryptography", *PARSERS} & set(report["app"])


def test_a_hook_loads_one_vendors_file(report: dict[str, Any]) -> None:
    answers = {vendor: report[vendor.replace("_", "-")] for vendor in VENDORS}
    assert {status for status, _ in answers.values()} <= {200, 202}
    assert report["verifications"] == len(VENDORS) + 1, "every one of them was taken"
    found = {vendor: files_of_vendors(loaded) for vendor, (_, loaded) in answers.items()}
    assert found == {vendor: [vendor] for vendor in VENDORS}
    # Beside it only our own files and codecs: no library, no cipher, no parser.
    loaded = {module for _, modules in answers.values() for module in modules}
    assert FORMS + "feishu_cipher" not in loaded
    assert not [module for module in loaded if not module.startswith(("chalicelib.", "encodings."))]


def test_a_cipher_is_loaded_by_who_needs_one(report: dict[str, Any]) -> None:
    status, loaded = report[ENCRYPTED]
    assert status == 200
    assert {FORMS + "feishu_cipher", "cryptography"} <= set(loaded)
