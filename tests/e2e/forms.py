"""A local stack's secret with a form of every vendor in it, and how a vendor posts to one."""

import base64
import hashlib
import json
from itertools import count
from pathlib import Path
from typing import Any

import requests

from local_stack.stack import local_secret
from tests.hook_payloads import BUILDERS, ENTRIES, Hook

VENDORS = sorted(BUILDERS)
CLIENT = "local"

_serials = count(1_000_001)


def source_id(vendor: str) -> str:
    return f"{vendor.replace('_', '-')}-form"


def callback_secret(owner: str) -> str:
    """What signs the results of a client or source."""
    digest = hashlib.sha256(owner.encode()).digest()
    return f"whsec_{base64.b64encode(digest).decode()}"


def entry_of(vendor: str, owner: str, callback_url: str, **changes: Any) -> dict[str, Any]:
    """An entry of ``sources`` whose results go to a server on this machine."""
    callback = {"url": f"{callback_url}/{owner}", "secret": callback_secret(owner)}
    # The vendor's own addresses are not to be had here.
    near = {"allow_ips": ["127.0.0.1"]} if vendor == "jinshuju" else {}
    return {**ENTRIES[vendor], "callback": callback, **near, **changes}


def secret_with_forms(callback_url: str, **more: dict[str, Any]) -> dict[str, Any]:
    """The local secret, one source a vendor in it, and ``more``, by name with _ for -."""
    secret: dict[str, Any] = json.loads(local_secret())
    (client,) = secret["clients"]
    client["callback"] = {"hosts": ["127.0.0.1"], "secret": callback_secret(CLIENT)}
    secret["sources"] = {
        source_id(vendor): entry_of(vendor, source_id(vendor), callback_url) for vendor in VENDORS
    } | {name.replace("_", "-"): entry for name, entry in more.items()}
    return secret


def written(secret: dict[str, Any], folder: Path) -> str:
    """The secret as a file, for ``--secret``."""
    file = folder / "secret.json"
    file.write_text(json.dumps(secret), "utf-8")
    return str(file)


def fresh_entry() -> str:
    """A vendor's own id of one more entry."""
    return str(next(_serials))


def post(api: str, hook: Hook, source: str) -> requests.Response:
    """The request as its vendor sends it."""
    url = f"{api}/hooks/{source}" + (f"/{hook.token}" if hook.token else "")
    return requests.post(
        url + (f"?{hook.query}" if hook.query else ""),
        data=hook.body,
        headers=dict(hook.headers),
        timeout=20,
    )
