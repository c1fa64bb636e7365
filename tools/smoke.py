"""Whether a deployment works, without a paid call: ``python -m tools.smoke --stage STAGE``.

With the environment variable ``KEY``, a client's key of scope ``verify``, a question is posted
that the service refuses by itself. Exit code 0: all is well; 1: something is not, and is named.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, build_opener

from tools.aws_cli import AwsError, outputs_of, stack_of

_SECONDS = 35
"""API Gateway gives up after 29."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; ``body`` is JSON, or None if it was none."""

    status: int
    body: Any


Ask = Callable[..., Answer]


class SmokeError(Exception):
    """What is not as it should be."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(prog="tools.smoke", description=__doc__)
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--stage", help="whose stack says the URL, over the AWS CLI")
    place.add_argument("--url", help="of the API, up to its stage's name")
    options = parser.parse_args(arguments)
    try:
        url = options.url or outputs_of(stack_of(options.stage))["EndpointURL"]
    except AwsError as exc:
        parser.error(str(exc))
    base = url.rstrip("/")
    if urlsplit(base).scheme not in {"http", "https"}:
        parser.error("the URL must start with https://")
    failed = 0
    for name, check in _checks(base, os.environ.get("KEY", "")):
        try:
            check()
        except SmokeError as exc:
            failed += 1
            print(f"FAILED {name}: {exc}")
        else:
            print(f"ok     {name}")
    if not os.environ.get("KEY"):
        print("left out, as KEY is not set: a question that is refused before it is sent")
    return 1 if failed else 0


def _checks(base: str, key: str) -> Iterator[tuple[str, Callable[[], None]]]:
    def ask(
        method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        return _sent(base + path, method, body, headers or {})

    yield "settings, secret and table are in reach", lambda: _healthy(ask)
    yield "the API describes itself", lambda: _described(ask)
    yield "nobody gets in without a key", lambda: _guarded(ask)
    yield (
        "an unknown path is a problem document",
        lambda: _refused(ask("GET", "/nowhere"), 404, "not_found"),
    )
    yield (
        "so is an unknown method",
        lambda: _refused(ask("DELETE", "/healthz"), 405, "method_not_allowed"),
    )
    if key:
        yield "a hopeless question is refused, and free", lambda: _free(ask, key)


def _healthy(ask: Ask) -> None:
    answer = ask("GET", "/healthz")
    if (answer.status, answer.body) != (200, {"status": "ok"}):
        raise SmokeError(
            f"{_said(answer)}; the log of the function APIHandler names what is missing"
        )


def _described(ask: Ask) -> None:
    answer = ask("GET", "/openapi.json")
    paths = answer.body.get("paths", {}) if isinstance(answer.body, dict) else {}
    if answer.status != 200 or "/v1/verifications" not in paths:  # noqa: PLR2004
        raise SmokeError(_said(answer))


def _guarded(ask: Ask) -> None:
    for headers in ({}, {"Authorization": "Bearer no-key-of-anybody"}):
        _refused(ask("POST", "/v1/verifications", {}, headers), 401, "unauthenticated")


def _free(ask: Ask, key: str) -> None:
    # An empty number is refused by the pre-check: no call can come of it.
    question = {"name": "张三", "id_number": ""}
    answer = ask("POST", "/v1/verifications", question, {"Authorization": f"Bearer {key}"})
    if answer.status in {401, 403}:
        raise SmokeError(f"{_said(answer)}; KEY must be a client's key of scope verify")
    _refused(answer, 422, "id_number_empty")
    if answer.body["billed"] != "no":
        raise SmokeError(f"billed is {answer.body['billed']}")


def _refused(answer: Answer, status: int, code: str) -> None:
    found = answer.body.get("code") if isinstance(answer.body, dict) else None
    if (answer.status, found) != (status, code):
        raise SmokeError(f"{_said(answer)}, and not {status} {code}")


def _said(answer: Answer) -> str:
    code = answer.body.get("code") if isinstance(answer.body, dict) else None
    return f"it answers {answer.status} {code or ''}".rstrip()


def _sent(url: str, method: str, body: object, headers: Mapping[str, str]) -> Answer:
    data = None if body is None else json.dumps(body).encode()
    request = Request(  # noqa: S310  # http and https only, as main made sure
        url, data, {"Content-Type": "application/json", **headers}, method=method
    )
    try:
        with build_opener().open(request, timeout=_SECONDS) as response:
            return Answer(response.status, _json(response.read()))
    except HTTPError as exc:
        with exc:
            return Answer(exc.code, _json(exc.read()))
    except (OSError, HTTPException) as exc:
        raise SmokeError(f"there is no answer: {exc}") from exc


def _json(text: bytes) -> Any:  # noqa: ANN401  # JSON
    try:
        return json.loads(text)
    except ValueError:
        return None


if __name__ == "__main__":
    sys.exit(main())
