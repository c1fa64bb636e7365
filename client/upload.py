"""A file on its way to the presigned URL of its batch."""

from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import requests

from client.console import Console
from client.errors import ClientError
from client.exits import Exit
from client.follow import Batch
from client.service import transport_error
from client.settings import is_loopback
from client.source import Source, Upload, unreadable

_TRIES = 3
_SECONDS = (10, 120)


def upload(source: Source, batch: Batch, console: Console) -> None:
    """Send it, a piece at a time, from the start again where the connection is lost."""
    place = batch["upload"]
    for left in reversed(range(_TRIES)):
        try:
            status = _put(source, place, console)
        except requests.RequestException as exc:
            if not left:
                raise transport_error(exc, urlsplit(place["url"]).netloc) from None
        else:
            break
    if not requests.codes.ok <= status < requests.codes.multiple_choices:
        raise ClientError(
            Exit.LATER,
            "upload_refused",
            f"the upload was refused (HTTP {status}); nothing was asked",
            f"上传被拒绝（HTTP {status}）；没有发起核验",
        )


def _put(source: Source, place: dict[str, Any], console: Console) -> int:
    from tqdm import tqdm

    with ExitStack() as stack:
        session = stack.enter_context(requests.Session())
        # The URL is its own permission: neither the key nor a .netrc's password goes there.
        session.auth = lambda request: request
        session.trust_env = not is_loopback(urlsplit(place["url"]).hostname or "")
        bar = stack.enter_context(
            tqdm(
                total=source.size,
                desc=console.pick("upload", "上传"),
                unit="B",
                unit_scale=True,
                disable=True if console.as_json else None,  # None: where nobody watches
            )
        )
        try:
            stream = stack.enter_context(source.path.open("rb"))
        except OSError as exc:
            raise unreadable(source.path, exc) from None
        body: Any = Upload(source, stream, bar.update)
        return session.request(
            place["method"],
            place["url"],
            data=body,
            headers=place["headers"],
            timeout=_SECONDS,
            allow_redirects=False,
        ).status_code
