"""The mock's flags as one frozen dataclass."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from mock_server.faults import Fault
from mock_server.gateway_errors import Generation

Unknown = Literal["no_record", "match", "mismatch"]
LowerX = Literal["accept", "refuse"]

CHARGED_CODES = frozenset({"0000", "0007", "0008"})
JOURNAL_LENGTH = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How one mock behaves from its start, and again after each reset.

    Attributes:
        appcodes: the AppCodes that are accepted; empty accepts any.
        quota: calls in the package; None is unlimited.
        used: how many of them are used up at the start.
        expires_at: the day from which the package is expired; None is never.
        clock: today's date to the mock; None follows the real date in UTC+8.
        unknown: what a valid number that nobody here holds is answered.
        latency_ms: wait before each answer; a call that is charged is charged by then.
        people: CSV file of further people, `name,id_number`.
        extra_people: still further people, as name and number; they go over the file's.
        admin_token: bearer token that /__admin asks for; None asks for nothing.
        gateway: generation whose errors are given.
        lower_x: whether a number that ends in `x` is well-formed.
        reveal: show names, numbers and AppCodes unmasked in the journal, ledger and log.
        charged_codes: respCodes that use up the package.
        calls_per_second: more than these are throttled; None is any number.
        maintenance: whether it starts in maintenance.
        journal_length: requests that the journal keeps.
        faults: armed at the start; `mock_server.scenario` reads them from a file.
    """

    appcodes: tuple[str, ...] = ()
    quota: int | None = None
    used: int = 0
    expires_at: date | None = None
    clock: date | None = None
    unknown: Unknown = "no_record"
    latency_ms: int = 0
    people: Path | None = None
    extra_people: tuple[tuple[str, str], ...] = ()
    admin_token: str | None = None
    gateway: Generation = "new"
    lower_x: LowerX = "refuse"
    reveal: bool = False
    charged_codes: frozenset[str] = CHARGED_CODES
    calls_per_second: int | None = None
    maintenance: bool = False
    journal_length: int = JOURNAL_LENGTH
    faults: "tuple[Fault, ...]" = ()
