"""The command line: flags, and the scenario below them, to Options."""

import argparse
import ipaddress
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import NoReturn, get_args

from mock_server import admin_input, scenario
from mock_server.admin_input import MAX_COUNT, InvalidInputError
from mock_server.clock import parse_day
from mock_server.gateway_errors import Generation
from mock_server.options import CHARGED_CODES, JOURNAL_LENGTH, LowerX, Options, Unknown
from mock_server.resp_codes import MESSAGES
from mock_server.scenario import ScenarioError


@dataclass(frozen=True, slots=True)
class Command:
    """Where to listen, and what to be.

    Attributes:
        ca_file: where the certificate's authority is written; None is a temporary file.
    """

    host: str
    port: int
    options: Options
    tls: bool = False
    ca_file: Path | None = None


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Say it in one line."""
        self.exit(2, f"mock_server: {message}\n")


def parse(argv: list[str] | None = None) -> Command:
    """Read the flags, and the scenario below them; on a bad one exit 2 with one line."""
    parser = _parser()
    # Only the flags that are given, under the names of Options: the defaults are there.
    flags = vars(parser.parse_args(argv))
    host, port = flags.pop("host", "127.0.0.1"), flags.pop("port", 8001)
    tls, ca_file = "tls" in flags, flags.pop("tls", None)
    path = flags.pop("scenario", None)
    if "appcodes" in flags:
        flags["appcodes"] = tuple(dict.fromkeys(flags["appcodes"]))
    if "charged_codes" in flags:
        flags["charged_codes"] = frozenset(flags["charged_codes"])
    if not _is_loopback(host) and "admin_token" not in flags:
        parser.error(f"--host {host} is not loopback: that needs --admin-token")
    try:
        options = scenario.load(path, flags) if path else replace(Options(), **flags)
    except ScenarioError as exc:
        parser.error(str(exc))
    return Command(host, port, options, tls, ca_file)


def _parser() -> _Parser:
    parser = _Parser(
        prog="mock_server", description="The mock upstream.", argument_default=argparse.SUPPRESS
    )
    add = parser.add_argument
    add("--host", help="127.0.0.1; any but loopback needs --admin-token")
    add("--port", type=_number(0, 65_535), help="8001; 0 picks a free one")
    add("--scenario", type=Path, metavar="FILE", help="TOML; the other flags go over it")
    add("--appcode", dest="appcodes", action="extend", nargs="+", type=_text, metavar="CODE")
    add("--quota", type=_number(0), metavar="N", help="calls in the package (unlimited)")
    add(
        "--expires", dest="expires_at", type=_date, metavar="YYYY-MM-DD", help="the package (never)"
    )
    add(
        "--rate", dest="calls_per_second", type=_number(1), metavar="N", help="calls a second (any)"
    )
    add("--clock", type=_date, metavar="YYYY-MM-DD", help="today (the real date in UTC+8)")
    add("--unknown", choices=get_args(Unknown), help="what unknown numbers get (no_record)")
    add("--latency-ms", type=_number(0), metavar="N")
    add("--people", type=Path, metavar="FILE", help="CSV: name,id_number")
    add("--gateway", choices=get_args(Generation), help="generation of its errors (new)")
    add("--lower-x", choices=get_args(LowerX), help="a number that ends in x (refuse)")
    add(
        "--charge",
        dest="charged_codes",
        action="extend",
        nargs="+",
        choices=sorted(MESSAGES),
        metavar="CODE",
        help=f"respCodes that are charged ({' '.join(sorted(CHARGED_CODES))})",
    )
    add(
        "--journal",
        dest="journal_length",
        type=_number(1),
        metavar="N",
        help=f"requests that are kept ({JOURNAL_LENGTH})",
    )
    add("--admin-token", type=_text, metavar="T", help="asked for by /__admin")
    add("--reveal", action="store_true", help="show names and numbers unmasked")
    add(
        "--tls",
        nargs="?",
        type=Path,
        metavar="FILE",
        help="serve https; FILE is where the certificate of its authority is written",
    )
    return parser


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _text(text: str) -> str:
    if not admin_input.is_token(text):
        raise argparse.ArgumentTypeError("must be ASCII text without blanks")
    return text


def _number(lowest: int, highest: int = MAX_COUNT) -> Callable[[str], int]:
    def number(text: str) -> int:
        try:
            return admin_input.decimal(text, "", lowest, highest)
        except InvalidInputError as exc:
            reason = f"{exc.message} from {exc.allowed}: {text!r}"
            raise argparse.ArgumentTypeError(reason) from None

    return number


def _date(text: str) -> date:
    try:
        return parse_day(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be YYYY-MM-DD: {text!r}") from None
