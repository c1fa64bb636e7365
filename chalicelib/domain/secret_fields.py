"""Reading the secret's JSON strictly: what clients and sources share.

Errors name the field and the mend, and never show a value.
"""

import re
from collections.abc import Mapping, Sequence

from chalicelib.domain.caps import DAY, MONTH, NO_LIMITS, Limits

MAX_AGE_LIMIT = 30 * 86_400
MAX_CAP = 1_000_000_000

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")


class SecretError(ValueError):
    """The secret cannot be used; the text names the field and the mend."""


def read_object(
    value: object, where: str, required: Sequence[str], optional: Sequence[str] = ()
) -> Mapping[str, object]:
    """A JSON object with these members and no others."""
    if not isinstance(value, dict):
        raise SecretError(f"{where}: must be a JSON object")
    allowed = (*required, *optional)
    prefix = "" if where == "secret" else f"{where}."
    for name in required:
        if name not in value:
            raise SecretError(f"{prefix}{name}: is missing")
    for name in value:
        if name not in allowed:
            raise SecretError(f"{where}: has an unknown field; allowed are {', '.join(allowed)}")
    return value


def read_texts(value: object, where: str) -> tuple[str, ...]:
    """A list of texts with at least one."""
    if not isinstance(value, list) or not value or not all(isinstance(v, str) for v in value):
        raise SecretError(f"{where}: must be a list of texts, not empty")
    return tuple(value)


def read_matching(value: object, where: str, pattern: re.Pattern[str], rule: str) -> str:
    """A text that the pattern describes; ``rule`` says the pattern in words."""
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise SecretError(f"{where}: must be {rule}")
    return value


def read_choice(value: object, where: str, choices: Sequence[str]) -> str:
    """One of the texts that are allowed."""
    if not isinstance(value, str) or value not in choices:
        raise SecretError(f"{where}: must be one of {', '.join(choices)}")
    return value


def read_name(value: object, where: str) -> str:
    """The permanent name of a client or source; ids and subjects depend on it."""
    return read_matching(value, where, _NAME, "1 to 32 of a-z, 0-9 and -")


def read_max_age(value: object, where: str) -> int | None:
    """For how many seconds an earlier outcome is accepted; None where nothing is said."""
    if value is not None and (type(value) is not int or not 0 <= value <= MAX_AGE_LIMIT):
        raise SecretError(f"{where}: must be a number from 0 to {MAX_AGE_LIMIT}")
    return value


def read_caps(fields: Mapping[str, object], where: str) -> Limits:
    """The member ``caps`` of an object: how many paid calls a day and a month."""
    if "caps" not in fields:
        return NO_LIMITS
    place = "caps" if where == "secret" else f"{where}.caps"
    given = read_object(fields["caps"], place, (), (DAY, MONTH))
    if not given:
        raise SecretError(f"{place}: must have {DAY}, {MONTH} or both; leave it out for no cap")
    return Limits(**{period: _cap(limit, f"{place}.{period}") for period, limit in given.items()})


def _cap(value: object, where: str) -> int:
    if type(value) is not int or not 1 <= value <= MAX_CAP:
        raise SecretError(f"{where}: must be a whole number from 1 to {MAX_CAP}")
    return value


def check_unique(values: Sequence[str], message: str) -> None:
    """Refuse a list in which something stands twice."""
    if len(set(values)) != len(values):
        raise SecretError(message)
