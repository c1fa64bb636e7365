"""The whole system in one process: ``python -m local_stack``."""

import argparse
import contextlib
import json
import logging
import os
import signal
import sys
import threading
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chalicelib.config import SettingsError
from chalicelib.domain.secret import LOCAL_DEV_KEY, SecretError, has_local_dev_key, parse
from local_stack.stack import ROW_THREADS, SWEEP_SECONDS, Ports, Stack, local_secret

PORTS = Ports(api=8000, mock=8001, aws=8002)
MAX_WAIT = 15
MAX_PORT = 65_535
MAX_THREADS = 64
MIN_SECONDS, MAX_SECONDS = 0.1, 3600


def main(arguments: Sequence[str] | None = None) -> int:
    """Start, then serve until a signal, or verify one test identity and end."""
    options = _options(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    try:
        secret = _secret(options.secret)
        ports = _ports(options)
        stack = Stack(
            ports,
            secret,
            dynoxide=options.dynoxide,
            worker=not options.no_worker,
            row_threads=options.row_threads,
            sweep_seconds=options.sweep_seconds,
            log=sys.stderr if options.log else None,
        )
    except (OSError, SecretError) as exc:
        return _refused(exc, options)
    try:
        stack.start()
        if options.env_file:
            _write_env(options.env_file, stack)
        if options.once:
            return _demo(stack)
        _wait(stack, has_key=has_local_dev_key(parse(secret)))
    except (OSError, SettingsError) as exc:
        return _refused(exc, options)
    finally:
        stack.stop()
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="local_stack", description=__doc__)
    for name, default in (("port", PORTS.api), ("mock-port", PORTS.mock), ("aws-port", PORTS.aws)):
        parser.add_argument(f"--{name}", type=_port, metavar="N", help=f"default {default}")
    parser.add_argument("--secret", type=Path, metavar="FILE", help="the secret's JSON")
    parser.add_argument(
        "--env-file", type=Path, metavar="FILE", help="write KEY=value lines for other processes"
    )
    parser.add_argument(
        "--once", action="store_true", help="verify one test identity, print the answer, exit"
    )
    parser.add_argument(
        "--dynoxide", action="store_true", help="keep the table in dynoxide (see `make peers`)"
    )
    parser.add_argument(
        "--no-worker", action="store_true", help="leave in the queues and the bucket what comes"
    )
    parser.add_argument(
        "--row-threads",
        type=_threads,
        default=ROW_THREADS,
        metavar="N",
        help=f"how many rows of batches are asked at once; default {ROW_THREADS}",
    )
    parser.add_argument(
        "--sweep-seconds",
        type=_seconds,
        default=SWEEP_SECONDS,
        metavar="N",
        help=f"how often the schedules run; default {SWEEP_SECONDS}",
    )
    parser.add_argument(
        "--log", action="store_true", help="write the service's log to stderr, one JSON line each"
    )
    return parser.parse_args(arguments)


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > MAX_PORT:
        raise argparse.ArgumentTypeError("must be a port number from 0 to 65535")
    return int(text)


def _threads(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MAX_THREADS:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 to {MAX_THREADS}")
    return int(text)


def _seconds(text: str) -> float:
    with contextlib.suppress(ValueError):
        if MIN_SECONDS <= float(text) <= MAX_SECONDS:
            return float(text)
    raise argparse.ArgumentTypeError(
        f"must be a number of seconds from {MIN_SECONDS} to {MAX_SECONDS}"
    )


def _ports(options: argparse.Namespace) -> Ports:
    # A demo beside a running stack must not meet its ports.
    default = Ports() if options.once else PORTS
    given = (options.port, options.mock_port, options.aws_port)
    chosen = zip(given, (default.api, default.mock, default.aws), strict=True)
    return Ports(*(preset if port is None else port for port, preset in chosen))


def _secret(file: Path | None) -> str:
    text = local_secret() if file is None else file.read_text("utf-8")
    parse(text)
    return text


def _refused(exc: Exception, options: argparse.Namespace) -> int:
    print(f"local_stack: {_reason(exc, options)}", file=sys.stderr)
    return 2


def _reason(exc: Exception, options: argparse.Namespace) -> str:
    if isinstance(exc, SecretError):
        return f"{options.secret}: {exc}"
    return (
        f"{exc.filename}: {exc.strerror}" if isinstance(exc, OSError) and exc.filename else f"{exc}"
    )


def _write_env(file: Path, stack: Stack) -> None:
    values = {
        **stack.env,
        "API_URL": stack.api_url,
        "MOCK_URL": stack.mock_url,
        "APPCODE": stack.appcode,
    }
    file.write_text("".join(f"{name}={value}\n" for name, value in values.items()), "utf-8")


def _demo(stack: Stack) -> int:
    """The main job, over real HTTP."""
    question = {**_somebody(stack), "reference": "demo-1"}
    print(f"POST {stack.api_url}/v1/verifications\n{_line(question)}\n")
    answer = _http("POST", f"{stack.api_url}/v1/verifications", question)
    print(f"200 OK\n{_pretty(answer)}\n")
    ledger = _http("GET", f"{stack.mock_url}/__admin/ledger")
    print(f"The mock upstream's charge ledger: {ledger['paid_calls']} paid call")
    print("\n".join(_line(entry) for entry in ledger["entries"]))
    return 0


def _http(method: str, url: str, body: object = None) -> Any:  # noqa: ANN401  # JSON
    headers = {"Authorization": f"Bearer {LOCAL_DEV_KEY}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310  # loopback
    with urllib.request.urlopen(request, timeout=MAX_WAIT) as response:  # noqa: S310
        return json.load(response)


def _pretty(value: dict[str, object]) -> str:
    """One member a line, so that the whole answer fits on a screen."""
    members = (f"  {json.dumps(name)}: {_line(member)}" for name, member in value.items())
    return "{\n" + ",\n".join(members) + "\n}"


def _line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _wait(stack: Stack, *, has_key: bool) -> None:
    """Serve until Ctrl-C or SIGTERM."""
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    _banner(stack, has_key=has_key)
    with contextlib.suppress(KeyboardInterrupt):
        ended.wait()
    print("Stopped; nothing is kept.")


def _banner(stack: Stack, *, has_key: bool) -> None:
    key = LOCAL_DEV_KEY if has_key else "<your key>"
    print(
        f"""\
The service        {stack.api_url}          docs: {stack.api_url}/docs
The mock upstream  {stack.mock_url}          ledger: {stack.mock_url}/__admin/ledger
The AWS stand-in   {stack.env["AWS_ENDPOINT_URL"]}
All state is in memory and gone when this ends. Ctrl-C ends it.

  curl -s {stack.api_url}/v1/verifications \\
    -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' \\
    -H 'Idempotency-Key: order-1' \\
    -d '{json.dumps(_somebody(stack), ensure_ascii=False)}'
""",
        flush=True,
    )


def _somebody(stack: Stack) -> dict[str, str]:
    """One of the mock's invented people: name and number belong together."""
    known = _http("GET", f"{stack.mock_url}/__admin/identities")
    return next(
        {"name": entry["name"], "id_number": entry["id_number"]}
        for entry in known
        if entry["answers"] == "0000" and not entry["any_name"]
    )


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # All is stopped; Python would take half a minute to free what moto has kept.
    os._exit(code)
