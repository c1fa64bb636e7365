"""One request's facts, and the form inside its body."""

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from wsgiref.types import InputStream, WSGIEnvironment

# The documented one: callers whose address is fixed reach the mock by an entry in their hosts file.
API_HOST = "idenauthen.market.alicloudapi.com"
API_PATH = "/idenAuthentication"
MAX_BODY = 8 * 1024 * 1024
_MAX_FIELDS = 1000
_CHUNK = 65_536

# Lower-case names, as they came: they are decoded only where they are shown.
RawHeaders = Iterable[tuple[bytes, bytes]]


class Fields(NamedTuple):
    """The form as sent; `""` for what is missing."""

    name: str = ""
    id_number: str = ""


NO_FIELDS = Fields()


class Call(NamedTuple):
    """What is looked at of a request.

    Attributes:
        path: percent-decoded.
        query: as sent, without `?`.
        oversize: the body is longer than the gateway takes; `body` is empty then.
        headers: for the journal.
    """

    method: str
    path: str
    query: str = ""
    authorization: str = ""
    content_type: str = ""
    body: bytes = b""
    oversize: bool = False
    headers: RawHeaders = ()

    def fields(self) -> Fields | None:
        """Read the form; None when it cannot be one.

        Bytes that should have been percent-encoded are taken for Latin-1, as servers do that
        follow the form's definition: a raw UTF-8 name arrives garbled, for its sender to notice.
        """
        try:
            pairs = parse_qsl(
                self.body.decode("latin-1"), keep_blank_values=True, max_num_fields=_MAX_FIELDS
            )
        except ValueError:
            return None
        form = dict(reversed(pairs))  # of a field sent twice the first counts
        return Fields(form.get("name", ""), form.get("idNo", ""))


def build(
    method: str, path: str, query: str, headers: list[tuple[bytes, bytes]], body: bytes | None
) -> Call:
    """Put a call together; a body of None was longer than MAX_BODY."""
    authorization = content_type = ""
    for name, value in headers:
        if name == b"authorization":
            authorization = value.decode("latin-1")
        elif name == b"content-type":
            content_type = value.decode("latin-1")
    return Call(
        method, path, query, authorization, content_type, body or b"", body is None, headers
    )


def from_environ(environ: "WSGIEnvironment") -> Call:
    """Read a WSGI request, its body to the end."""
    headers = [
        (key[5:].replace("_", "-").lower().encode("latin-1"), value.encode("latin-1"))
        for key, value in environ.items()
        if key.startswith("HTTP_")
    ]
    headers.append((b"content-type", environ.get("CONTENT_TYPE", "").encode("latin-1")))
    return build(
        environ["REQUEST_METHOD"],
        environ.get("PATH_INFO", ""),
        environ.get("QUERY_STRING", ""),
        headers,
        _read_body(environ),
    )


def _read_body(environ: "WSGIEnvironment") -> bytes | None:
    """Read the body to its end, but keep no more than the gateway takes.

    To the end, or the connection would be reset before its caller has read the answer.
    """
    stream: InputStream = environ["wsgi.input"]
    length = environ.get("CONTENT_LENGTH") or ""
    size = sys.maxsize if environ.get("wsgi.input_terminated") else _size(length)
    if size <= MAX_BODY:
        return stream.read(size)
    body, total = bytearray(), 0
    while chunk := stream.read(min(_CHUNK, size - total)):
        total += len(chunk)
        if total <= MAX_BODY:
            body += chunk
    return None if total > MAX_BODY else bytes(body)


def _size(length: str) -> int:
    return int(length) if length.isascii() and length.isdecimal() else 0
