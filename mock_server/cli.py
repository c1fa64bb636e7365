"""The command line: flags to Options."""

import argparse
import ipaddress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import NoReturn, get_args

from mock_server.clock import parse_day
from mock_server.options import CHARGED_CODES, Generation, LowerX, Options, Unknown
from mock_server.resp_codes import MESSAGES


@dataclass(frozen=True, slots=True)
class Command:
    """Where to listen, and what to be."""

    host: str
    port: int
    options: Options


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Say it in one line."""
        self.exit(2, f"mock_server: {message}\n")


def parse(argv: list[str] | None = None) -> Command:
    """Read the flags; on a bad one exit 2 with one line."""
    parser = _parser()
    flags = parser.parse_args(argv)
    if not _is_loopback(flags.host) and not flags.admin_token:
        parser.error(f"--host {flags.host} is not loopback: that needs --admin-token")
    options = Options(
        appcodes=tuple(flags.appcode),
        quota=flags.quota,
        clock=flags.clock,
        unknown=flags.unknown,
        latency_ms=flags.latency_ms,
        people=flags.people,
        admin_token=flags.admin_token,
        gateway=flags.gateway,
        lower_x=flags.lower_x,
        reveal=flags.reveal,
        charged_codes=frozenset(flags.charge or CHARGED_CODES),
    )
    return Command(flags.host, flags.port, options)


def _parser() -> _Parser:
    parser = _Parser(prog="python -m mock_server", description="The mock upstream.")
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="any but loopback needs --admin-token")
    add("--port", type=_port, default=8001, help="0 picks a free one")
    add("--appcode", action="extend", nargs="+", default=[], type=_text, metavar="CODE")
    add("--quota", type=_count, metavar="N", help="calls in the package (unlimited)")
    add("--clock", type=_date, metavar="YYYY-MM-DD", help="today (the real date in UTC+8)")
    add("--unknown", choices=get_args(Unknown), default="no_record")
    add("--latency-ms", type=_count, default=0, metavar="N")
    add("--people", type=Path, metavar="FILE", help="CSV: name,id_number")
    add("--admin-token", type=_text, metavar="T")
    add("--gateway", choices=get_args(Generation), default="new")
    add("--lower-x", choices=get_args(LowerX), default="refuse")
    add("--charge", action="extend", nargs="+", choices=sorted(MESSAGES), metavar="CODE")
    add("--reveal", action="store_true", help="show names and numbers unmasked")
    return parser


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _text(text: str) -> str:
    if not (text.isascii() and text.isprintable()) or not text or " " in text:
        raise argparse.ArgumentTypeError("must be ASCII text without blanks")
    return text


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise argparse.ArgumentTypeError(f"must be a whole number from 0: {text!r}")
    return int(text)


def _port(text: str) -> int:
    highest = 65_535
    if _count(text) > highest:
        raise argparse.ArgumentTypeError(f"must be at most {highest}: {text}")
    return int(text)


def _date(text: str) -> date:
    try:
        return parse_day(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be YYYY-MM-DD: {text!r}") from None
