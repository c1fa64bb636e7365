"""A certificate made at start, for callers who cannot be pointed at plain http."""

import ssl
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import trustme

from mock_server.call import API_HOST

NAMES = ("localhost", "127.0.0.1", "::1", API_HOST)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate of this run.

    Attributes:
        ca_file: PEM of the authority that callers are to trust; its key is kept nowhere.
    """

    ca_file: Path
    _leaf: trustme.LeafCert

    def context(self) -> ssl.SSLContext:
        """Build the server's side."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._leaf.configure_cert(context)
        return context


def certificate(hosts: Iterable[str], ca_file: Path | None = None) -> Certificate:
    """Make one for NAMES and `hosts`; without a `ca_file` the authority goes to a temporary one.

    Raises:
        OSError: `ca_file` cannot be written.
    """
    authority = trustme.CA(organization_name="mock upstream", organization_unit_name="tests")
    leaf = authority.issue_cert(*dict.fromkeys((*NAMES, *hosts)))
    if ca_file is None:
        ca_file = Path(tempfile.mkdtemp(prefix="mock-upstream-")) / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    return Certificate(ca_file, leaf)
