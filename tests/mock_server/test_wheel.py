"""The wheel as others install it: built, put into empty environments, used from another folder."""

import csv
import json
import os
import shutil
import subprocess
import sys
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest
from openpyxl import Workbook

from client.exits import Exit
from mock_server.version import VERSION
from tests.client.fake_service import serving

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
        str(file.relative_to(source))
        for part in ("client", "mock_server")
        for file in source.glob(f"{part}/**/*")
        if file.is_file()
    }
    make_sdist = f"import setuptools.build_meta as b; b.build_sdist({str(place)!r})"
    run(sys.executable, "-c", make_sdist, cwd=source, path=backend)
    sdist = place / f"eryaosu-{VERSION}.tar.gz"
    pip("wheel", "--no-deps", "--no-build-isolation", sdist, cwd=place, path=backend)
    return place / f"eryaosu-{VERSION}-py3-none-any.whl", held


def environment(place: Path, *wanted: str | Path) -> Path:
    """An empty environment with nothing but what is wanted; give the folder of its programs."""
    run(sys.executable, "-m", "venv", "--without-pip", place, cwd=place.parent)
    python = place / "bin" / "python"
    flags = ("install", "--no-compile", "-c", ROOT / "constraints.txt")
    pip("--python", python, *flags, *wanted, cwd=place.parent)
    return place / "bin"


def test_it_works_where_it_is_installed(tmp_path: Path) -> None:
    wheel, held = build(tmp_path)

    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
        metadata = message_from_bytes(archive.read(f"eryaosu-{VERSION}.dist-info/METADATA"))
    assert {file for file in packed if ".dist-info/" not in file} == held
    assert f"eryaosu-{VERSION}.dist-info/licenses/LICENSE" in packed
    required = metadata.get_all("Requires-Dist", [])
    parts = {"mock": "mock_server", "client": "client"}
    for extra, part in parts.items():
        needed = (ROOT / part / "requirements.txt").read_text("utf-8").splitlines()
        names = sorted(line.partition(">=")[0] for line in needed if not line.startswith("#"))
        mine = [r for r in required if f'extra == "{extra}"' in r]
        assert sorted(r.partition("<")[0] for r in mine) == names
    assert all("extra ==" in r for r in required)

    _the_mock(tmp_path, wheel)
    _the_client(tmp_path, wheel)


def _the_mock(place: Path, wheel: Path) -> None:
    bin_ = environment(place / "mock", f"{wheel}[mock]", "pytest", "pytest-xdist")
    assert "--people FILE" in run(bin_ / "eryaosu-mock", "--help", cwd=place)
    told = subprocess.run([bin_ / "eryaosu", "usage"], capture_output=True, text=True, check=False)
    assert told.returncode == Exit.FAULT
    assert "pip install 'eryaosu[client]'" in told.stderr

    project = place / "project"
    project.mkdir()
    (project / "test_use.py").write_text(TESTS, "utf-8")
    (project / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n", "utf-8")
    assert "6 passed" in run(bin_ / "python", "-m", "pytest", "-n", "2", cwd=project)


def _the_client(place: Path, wheel: Path) -> None:
    bin_ = environment(place / "client", f"{wheel}[client]")
    assert "eryaosu batch" in run(bin_ / "eryaosu", "batch", "--help", cwd=place)
    people = [("姓名", "身份证号"), ("张三", "11010519491231002X"), ("李四", "110105194912310038")]
    with (place / "people.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(people)
    book = Workbook()
    assert book.active is not None
    for row in people:
        book.active.append(row)
    book.save(place / "people.xlsx")
    with serving() as service:
        for file in ("people.csv", "people.xlsx"):
            told = run(bin_ / "eryaosu", "batch", file, "--url", service.url, "--json", cwd=place)
            assert json.loads(told)["out"] == f"{file}.result.csv"
            result = (place / f"{file}.result.csv").read_text("utf-8-sig").splitlines()
            assert [line.split(",")[2] for line in result] == ["outcome", "match", "mismatch"]
    program = (
        "import importlib.util as u; print([n for n in ('flask', 'chalicelib') if u.find_spec(n)])"
    )
    assert run(bin_ / "python", "-c", program, cwd=place) == "[]\n"
