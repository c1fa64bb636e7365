"""What is seen where somebody watches: the bar on a terminal."""

import os
import pty
import re
import subprocess
import sys
import termios
import threading
from pathlib import Path

import pytest

from client.exits import Exit
from tests.client.fake_service import FakeService
from tests.client.test_batch import csv_file

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("language", "says"), [("C", "rows"), ("zh_CN.UTF-8", "行")])
def test_the_bar(service: FakeService, tmp_path: Path, language: str, says: str) -> None:
    service.step = 15
    file = csv_file(tmp_path / "a.csv")
    master, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (24, 120))
    with subprocess.Popen(
        [sys.executable, "-m", "client", "batch", str(file)],
        cwd=ROOT,
        env=os.environ | {"ERYAOSU_URL": service.url, "LC_ALL": language},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=terminal,
    ) as process:
        os.close(terminal)
        seen = bytearray()

        def read() -> None:
            try:
                while chunk := os.read(master, 4096):
                    seen.extend(chunk)
            except OSError:  # the other side is closed
                pass

        reader = threading.Thread(target=read)
        reader.start()
        assert process.wait(timeout=60) == Exit.OK
        reader.join(timeout=60)
    os.close(master)
    text = seen.decode()
    assert re.search(rf"75%\|.*30/40 \[.*<.*{says}/s", text), text
    assert re.search(r"¥0\.90 .* ¥1\.20", text), text
    assert "100%" in text
