"""The paid upstream over HTTP: one POST a question, and never a second one by itself.

What may have been charged decides everything here, so each failure is told by *where* it
happened and not by what requests made of it. Until ``connect`` is through, TLS included, no byte
of a question can have left, and a failure is *not sent*. From then on it is *no answer*, whatever
it looks like: a certificate error and a broken TLS record are one exception to requests.

requests' timeouts are for one read each, so an answer that drips in never meets them. Here every
read of an answer gets what is left of the whole, which needs no thread and no timer.

Nothing in this module logs, and what urllib3 logs is kept free of the answer's bytes.
"""

import io
import ipaddress
import json
import math
import queue
import re
import socket
import threading
import time
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from http.client import HTTPResponse, IncompleteRead
from typing import Protocol, Self
from urllib.parse import quote, urlencode, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, Timeout
from urllib3 import HTTPResponse as RawResponse
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import DecodeError, HTTPError, ProtocolError
from urllib3.util.ssl_ import create_urllib3_context

from chalicelib.domain import codes
from chalicelib.domain.verification import Answer, DerivedFields, Person

LIVE_HOST = "idenauthen.market.alicloudapi.com"
CONNECT_SECONDS = 5.0
MAX_CONNECTIONS = 32

_OURS = frozenset(
    {codes.NOT_SENT, codes.TOO_LATE, codes.NO_ANSWER, codes.BAD_ANSWER, codes.LEASE_EXPIRED}
)
_CODE = re.compile(r"[!-~]{1,16}")
_APPCODE = re.compile(r"[!-~]+")
_NUMBER = re.compile(r"[0-9]{17}[0-9Xx]")
_LIKE_A_NUMBER = re.compile(r"\d{6}")
_BIRTHDAY = re.compile(r"[0-9]{8}")
_AGE = re.compile(r"[0-9]{1,3}")
_MESSAGE_LENGTH = 200
_REQUEST_ID_LENGTH = 128
_PLACE_LENGTH = 64


class HttpProvider:
    """The upstream at ``url``; made once, used by any number of threads.

    Raises ValueError for a URL that an AppCode must not be sent to: https, or http to this very
    machine, without user, query or fragment.
    """

    def __init__(
        self, url: str, *, max_idle_seconds: float = 15, max_body_bytes: int = 65536
    ) -> None:
        self._url = _checked(url)
        self._max_body_bytes = max_body_bytes
        self._transport = _Transport(self._url, max_idle_seconds)

    def ask(self, person: Person, appcode: str, timeout: float) -> Answer:
        """One paid call, at most ``timeout`` seconds long; never raises, never repeats itself."""
        try:
            request = self._request(person, appcode)
            limits = _limits(timeout)
        except ValueError:
            return Answer(codes.NOT_SENT)
        try:
            # The stub leaves out urllib3's Timeout, which requests documents.
            with self._transport.send(request, stream=True, timeout=limits) as response:  # type: ignore[arg-type]
                return self._answer(response, person, appcode)
        except _NotSentError:
            return Answer(codes.NOT_SENT)
        except Exception:  # noqa: BLE001 - whatever it was, the question may be out and charged
            return Answer(codes.NO_ANSWER)

    def close(self) -> None:
        """Close the connections that are kept alive."""
        self._transport.close()

    def _request(self, person: Person, appcode: str) -> requests.PreparedRequest:
        if not _APPCODE.fullmatch(appcode):
            raise ValueError("an AppCode is printable ASCII without spaces")
        return requests.Request(
            "POST",
            self._url,
            headers={
                "Authorization": f"APPCODE {appcode}",
                "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
                "Accept-Encoding": "identity",
            },
            data=urlencode({"idNo": person.id_number, "name": person.name}),
        ).prepare()

    def _answer(self, response: requests.Response, person: Person, appcode: str) -> Answer:
        request_id = _request_id(response.headers, person, appcode)
        try:
            fields = self._fields(response)
        except HTTPError:
            return Answer(codes.NO_ANSWER, upstream_request_id=request_id)
        code = _resp_code(fields, person)
        message = _text(fields.get("respMessage"))
        derived = _derived(fields)
        if code is None:
            code, message = _gateway_error(response.status_code, response.headers)
            derived = None
        if _LIKE_A_NUMBER.search(_squeezed(message)) or _reveals(message, person, appcode):
            message = ""
        return Answer(code, message[:_MESSAGE_LENGTH], request_id, derived)

    def _fields(self, response: requests.Response) -> Mapping[str, object]:
        """Empty if there are none; an error's body is left unread, its headers say it all."""
        if response.status_code != requests.codes.ok:
            return {}
        try:
            body: bytes = response.raw.read(self._max_body_bytes + 1, decode_content=True)
        except DecodeError:
            return {}
        except ProtocolError as error:
            if isinstance(error.__cause__, IncompleteRead):
                return {}
            raise
        return _json_object(body) if len(body) <= self._max_body_bytes else {}


