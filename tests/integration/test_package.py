"""The deployment package holds all that runs, and nothing that its maker's machine left in it."""

import json
import os
import struct
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement

from tests.integration import model_outline
from tools import package
from tools.operations import OPERATIONS

ROOT = Path(__file__).parents[2]
LEFT_OUT = {"charset_normalizer"}
# An upload that stays quick, and well below Lambda's 50 MB.
MAX_BYTES = 4_000_000
UNCHECKED_HASH = 1


def run(code: str, built: Path, *arguments: str) -> str:
    """What it prints, with nothing importable but the package and the standard library."""
    command = [sys.executable, "-S", "-W", "error", "-c", code, *arguments]
    env = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        command, cwd=built / "package", env=env, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_same_inputs_give_the_same_bytes(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    before = os.umask(0o077)
    try:
        again = package.build(tmp_path)
    finally:
        os.umask(before)
    for name in ("deployment.zip", "sam.json"):
        assert (tmp_path / name).read_bytes() == (built / name).read_bytes(), name
    assert again == tmp_path / "deployment.zip"


def test_the_zip_is_small_and_readable_by_lambda(built: Path) -> None:
    made = built / "deployment.zip"
    assert made.stat().st_size <= MAX_BYTES
    with ZipFile(made) as opened:
        infos = opened.infolist()
    assert {info.external_attr >> 16 for info in infos} == {0o100644}
    assert {info.date_time for info in infos} == {(1980, 1, 1, 0, 0, 0)}
    names = [info.filename for info in infos]
    assert names == sorted(names)
    assert {"app.py", "chalice/app.py", "chalicelib/entrypoints/openapi.json"} <= {*names}


def test_every_module_has_bytecode_that_is_not_checked(built: Path) -> None:
    sources = [*(built / "package").rglob("*.py")]
    tag = sys.implementation.cache_tag
    for source in sources:
        compiled = source.parent / f"__pycache__/{source.stem}.{tag}.pyc"
        (flags,) = struct.unpack("<L", compiled.read_bytes()[4:8])
        assert flags == UNCHECKED_HASH, source
    assert sources


def needed(name: str) -> set[str]:
    """A requirement's own and all that it needs."""
    found = {name}
    for line in metadata.requires(name) or ():
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            found |= needed(requirement.name.lower())
    return found


def test_no_requirement_is_missing(built: Path) -> None:
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    wanted = {
        name
        for line in lines
        if line and not line.startswith("#")
        for name in needed(Requirement(line).name)
    }
    modules = {name.removeprefix("python-").replace("-", "_") for name in wanted} - LEFT_OUT
    assert {"botocore", "requests", "urllib3", "certifi", "dateutil"} <= modules
    present = {file.stem for file in (built / "package").iterdir()}
    assert present - {"app", "chalice", "chalicelib", "__pycache__"} == modules
    printed = run(f"import chalicelib.adapters, {', '.join(sorted(modules))}; print('all')", built)
    assert printed == "all\n"


def test_all_of_ours_imports_from_the_package_alone(built: Path) -> None:
    modules = [
        ".".join(file.relative_to(ROOT).with_suffix("").parts)
        for file in [ROOT / "app.py", *sorted((ROOT / "chalicelib").rglob("*.py"))]
    ]
    printed = run(
        "import importlib, sys; [importlib.import_module(n) for n in sys.argv[1:]]; "
        "print(len(sys.argv[1:]))",
        built,
        *modules,
    )
    assert printed == f"{len(modules)}\n"


def test_nothing_that_is_loaded_looks_for_installed_packages(built: Path) -> None:
    printed = run("import app, sys; print('importlib.metadata' in sys.modules)", built)
    assert printed == "False\n"


def test_what_is_kept_of_awss_models_is_awss_own(built: Path) -> None:
    """Operations with all their shapes and errors, and the endpoints of both partitions."""
    code = Path(model_outline.__file__).read_text("utf-8")
    wanted = {service: sorted(called) for service, called in OPERATIONS.items()}
    trimmed = json.loads(run(code, built, json.dumps(wanted)))
    whole = json.loads(json.dumps(model_outline.outline(wanted)))
    for service in OPERATIONS:
        assert trimmed[service] == whole[service]
    assert "cn-north-1.amazonaws.com.cn" in json.dumps(trimmed)
