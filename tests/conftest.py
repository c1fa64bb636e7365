"""What all tests share: nothing is timed, and the package for those that need it."""

import fcntl
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tools.package import build

# How long it takes to make up an example is the machine's business, not the code's.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


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
