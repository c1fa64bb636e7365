"""Results sent on over HTTP, to whatever URL was configured, and to public addresses alone.

A URL that was harmless when it was taken may lead inside later: its name is resolved again for
each attempt, and once. Every address found must be one that may be connected to, and one of
those very addresses is. The name still goes into SNI, certificate check and Host. Nothing is kept
alive, nothing comes from the environment, no redirect is followed.
"""

import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from functools import cached_property
from ipaddress import ip_address

import requests
from urllib3 import Timeout
from urllib3.exceptions import SSLError

from chalicelib.adapters.transport import NotSentError, Transport, trusting
from chalicelib.domain.addresses import LOOPBACK, refusal
from chalicelib.domain.callback_url import CallbackUrl, CallbackUrlError, parse
from chalicelib.domain.delivery import CallbackResult, Fault

SECONDS = 15.0
MAX_BODY_BYTES = 4096

_HEADERS = {
    "Content-Type": "application/json",
    "User-Agent": "eryaosu",
    "Accept-Encoding": "identity",
}
# The first that fits; whatever else kept a connection from being made is a refusal.
_FAULTS: tuple[tuple[tuple[type[Exception], ...], Fault], ...] = (
    ((socket.gaierror,), Fault.UNRESOLVABLE),
    ((TimeoutError,), Fault.TIMEOUT),
    ((ssl.SSLError, SSLError), Fault.TLS),
)


class _BlockedAddressError(Exception):
    """The name leads to an address that must not be connected to."""


class HttpCallbacks:
    """Any number of threads may use it; ``seconds`` bounds an attempt from name to answer.

    ``allow_loopback`` is for trying things out on one machine: loopback addresses are let
    through, and http to them.
    """

    def __init__(self, *, allow_loopback: bool = False, seconds: float = SECONDS) -> None:
        self._allow_loopback = allow_loopback
        self._limits = Timeout(connect=seconds / 3, total=seconds)

    @cached_property
    def _context(self) -> ssl.SSLContext:
        return trusting()

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> CallbackResult:
        """One attempt; never raises, never repeats itself."""
        began = time.monotonic()
        result = self._attempt(url, headers, body)
        return result._replace(duration_ms=round((time.monotonic() - began) * 1000))

    def _attempt(self, url: str, headers: Mapping[str, str], body: bytes) -> CallbackResult:
        try:
            return self._send(parse(url, allow_loopback=self._allow_loopback), headers, body)
        except CallbackUrlError as error:
            return CallbackResult(error.fault)
        except _BlockedAddressError:
            return CallbackResult(Fault.BLOCKED_ADDRESS)
        except NotSentError as error:
            return CallbackResult(_fault(error.kind))
        except requests.Timeout:
            return CallbackResult(Fault.TIMEOUT)
        except Exception:  # noqa: BLE001 - whatever it was, there is no answer to rely on
            return CallbackResult(Fault.NO_ANSWER)

    def _send(self, target: CallbackUrl, headers: Mapping[str, str], body: bytes) -> CallbackResult:
        def guard(addresses: Sequence[str]) -> None:
            if not all(self._may_connect(target.scheme, address) for address in addresses):
                raise _BlockedAddressError

        request = requests.Request(
            "POST", target.url, headers={**_HEADERS, **headers}, data=body
        ).prepare()
        transport = Transport(target.url, 0, guard=guard, context=self._context)
        # The stub leaves out urllib3's Timeout, which requests documents.
        with (
            closing(transport),
            transport.send(request, stream=True, timeout=self._limits) as response,  # type: ignore[arg-type]
        ):
            # A result's status says it all; a body is taken also so that its sender sees no reset.
            answer = b""
            with suppress(Exception):
                answer = response.raw.read(MAX_BODY_BYTES, decode_content=False)
            return CallbackResult(
                response.status_code,
                retry_after=response.headers.get("Retry-After"),
                answer=answer,
            )

    def _may_connect(self, scheme: str, address: str) -> bool:
        why = refusal(ip_address(address))
        if why == LOOPBACK:
            return self._allow_loopback
        return why is None and scheme == "https"


def _fault(kind: type[Exception]) -> Fault:
    return next((fault for kinds, fault in _FAULTS if issubclass(kind, kinds)), Fault.REFUSED)
