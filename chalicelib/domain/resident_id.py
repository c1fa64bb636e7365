"""The resident identity number, 公民身份号码: GB 11643-1999, second generation, 18 characters.

    340421 19071014 541 8
    region birth    seq check

- region: GB/T 2260, as it was at the first registration. 81 82 83 are the residence permits of
  Hong Kong, Macau and Taiwan (since 2018). ``9`` stands for the permanent residence card of a
  foreigner (since 2023) and is followed by a province (2 digits) and a country (3 digits).
- birth: YYYYMMDD.
- sequence: its last digit is odd for a man.
- check: ISO 7064 MOD 11-2, where X is ten.

Only what is certainly no number is refused; the rest of the doubts are ``warnings``.

>>> validate("11010519491231002x", today=date(2026, 1, 1))
'11010519491231002X'
>>> validate("340421190710145412", today=date(2026, 1, 1))
Traceback (most recent call last):
    ...
chalicelib.domain.errors.ResidentIdCheckCharacterError: id_number: the last character does not \
agree with the digits before it; one of them is mistyped.
>>> validate("340421190710145412", today=date(2026, 1, 1), check_character=False)
'340421190710145412'
>>> warnings("340421190710145412", today=date(2026, 1, 1))
('check_character',)
>>> mask("340421190710145412")
'340***********5412'
"""

import re
from datetime import date
from functools import lru_cache

from chalicelib.domain import regions
from chalicelib.domain.blanks import BLANKS
from chalicelib.domain.errors import (
    ResidentIdCharacterError,
    ResidentIdCheckCharacterError,
    ResidentIdDateError,
    ResidentIdEmptyError,
    ResidentIdError,
    ResidentIdFirstGenerationError,
    ResidentIdLengthError,
    ResidentIdNotTextError,
    ResidentIdRegionError,
)

_LENGTH = 18
_FIRST_GENERATION = 15
_NORMAL = str.maketrans("０１２３４５６７８９", "0123456789", BLANKS)
_LIKE_X = frozenset("x\uff38\uff58\u0425\u0445\u03a7\u03c7\u00d7\u2169\u2179")
_SHAPE = re.compile(r"[0-9]{17}[0-9X]")
_SCIENTIFIC = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]*)?[Ee][+-]?[0-9]+")

# Three digits, because a permanent residence card has its province after the 9.
_PREFIXES = frozenset(
    {f"{province}{digit}" for province in regions.PROVINCES for digit in "0123456789"}
    | {f"9{province}" for province in regions.PROVINCES}
)
_FIRST_BIRTH = "18500101"
_TEST_DECADE = "185"
_OLD = 120

# Shape, province and date at once, in the time that one of them takes. ``_parsed`` has the rules,
# and takes what is rare: a permanent residence card, a birth on 29 February.
_USUAL = re.compile(
    r"(?:1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3])[0-9]{4}"
    r"(?:18[5-9]|19[0-9]|2[0-9]{2})[0-9]"
    r"(?:(?:0[1-9]|1[0-2])(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])(?:29|30)|(?:0[13578]|1[02])31)"
    r"[0-9]{3}[0-9X]"
).fullmatch

# The check character c makes 2s + c = 1 modulo 11, where s is the sum of digits times powers of 2.
# Powers of 13 are the same modulo 11, and int() sums those in one step.
_CHECK_CHARACTERS = "1X864209753"  # by s modulo 11


def compact(number: str) -> str:
    """The number without blanks, in ASCII digits, and with ``X`` for what looks like it."""
    number = number.translate(_NORMAL)
    if len(number) == _LENGTH and number[-1] in _LIKE_X:
        return number[:-1] + "X"
    return number


def validate(number: str, *, today: date, check_character: bool = True) -> str:
    """The normalised number; ``today`` is the date in UTC+8, raises ResidentIdError.

    ``check_character=False`` leaves out that rule alone; ``warnings`` then says so.
    """
    if not (isinstance(number, str) and _USUAL(number) and number[6:14] <= _text(today)):
        number = _parsed(number, today)
    if check_character and _CHECK_CHARACTERS[int(number[:17], 13) % 11] != number[17]:
        raise ResidentIdCheckCharacterError(
            "id_number: the last character does not agree with the digits before it; one of them "
            "is mistyped."
        )
    return number


def warnings(number: str, *, today: date) -> tuple[str, ...]:
    """What is unusual about a normalised number, none of which proves it wrong."""
    found: tuple[str, ...] = ()
    if number[0] == "9":
        found += ("foreign_permanent_resident",)
    elif not regions.is_known(number):
        found += ("region_unknown",)
    if number[6:14] <= _latest_birth_of_the_old(today):
        found += ("age_over_120",)
    if _CHECK_CHARACTERS[int(number[:17], 13) % 11] != number[17]:
        found += ("check_character",)
    return found


def birth_date(number: str) -> date:
    """The date of birth in a normalised number."""
    return date(int(number[6:10]), int(number[10:12]), int(number[12:14]))


def allows_latin_name(number: str) -> bool:
    """Whether the holder of a normalised number may be registered under a Latin name."""
    return number[0] in "89"


def is_test_identity(number: str) -> bool:
    """Whether a normalised number is of someone born 1850 to 1859, hence of nobody alive."""
    return number[6:9] == _TEST_DECADE


def mask(number: str) -> str:
    """The first 3 and the last 4 of 18 characters, stars for anything else; never raises."""
    if not isinstance(number, str):
        return ""
    if len(number) != _LENGTH:
        return "*" * len(number)
    return f"{number[:3]}***********{number[-4:]}"


def check_character(first17: str) -> str:
    """The check character to 17 ASCII digits.

    >>> check_character("11010519491231002")
    'X'
    """
    return _CHECK_CHARACTERS[int(first17, 13) % 11]


def _parsed(number: str, today: date) -> str:
    """Every rule but the check character's, cheapest first, each with its own error."""
    if not isinstance(number, str):
        raise ResidentIdNotTextError("id_number: must be a text; as a number it loses digits.")
    number = compact(number)
    if not _SHAPE.fullmatch(number):
        raise _misshapen(number)
    if number[:3] not in _PREFIXES:
        raise ResidentIdRegionError("id_number: its first digits were never given to a province.")
    if not (_FIRST_BIRTH <= number[6:14] <= _text(today) and _is_a_day(number)):
        raise ResidentIdDateError("id_number: nobody can have been born on its date of birth.")
    return number


def _misshapen(number: str) -> ResidentIdError:
    if not number:
        return ResidentIdEmptyError("id_number: is empty.")
    if _SCIENTIFIC.fullmatch(number):
        return ResidentIdNotTextError(
            "id_number: is in scientific notation and has lost digits; send it as text."
        )
    if len(number) == _FIRST_GENERATION and number.isascii() and number.isdigit():
        return ResidentIdFirstGenerationError(
            "id_number: is of the first generation, which is no longer valid; send the one on the "
            "present card."
        )
    if len(number) != _LENGTH:
        return ResidentIdLengthError("id_number: must be eighteen characters long.")
    return ResidentIdCharacterError(
        "id_number: must be digits; only the last character may be X instead."
    )


def _is_a_day(number: str) -> bool:
    try:
        birth_date(number)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=4)
def _text(today: date) -> str:
    return today.isoformat().replace("-", "")


@lru_cache(maxsize=4)
def _latest_birth_of_the_old(today: date) -> str:
    return f"{today.year - _OLD - 1:04}{_text(today)[4:]}"
