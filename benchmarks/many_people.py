"""The mock upstream with a million people: its start, its memory, and a reset.

``python -m benchmarks.many_people``. Everybody is fictitious, with a number of the 1850s.
"""

import http
import itertools
import json
import statistics
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

from benchmarks.mock_process import connected, free_port, machine, ours, running
from mock_server.resident_id import check_character

PEOPLE = 1_000_000
RESETS = 50
REQUIRED_MS = 10

# No published test identity is from this county.
_COUNTY = "110102"
_STEMS, _BRANCHES = "甲乙丙丁戊己庚辛壬癸", "子丑寅卯辰巳午未申酉戌亥"
_A_DAY = 1000


def write(file: Path, count: int) -> None:
    """Write a people file: a thousand of them a day, from the first day of 1850 on."""
    names = itertools.cycle([stem + branch for stem in _STEMS for branch in _BRANCHES])
    with file.open("w", encoding="utf-8") as out:
        out.write("name,id_number\n")
        for serial, name in zip(range(count), names, strict=False):
            days, sequence = divmod(serial, _A_DAY)
            born = date(1850, 1, 1) + timedelta(days=days)
            first_17 = f"{_COUNTY}{born:%Y%m%d}{sequence:03d}"
            out.write(f"{name},{first_17}{check_character(first_17)}\n")


def reset_ms(port: int) -> float:
    """Give the time of one reset, on one connection; each has one more person to forget."""
    seconds = []
    with connected(port) as connection:

        def post(path: str, body: object) -> float:
            text = json.dumps(body).encode()
            started = time.perf_counter()
            connection.request("POST", path, text, {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer = response.read()
            taken = time.perf_counter() - started
            if response.status != http.HTTPStatus.OK:
                raise RuntimeError(f"POST {path} got {response.status}: {answer!r}")
            return taken

        number = "11010218591231001"
        someone = [{"name": "甲乙", "id_number": number + check_character(number)}]
        for _ in range(RESETS):
            post("/__admin/people", someone)
            seconds.append(post("/__admin/reset", {}))
    return statistics.median(seconds) * 1e3


def main() -> None:
    """Print the table."""
    print(f"Mock upstream with {PEOPLE:,} people ({machine()})")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "people.csv"
        write(file, PEOPLE)
        port = free_port()
        with running(ours(port, "--people", str(file)), port) as mock:
            held = mock.admin("GET", "/people?limit=1")["count"]
            if held < PEOPLE:
                raise RuntimeError(f"it holds {held} people, not {PEOPLE}")
            taken = reset_ms(port)
            print(f"  {'start to first answer, s':<40}{mock.start_seconds:>11.2f}")
            print(f"  {'memory after the start, MB':<40}{mock.start_mb:>11.0f}")
            verdict = "met" if taken < REQUIRED_MS else "missed"
            label = f"reset, ms, median of {RESETS}"
            print(f"  {label:<40}{taken:>11.2f}  required < {REQUIRED_MS}  {verdict}")


if __name__ == "__main__":
    main()
