"""`python -m mock_server`: see `--help`."""

import logging
import signal
import sys

from mock_server import cli
from mock_server.app import create_app
from mock_server.people import PeopleFileError
from mock_server.samples import SAMPLE_NUMBER
from mock_server.serving import Server

_WELCOME = """\
mock upstream   {url}/idenAuthentication
its controls    {url}/__admin/health

curl -si {url}/idenAuthentication -H 'Authorization: APPCODE {appcode}' \\
  --data-urlencode 'idNo={number}' --data-urlencode 'name=张三'
"""


def main() -> int:
    """Serve until Ctrl-C or SIGTERM; give the exit code."""
    command = cli.parse()
    logging.basicConfig(format="%(asctime)s %(message)s", stream=sys.stderr, level=logging.INFO)
    try:
        server = Server(create_app(command.options), command.host, command.port)
        server.start()
    except (PeopleFileError, OSError) as exc:
        print(f"mock_server: {exc}", file=sys.stderr)
        return 2
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: server.request_stop())
    # AppCodes given on the command line are not repeated: the output may end in a log.
    appcode = "YOUR_APPCODE" if command.options.appcodes else "any"
    print(_WELCOME.format(url=server.url, appcode=appcode, number=SAMPLE_NUMBER), flush=True)
    server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
