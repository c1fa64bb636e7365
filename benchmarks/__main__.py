"""All benchmarks, one after the other: ``python -m benchmarks``; exits 1 when the soak fails."""

import os
import platform
import sys

from benchmarks import cold_start, identity_rules, mock_upstream, soak, verification


def main() -> bool:
    """Print every table; tell whether the soak was good."""
    print(f"Python {platform.python_version()}, {os.cpu_count()} CPUs, {platform.machine()}\n")
    identity_rules.main()
    print()
    verification.main()
    print()
    cold_start.main()
    print()
    mock_upstream.main()
    print()
    return soak.main()


if __name__ == "__main__":
    sys.exit(not main())
