"""What the gateway refuses before the vendor sees a call."""

from datetime import date
from typing import NamedTuple

from mock_server.call import API_PATH, Call
from mock_server.state import Quota, State

MAX_URL = 128 * 1024
_SCHEME = "APPCODE "
_FORM = "application/x-www-form-urlencoded"


class Refusal(NamedTuple):
    """A row of the gateway's table, and its message in the older generation where it matters.

    Attributes:
        metered: the call came as far as the throttle, which counts it.
    """

    code: str
    old_message: str = ""
    metered: bool = True


def refusal(call: Call, state: State, today: date, now: float | None) -> Refusal | None:
    """Give the gateway's reason against a call, or None; without a `now` it is not throttled.

    In this order: address and method, AppCode, throttle, package, body.
    """
    return (
        _address(call)
        or _appcode(call, state.appcodes)
        or (_THROTTLED if now is not None and state.throttle.refuses(now) else None)
        or _package(state.quota, today)
        or _body(call)
    )


_THROTTLED = Refusal("T429PA", metered=False)


def _address(call: Call) -> Refusal | None:
    if len(call.path) + len(call.query) > MAX_URL:
        return Refusal("I413UL", metered=False)
    if call.path != API_PATH:
        return Refusal("I404NF", metered=False)
    if call.method != "POST":
        return Refusal("I405UM", metered=False)
    return None


def _appcode(call: Call, accepted: tuple[str, ...]) -> Refusal | None:
    if not call.authorization.startswith(_SCHEME):
        return Refusal("A400MA", metered=False)
    given = call.authorization[len(_SCHEME) :]
    if not given or given != given.strip() or (accepted and given not in accepted):
        return Refusal("A400AC", metered=False)
    return None


def _package(quota: Quota, today: date) -> Refusal | None:
    if quota.total is not None and quota.used >= quota.total:
        return Refusal("B403MQ")
    if quota.expires_at is not None and today >= quota.expires_at:
        return Refusal("B403ME")
    return None


def _body(call: Call) -> Refusal | None:
    media_type = call.content_type.split(";", 1)[0].strip().lower()
    if call.query:
        return Refusal("I400RU", "Invalid Param Location")
    if call.oversize:
        return Refusal("I413RL")
    if media_type != _FORM:
        multipart = media_type.startswith("multipart/")
        return Refusal("I400CT", "Unsupported Multipart" if multipart else "Invalid Param Location")
    if not call.body:
        return Refusal("I400BD", "Empty Request Body")
    return None
