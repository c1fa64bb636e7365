"""The way in: a vendor's file by its name, imported when it is first asked for.

A cold start must not pay for 17 vendors, of which a deployment uses one or two.
"""

from datetime import datetime
from importlib import import_module
from typing import Protocol, cast

from chalicelib.domain.source import Assurance, Source
from chalicelib.domain.source_entry import VENDORS
from chalicelib.domain.submission import HookRequest, Parsed
from chalicelib.entrypoints.forms.profile import Profile
from chalicelib.entrypoints.forms.signatures import refused


class Vendor(Protocol):
    """What every vendor's file has."""

    PROFILE: Profile

    def authenticate(self, request: HookRequest, source: Source, now: datetime) -> Assurance:
        """How sure it is that the vendor sent this; raises UnauthenticatedError."""

    def parse(self, request: HookRequest, source: Source) -> Parsed:
        """What an authenticated request holds."""


def vendor(name: str) -> Vendor:
    """The vendor's file; raises UnauthenticatedError where there is none."""
    if name not in VENDORS:
        raise refused()
    return cast("Vendor", import_module(f"{__package__}.{name}"))


def authenticate(request: HookRequest, source: Source, now: datetime) -> Assurance:
    """The address first, then the vendor's own scheme; raises UnauthenticatedError."""
    if not source.admits(request.source_ip):
        raise refused()
    return vendor(source.vendor).authenticate(request, source, now)


def parse(request: HookRequest, source: Source) -> Parsed:
    """What an authenticated request holds."""
    return vendor(source.vendor).parse(request, source)
