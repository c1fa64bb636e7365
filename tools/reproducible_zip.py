"""The same files, the same bytes: a zip without times, owners or an order of its own."""

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

_LONG_AGO = (1980, 1, 1, 0, 0, 0)
_READABLE = 0o100644 << 16
_COMPILE = """
import compileall, pathlib, py_compile, sys
folder = pathlib.Path(sys.argv[1])
ok = compileall.compile_dir(
    folder, maxlevels=100, quiet=1, stripdir=str(folder), prependdir="/var/task",
    invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
)
sys.exit(not ok)
"""


def compile_all(folder: Path) -> None:
    """Put bytecode beside every module, and never have it checked against its source.

    A process of its own: what else was compiled in one shows in the bytes, and so does the seed
    of its hashes. Raises CalledProcessError.
    """
    env = {**os.environ, "PYTHONHASHSEED": "0"}
    subprocess.run([sys.executable, "-I", "-c", _COMPILE, folder], check=True, env=env)  # noqa: S603


def write(folder: Path, files: Iterable[Path], target: Path) -> None:
    """Zip the files of the folder, in the order of their names."""
    with ZipFile(target, "w", ZIP_DEFLATED, compresslevel=9) as out:
        for file in sorted(files):
            info = ZipInfo(file.relative_to(folder).as_posix(), _LONG_AGO)
            info.external_attr = _READABLE
            info.compress_type = ZIP_DEFLATED
            info.create_system = 3
            out.writestr(info, file.read_bytes())
