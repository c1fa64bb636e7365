"""The anatomy of an 18-digit ID number (GB 11643-1999), as far as the vendor looks at it.

RRRRRR YYYYMMDD SSS C    region, birthday, sequence (odd is male), check character
"""

import re
from datetime import date
from functools import lru_cache
from operator import mul

_SHAPE = re.compile(r"[0-9]{17}[0-9X]")
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_WEIGHTED_ZEROS = ord("0") * sum(_WEIGHTS)
_CHECK_CHARACTERS = "10X98765432"


def check_character(first_17: str) -> str:
    """Give the check character (ISO 7064 MOD 11-2) of seventeen ASCII digits.

    >>> check_character("11010519491231002")
    'X'
    """
    # Over the bytes: a million people are checked at a start.
    weighted = sum(map(mul, _WEIGHTS, first_17.encode("ascii"))) - _WEIGHTED_ZEROS
    return _CHECK_CHARACTERS[weighted % len(_CHECK_CHARACTERS)]


def birthday(number: str) -> date | None:
    """Give the birthday inside a well-shaped number, or None for an impossible date."""
    return _day(number[6:14])


@lru_cache(maxsize=65_536)  # all days of a century and a half: a people file holds few others
def _day(text: str) -> date | None:
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return None


def is_well_formed(number: str, today: date) -> bool:
    """Tell whether shape, date (real and not after `today`) and check character hold.

    >>> is_well_formed("11010519491231002X", date(2026, 11, 23))
    True
    >>> is_well_formed("11010519491231002x", date(2026, 11, 23))
    False
    """
    if not _SHAPE.fullmatch(number):
        return False
    born = birthday(number)
    return born is not None and born <= today and check_character(number[:17]) == number[17]


def sex(number: str) -> str:
    """Give `M` or `F`: the seventeenth digit is odd for a man."""
    return "M" if int(number[16]) % 2 else "F"


def age(born: date, today: date) -> int:
    """Give the age in completed years.

    >>> age(date(2000, 2, 29), date(2026, 2, 28)), age(date(2000, 2, 29), date(2026, 3, 1))
    (25, 26)
    """
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))
