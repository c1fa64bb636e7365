"""The deployment package: ``python -m tools.package`` makes ``build/deployment.zip``.

chalice packs what a clean copy of the project holds; before that, the dependencies are vendored
from the wheels that ``constraints.txt`` pins, and botocore's data is cut down to what is called;
after it, everything is compiled and zipped so that the same inputs give the same bytes.
``build/sam.json`` is the template that deploys it.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from zipfile import ZipFile

from tools import reproducible_zip
from tools.operations import OPERATIONS
from tools.trim_models import trim

ROOT = Path(__file__).parents[1]

_VERSION = ".".join(map(str, sys.version_info[:2]))
_PLATFORMS = ("manylinux_2_17_x86_64", "manylinux2014_x86_64")
"""What the glibc of every Python runtime of Lambda runs."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Build into a folder; returns the exit code."""
    parser = argparse.ArgumentParser(prog="tools.package", description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "build", help="default build/")
    options = parser.parse_args(arguments)
    try:
        package = build(options.out)
    except subprocess.CalledProcessError as exc:
        print(f"package: {exc.cmd[0]} failed\n{exc.stdout}", file=sys.stderr)
        return 1
    print(f"{package}: {package.stat().st_size / 1e6:.2f} MB, sha256 {_sha256(package)}")
    return 0


def build(out: Path) -> Path:
    """Make ``deployment.zip`` and ``sam.json`` there; raises CalledProcessError."""
    staging, packed, unzipped = out / "staging", out / "packed", out / "package"
    for folder in (staging, packed, unzipped):
        shutil.rmtree(folder, ignore_errors=True)
    _stage(staging)
    _vendor(staging / "vendor")
    trim(staging / "vendor/botocore/data", OPERATIONS)
    _chalice(staging, packed)
    with ZipFile(packed / "deployment.zip") as made:
        made.extractall(unzipped)
    reproducible_zip.compile_all(unzipped)
    files = [file for file in unzipped.rglob("*") if file.is_file()]
    reproducible_zip.write(unzipped, files, out / "deployment.zip")
    shutil.copyfile(packed / "sam.json", out / "sam.json")
    return out / "deployment.zip"


def _stage(folder: Path) -> None:
    """What chalice looks at, and nothing that lies about."""
    unwanted = shutil.ignore_patterns("__pycache__", "deployed", "deployments")
    shutil.copytree(ROOT / "chalicelib", folder / "chalicelib", ignore=unwanted)
    shutil.copytree(ROOT / ".chalice", folder / ".chalice", ignore=unwanted)
    shutil.copyfile(ROOT / "app.py", folder / "app.py")
    # chalice would install them again, untrimmed.
    (folder / "requirements.txt").touch()


def _vendor(folder: Path) -> None:
    """The dependencies, from wheels for Lambda; pip fails where there is none, chalice would not.

    The wheels are kept, so that building again needs no network.
    """
    pinned = [ROOT / "requirements.txt", ROOT / "constraints.txt"]
    mark = hashlib.sha256(_VERSION.encode() + b"".join(file.read_bytes() for file in pinned))
    wheels = ROOT / "build/wheels" / mark.hexdigest()[:16]
    for_lambda = [f"--platform={one}" for one in _PLATFORMS]
    for_lambda += ["--only-binary=:all:", "--implementation=cp", f"--python-version={_VERSION}"]
    wanted = ["-r", str(pinned[0]), "-c", str(pinned[1])]
    if not (wheels / ".complete").exists():
        _pip("download", *for_lambda, *wanted, "-d", str(wheels))
        (wheels / ".complete").touch()
    _pip(
        *("install", "--no-index", f"--find-links={wheels}", "--no-compile"),
        *(*for_lambda, *wanted, "--target", str(folder)),
    )
    for unused in [folder / "bin", folder / "charset_normalizer", *folder.glob("*.dist-info")]:
        shutil.rmtree(unused, ignore_errors=True)
    # Its switch to HTTP/2, which nobody throws here, loads importlib.metadata: 6 ms of each start.
    (folder / "urllib3/http2/__init__.py").write_text("", "utf-8")


def _pip(command: str, *arguments: str) -> None:
    _run(
        [sys.executable, "-m", "pip", command, "--quiet", "--disable-pip-version-check"], arguments
    )


def _chalice(project: Path, out: Path) -> None:
    program = [sys.executable, "-c", "import sys; from chalice.cli import main; sys.exit(main())"]
    _run(
        [*program, "--project-dir", str(project)],
        ["package", "--merge-template", ".chalice/resources.json", str(out)],
        cwd=project,
    )


def _run(program: Sequence[str], arguments: Sequence[str], cwd: Path = ROOT) -> None:
    subprocess.run(  # noqa: S603  # our own commands
        [*program, *arguments],
        check=True,
        cwd=cwd,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        # chalice asks for a region, though nothing it writes here depends on one.
        env={"AWS_DEFAULT_REGION": "us-east-1", **os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
