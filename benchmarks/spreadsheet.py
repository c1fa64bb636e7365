"""Reading lists of people, beside the plain loop that one would write: rows a second, peak memory.

``python -m benchmarks.spreadsheet``. A CSV file of a million rows, a workbook of a hundred
thousand. Everybody is fictitious, with a number of the 1850s. Every reader runs in a process of
its own, in turn within a round; the best round counts for speed, the worst for memory.
"""

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from benchmarks.many_people import write
from tests.spreadsheets import shared
from tests.spreadsheets import workbook as made

CSV_ROWS = 1_000_000
XLSX_ROWS = 100_000
ROUNDS = 3


def plain_csv(file: Path) -> Iterator[object]:
    with file.open(encoding="utf-8-sig", newline="") as text:
        yield from islice(csv.reader(text), 1, None)


def plain_xlsx(file: Path) -> Iterator[object]:
    import openpyxl

    sheet = openpyxl.load_workbook(file, read_only=True).worksheets[0]
    yield from sheet.iter_rows(min_row=2, values_only=True)


def ours(file: Path) -> Iterator[object]:
    from chalicelib.adapters import spreadsheet

    with file.open("rb") as stream:
        yield from spreadsheet.rows(stream, format=file.suffix[1:])


READERS: dict[str, dict[str, Callable[[Path], Iterator[object]]]] = {
    "csv": {"csv.reader": plain_csv, "ours": ours},
    "xlsx": {"openpyxl, read only": plain_xlsx, "ours": ours},
}


def workbook(source: Path, file: Path) -> None:
    """The same people as a workbook whose texts are kept apart, as Excel writes them."""
    with source.open(encoding="utf-8", newline="") as text:
        rows = list(islice(csv.reader(text), XLSX_ROWS + 1))
    file.write_bytes(shared(made(*rows)))


def measured(file: Path, reader: str) -> tuple[float, float]:
    """Rows a second, and megabytes more than before: the reader's modules, and what it holds."""
    command = [sys.executable, "-m", "benchmarks.spreadsheet", str(file), reader]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    speed, memory = json.loads(done.stdout)
    return speed, memory


def measure(file: Path, reader: str) -> None:
    """In the process of its own: print both numbers."""
    read = READERS[file.suffix[1:]][reader](file)
    before = peak()
    start = time.perf_counter()
    count = sum(1 for _ in read)
    speed = count / (time.perf_counter() - start)
    print(json.dumps([speed, peak() - before]))


def peak() -> float:
    """Megabytes at most so far: of this program alone, which ``getrusage`` would not tell."""
    status = Path("/proc/self/status").read_text("utf-8")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def main() -> None:
    """Print one table for each kind of file."""
    with tempfile.TemporaryDirectory() as folder:
        people, book = Path(folder, "people.csv"), Path(folder, "people.xlsx")
        write(people, CSV_ROWS)
        workbook(people, book)
        for file, rows in ((people, CSV_ROWS), (book, XLSX_ROWS)):
            print(f"{rows:,} rows of {file.suffix[1:]}, {file.stat().st_size / 1e6:.1f} MB")
            report(file)
            print()


def report(file: Path) -> None:
    readers = list(READERS[file.suffix[1:]])
    found: dict[str, list[tuple[float, float]]] = {reader: [] for reader in readers}
    for _ in range(ROUNDS):
        for reader in readers:
            found[reader].append(measured(file, reader))
    best = {reader: max(speed for speed, _ in found[reader]) for reader in readers}
    for reader in readers:
        memory = max(memory for _, memory in found[reader])
        ratio = best[reader] / best[readers[0]]
        print(f"  {reader:<20} {best[reader]:>12,.0f} rows/s {ratio:>6.2f} {memory:>8.1f} MB")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("file", nargs="?", type=Path)
    arguments.add_argument("reader", nargs="?")
    given = arguments.parse_args()
    if given.file:
        measure(given.file, given.reader)
    else:
        main()