def is_live(url: str) -> bool:
    """Whether questions sent there cost money: the host is the documented one.

    >>> is_live("https://idenauthen.market.alicloudapi.com/idenAuthentication")
    True
    >>> is_live("http://127.0.0.1:8001/idenAuthentication")
    False
    """
    return (urlsplit(url).hostname or "").rstrip(".") == LIVE_HOST


def _checked(url: str) -> str:
    """The URL as requests will use it; never repeated in an error, it may hold a password."""
    try:
        prepared = requests.Request("POST", url).prepare().url or ""
        parts = urlsplit(prepared)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError("the upstream's URL is not a URL") from None
    if parts.username is not None or parts.query or parts.fragment or "\\" in url:
        raise ValueError("the upstream's URL must be plain: no user, query, fragment or backslash")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        raise ValueError(
            "the upstream's URL must be https: an AppCode goes over http to this machine only"
        )
    return prepared


def _is_loopback(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return address == ipaddress.IPv6Address("::1") or (address.version == 4 and address.is_loopback)  # noqa: PLR2004


def _limits(timeout: float) -> Timeout:
    """At most half the time for connecting: whoever sends must have time for the answer."""
    if not 0 < timeout < math.inf:
        raise ValueError("no time left")
    return Timeout(connect=min(CONNECT_SECONDS, timeout / 2), total=timeout)


# What an answer says.


def _json_object(body: bytes) -> Mapping[str, object]:
    """Empty for anything but a JSON object in UTF-8."""
    try:
        value = json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _resp_code(fields: Mapping[str, object], person: Person) -> str | None:
    """None if there is no usable one: a word of another vocabulary, or about another number.

    An answer about someone else would be one that strayed into our connection.
    """
    code, about = fields.get("respCode"), fields.get("idNo")
    if not isinstance(code, str) or not _CODE.fullmatch(code):
        return None
    if code in _OURS or (codes.is_listed(code) and code not in codes.RESP_CODES):
        return None
    if (
        isinstance(about, str)
        and _NUMBER.fullmatch(about)
        and _NUMBER.fullmatch(person.id_number)
        and about.upper() != person.id_number.upper()
    ):
        return None
    return code


def _gateway_error(status: int, headers: Mapping[str, str]) -> tuple[str, str]:
    """Code and message; BAD_ANSWER if it was not the gateway, or says nothing we could keep."""
    code = _ascii(headers.get("X-Ca-Error-Code", ""))
    message = _ascii(headers.get("X-Ca-Error-Message", ""))
    if not _CODE.fullmatch(code) or code in _OURS or code in codes.RESP_CODES:
        code = ""
    if not (code and codes.is_listed(code)):
        code = codes.from_old_gateway(status, message) or code
    return code or codes.BAD_ANSWER, message


def _request_id(headers: Mapping[str, str], person: Person, appcode: str) -> str | None:
    request_id = _ascii(headers.get("X-Ca-Request-Id", ""))
    if _reveals(request_id, person, appcode):
        return None
    return request_id[:_REQUEST_ID_LENGTH] or None


def _derived(fields: Mapping[str, object]) -> DerivedFields | None:
    """What is usable of them; None if nothing is. They cost the outcome nothing."""
    birthday, sex = _figures(fields.get("birthday")), _text(fields.get("sex"))
    age = _figures(fields.get("age"))
    derived = DerivedFields(
        province=_text(fields.get("province"))[:_PLACE_LENGTH] or None,
        city=_text(fields.get("city"))[:_PLACE_LENGTH] or None,
        county=_text(fields.get("county"))[:_PLACE_LENGTH] or None,
        birthday=birthday if _BIRTHDAY.fullmatch(birthday) else None,
        sex=sex if sex in {"M", "F"} else None,
        age=int(age) if _AGE.fullmatch(age) else None,
    )
    return None if derived == DerivedFields() else derived


def _figures(value: object) -> str:
    """Digits, sent as a string or as a number."""
    return str(value) if type(value) is int else _text(value)


def _text(value: object) -> str:
    """What can be printed of a string, and so be stored and sent on; "" for anything else."""
    if not isinstance(value, str):
        return ""
    return "".join(character for character in value if character.isprintable()).strip()


def _ascii(header: str) -> str:
    return "".join(character for character in header if " " <= character <= "~").strip()


def _reveals(text: str, person: Person, appcode: str) -> bool:
    """Whether the text repeats name, number or AppCode, however spaced, cased or encoded."""
    squeezed = _squeezed(text)
    told = (person.name, quote(person.name), person.id_number, appcode)
    return any(secret and _squeezed(secret) in squeezed for secret in told)


def _squeezed(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).split()).casefold()


