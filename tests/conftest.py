"""The package, for all tests that need it."""

import fcntl
import os
from pathlib import Path

import pytest

from tools.package import build


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``make package`` makes, once for all processes; the unzipped one is in ``package``."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with (shared / "built.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "built/sam.json").exists():
            build(shared / "built")
    return shared / "built"
