"""The caller's own reference, kept in plain text and therefore refused when it holds a person.

>>> validate("order-9")
'order-9'
>>> validate("id-11010519491231002X")
Traceback (most recent call last):
    ...
chalicelib.domain.errors.MalformedRequestError: reference: must not contain an identity number.
"""

import re
from datetime import date

from chalicelib.domain import resident_id
from chalicelib.domain.blanks import BLANKS
from chalicelib.domain.errors import MalformedRequestError, ResidentIdError

_FORMAT = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_SEPARATORS = str.maketrans("", "", "._:-" + BLANKS)
# Any date that a number can hold is one that could identify somebody.
_ANY_DAY = date.max


def validate(reference: str) -> str:
    """The reference itself; raises MalformedRequestError."""
    if not _FORMAT.fullmatch(reference):
        raise MalformedRequestError("reference: must be 1 to 64 of A-Z a-z 0-9 . _ : -")
    if holds_spaced_number(reference):
        raise MalformedRequestError("reference: must not contain an identity number.")
    return reference


def holds_spaced_number(text: str) -> bool:
    """Whether a valid identity number is part of it, also one with signs or blanks inside.

    >>> holds_spaced_number("order of 110105 19491231 002X")
    True
    """
    return holds_number(text) or holds_number(text.translate(_SEPARATORS))


def holds_number(text: str) -> bool:
    """Whether a valid identity number is part of it."""
    return any(_is_number(text[start : start + 18]) for start in range(len(text) - 17))


def _is_number(text: str) -> bool:
    try:
        resident_id.validate(text, today=_ANY_DAY)
    except ResidentIdError:
        return False
    return True