# How the bytes travel.


class _NotSentError(Exception):
    """No byte of the question left."""


@dataclass(frozen=True, slots=True)
class _Moment:
    """A moment on two clocks: either may stand still or jump while a container is frozen."""

    monotonic: float
    wall: float

    @classmethod
    def now(cls) -> Self:
        """This moment."""
        return cls(time.monotonic(), time.time())

    def ago(self) -> float:
        """Seconds since, by the clock that saw more."""
        return max(time.monotonic() - self.monotonic, time.time() - self.wall)


class _Readable(Protocol):
    def readinto(self, buffer: memoryview, /) -> int | None: ...
    def close(self) -> None: ...


class _UntilDeadline(io.RawIOBase):
    """A socket's bytes, each read allowed only what is left until ``ends``."""

    def __init__(self, raw: _Readable, sock: socket.socket, ends: float) -> None:
        self._raw = raw
        self._sock = sock
        self._ends = ends

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int | None:  # type: ignore[override]
        left = self._ends - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        super().close()
        self._raw.close()


class _Reply(HTTPResponse):
    """An answer that has to be there by ``ends``, headers and body."""

    def __init__(self, sock: socket.socket, *, method: str | None, ends: float) -> None:
        super().__init__(sock, method=method)
        self.fp = io.BufferedReader(_UntilDeadline(self.fp.detach(), sock, ends))

    def begin(self) -> None:
        """Forget what is malformed in the headers: urllib3 would log it word by word."""
        super().begin()
        self.msg.defects = []
        self.msg.set_payload("")


