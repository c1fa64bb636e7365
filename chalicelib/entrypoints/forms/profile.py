"""What a vendor is answered: to it, status and body are commands.

Nothing here is a 404 or 410, on which vendors switch a webhook off. A business rejection is 2xx,
since no retry would mend it; our own trouble is 503, since one might.
"""

import json
from typing import NamedTuple

_JSON = "application/json"


class Answer(NamedTuple):
    """Status, body and its type."""

    status: int
    body: str
    content_type: str


class Profile(NamedTuple):
    """A vendor's answers; ``literal`` is the whole body where the vendor insists on one."""

    accepted_status: int = 200
    literal: str | None = None
    content_type: str = _JSON

    def accepted(self, verification_id: str) -> Answer:
        """The entry is queued."""
        return self._answer(self.accepted_status, status="accepted", id=verification_id)

    def duplicate(self, verification_id: str) -> Answer:
        """The entry came before."""
        return self._answer(200, status="duplicate", id=verification_id)

    def rejected(self, reason: str) -> Answer:
        """The entry is kept, but cannot be verified as it stands."""
        return self._answer(200, status="rejected", reason=reason)

    def ignored(self, reason: str) -> Answer:
        """The request is nothing to verify."""
        return self._answer(200, status="ignored", reason=reason)

    def _answer(self, status_code: int, **body: str) -> Answer:
        text = json.dumps(body) if self.literal is None else self.literal
        return Answer(status_code, text, self.content_type)


CANONICAL = Profile(accepted_status=202)
"""Our own contract: for whoever can choose."""

ALWAYS_200 = Profile()
"""For vendors that are not known to take every 2xx as success."""
