"""The tutorial as chalice packs it: every file of its dependencies, sources without bytecode."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

_ROOT = Path(__file__).parents[1]
_APP = """from chalice import Chalice

from chalicelib import tutorial

app = Chalice(app_name="tutorial")
handler = app.lambda_function(name="handler")(tutorial.handler)
"""
HANDLER = "app.handler"


def build(folder: Path) -> tuple[Path, Path]:
    """Make it from the pinned versions; returns the zip and the unzipped package."""
    project, out, unzipped = folder / "project", folder / "out", folder / "package"
    shutil.rmtree(folder, ignore_errors=True)
    (project / "chalicelib").mkdir(parents=True)
    (project / ".chalice").mkdir()
    (project / ".chalice/config.json").write_text(
        '{"version": "2.0", "app_name": "tutorial", "stages": {"dev": {}}}', "utf-8"
    )
    (project / "app.py").write_text(_APP, "utf-8")
    (project / "requirements.txt").write_text("boto3\nrequests\n", "utf-8")
    (project / "chalicelib/__init__.py").touch()
    shutil.copy(_ROOT / "benchmarks/tutorial.py", project / "chalicelib")
    program = "import sys; from chalice.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "package", str(out)]
    env = {
        "AWS_DEFAULT_REGION": "us-east-1",
        **os.environ,
        "TABLE_NAME": "any",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PIP_CONSTRAINT": str(_ROOT / "constraints.txt"),
    }
    subprocess.run(command, cwd=project, env=env, check=True, stdout=subprocess.DEVNULL)
    with ZipFile(out / "deployment.zip") as made:
        made.extractall(unzipped)
    return out / "deployment.zip", unzipped
