"""The mock as others install it: built, put into an empty environment, used from another folder."""

import os
import shutil
import subprocess
import sys
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

from mock_server.version import VERSION

ROOT = Path(__file__).parents[2]

TESTS = """\
import importlib
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

import pytest

opener = build_opener(ProxyHandler({}))


@pytest.mark.parametrize("answers", ["0000", "0008"])
def test_it_pays_once(upstream, answers):
    name, number = upstream.identity(answers)
    body = urlencode({"name": name, "idNo": number}).encode()
    headers = {"Authorization": f"APPCODE {upstream.appcode}"}
    with opener.open(Request(upstream.endpoint, body, headers), timeout=20) as answer:
        assert answers in answer.read().decode()
    upstream.verify(resp_code=answers, id_number=number)
    assert upstream.paid_calls == 1


@pytest.mark.parametrize("service", ["chalicelib", "local_stack", "tests", "app"])
def test_the_service_is_not_there(service):
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module(service)
"""


def run(*command: str | Path, cwd: Path, path: Path | None = None) -> str:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    if path:
        environment["PYTHONPATH"] = str(path)
    done = subprocess.run(
        command, cwd=cwd, env=environment, check=False, capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    return done.stdout


def pip(*arguments: str | Path, cwd: Path, path: Path | None = None) -> str:
    flags = ("--disable-pip-version-check", "--quiet")
    return run(sys.executable, "-m", "pip", *flags, *arguments, cwd=cwd, path=path)


def build(place: Path) -> tuple[Path, set[str]]:
    """Build tree -> sdist -> wheel; give the wheel, and the files that it should hold."""
    backend, source = place / "backend", place / "source"
    try:
        pip("install", "--retries=1", "--target", backend, "setuptools>=77", cwd=place)
    except RuntimeError as exc:
        pytest.skip(f"pip reaches no index: {str(exc).strip().splitlines()[-1]}")
    # From a copy: setuptools leaves its build folder behind.
    ignored = shutil.ignore_patterns(".*", "__pycache__", "build", "dist", "*.egg-info")
    shutil.copytree(ROOT, source, ignore=ignored)
    held = {
        str(file.relative_to(source)) for file in source.glob("mock_server/**/*") if file.is_file()
    }
    make_sdist = f"import setuptools.build_meta as b; b.build_sdist({str(place)!r})"
    run(sys.executable, "-c", make_sdist, cwd=source, path=backend)
    sdist = place / f"eryaosu-{VERSION}.tar.gz"
    pip("wheel", "--no-deps", "--no-build-isolation", sdist, cwd=place, path=backend)
    return place / f"eryaosu-{VERSION}-py3-none-any.whl", held


def test_it_works_where_it_is_installed(tmp_path: Path) -> None:
    wheel, held = build(tmp_path)

    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
        metadata = message_from_bytes(archive.read(f"eryaosu-{VERSION}.dist-info/METADATA"))
    assert {file for file in packed if ".dist-info/" not in file} == held
    assert f"eryaosu-{VERSION}.dist-info/licenses/LICENSE" in packed
    needed = (ROOT / "mock_server" / "requirements.txt").read_text("utf-8").splitlines()
    names = sorted(line.partition(">=")[0] for line in needed if not line.startswith("#"))
    required = metadata.get_all("Requires-Dist", [])
    assert sorted(r.partition("<")[0] for r in required if 'extra == "mock"' in r) == names
    assert len(required) == len(names)

    bin_ = tmp_path / "venv" / "bin"
    run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv", cwd=tmp_path)
    constraints = ROOT / "constraints.txt"
    wanted = (f"{wheel}[mock]", "pytest", "pytest-xdist", "-c", constraints)
    pip("--python", bin_ / "python", "install", "--no-compile", *wanted, cwd=tmp_path)

    assert "--people FILE" in run(bin_ / "eryaosu-mock", "--help", cwd=tmp_path)

    project = tmp_path / "project"
    project.mkdir()
    (project / "test_use.py").write_text(TESTS, "utf-8")
    (project / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n", "utf-8")
    assert "6 passed" in run(bin_ / "python", "-m", "pytest", "-n", "2", cwd=project)
