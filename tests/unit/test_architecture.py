"""The import rule: a layer that only prose states decays."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Folder or file → what it may import beside itself. "std" is the standard library.
RULES = {
    "chalicelib/domain": {"std", "chalicelib.domain"},
    "chalicelib/services": {"std", "chalicelib.domain", "chalicelib.services"},
    "chalicelib/adapters": {
        "std",
        "chalicelib.domain",
        "chalicelib.services.ports",
        "chalicelib.services.batch_ports",
        "chalicelib.adapters",
        "requests",
        "urllib3",  # what requests raises from inside
        "boto3",
        "botocore",
    },
    "chalicelib/entrypoints": {
        "std",
        "chalicelib.domain",
        "chalicelib.services",
        "chalicelib.bootstrap",
        "chalicelib.entrypoints",
        "chalice",
    },
    # Pure, so that a cold start of the webhook pays for nothing else.
    "chalicelib/entrypoints/forms": {"std", "chalicelib.domain", "chalicelib.entrypoints.forms"},
    "chalicelib/entrypoints/forms/feishu_cipher.py": {"std", "chalicelib.domain", "cryptography"},
    "chalicelib/bootstrap.py": {
        "std",
        "chalicelib.domain",
        "chalicelib.services",
        "chalicelib.adapters",
        "chalicelib.config",
        "boto3",
        "botocore",
    },
    "chalicelib/config.py": {"std", "chalicelib.domain"},
    "app.py": {"std", "chalice", "chalicelib.entrypoints", "chalicelib.bootstrap"}
    | {"chalicelib.services"},  # the event handlers call one use case each
    # Over HTTP only: what it knows of the service is what the API says.
    "client": {"std", "client", "requests", "urllib3", "tqdm", "openpyxl"},
    "tools": {"std", "chalicelib.domain", "tools", "boto3", "botocore"},
    "mock_server": {"std", "mock_server", "flask", "werkzeug", "id_validator"}
    | {"uvicorn", "httptools", "a2wsgi", "trustme"},
    "mock_server/pytest_plugin.py": {"std", "mock_server", "pytest"},
}
FORBIDDEN_IN_DOMAIN = {"os", "time", "socket", "subprocess", "threading", "logging", "random"}
TYPES_ONLY = {
    "mypy_boto3_dynamodb",
    "mypy_boto3_kms",
    "mypy_boto3_s3",
    "mypy_boto3_secretsmanager",
    "mypy_boto3_sns",
    "mypy_boto3_sqs",
}


def files(place: str) -> list[Path]:
    path = ROOT / place
    return [path] if path.is_file() else sorted(path.rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            assert node.module
            # "from package import module" names the module as well.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def allowed(name: str, rules: set[str]) -> bool:
    top = name.partition(".")[0]
    if top in sys.stdlib_module_names or top == "__future__":
        return "std" in rules
    return top in TYPES_ONLY or any(name == rule or name.startswith(f"{rule}.") for rule in rules)


@pytest.mark.parametrize("place", RULES)
def test_each_part_imports_only_what_it_may(place: str) -> None:
    exceptions = {ROOT / other for other in RULES if other != place}
    found = [file for file in files(place) if file not in exceptions]
    assert found
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in found
        for name in imports(path)
        if not allowed(name, RULES[place])
    ]
    assert not wrong


def test_the_domain_has_no_clock_no_environment_and_no_io() -> None:
    for path in files("chalicelib/domain"):
        text = path.read_text("utf-8")
        used = {name.partition(".")[0] for name in imports(path)}
        assert not used & FORBIDDEN_IN_DOMAIN, path
        called = {
            node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.Call)
        }
        assert not called & {"open", "print", "now", "today", "utcnow"}, path


def test_only_config_reads_the_environment() -> None:
    readers = {
        str(path.relative_to(ROOT))
        for path in files("chalicelib")
        if "os.environ" in path.read_text("utf-8") or "getenv" in path.read_text("utf-8")
    }
    assert readers == {"chalicelib/config.py"}


def test_no_module_has_a_name_that_says_nothing() -> None:
    banned = {"utils", "util", "common", "helpers", "helper", "manager", "misc"}
    places = ("chalicelib", "client", "mock_server", "local_stack", "tools", "tests", "benchmarks")
    assert not [path for place in places for path in files(place) if path.stem in banned]
