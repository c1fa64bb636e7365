"""The secret in memory; passes the same contract suite as the Secrets Manager adapter."""

from chalicelib.domain.secret import Secret
from chalicelib.services.ports import UnavailableError


class FakeSecrets:
    """``now`` is the secret; ``next`` takes its place at the next refresh, as after a rotation.

    ``refreshed`` counts refreshes that were asked for; while ``down`` is true every call raises
    UnavailableError, as an adapter does that has nothing cached.
    """

    def __init__(self, secret: Secret) -> None:
        self.now = secret
        self.next: Secret | None = None
        self.refreshed = 0
        self.down = False

    def current(self) -> Secret:
        self._reach()
        return self.now

    def refresh(self) -> Secret:
        self.refreshed += 1
        self._reach()
        if self.next is not None:
            self.now, self.next = self.next, None
        return self.now

    def _reach(self) -> None:
        if self.down:
            raise UnavailableError("secret: down")
