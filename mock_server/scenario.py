"""A scenario: a TOML file that says how a mock starts.

clock = 2026-11-23
people_file = "people.csv"  # relative to the scenario

[quota]
total = 10

[[people]]
name = "赵六"
id_number = "11010519491231002X"

[[faults]]  # as POST /__admin/faults takes them
kind = "http_500"
when = "after_charge"
times = 1
"""

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args

from mock_server import admin_input, fault_input, toml_lines
from mock_server.admin_input import BODY, InvalidInputError
from mock_server.faults import Fault
from mock_server.gateway_errors import Generation
from mock_server.options import LowerX, Options, Unknown
from mock_server.resp_codes import MESSAGES

_POSITION = re.compile(r"(.*) \(at (?:line ([0-9]+), column [0-9]+|end of document)\)", re.DOTALL)
_NOWHERE = 0
_NOTHING_GIVEN: Mapping[str, object] = MappingProxyType({})


class ScenarioError(ValueError):
    """The scenario cannot be used; the message is one line: file, line number, field, reason."""

    def __init__(self, path: Path, line: int, reason: str) -> None:
        # A key may hold whatever TOML can escape.
        shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in reason)
        super().__init__(f"{path}:{line}: {shown}")


def load(path: Path, given: Mapping[str, object] = _NOTHING_GIVEN) -> Options:
    """Read a scenario; what is `given`, by the names of Options, goes over it.

    Raises:
        ScenarioError: unreadable, no TOML, or a value that cannot be.
    """
    text = _text(path)
    try:
        return _options(tomllib.loads(text), path.parent, given)
    except InvalidInputError as exc:
        line = toml_lines.line_of(text, exc.field.partition(" (")[0])  # without the unit
        raise ScenarioError(path, line, _reason(exc)) from None
    except (ValueError, RecursionError) as exc:  # also a number of thousands of digits
        raise ScenarioError(path, *_syntax(str(exc), text)) from None


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except OSError as exc:
        raise ScenarioError(path, _NOWHERE, exc.strerror or "cannot be read") from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise ScenarioError(path, raw.count(b"\n", 0, exc.start) + 1, "must be UTF-8") from None


def _syntax(message: str, text: str) -> tuple[int, str]:
    """Give line and reason of tomllib's message."""
    found = _POSITION.fullmatch(message)
    if found is None:
        return _NOWHERE, message
    return int(found[2] or text.rstrip("\n").count("\n") + 1), found[1]


def _reason(exc: InvalidInputError) -> str:
    allowed = exc.allowed
    if isinstance(allowed, list):
        allowed = ", ".join(map(str, allowed))
    return f"{exc.field}: {exc.message}" + ("" if allowed is None else f" (allowed: {allowed})")


def _options(document: dict[str, object], folder: Path, given: Mapping[str, object]) -> Options:
    admin_input.obj(document, (*_VALUES, "quota", "people", "people_file", "faults"))
    values: dict[str, Any] = {}
    for key, take in _VALUES.items():
        if key in document:
            with _within(key):
                values[key] = take(document[key])
    with _within("quota"):
        values |= _quota(document.get("quota", {}))
    with _within("people"):
        people = admin_input.new_people(document.get("people", []))
        values["extra_people"] = tuple((name, number) for number, name in people.items())
    if "people_file" in document:
        with _within("people_file"):
            values["people"] = _file(document["people_file"], folder)
    options = replace(Options(), **(values | dict(given)))
    return replace(options, faults=_faults(document.get("faults", []), options.gateway))


@contextmanager
def _within(section: str) -> Iterator[None]:
    """Put the section before the field of what is refused."""
    try:
        yield
    except InvalidInputError as exc:
        raise exc.within(section) from None


def _quota(value: object) -> dict[str, object]:
    quota = admin_input.obj(value, ("used", "total", "expires_at"))
    taken: dict[str, object] = {}
    for field, name in (("used", "used"), ("total", "quota")):
        if field in quota:
            taken[name] = admin_input.whole(quota[field], field)
    if "expires_at" in quota:
        taken["expires_at"] = _day(quota["expires_at"], "expires_at")
    return taken


def _faults(value: object, generation: Generation) -> tuple[Fault, ...]:
    with _within("faults"):
        rows = admin_input.listed(value, "[[faults]]")
    taken = []
    for i, row in enumerate(rows):
        with _within(f"faults[{i}]"):
            taken.append(fault_input.fault(row, generation))
    return tuple(taken)


def _file(value: object, folder: Path) -> Path:
    path = folder / admin_input.text({BODY: value}, BODY)
    try:
        found = path.is_file()
    except OSError:  # a name that is too long
        found = False
    if not found:
        raise InvalidInputError(BODY, f"there is no file {path}")
    return path


def _day(value: object, field: str = BODY) -> date | None:
    # Not isinstance: a TOML time is a date, too.
    return admin_input.day(value.isoformat() if type(value) is date else value, field)


def _charged_codes(value: object) -> frozenset[str]:
    codes = admin_input.listed(value, list(MESSAGES))
    return frozenset(admin_input.choice(c, f"[{i}]", MESSAGES) for i, c in enumerate(codes))


def _choice(literal: object) -> Callable[[object], str]:
    return lambda value: admin_input.choice(value, BODY, get_args(literal))


def _whole(lowest: int) -> Callable[[object], int]:
    return lambda value: admin_input.whole(value, BODY, lowest)


# By their names in Options.
_VALUES: dict[str, Callable[[object], object]] = {
    "appcodes": admin_input.appcodes,
    "unknown": _choice(Unknown),
    "latency_ms": _whole(0),
    "gateway": _choice(Generation),
    "lower_x": _choice(LowerX),
    "charged_codes": _charged_codes,
    "clock": _day,
    "maintenance": lambda value: admin_input.flag(value, BODY),
    "calls_per_second": _whole(1),
    "journal_length": _whole(1),
}
