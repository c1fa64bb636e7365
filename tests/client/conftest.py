from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from client.__main__ import main
from tests.client.fake_service import FakeService, serving


@pytest.fixture(scope="session")
def _service() -> Iterator[FakeService]:
    with serving() as service:
        yield service


@pytest.fixture
def service(_service: FakeService) -> FakeService:
    """The fake as it is at its start."""
    url = _service.url
    vars(_service).clear()  # what a test put in a method's place too
    vars(_service).update(vars(FakeService()) | {"url": url})
    return _service


@dataclass
class Done:
    """How a command ended; ``waited`` are the pauses that it would have made, in seconds."""

    exit: int
    out: str
    err: str
    waited: list[float] = field(default_factory=list)


Run = Callable[..., Done]


@pytest.fixture
def run(
    service: FakeService,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> Run:
    """Run a command against the fake, in this process; time passes in its pauses alone."""
    clean = ("ERYAOSU_URL", "ERYAOSU_KEY", "LC_ALL", "LC_MESSAGES", "LANG")
    for name in clean:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ERYAOSU_URL", service.url)
    monkeypatch.chdir(tmp_path)

    def call(
        *arguments: Any,
        stdin: str = "",
        meanwhile: Callable[[], None] = lambda: None,
        **env: str,
    ) -> Done:
        waited: list[float] = []

        def sleep(seconds: float) -> None:
            waited.append(seconds)
            meanwhile()

        with monkeypatch.context() as patch:
            for name, value in env.items():
                patch.setenv(name, value)
            for module in ("service", "follow"):
                patch.setattr(f"client.{module}.sleep", sleep)
                patch.setattr(f"client.{module}.monotonic", lambda: sum(waited))
            patch.setattr("sys.stdin", _Keyboard(stdin))
            try:
                code = int(main([str(argument) for argument in arguments]))
            except SystemExit as exc:
                code = int(exc.code or 0)
        said = capsys.readouterr()
        return Done(code, said.out, said.err, waited)

    return call


class _Keyboard:
    """Stdin with lines to read; a text that begins with a tab is typed by somebody."""

    def __init__(self, text: str) -> None:
        self._typed = text.startswith("\t")
        self._lines = iter(text.lstrip("\t").splitlines(keepends=True))

    def isatty(self) -> bool:
        return self._typed

    def readline(self) -> str:
        return next(self._lines, "")
