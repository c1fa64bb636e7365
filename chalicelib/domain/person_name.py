"""The name as it stands on a resident identity card: Han characters, and ``·`` between parts.

The separator of names in minority languages is U+00B7, and every field must hold 50 characters
(民委发〔2016〕33号). Only holders of a number that begins with 8 or 9 may have a Latin name.
``compact`` mends what input methods, old encodings and copying do to a name; it never turns a
traditional character into a simplified one, or one variant into another.

>>> validate("买买提•阿不都热合曼")
'买买提·阿不都热合曼'
>>> validate(" Zhang  San ", latin=True)
'ZHANG SAN'
>>> validate("张三（男）")
Traceback (most recent call last):
    ...
chalicelib.domain.errors.NameSpecialCharacterError: name: must be Han characters; a middle dot \
may stand between its parts, and nothing else.
>>> warnings("张")
('name_short',)
>>> mask("张三")
'张*'
"""

import re
import unicodedata
from collections.abc import Iterable

from chalicelib.domain.blanks import BLANKS, INVISIBLE, SPACES
from chalicelib.domain.errors import (
    NameEmptyError,
    NamePlaceholderError,
    NamePrivateUseError,
    NameSeparatorError,
    NameSpecialCharacterError,
    NameTooLongError,
)

_LONG = 25
_MAX = 50

# Ranges and not isalpha(), for which the newest blocks of older Pythons are nothing: the main
# block, extensions A to J, the zero, and 12 that stand among the compatibility ideographs.
_HAN = (
    r"\u4e00-\u9fff\u3400-\u4dbf\U00020000-\U0002a6df\U0002a700-\U0002ebef"
    r"\U0002ebf0-\U0002ee5f\U00030000-\U000323af\U000323b0-\U0003347f\u3007"
    r"\ufa0e\ufa0f\ufa11\ufa13\ufa14\ufa1f\ufa21\ufa23\ufa24\ufa27-\ufa29"
)
_is_han = re.compile(f"[{_HAN}]+(?:·[{_HAN}]+)*").fullmatch
_has_other = re.compile(f"[^{_HAN}·]").search
_is_latin = re.compile(r"[A-Z ,.'-]+").fullmatch
_has_letter = re.compile(r"[A-Za-z]").search
_has_placeholder = re.compile(r"[?？*＊□■〓\ufffd]").search
_has_private_use = re.compile(
    r"[\ue000-\uf8ff\U000f0000-\U000ffffd\U00100000-\U0010fffd]"
).search

# What is written where U+00B7 is meant.
_SEPARATORS = (
    "\u0387\u2022\u2027\u2219\u22c5\u30fb\uff65\u2024\u002e\uff0e\ufe52\u3002\uff61\u2e31\u2e33"
    "\ua78f\u16eb\u318d"
)
# What GBK's FE50 to FEA0, private use U+E815 to U+E864 in old files, has become in GB 18030.
_LEGACY_GBK = (
    "⺁𠂇𠂉𠃌⺄㑳㑇⺈⺋龴㖞㘚㘎⺌⺗㥮㤘龵㧏㧟㩳㧐龶龷㭎㱮㳠"
    "⺧𡗗龸⺪䁖䅟⺮䌷⺳⺶⺷𢦏䎱䎬⺻䏝䓖䙡䙌龹䜣䜩䝼䞍⻊䥇䥺"
    "䥽䦂䦃䦅䦆䦟䦛䦷䦶龺𤇾䲣䲟䲠䲡䱷䲢䴓䴔䴕䴖䴗䴘䴙䶮龻"
)
_VARIATION_SELECTORS = (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))
_COMPATIBILITY_IDEOGRAPHS = (*range(0xF900, 0xFB00), *range(0x2F800, 0x2FA1E))
# NFKC for these only: of a whole name it would make Han characters out of symbols such as ㈱.
_RADICALS = (*range(0x2F00, 0x2FD6), 0x2E9F, 0x2EF3)


def _normal(form: "_Form", points: Iterable[int]) -> dict[int, str]:
    return {point: unicodedata.normalize(form, chr(point)) for point in points}


_REMOVED: dict[int, str] = dict.fromkeys(_VARIATION_SELECTORS, "")
_HAN_TABLE = (
    _REMOVED
    | str.maketrans(dict.fromkeys(BLANKS, ""))
    | str.maketrans(dict.fromkeys(_SEPARATORS, "·"))
    | dict(enumerate(_LEGACY_GBK, start=0xE815))
    | _normal("NFC", _COMPATIBILITY_IDEOGRAPHS)
    | _normal("NFKC", _RADICALS)
)
_LATIN_TABLE = (
    _REMOVED | str.maketrans(dict.fromkeys(INVISIBLE, "")) | str.maketrans(dict.fromkeys(SPACES, " "))
)


def compact(name: str) -> str:
    """The name as registers write it; one with a Latin letter keeps its punctuation."""
    if not _has_letter(name):
        return name.translate(_HAN_TABLE)
    words = " ".join(filter(None, name.translate(_LATIN_TABLE).split(" ")))
    # Outside ASCII, upper() may change the letters themselves.
    return words.upper() if words.isascii() else words


def validate(name: str, *, latin: bool = False) -> str:
    """The normalised name; raises PersonNameError. ``latin`` allows a name all in Latin letters."""
    if len(name) <= _MAX and _is_han(name):
        return name
    name = compact(name)
    if not name:
        raise NameEmptyError("name: is empty.")
    if len(name) > _MAX:
        raise NameTooLongError("name: must be at most fifty characters long.")
    if _is_han(name) or (latin and _has_letter(name) and _is_latin(name)):
        return name
    raise _refusal(name)


def warnings(name: str) -> tuple[str, ...]:
    """What is unusual about a normalised name, none of which proves it wrong."""
    found: tuple[str, ...] = ()
    if len(name) == 1:
        found += ("name_short",)
    elif len(name) > _LONG:
        found += ("name_long",)
    if name.isascii():
        found += ("name_latin",)
    return found


def mask(name: str) -> str:
    """The first character and a star for each further one; a single character is a star."""
    return name[:1] + "*" * (len(name) - 1) if len(name) > 1 else "*" * len(name)


def _refusal(name: str) -> Exception:
    if _has_placeholder(name):
        return NamePlaceholderError(
            "name: holds a sign that stands for a character which could not be written; send the "
            "character itself, in UTF eight."
        )
    if _has_private_use(name):
        return NamePrivateUseError(
            "name: holds a private-use character, which nobody else can read; send the one that "
            "Unicode has for it."
        )
    if _has_other(name):
        return NameSpecialCharacterError(
            "name: must be Han characters; a middle dot may stand between its parts, and nothing "
            "else."
        )
    return NameSeparatorError("name: a middle dot must stand between two characters, and alone.")
