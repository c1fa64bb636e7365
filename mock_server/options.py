"""The mock's flags as one frozen dataclass."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

Generation = Literal["old", "new"]
Unknown = Literal["no_record", "match", "mismatch"]
LowerX = Literal["accept", "refuse"]

CHARGED_CODES = frozenset({"0000", "0007", "0008"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How one mock behaves from its start, and again after each reset.

    Attributes:
        appcodes: the AppCodes that are accepted; empty accepts any.
        quota: calls in the package; None is unlimited.
        clock: today's date to the mock; None follows the real date in UTC+8.
        unknown: what a valid number that nobody here holds is answered.
        latency_ms: wait before each answer; a call that is charged is charged by then.
        people: CSV file of further people, `name,id_number`.
        admin_token: bearer token that /__admin asks for; None asks for nothing.
        gateway: generation whose errors are given.
        lower_x: whether a number that ends in `x` is well-formed.
        reveal: show names, numbers and AppCodes unmasked in the journal, ledger and log.
        charged_codes: respCodes that use up the package.
    """

    appcodes: tuple[str, ...] = ()
    quota: int | None = None
    clock: date | None = None
    unknown: Unknown = "no_record"
    latency_ms: int = 0
    people: Path | None = None
    admin_token: str | None = None
    gateway: Generation = "new"
    lower_x: LowerX = "refuse"
    reveal: bool = False
    charged_codes: frozenset[str] = CHARGED_CODES
