"""The connection under a call, for the faults that happen to it.

A server puts its own Wire into the WSGI environ under ENVIRON_KEY; without one (a test client)
waits are plain sleeps, and a broken connection is a ConnectionResetError to the WSGI caller.
"""

import time
from typing import NoReturn, Protocol

ENVIRON_KEY = "mock_server.wire"


class Wire(Protocol):
    """What can be done to a connection."""

    def pause(self, seconds: float) -> bool:
        """Wait; False as soon as the caller has hung up."""

    def reset(self) -> NoReturn:
        """Break it with a TCP RST; raises ConnectionResetError."""

    def close(self) -> NoReturn:
        """Close it with nothing (more) sent; raises ConnectionResetError."""

    def close_after_answer(self) -> None:
        """Close it, instead of keeping it alive, once the body has been sent."""


class NoWire:
    """No connection at all."""

    def pause(self, seconds: float) -> bool:
        """Sleep."""
        time.sleep(seconds)
        return True

    def reset(self) -> NoReturn:
        """Raise."""
        raise ConnectionResetError("reset")

    def close(self) -> NoReturn:
        """Raise."""
        raise ConnectionResetError("closed")

    def close_after_answer(self) -> None:
        """Do nothing."""
