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

from bisect import bisect_right
from collections.abc import Iterable
from string import ascii_letters, ascii_uppercase
from unicodedata import category, normalize

from chalicelib.domain.blanks import BLANKS, INVISIBLE, SPACES
from chalicelib.domain.errors import (
    NameEmptyError,
    NamePlaceholderError,
    NamePrivateUseError,
    NameSeparatorError,
    NameSpecialCharacterError,
    NameTooLongError,
    PersonNameError,
)

_LONG = 25
_MAX = 50

# First and last of each range. Not isalpha(), which in older Pythons does not know the newest
# blocks; no regular expression, which would take some milliseconds of a cold start to compile.
_USUAL = "\u4e00\u9fff"
_HAN = (
    "\u3007\u3007"  # zero
    "\u3400\u4dbf"  # extension A
    "\u4e00\u9fff"
    # 12 that are no compatibility ideographs although they stand among them
    "\ufa0e\ufa0f\ufa11\ufa11\ufa13\ufa14\ufa1f\ufa1f\ufa21\ufa21\ufa23\ufa24\ufa27\ufa29"
    "\U00020000\U0002a6df"  # B
    "\U0002a700\U0002ebef"  # C to F
    "\U0002ebf0\U0002ee5f"  # I
    "\U00030000\U000323af"  # G, H
    "\U000323b0\U0003347f"  # J
)
_LETTERS = frozenset(ascii_letters)
_LATIN = frozenset(ascii_uppercase + " ,.'-")
_PLACEHOLDERS = frozenset("?？*＊□■〓\ufffd")
_PRIVATE_USE = "Co"

# What is written where U+00B7 is meant.
_SEPARATORS = (
    "\u0387\u2022\u2027\u2219\u22c5\u30fb\uff65\u2024\u002e\uff0e\ufe52\u3002\uff61\u2e31\u2e33"
    "\ua78f\u16eb\u318d"
)
# What GBK's FE50 to FEA0, U+E815 to U+E864 in old files, are now: GB 18030, with 14 corrections.
_LEGACY_GBK = (
    "⺁𠂇𠂉𠃌⺄㑳㑇⺈⺋龴㖞㘚㘎⺌⺗㥮㤘龵㧏㧟㩳㧐龶龷㭎㱮㳠"
    "⺧𡗗龸⺪䁖䅟⺮䌷⺳⺶⺷𢦏䎱䎬⺻䏝䓖䙡䙌龹䜣䜩䝼䞍⻊䥇䥺"
    "䥽䦂䦃䦅䦆䦟䦛䦷䦶龺𤇾䲣䲟䲠䲡䱷䲢䴓䴔䴕䴖䴗䴘䴙䶮龻"
)
_VARIATION_SELECTORS = (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))
_COMPATIBILITY_IDEOGRAPHS = (*range(0xF900, 0xFB00), *range(0x2F800, 0x2FA1E))
_RADICALS = (*range(0x2F00, 0x2FD6), 0x2E9F, 0x2EF3)


def _text(points: Iterable[int]) -> str:
    return "".join(map(chr, points))


_HAN_TABLE: dict[int, str] = {
    **dict.fromkeys(map(ord, BLANKS), ""),
    **dict.fromkeys(_VARIATION_SELECTORS, ""),
    **dict.fromkeys(map(ord, _SEPARATORS), "·"),
    **dict(enumerate(_LEGACY_GBK, start=0xE815)),
    **dict(
        zip(
            _COMPATIBILITY_IDEOGRAPHS,
            normalize("NFC", _text(_COMPATIBILITY_IDEOGRAPHS)),
            strict=True,
        )
    ),
    # NFKC for these only: of a whole name it would make Han characters out of symbols such as ㈱.
    **dict(zip(_RADICALS, normalize("NFKC", _text(_RADICALS)), strict=True)),
}
_LATIN_TABLE: dict[int, str] = {
    **dict.fromkeys(map(ord, INVISIBLE), ""),
    **dict.fromkeys(_VARIATION_SELECTORS, ""),
    **dict.fromkeys(map(ord, SPACES), " "),
}


def compact(name: str) -> str:
    """The name as registers write it; one with a Latin letter keeps its punctuation."""
    if _LETTERS.isdisjoint(name):
        return name.translate(_HAN_TABLE)
    words = " ".join(filter(None, name.translate(_LATIN_TABLE).split(" ")))
    # Outside ASCII, upper() may change the letters themselves.
    return words.upper() if words.isascii() else words


def validate(name: str, *, latin: bool = False) -> str:
    """The normalised name; raises PersonNameError. ``latin`` allows a name all in Latin letters."""
    if 0 < len(name) <= _MAX and _is_han(name):
        return name
    name = compact(name)
    if not name:
        raise NameEmptyError("name: is empty.")
    if len(name) > _MAX:
        raise NameTooLongError("name: must be at most fifty characters long.")
    if _is_han(name) or (latin and _is_latin(name)):
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
    shown = name[:1] if len(name) > 1 else ""
    return shown + "*" * (len(name) - len(shown))


def _is_han(name: str) -> bool:
    if "·" not in name:
        return _are_han(name)
    parts = name.split("·")
    return "" not in parts and _are_han("".join(parts))


def _are_han(characters: str) -> bool:
    usual = _USUAL[0] <= min(characters) and max(characters) <= _USUAL[1]
    return usual or all(map(_is_han_character, characters))


def _is_han_character(character: str) -> bool:
    # Within a range an odd number of its ends are passed; at its last one, both are.
    return bisect_right(_HAN, character) % 2 == 1 or character in _HAN


def _is_latin(name: str) -> bool:
    return _LATIN.issuperset(name) and not _LETTERS.isdisjoint(name)


def _refusal(name: str) -> PersonNameError:
    if not _PLACEHOLDERS.isdisjoint(name):
        return NamePlaceholderError(
            "name: holds a sign for a character that could not be written; send the character."
        )
    if _PRIVATE_USE in map(category, name):
        return NamePrivateUseError(
            "name: holds a private-use character, which means nothing to others; send the one of "
            "Unicode."
        )
    if all(map(_is_han_character, name.replace("·", ""))):
        return NameSeparatorError("name: a middle dot must stand alone, between two characters.")
    return NameSpecialCharacterError(
        "name: must be Han characters; a middle dot may stand between its parts, and nothing else."
    )
