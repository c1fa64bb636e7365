"""Which function is which command."""

import argparse
from collections.abc import Callable, Mapping

from client.batch import batch
from client.batches import batches
from client.books import export, packages, usage
from client.console import Console
from client.exits import Exit
from client.questions import get, resolve, verify
from client.service import Service

Command = Callable[[Service, argparse.Namespace, Console], Exit]

COMMANDS: Mapping[str, Command] = {
    "verify": verify,
    "batch": batch,
    "batches": batches,
    "get": get,
    "resolve": resolve,
    "usage": usage,
    "packages": packages,
    "export": export,
}
