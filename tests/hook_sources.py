"""Sources and requests of the code under test, from ``hook_payloads``."""

import copy
from collections.abc import Mapping
from typing import Any

from chalicelib.domain.source import Source
from chalicelib.domain.source_entry import read_sources
from chalicelib.domain.submission import HookRequest
from tests.hook_payloads import ENTRIES, Hook


def source_of(vendor: str, **changes: Any) -> Source:
    """The vendor's entry, read; a change to None takes the member away."""
    entry = copy.deepcopy(ENTRIES[vendor]) | changes
    kept = {member: value for member, value in entry.items() if value is not None}
    return read_sources({f"{vendor.replace('_', '-')}-form": kept})[
        f"{vendor.replace('_', '-')}-form"
    ]


def with_fields(vendor: str, **fields: str) -> Source:
    """The vendor's entry with other ``fields``."""
    return source_of(vendor, fields={**ENTRIES[vendor]["fields"], **fields})


def request_of(hook: Hook, headers: Mapping[str, str] | None = None) -> HookRequest:
    """The request as an entrypoint hands it over."""
    return HookRequest(
        method="POST",
        url_path="/hooks/a-form",
        query_string=hook.query,
        headers=hook.headers if headers is None else headers,
        raw=hook.body,
        source_ip=hook.source_ip,
        token=hook.token,
    )
