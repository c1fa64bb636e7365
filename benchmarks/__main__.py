"""All benchmarks, one after the other: ``python -m benchmarks``; exits 1 when a check fails."""

import os
import platform
import sys

from benchmarks import (
    acknowledgement,
    asynchronous,
    batches,
    cold_start,
    hook_imports,
    identity_rules,
    mock_upstream,
    soak,
    spreadsheet,
    verification,
)


def main() -> bool:
    """Print every table; tell whether every check was good."""
    print(f"Python {platform.python_version()}, {os.cpu_count()} CPUs, {platform.machine()}\n")
    identity_rules.main()
    print()
    verification.main()
    print()
    cold_start.main()
    print()
    asynchronous.main()
    print()
    good = acknowledgement.main()
    print()
    good &= hook_imports.main()
    print()
    good &= batches.main()
    print()
    spreadsheet.main()
    print()
    mock_upstream.main()
    print()
    return soak.main() and good


if __name__ == "__main__":
    sys.exit(not main())
