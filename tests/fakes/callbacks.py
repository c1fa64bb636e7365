"""Endpoints in memory; passes the same contract suite as the HTTP adapter."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from threading import Lock

from chalicelib.domain.callback_url import CallbackUrlError, parse
from chalicelib.domain.delivery import CallbackResult, Fault


@dataclass(frozen=True)
class Posted:
    """What one endpoint was sent."""

    url: str
    headers: Mapping[str, str]
    body: bytes


class FakeCallbacks:
    """What arrived is in ``posted``; ``results`` are given first, one a call, then 200."""

    def __init__(
        self,
        results: Iterable[CallbackResult | int | Fault] = (),
        *,
        allow_loopback: bool = False,
    ) -> None:
        self.posted: list[Posted] = []
        self.results = deque(results)
        self.allow_loopback = allow_loopback
        self._lock = Lock()

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> CallbackResult:
        try:
            parse(url, allow_loopback=self.allow_loopback)
        except CallbackUrlError as error:
            return CallbackResult(error.fault)
        with self._lock:
            self.posted.append(Posted(url, dict(headers), body))
            result = self.results.popleft() if self.results else 200
        return result if isinstance(result, CallbackResult) else CallbackResult(result)
