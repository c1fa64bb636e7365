"""Who else exists: the CSV of `--people` and what may stand in it."""

import csv
from collections.abc import Iterable
from datetime import date
from pathlib import Path

from mock_server import identities, person_name, resident_id
from mock_server.samples import SAMPLE_NUMBER

_HEADER = ["name", "id_number"]


class PeopleFileError(ValueError):
    """The people file cannot be used; the message is one line: file, line number, reason."""


def objection(name: str, id_number: str) -> tuple[str, str] | None:
    """Say which field keeps a person from existing here and why, or None."""
    if not person_name.is_plain(name):
        return "name", "must be Han characters and U+00B7 only"
    if not resident_id.is_well_formed(id_number, date.max):
        return "id_number", "must be 17 digits with a real birthday and the right check character"
    if id_number in identities.load() or id_number == SAMPLE_NUMBER:
        return "id_number", "is a published test identity and keeps its answer"
    return None


def load(path: Path) -> dict[str, str]:
    """Read `name,id_number` rows in UTF-8, with or without that header: {id_number: name}.

    Raises:
        PeopleFileError: unreadable, or a row that could never be answered.
    """
    try:
        # A byte that is not UTF-8 becomes a character that no name holds, and so gets its line.
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            rows = csv.reader(file)
            try:
                return _read(rows)
            except (_BadRowError, csv.Error) as exc:
                raise PeopleFileError(f"{path}:{rows.line_num}: {exc}") from exc
    except OSError as exc:
        raise PeopleFileError(f"{path}:0: {exc.strerror}") from exc


class _BadRowError(ValueError):
    """Why a row cannot be used."""


def _read(rows: Iterable[list[str]]) -> dict[str, str]:
    people: dict[str, str] = {}
    for i, row in enumerate(rows):
        if not row or (i == 0 and row == _HEADER):
            continue
        name, id_number = _checked(row)
        if id_number in people:
            raise _BadRowError("id_number: appears twice")
        people[id_number] = name
    return people


def _checked(row: list[str]) -> tuple[str, str]:
    if len(row) != len(_HEADER):
        raise _BadRowError(f"must be name,id_number, not {len(row)} columns")
    name, id_number = row
    if found := objection(name, id_number):
        raise _BadRowError(": ".join(found))
    return name, id_number
