"""What a function imports before it can take a form's entry, beside the tutorial's handler.

``python -m benchmarks.hook_imports``. Each figure is the whole CPU time of a new interpreter, its
bytecode compiled before; the best of several rounds, in which the programs take turns. The AWS
clients come with the first call, but in the tutorial with the import. AWS and the upstream are
another process. False, and exit code 1, when a hook loads another vendor's file.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import stack_process, verification
from benchmarks.mock_process import machine
from benchmarks.submissions import VENDORS as SENDERS
from benchmarks.submissions import Submission, event, secret, submissions
from chalicelib.domain.source_entry import VENDORS

ROUNDS = 7

_FORMS = "chalicelib.entrypoints.forms."
_PROGRAM = """
import sys
{imports}
imported = set(sys.modules)
{call}
import time
seconds, modules = time.process_time(), set(sys.modules)
import json
print(json.dumps([seconds, len(modules), sorted(modules - imported)]))
"""
_CALL = """
import json
answer = handler(json.loads(sys.stdin.read()), None)
assert answer["statusCode"] // 100 == 2, answer
"""
_TUTORIAL = "from benchmarks.tutorial import handler"
_OURS = "from app import app as handler"
_UNIT = "the tutorial's handler"
_HOOK = "ours, first hook (typeform)"


@dataclass(frozen=True, slots=True)
class Seen:
    """CPU seconds, modules in the end, and which of them the call loaded."""

    seconds: float
    modules: int
    loaded: Sequence[str]


def start(imports: str, given: object = None) -> Seen:
    """Run a new interpreter that imports this and, given an event, calls the handler with it."""
    program = _PROGRAM.format(imports=imports, call="" if given is None else _CALL)
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(given),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    # What stands before it is the log.
    return Seen(*json.loads(done.stdout.splitlines()[-1]))


def turn(submission: Submission, serial: int) -> Mapping[str, Seen]:
    """Start each program once."""
    question = verification.event(verification.number(serial))
    return {
        "bare Python": start(""),
        "chalice": start("import chalice"),
        _UNIT: start(_TUTORIAL),
        "ours": start(_OURS),
        "the tutorial's handler, first call": start(_TUTORIAL, question),
        _HOOK: start(_OURS, event(submission)),
    }


def measure() -> bool:
    """Print the table; the environment is the running stack's."""
    typeforms = [one for one in submissions(len(SENDERS) * (ROUNDS + 1)) if one[0] == "typeform"]
    # The first round compiles what was not compiled yet.
    rounds = [turn(one, serial) for serial, one in enumerate(typeforms)][1:]
    best = {
        label: min((seen[label] for seen in rounds), key=lambda one: one.seconds)
        for label in rounds[0]
    }
    unit = best[_UNIT].seconds
    print(f"  {f'best of {ROUNDS}':<40}{'modules':>9}{'CPU ms':>9}{'ratio':>9}")
    for label, seen in best.items():
        ms, ratio = seen.seconds * 1e3, seen.seconds / unit
        print(f"  {label:<40}{seen.modules:>9}{ms:>9.0f}{ratio:>9.2f}")
    loaded = best[_HOOK].loaded
    print(f"  loaded by the hook: {', '.join(module.removeprefix(_FORMS) for module in loaded)}")
    vendors = [vendor for vendor in VENDORS if _FORMS + vendor in loaded]
    good = vendors == ["typeform"]
    of = f"vendors' files loaded, of {len(VENDORS)}"
    print(f"  {of:<40}{len(vendors):>9}  {'ok' if good else 'FAIL: ' + ', '.join(vendors)}")
    return good


def main() -> bool:
    """Start the stack in another process, measure against it, stop it."""
    print(f"What is imported to take a form's entry ({machine()})")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "secret.json"
        file.write_text(secret(), "utf-8")
        with stack_process.running("--secret", str(file), "--no-worker") as env:
            os.environ.update(env)
            return measure()


if __name__ == "__main__":
    sys.exit(not main())
