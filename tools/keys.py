"""Keys of clients: ``new CLIENT`` makes one and shows it once, ``retire CLIENT`` ends the old one.

Only the key's SHA-256 is stored: in the secret of a ``--secret-id`` or a ``--file``; with neither
it is printed, to be put there by hand. To rotate a client's key, make a new one, hand it over,
and retire the old one when nobody uses it any more. Exit code 0: done; 2: nothing was changed.
"""

import argparse
import hashlib
import json
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chalicelib.domain.secret import SCOPES, SecretError
from chalicelib.domain.secret_fields import read_name
from tools.stored_secret import AwsSecret, SecretFile, Store, StoreError, fields_of, text_of

_AT_MOST = 2
"""Keys of a client while one is rotated."""


class KeysError(Exception):
    """Why nothing was changed, and the mend."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    options = _options(arguments)
    try:
        if options.command == "new":
            _new(options)
        else:
            _retire(options.client, _required_store(options))
    except (KeysError, SecretError, StoreError) as exc:
        print(f"keys: {exc}", file=sys.stderr)
        return 2
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tools.keys", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, what in (("new", "a key more for a client"), ("retire", "end all but the newest")):
        command = commands.add_parser(name, help=what)
        command.add_argument("client", help="1 to 32 of a-z, 0-9 and -; permanent")
        place = command.add_mutually_exclusive_group()
        place.add_argument("--secret-id", help="of the stage: output SecretId of its stack")
        place.add_argument("--file", type=Path, help="a secret that is not stored yet")
        if name == "new":
            command.add_argument(
                "--scopes",
                default="verify,read",
                help=f"of a client that is new: some of {','.join(SCOPES)}; default verify,read",
            )
    return parser.parse_args(arguments)


def _store(options: argparse.Namespace) -> Store | None:
    if options.secret_id:
        return AwsSecret(options.secret_id)
    return SecretFile(options.file) if options.file else None


def _required_store(options: argparse.Namespace) -> Store:
    store = _store(options)
    if store is None:
        raise KeysError("name the secret with --secret-id or --file")
    return store


def _new(options: argparse.Namespace) -> None:
    client = read_name(options.client, "client")
    key = secrets.token_urlsafe(32)
    digest = hashlib.sha256(key.encode()).hexdigest()
    store = _store(options)
    if store is not None:
        _add(store, client, digest, options.scopes.split(","))
    print(f"key of {client}, shown this once: {key}")
    print(f"key_sha256: {digest}")
    if store is None:
        print(
            "The hash is not stored yet: put it into key_sha256 of the client in the secret, or "
            "make a key with --secret-id or --file."
        )


def _add(store: Store, name: str, digest: str, scopes: list[str]) -> None:
    fields = _begun(store)
    client = _find(fields, name)
    if client is None:
        fields["clients"].append({"name": name, "key_sha256": [digest], "scopes": scopes})
    elif len(client["key_sha256"]) >= _AT_MOST:
        raise KeysError(
            f"{name} has {_AT_MOST} keys already; end the old one first: "
            f"python -m tools.keys retire {name}"
        )
    else:
        client["key_sha256"].append(digest)
    store.write(text_of(fields))


def _retire(name: str, store: Store) -> None:
    fields = fields_of(store.read())
    client = _find(fields, name)
    if client is None:
        known = ", ".join(one["name"] for one in fields["clients"])
        raise KeysError(f"there is no client {name}; there are {known}")
    *old, newest = client["key_sha256"]
    if not old:
        raise KeysError(f"{name} has one key only; make its next one first: tools.keys new {name}")
    client["key_sha256"] = [newest]
    store.write(text_of(fields))
    print(f"{name} has its newest key only. Within 5 minutes the old one opens nothing.")


def _begun(store: Store) -> dict[str, Any]:
    """The fields; a secret that waits for its first client may lack that, but nothing else."""
    text = store.read()
    try:
        fields = json.loads(text)
    except ValueError:
        fields = None
    if isinstance(fields, dict) and fields.get("clients") == []:
        return fields
    return fields_of(text)


def _find(fields: dict[str, Any], name: str) -> dict[str, Any] | None:
    return next((client for client in fields["clients"] if client["name"] == name), None)


if __name__ == "__main__":
    sys.exit(main())
