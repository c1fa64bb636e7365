"""``python -m client``: see ``--help``."""

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from client import arguments as command_line
from client.console import Console, chosen_language
from client.errors import ClientError
from client.exits import Exit
from client.settings import settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; give its exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    language = chosen_language(given, os.environ)
    options = command_line.parse(given, language)
    try:
        return _ended(options, Console(language, as_json=options.json))
    except BrokenPipeError:
        # Whoever read the output has enough; Python must not complain at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK


def _ended(options: argparse.Namespace, console: Console) -> Exit:
    """Run it to whatever end it comes to."""
    try:
        return _run(options, console)
    except ClientError as exc:
        error = exc
    except KeyboardInterrupt:
        if not console.as_json:
            return Exit.INTERRUPTED
        error = ClientError(Exit.INTERRUPTED, "interrupted", "interrupted", "已中断")
    except BrokenPipeError:
        raise
    except ModuleNotFoundError as exc:
        error = ClientError(
            Exit.FAULT,
            "not_installed",
            f"{exc.name} is missing: pip install 'eryaosu[client]'",
            f"缺少 {exc.name}：pip install 'eryaosu[client]'",
        )
    except Exception as exc:  # noqa: BLE001  # its text and its traceback may hold a person
        error = _fault(exc)
    console.failed(error)
    return error.exit_code


def _run(options: argparse.Namespace, console: Console) -> Exit:
    chosen = settings(options)
    from client.commands import COMMANDS
    from client.service import Service

    with closing(Service(chosen)) as service:
        return COMMANDS[options.command](service, options, console)


def _fault(exc: Exception) -> ClientError:
    """Where it happened, and nothing else of it."""
    last = traceback.extract_tb(exc.__traceback__)[-1]
    place = f"{type(exc).__name__}, {Path(last.filename).name}:{last.lineno}"
    return ClientError(
        Exit.FAULT,
        "client_fault",
        f"a fault of this program: {place}",
        f"程序自身出错：{place}",
    )


if __name__ == "__main__":
    sys.exit(main())
