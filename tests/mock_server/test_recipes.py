"""docs/recipes: each program as a reader runs it, over http and over https."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from mock_server import Options, create_app, tls
from mock_server.serving import Server
from tests.mock_server.support import Upstream

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]
RECIPES = ROOT / "docs/recipes"
PRINTED = "respCode 0000\npaid_calls 1\n"
LANGUAGES = ("curl", "python", "node", "go", "java")

Environment = Mapping[str, str]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


def found(program: str) -> str:
    return shutil.which(program) or pytest.skip(f"{program} is not installed")


def command(language: str) -> list[str]:
    match language:
        case "curl":
            found("curl")
            return [found("sh"), str(RECIPES / "curl.sh")]
        case "python":
            return [sys.executable, str(RECIPES / "python_recipe.py")]
        case "node":
            return [found("node"), str(RECIPES / "node.mjs")]
        case "go":
            return [found("go"), "run", str(RECIPES / "go/main.go")]
    java = found("java")
    modules = subprocess.run([java, "--list-modules"], capture_output=True, text=True, check=False)
    if "jdk.compiler" not in modules.stdout:
        pytest.skip("java is installed without its compiler: a JDK is needed")
    return [java, "-Dfile.encoding=UTF-8", str(RECIPES / "Java.java")]


@pytest.fixture
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    # One cache for all of Go's runs: the first of them compiles its standard library.
    cache = tmp_path_factory.getbasetemp() / "go"
    go = {"GOCACHE": str(cache), "GOPROXY": "off", "GOFLAGS": "-mod=mod"}

    def run_in(language: str, *arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*command(language), *arguments],
            env={**os.environ, **go, "NO_PROXY": "*", **more},
            capture_output=True,
            text=True,
            check=False,
        )

    return run_in


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_pays_once_and_says_so(upstream: Upstream, run: Run, language: str) -> None:
    done = run(language, upstream.url)
    assert (done.stdout, done.returncode) == (PRINTED, 0), done.stderr
    (entry,) = upstream.get("/requests")["requests"]
    assert entry["answer"]["resp_code"] == "0000"
    assert entry["hints"] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_fails_when_the_call_is_refused(
    start: Callable[..., Upstream], run: Run, language: str
) -> None:
    upstream = start(quota=0)
    done = run(language, MOCK_URL=upstream.url)
    assert done.returncode != 0
    assert "respCode 0000" not in done.stdout
    assert upstream.get("/requests")["requests"][0]["answer"]["gateway_code"] == "B403MQ"


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A mock over TLS: its address, and the certificate to trust."""
    ca_file = tmp_path_factory.mktemp("tls") / "ca.pem"
    with Server(create_app(Options()), tls=tls.certificate([], ca_file)) as server:
        yield server.url, ca_file


def trusting(language: str, ca_file: Path) -> Environment:
    """Give the environment variable that docs/mock-server.md tells for each."""
    match language:
        case "curl":
            return {"CURL_CA_BUNDLE": str(ca_file)}
        case "python":
            return {"REQUESTS_CA_BUNDLE": str(ca_file)}
        case "node":
            return {"NODE_EXTRA_CA_CERTS": str(ca_file)}
        case "go":
            return {"SSL_CERT_FILE": str(ca_file)}
    store = ca_file.with_name("mock.p12")
    made = [found("keytool"), "-importcert", "-noprompt", "-alias", "mock"]
    made += ["-file", str(ca_file), "-keystore", str(store), "-storepass", "changeit"]
    subprocess.run(made, check=True, capture_output=True)
    properties = f"-Djavax.net.ssl.trustStore={store} -Djavax.net.ssl.trustStorePassword=changeit"
    return {"JAVA_TOOL_OPTIONS": properties}


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_works_over_tls(secured: tuple[str, Path], run: Run, language: str) -> None:
    url, ca_file = secured
    if language == "go" and sys.platform != "linux":
        pytest.skip("Go reads SSL_CERT_FILE on Linux only")
    command(language)  # skips, before anything is made for it
    done = run(language, url, **trusting(language, ca_file))
    assert (done.stdout, done.returncode) == (PRINTED, 0), done.stderr


@pytest.mark.parametrize("language", ["curl", "python", "node", "go"])
def test_it_does_not_trust_whoever_is_there(
    secured: tuple[str, Path], run: Run, language: str
) -> None:
    url, _ = secured
    done = run(language, url)
    assert done.returncode != 0
    assert "certif" in done.stderr.lower()


def test_the_tests_of_a_caller_pass(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makeini("[pytest]\nfilterwarnings = error\n")
    pytester.makepyfile((RECIPES / "test_caller.py").read_text("utf-8"))
    result = pytester.runpytest_subprocess("-p", "mock_server.pytest_plugin")
    result.assert_outcomes(passed=6)