class _Connection(HTTPConnection):
    """One that connects in time, is not reused when stale, and reads until a deadline."""

    def __init__(self, *args: object, max_idle: float, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self._max_idle = max_idle
        self._last_answer: _Moment | None = None

    @property
    def is_connected(self) -> bool:
        """Asked before each reuse. One closed by idling fails after the question left."""
        if self._last_answer is None or self._last_answer.ago() >= self._max_idle:
            return False
        return super().is_connected

    def connect(self) -> None:
        """Whatever fails in here, nothing was sent; neither is it by one that comes too late."""
        began, allowed = _Moment.now(), self.timeout or 0.0
        try:
            super().connect()
        except (OSError, ValueError, RuntimeError, HTTPError) as error:
            raise _NotSentError(type(error).__name__) from None
        if began.ago() > allowed:
            self.close()
            raise _NotSentError("connected too late")

    def _new_conn(self) -> socket.socket:
        """Every address gets its share of the time; urllib3 would give all of it to each."""
        allowed = self.timeout or 0.0
        ends = time.monotonic() + allowed
        found = _addresses(self._dns_host.strip("[]"), self.port, allowed)
        for position, (family, kind, proto, _, address) in enumerate(found):
            left = ends - time.monotonic()
            try:
                sock = socket.socket(family, kind, proto)
            except OSError:
                continue
            try:
                for option in self.socket_options or ():
                    sock.setsockopt(*option)
                sock.settimeout(max(left / (len(found) - position), 0.001))
                sock.connect(address)
                sock.settimeout(max(ends - time.monotonic(), 0.001))
            except OSError:
                sock.close()
            else:
                return sock
        raise OSError("no address could be reached")

    def getresponse(self) -> RawResponse:  # type: ignore[override]  # as urllib3 does
        """The timeout is by now what urllib3 counts to be left of the whole."""
        ends = time.monotonic() + (self.timeout or 0.0)
        self.response_class = partial(_Reply, ends=ends)  # type: ignore[assignment]
        response = super().getresponse()
        self._last_answer = _Moment.now()
        return response


class _TlsConnection(_Connection, HTTPSConnection):
    """The same over TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class _Transport(HTTPAdapter):
    """requests' way to one host, without its session.

    A session reads proxies, netrc and certificates from the environment, keeps cookies, and reads
    the whole body of a redirect even where it must not follow it.
    """

    def __init__(self, url: str, max_idle: float) -> None:
        super().__init__(max_retries=0)
        parts = urlsplit(url)
        host = parts.hostname or ""
        self._pool: HTTPConnectionPool
        if parts.scheme == "https":
            # Made once: requests reads the authorities anew for each connection, some 10 ms each.
            context = create_urllib3_context()
            context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
            self._pool = _TlsPool(
                host, parts.port, maxsize=MAX_CONNECTIONS, ssl_context=context, max_idle=max_idle
            )
        else:
            self._pool = _Pool(host, parts.port, maxsize=MAX_CONNECTIONS, max_idle=max_idle)

    def get_connection_with_tls_context(
        self,
        request: requests.PreparedRequest,  # noqa: ARG002 - the signature is requests'
        verify: bool | str | None,  # noqa: ARG002, FBT001
        proxies: Mapping[str, str] | None = None,  # noqa: ARG002
        cert: tuple[str, str] | str | None = None,  # noqa: ARG002
    ) -> HTTPConnectionPool:
        """The one pool, whatever the environment says."""
        return self._pool

    def cert_verify(self, conn: object, url: object, verify: object, cert: object) -> None:
        """Left to the pool's context, which verifies certificate and host name."""

    def close(self) -> None:
        """Close what is kept alive."""
        super().close()
        self._pool.close()


_Address = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[object, ...]]


def _addresses(host: str, port: int, seconds: float) -> Sequence[_Address]:
    """Every address of the host; in a thread, because the resolver knows no timeout.

    A resolver that hangs holds its thread until it gives up by itself, which it always does.
    """
    try:
        return socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST)
    except socket.gaierror:
        pass
    found: queue.SimpleQueue[Sequence[_Address] | Exception] = queue.SimpleQueue()

    def resolve() -> None:
        try:
            found.put(socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM))
        except Exception as error:  # noqa: BLE001 - handed to whoever waits
            found.put(error)

    threading.Thread(target=resolve, name="resolve", daemon=True).start()
    try:
        result = found.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError("the name was not resolved in time") from None
    if isinstance(result, Exception):
        raise result
    return result
