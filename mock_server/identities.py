"""The published test identities: checksum-valid numbers born 1850–1859, held by nobody alive.

`data/identities.csv` is the table: name, id_number, answers, when. `answers` is a respCode, a
gateway code or a kind of fault, given whatever the name; or `person`: a fictitious one, for whom
the right name gives 0000 and any other 0008. `when` is before_charge or after_charge for the
answers that know the difference, else empty. Numbers stay as published: add rows, never renumber.
"""

import csv
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from mock_server import resp_codes
from mock_server.effects import (
    AFTER,
    BEFORE,
    GATEWAY,
    RESP_CODE,
    VALUED,
    Effect,
    When,
    takes_when,
)
from mock_server.gateway_errors import TABLE

_FILE = Path(__file__).parent / "data" / "identities.csv"
_PERSON = "person"
_WHEN: dict[str, When] = {BEFORE: BEFORE, AFTER: AFTER}


@dataclass(frozen=True, slots=True)
class Identity:
    """One row of the table.

    Attributes:
        answers: respCode, gateway code or kind of fault; 0000 for a fictitious person.
        effect: what a call for this number gets, whatever the name; None for a fictitious person.
    """

    name: str
    id_number: str
    answers: str
    effect: Effect | None

    def charged(self, charged_codes: frozenset[str]) -> bool:
        """Tell whether one call uses up the package.

        For a `hang` before the charge: as long as the caller gives up before it ends.
        """
        if self.effect is None or self.effect.resp_code:
            return self.answers in charged_codes
        if self.effect.when != AFTER:
            return False
        return self.effect.kind == "unknown_code" or resp_codes.MATCH in charged_codes


@lru_cache(maxsize=1)
def load() -> dict[str, Identity]:
    """Read the table, by number, once for all mocks of a process."""
    with _FILE.open(encoding="utf-8", newline="") as file:
        rows = [_identity(row) for row in csv.DictReader(file)]
    return {identity.id_number: identity for identity in rows}


def _identity(row: dict[str, str]) -> Identity:
    name, id_number, answers = row["name"], row["id_number"], row["answers"]
    if answers == _PERSON:
        return Identity(name, id_number, resp_codes.MATCH, None)
    return Identity(name, id_number, answers, _effect(answers, _WHEN.get(row["when"])))


def _effect(answers: str, when: When | None) -> Effect:
    kind = answers
    if answers in resp_codes.MESSAGES:
        kind = RESP_CODE + answers
    elif answers in TABLE:
        kind = GATEWAY + answers
    value: int | str = VALUED[kind][3] if kind in VALUED else ""
    return Effect(kind, value, (when or BEFORE) if takes_when(kind) else None)
