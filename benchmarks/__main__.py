"""All benchmarks, one after the other: ``python -m benchmarks``."""

import os
import platform

from benchmarks import identity_rules, verification


def main() -> None:
    """Print every table."""
    print(f"Python {platform.python_version()}, {os.cpu_count()} CPUs, {platform.machine()}\n")
    identity_rules.main()
    print()
    verification.main()


if __name__ == "__main__":
    main()
