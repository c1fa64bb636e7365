"""The secret's JSON: ``new FILE`` begins one, ``check FILE`` says what is wrong with one.

``check`` reads as strictly as the service does. Exit code 0: good; 1: the service would refuse
it; 2: it cannot be read.
"""

import argparse
import json
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path

from chalicelib.domain.secret import LOCAL_DEV_KEY, SecretError, has_local_dev_key, parse
from tools.stored_secret import AwsSecret, SecretFile, Store, StoreError


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    options = _options(arguments)
    try:
        if options.command == "new":
            return _new(options.file)
        return _check(
            AwsSecret(options.secret_id) if options.secret_id else SecretFile(options.file)
        )
    except StoreError as exc:
        print(f"secret: {exc}", file=sys.stderr)
        return 2


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tools.secret", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    new = commands.add_parser("new", help="a file with fresh keys; AppCode and clients are yours")
    new.add_argument("file", type=Path)
    check = commands.add_parser("check", help="say what is wrong")
    check.add_argument("file", type=Path, nargs="?")
    check.add_argument("--secret-id", help="one in Secrets Manager instead of a file")
    options = parser.parse_args(arguments)
    if options.command == "check" and (options.file is None) == (options.secret_id is None):
        parser.error("name a file, or a secret with --secret-id")
    return options


def _new(file: Path) -> int:
    if file.exists():
        raise StoreError(f"{file}: is there already; its id_key may be in use and must not be lost")
    begun = {
        "appcode": "",
        "id_key": secrets.token_hex(32),
        "hash_key": secrets.token_hex(32),
        "clients": [],
    }
    SecretFile(file).write(json.dumps(begun, indent=2) + "\n")
    print(
        f"{file} has fresh keys. Put the AppCode of the seller's console into it, and a client: "
        f"python -m tools.keys new NAME --file {file}"
    )
    return 0


def _check(store: Store) -> int:
    try:
        secret = parse(store.read())
    except SecretError as exc:
        print(f"secret: {exc}", file=sys.stderr)
        return 1
    if has_local_dev_key(secret):
        print(
            f"secret: clients: the key {LOCAL_DEV_KEY} is known to everybody; the service refuses "
            "it beside the paid upstream",
            file=sys.stderr,
        )
        return 1
    clients = ", ".join(client.name for client in secret.clients)
    sources = ", ".join(secret.sources) or "none"
    print(f"The secret is good. Clients: {clients}; sources: {sources}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
