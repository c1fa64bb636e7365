"""Calls to the service: what is repeated, how long, and what a failure means."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from ssl import SSLCertVerificationError
from time import monotonic, sleep
from typing import Any

import requests
from requests.auth import AuthBase
from urllib3.exceptions import NewConnectionError, SSLError

from client.errors import ClientError, usage_error
from client.exits import Exit
from client.reasons import in_words
from client.settings import Settings

PATIENCE = 15.0
"""Seconds that a call is repeated for, where nothing else is said."""

_CONNECT_SECONDS = 10
_READ_SECONDS = 40  # API Gateway gives up after 29
_LONGEST_WAIT = 10
_SLOWEST = 5.0
_PASSING = frozenset({"service_unavailable", "too_many_requests"})
_OK, _REDIRECT, _SERVER_ERROR = 200, 300, 500


@dataclass(frozen=True, slots=True)
class Answer:
    """A success; header names in any case."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    def json(self) -> dict[str, Any]:
        """The JSON object that it holds."""
        try:
            found = json.loads(self.content)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise _not_the_service(self.status)
        return found

    def text(self) -> str:
        """The text that it holds, without a byte order mark."""
        return self.content.decode("utf-8-sig", "replace")


class _Bearer(AuthBase):
    """Also keeps requests from putting a .netrc's password in the key's place."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._key}"
        return request


class Service:
    """One service, called with one key."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.url
        self._session = requests.Session()
        self._session.auth = _Bearer(settings.key)
        # What stays on this machine goes through no proxy.
        self._session.trust_env = not settings.local

    def get(
        self,
        path: str,
        parameters: Mapping[str, object] | None = None,
        *,
        patience: float = PATIENCE,
    ) -> Answer:
        """Read something; parameters that are None are left out."""
        return self._call("GET", path, parameters=parameters, repeats=True, patience=patience)

    def post(
        self, path: str, body: object = None, *, key: str | None = None, patience: float = PATIENCE
    ) -> Answer:
        """Do something; repeated only under an Idempotency-Key, which makes that safe."""
        return self._call("POST", path, body=body, key=key, repeats=bool(key), patience=patience)

    def delete(self, path: str) -> Answer:
        """Take something away; not repeated: a second one would find nothing."""
        return self._call("DELETE", path, repeats=False, patience=PATIENCE)

    def close(self) -> None:
        """Hang up."""
        self._session.close()

    def _call(
        self,
        method: str,
        path: str,
        *,
        repeats: bool,
        patience: float,
        body: object = None,
        key: str | None = None,
        parameters: Mapping[str, object] | None = None,
    ) -> Answer:
        headers = {"Idempotency-Key": key} if key else {}
        ends = monotonic() + patience
        delay, doubt = 0.5, None
        while True:
            try:
                got = self._send(method, path, body, parameters, headers)
                if _OK <= got.status < _REDIRECT:
                    return got
                failure, wait = _refusal(got, delay)
            except ClientError as exc:
                failure, wait = exc, None if exc.code == "tls" else delay
            # Once a request may have arrived, "later" is not the whole truth any more: whoever
            # asks again under another key might pay again.
            doubt = doubt or (failure if failure.code == "no_answer" else None)
            if not repeats or wait is None or monotonic() + wait > ends:
                raise doubt if doubt and failure.exit_code is Exit.LATER else failure
            sleep(wait)
            delay = min(delay * 2, _SLOWEST)

    def _send(
        self,
        method: str,
        path: str,
        body: object,
        parameters: Mapping[str, object] | None,
        headers: Mapping[str, str],
    ) -> Answer:
        try:
            got = self._session.request(
                method,
                self._url + path,
                params={k: str(v) for k, v in (parameters or {}).items() if v is not None},
                json=body,
                headers=headers,
                timeout=(_CONNECT_SECONDS, _READ_SECONDS),
                allow_redirects=False,
            )
        except requests.RequestException as exc:
            raise transport_error(exc, self._url) from None
        return Answer(got.status_code, got.headers, got.content)


def transport_error(exc: Exception, place: str) -> ClientError:
    """What went wrong on the way; an exception's own text may hold a signed URL and is not told."""
    cause: Any = exc.args[0] if exc.args else None
    reason = getattr(cause, "reason", cause)
    if isinstance(reason, SSLError) and isinstance(reason.args[0], SSLCertVerificationError):
        return ClientError(
            Exit.LATER,
            "tls",
            f"{place}: its certificate is not trusted; nothing was sent",
            f"{place}：证书不受信任；没有发出任何内容",
        )
    if isinstance(exc, requests.ConnectTimeout) or isinstance(reason, NewConnectionError):
        return ClientError(
            Exit.LATER,
            "unreachable",
            f"{place} cannot be reached; nothing was sent",
            f"连不上 {place}；没有发出任何内容",
        )
    return ClientError(
        Exit.LATER,
        "no_answer",
        f"{place} gave no answer; what was sent may have arrived",
        f"{place} 没有回应；发出的内容可能已经到达",
    )


def _refusal(answer: Answer, delay: float) -> tuple[ClientError, float | None]:
    """The error that an answer is, and after how many seconds it is worth a repetition."""
    problem = _problem(answer)
    if problem is None:
        if answer.status < _SERVER_ERROR:
            return _not_the_service(answer.status), None
        text = f"HTTP {answer.status}"
        error = ClientError(
            Exit.LATER,
            "no_answer",
            f"what stands before the service answered {text}; the question may have arrived",
            f"服务前面的网关回答 {text}；问题可能已经到达",
        )
        return error, delay
    code, retryable = str(problem["code"]), problem.get("retryable") is True
    detail = str(problem.get("detail") or in_words(code, "en"))
    row = problem.get("row")
    place = f"，第 {row} 行" if isinstance(row, int) else ""
    told = f"{in_words(code, 'zh')}（{code}{place}）：{detail}"
    error = ClientError(_exit(code, retryable=retryable), code, f"{detail} ({code})", told, problem)
    after = _seconds(answer.headers.get("Retry-After"))
    if retryable and after is not None:
        problem["retry_after"] = after
        return error, after if after <= _LONGEST_WAIT else None
    # API Gateway lost patience: the same key finds out what became of it.
    lost = code == "outcome_unknown" and not problem.get("verification_id")
    return error, delay if lost or code in _PASSING else None


def _problem(answer: Answer) -> dict[str, Any] | None:
    try:
        found = json.loads(answer.content)
    except ValueError:
        return None
    return found if isinstance(found, dict) and isinstance(found.get("code"), str) else None


def _exit(code: str, *, retryable: bool) -> Exit:
    if code == "outcome_unknown":
        return Exit.UNKNOWN
    if code == "verification_in_progress":
        return Exit.UNFINISHED
    return Exit.LATER if retryable else Exit.REFUSED


def _seconds(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() else None


def _not_the_service(status: int) -> ClientError:
    return usage_error(
        f"what answers at this URL is not the service (HTTP {status}); see --url",
        f"该地址上的不是本服务（HTTP {status}）；请检查 --url",
    )
