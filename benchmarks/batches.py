"""Ten thousand people in one batch against what is possible, and a million of them read.

``python -m benchmarks.batches``. The whole system is one process, the table in dynoxide where that
is installed, the upstream answers after half a second; 32 rows are asked at once. The ideal is
what 32 callers who lose no time could ask. The loop that one would write instead is measured for
some people and extrapolated to all.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import requests

from benchmarks import stack_process
from benchmarks.many_people import write
from benchmarks.mock_process import machine
from chalicelib.domain.batch import UPLOADS, Batch, BatchStatus, new
from chalicelib.domain.secret import LOCAL_DEV_KEY
from local_stack import dynoxide

ROWS = 10_000
AT_ONCE = 32
LATENCY_SECONDS = 0.5
LOOPED = 40
LARGE = 1_000_000
REQUIRED = 0.8
REQUIRED_MB = 256

_HEADERS = {"Authorization": f"Bearer {LOCAL_DEV_KEY}"}
_POLL_SECONDS = 1.0


def asked(env: Mapping[str, str], file: Path) -> Any:  # noqa: ANN401  # JSON
    """Upload a list and wait until all of it is asked; the batch as it ended."""
    batches = f"{env['API_URL']}/v1/batches"
    made = requests.post(batches, json={"format": "csv"}, headers=_HEADERS, timeout=30).json()
    upload = made["upload"]
    put = requests.request(
        upload["method"],
        upload["url"],
        data=file.read_bytes(),
        headers=upload["headers"],
        timeout=60,
    )
    put.raise_for_status()
    while True:
        found = requests.get(f"{batches}/{made['id']}", headers=_HEADERS, timeout=30).json()
        if found["ended_at"]:
            return found
        if found["paused"]:
            raise RuntimeError(f"the batch was paused: {found['paused']}")
        time.sleep(_POLL_SECONDS)


def looped(env: Mapping[str, str], people: list[tuple[str, str]]) -> float:
    """Seconds a person of the loop that calls the upstream for one after the other."""
    headers = {"Authorization": f"APPCODE {env['APPCODE']}"}
    started = time.perf_counter()
    for name, number in people:
        form = {"name": name, "idNo": number}
        requests.post(env["UPSTREAM_URL"], data=form, headers=headers, timeout=30).json()
    return (time.perf_counter() - started) / len(people)


def throughput(rows: int, folder: Path) -> bool:
    """Print how many rows a second were asked, beside the ideal and the loop."""
    file = folder / "people.csv"
    write(file, rows + LOOPED)
    lines = file.read_text("utf-8").splitlines()
    rest = [tuple(line.split(",")) for line in lines[rows + 1 :]]
    file.write_text("\n".join(lines[: rows + 1]), "utf-8")
    flags = ["--row-threads", str(AT_ONCE), *(["--dynoxide"] if dynoxide.find() else [])]
    with stack_process.running(*flags) as env:
        _slow(env)
        each = looped(env, [(name, number) for name, number in rest])
        found = asked(env, file)
        ledger = requests.get(f"{env['MOCK_URL']}/__admin/ledger", timeout=10).json()
    if not found["billed"]["yes"] == found["rows"]["done"] == rows == ledger["paid_calls"] - LOOPED:
        raise RuntimeError(f"not all was paid once: {found['billed']}, {ledger['paid_calls']}")
    started, ended = (_moment(found[name]) for name in ("started_at", "ended_at"))
    seconds = (ended - started).total_seconds()
    ideal = AT_ONCE / LATENCY_SECONDS
    ratio = rows / seconds / ideal
    where = "dynoxide" if dynoxide.find() else "moto (dynoxide is not installed)"
    print(f"  table in {where}; all {rows:,} rows paid once")
    print(f"  {'seconds from the first row to the last':<46}{seconds:>9.1f}")
    print(f"  {'rows a second':<46}{rows / seconds:>9.1f}")
    verdict = "met" if ratio >= REQUIRED else "missed"
    label = f"of the ideal {ideal:.0f}"
    print(f"  {label:<46}{ratio:>9.2f}  required >= {REQUIRED}  {verdict}")
    label = f"a loop over requests, s for all, from {LOOPED}"
    print(f"  {label:<46}{each * rows:>9.0f}")
    print(f"  {'times as quick as the loop':<46}{each * rows / seconds:>9.1f}")
    return ratio >= REQUIRED


def _slow(env: Mapping[str, str]) -> None:
    fault = {"kind": "latency_ms", "value": int(LATENCY_SECONDS * 1000)}
    requests.post(f"{env['MOCK_URL']}/__admin/faults", json=fault, timeout=10).raise_for_status()


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def large(folder: Path) -> bool:
    """Print what it takes to split a list of a million, in a process of its own."""
    file = folder / "large.csv"
    write(file, LARGE)
    print(f"  a list of {LARGE:,}, {file.stat().st_size / 1e6:.0f} MB", flush=True)
    with stack_process.running("--no-worker") as env:
        command = [sys.executable, "-m", "benchmarks.batches", "--split", str(file)]
        done = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, env=env)
    seconds, before, after = map(float, done.stdout.splitlines()[-1].split())
    print(f"  {'read, checked and written, s':<46}{seconds:>9.1f}")
    verdict = "met" if after < REQUIRED_MB else "missed"
    print(f"  {'memory at most, MB':<46}{after:>9.0f}  required < {REQUIRED_MB}  {verdict}")
    print(f"  {'of these, before the first row':<46}{before:>9.0f}")
    return after < REQUIRED_MB


def split_here(file: Path) -> None:
    """Split a file that lies in the bucket of the running stack; the environment is its own."""
    import app  # noqa: F401  # what the function has loaded
    from chalicelib import bootstrap
    from chalicelib.services.split import split

    container = bootstrap.container()
    batching = container.batching()
    now = container.tools.clock.now()
    draft = Batch("bat_large", "local", now, BatchStatus.AWAITING_UPLOAD, "csv")
    batching.batches.add(new(draft))
    with batching.files.writer(f"{UPLOADS}bat_large") as out, file.open("rb") as read:
        while block := read.read(1 << 20):
            out.write(block)
    before, started = _peak_mb(), time.perf_counter()
    split(f"{UPLOADS}bat_large", tools=container.tools, batching=batching, policy=container.policy)
    seconds = time.perf_counter() - started
    found = batching.batches.get("bat_large")
    if found is None or found.total != LARGE:
        raise RuntimeError(f"it was not split: {found}")
    print(seconds, before, _peak_mb())


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(arguments: list[str] | None = None) -> bool:
    """Print both tables; tell whether every check was good."""
    parser = argparse.ArgumentParser(prog="benchmarks.batches", description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS, help=f"default {ROWS}")
    parser.add_argument("--split", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args([] if arguments is None else arguments)
    if options.split:
        split_here(options.split)
        return True
    print(
        f"Batches: {options.rows:,} rows, {AT_ONCE} at once, {LATENCY_SECONDS} s a call "
        f"({machine()})"
    )
    with tempfile.TemporaryDirectory() as folder:
        good = throughput(options.rows, Path(folder))
        return large(Path(folder)) and good


if __name__ == "__main__":
    sys.exit(not main(sys.argv[1:]))
