"""WireMock, set up to answer the form as the mock of this project does."""

import json
import shutil
from pathlib import Path
from urllib.parse import parse_qsl

from benchmarks.mock_process import FORM, HOST, PATH

JAR = (
    Path(__file__).parents[1] / ".peers/node_modules/wiremock/build/wiremock-standalone-3.13.2.jar"
)


def missing() -> list[str]:
    """Say what it lacks to run, and how to get that."""
    lacks = []
    if not JAR.exists():
        lacks.append("WireMock 3.13.2 (get it with `make peers`)")
    if shutil.which("java") is None:
        lacks.append("java (Debian: apt-get install default-jre-headless)")
    return lacks


def command(port: int, folder: Path, journal: int) -> list[str]:
    """Give the command that starts it over a folder that `stub()` has filled."""
    options = ["--port", str(port), "--bind-address", HOST, "--root-dir", str(folder)]
    return ["java", "-jar", str(JAR), *options, "--max-request-journal-entries", str(journal)]


def stub(folder: Path, body: bytes, content_type: str) -> None:
    """Write the stub that answers the form with this body."""
    form = {key: {"equalTo": value} for key, value in parse_qsl(FORM)}
    mapping = {
        "request": {
            "method": "POST",
            "urlPath": PATH,
            "headers": {"Authorization": {"matches": "APPCODE .+"}},
            "formParameters": form,
        },
        "response": {
            "status": 200,
            "headers": {"Content-Type": content_type},
            "body": body.decode("utf-8"),
        },
    }
    (folder / "mappings").mkdir()
    text = json.dumps(mapping, ensure_ascii=False)
    (folder / "mappings" / "match.json").write_text(text, "utf-8")
