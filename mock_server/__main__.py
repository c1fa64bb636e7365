"""`python -m mock_server`: see `--help`."""

import logging
import shlex
import signal
import sys
from typing import TYPE_CHECKING

from mock_server import cli
from mock_server.app import create_app
from mock_server.cli import Command
from mock_server.people import PeopleFileError
from mock_server.samples import SAMPLE_NUMBER
from mock_server.serving import Server

if TYPE_CHECKING:
    from mock_server.tls import Certificate

_WELCOME = """\
mock upstream   {url}/idenAuthentication
its page        {url}/__admin/ui

curl -si{trust} {url}/idenAuthentication -H 'Authorization: APPCODE {appcode}' \\
  --data-urlencode 'idNo={number}' --data-urlencode 'name=张三'
"""


def main() -> int:
    """Serve until Ctrl-C or SIGTERM; give the exit code."""
    command = cli.parse()
    logging.basicConfig(format="%(asctime)s %(message)s", stream=sys.stderr)
    # Not of the server below, which has its own to tell of its start and end.
    logging.getLogger("mock_server").setLevel(logging.INFO)
    try:
        app = create_app(command.options)
        certificate = _certificate(command)
        server = Server(app, command.host, command.port, certificate).start()
    except (PeopleFileError, OSError) as exc:
        print(f"mock_server: {exc}", file=sys.stderr)
        return 2
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: server.request_stop())
    # AppCodes given on the command line are not repeated: the output may end in a log.
    appcode = "YOUR_APPCODE" if command.options.appcodes else "any"
    trust = f" --cacert {shlex.quote(str(certificate.ca_file))}" if certificate else ""
    welcome = _WELCOME.format(url=server.url, trust=trust, appcode=appcode, number=SAMPLE_NUMBER)
    print(welcome, flush=True)
    server.serve_forever()
    return 0


def _certificate(command: Command) -> "Certificate | None":
    if not command.tls:
        return None
    from mock_server import tls

    return tls.certificate([command.host], command.ca_file)


if __name__ == "__main__":
    sys.exit(main())
