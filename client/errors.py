"""What ends a command early."""

from collections.abc import Mapping
from typing import Any

from client.exits import Exit


class ClientError(Exception):
    """Said to the user as it stands: no key, no person, no signed URL may be in its texts."""

    def __init__(
        self,
        exit_code: Exit,
        code: str,
        english: str,
        chinese: str,
        problem: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(english)
        self.exit_code = exit_code
        self.code = code
        self.english = english
        self.chinese = chinese
        self.problem = dict(problem or {})


def usage_error(english: str, chinese: str) -> ClientError:
    """The command line, a setting or a local file is wrong."""
    return ClientError(Exit.USAGE, "usage", english, chinese)
