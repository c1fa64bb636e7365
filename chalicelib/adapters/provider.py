"""The paid upstream over HTTP: one POST a question, and never a second one by itself.

What may have been charged decides everything here, so each failure is told by *where* it
happened and not by what requests made of it. Until ``connect`` is through, TLS included, no byte
of a question can have left, and a failure is *not sent*. From then on it is *no answer*, whatever
it looks like: a certificate error and a broken TLS record are one exception to requests.
"""

import ipaddress
import math
import re
from collections.abc import Mapping
from http.client import IncompleteRead
from urllib.parse import urlencode, urlsplit

import requests
from urllib3 import Timeout
from urllib3.exceptions import DecodeError, HTTPError, ProtocolError

from chalicelib.adapters.transport import NotSentError, Transport
from chalicelib.adapters.upstream_answer import (
    derived_fields,
    gateway_error,
    harmless,
    json_object,
    printable,
    request_id_of,
    resp_code,
)
from chalicelib.domain import codes
from chalicelib.domain.verification import Answer, Person

CONNECT_SECONDS = 5.0

_APPCODE = re.compile(r"[!-~]+")


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
        self._transport = Transport(self._url, max_idle_seconds)

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
        except NotSentError:
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
        request_id = request_id_of(response.headers, person, appcode)
        try:
            fields = self._fields(response)
        except HTTPError:
            return Answer(codes.NO_ANSWER, upstream_request_id=request_id)
        code = resp_code(fields, person)
        message = printable(fields.get("respMessage"))
        derived = derived_fields(fields)
        if code is None:
            code, message = gateway_error(response.status_code, response.headers)
            derived = None
        return Answer(code, harmless(message, person, appcode), request_id, derived)

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
        return json_object(body) if len(body) <= self._max_body_bytes else {}


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
