"""The name: labelled cases, every listed character, and properties."""

import json
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chalicelib.domain.errors import (
    NameEmptyError,
    NamePlaceholderError,
    NamePrivateUseError,
    NameSeparatorError,
    NameSpecialCharacterError,
    NameTooLongError,
    PersonNameError,
)
from chalicelib.domain.person_name import compact, mask, validate, warnings
from tests.strategies import person_names

CASES = [
    case
    for case in json.loads((Path(__file__).parents[1] / "data/identity_cases.json").read_bytes())
    if case["kind"] == "name"
]
REJECTED: dict[str, set[type[PersonNameError]]] = {
    "NAME_SPECIAL": {NameSpecialCharacterError, NameSeparatorError},
    "NAME_PLACEHOLDER": {NamePlaceholderError},
    "NAME_LONG": {NameTooLongError},
}
WARNED = {None: (), "NAME_SHORT": ("name_short",), "NAME_LONG": ("name_long",)}

SEPARATORS = (
    "\u0387\u2022\u2027\u2219\u22c5\u30fb\uff65\u2024\u002e\uff0e\ufe52\u3002\uff61\u2e31\u2e33"
    "\ua78f\u16eb\u318d"
)
SPACES = [*range(0x9, 0xE), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029]
SPACES += [0x202F, 0x205F, 0x3000]
INVISIBLE = [0x180E, *range(0x200B, 0x2010), *range(0x202A, 0x202F), 0x2060]
INVISIBLE += [*range(0x2066, 0x206A), 0xFEFF]
VARIATION_SELECTORS = [*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)]
REMOVED = {*SPACES, *INVISIBLE, *VARIATION_SELECTORS}
HAN = [
    (0x3007, 0x3007),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2EBEF),
    (0x2EBF0, 0x2EE5F),
    (0x30000, 0x323AF),
    (0x323B0, 0x3347F),
]
UNIFIED_AMONG_COMPATIBILITY = (
    "\ufa0e\ufa0f\ufa11\ufa13\ufa14\ufa1f\ufa21\ufa23\ufa24\ufa27\ufa28\ufa29"
)
COMPATIBILITY = {*range(0xF900, 0xFB00), *range(0x2F800, 0x2FA1E)}
RADICALS = [*range(0x2F00, 0x2FD6), 0x2E9F, 0x2EF3]
LEGACY_EXCEPTIONS = {
    0xE816: 0x20087,
    0xE817: 0x20089,
    0xE818: 0x200CC,
    0xE81E: 0x9FB4,
    0xE826: 0x9FB5,
    0xE82B: 0x9FB6,
    0xE82C: 0x9FB7,
    0xE831: 0x215D7,
    0xE832: 0x9FB8,
    0xE83B: 0x2298F,
    0xE843: 0x9FB9,
    0xE854: 0x9FBA,
    0xE855: 0x241FE,
    0xE864: 0x9FBB,
}
PLACEHOLDERS = "?？*＊□■〓\ufffd"


def is_han(point: int) -> bool:
    listed = any(first <= point <= last for first, last in HAN)
    return listed or chr(point) in UNIFIED_AMONG_COMPATIBILITY


def legacy_gbk() -> dict[int, str]:
    """The spec's rule for the private use of old files, from the codec."""
    trails = [*range(0x50, 0x7F), *range(0x80, 0xA1)]
    decoded = [bytes((0xFE, trail)).decode("gb18030") for trail in trails]
    mapping = dict(enumerate(decoded, start=0xE815))
    return mapping | {point: chr(target) for point, target in LEGACY_EXCEPTIONS.items()}


@pytest.mark.parametrize("case", CASES, ids=lambda case: ascii(case["input"]))
def test_the_labelled_cases(case: dict[str, Any]) -> None:
    name, expected = case["input"], case["expected"]
    latin = case["id_first"] in "89"
    if expected["decision"] == "reject":
        with pytest.raises(PersonNameError) as caught:
            validate(name, latin=latin)
        assert type(caught.value) in REJECTED[expected["code"]]
        return
    assert validate(name, latin=latin) == expected["normalised"]
    found = warnings(expected["normalised"])
    assert found == WARNED[expected["code"]]
    assert (expected["decision"] == "warn") is bool(found)


# --- which characters


@pytest.mark.parametrize(("first", "last"), HAN, ids=lambda point: f"{point:X}")
def test_han_from_the_first_of_a_range_to_its_last(first: int, last: int) -> None:
    for point in (first, (first + last) // 2, last):
        for name in (chr(point), f"张{chr(point)}", f"{chr(point)}·{chr(point)}"):
            assert validate(name) == name
    for point in (first - 1, last + 1):
        if not is_han(point):
            with pytest.raises(NameSpecialCharacterError):
                validate(f"张{chr(point)}")


def test_twelve_unified_ideographs_stand_among_the_compatibility_ones() -> None:
    name = UNIFIED_AMONG_COMPATIBILITY
    assert validate(name) == name


def expected_of(point: int) -> str | type[PersonNameError]:
    """What becomes of a character after 张 and before 三, by the specification's table."""
    character = chr(point)
    legacy = LEGACY.get(point)
    normal = (
        unicodedata.normalize("NFC", character)
        if point in COMPATIBILITY
        else unicodedata.normalize("NFKC", character)
        if point in RADICALS
        else legacy or character
    )
    if point in REMOVED:
        return "张三"
    if character == "·" or character in SEPARATORS:
        return "张·三"
    if is_han(ord(normal)):
        return f"张{normal}三"
    if character in PLACEHOLDERS:
        return NamePlaceholderError
    if unicodedata.category(normal) == "Co":
        return NamePrivateUseError
    return NameSpecialCharacterError


LEGACY = legacy_gbk()
# Everything outside the large blocks where one character is like the next, and a part of those.
BASIC_PLANE = (
    *range(0x3500),
    *range(0x3500, 0x9F00, 13),
    *range(0x9F00, 0xA100),
    *range(0xA100, 0xD700, 13),
    *range(0xD700, 0xD900),
    *range(0xD900, 0xE800, 13),
    *range(0xE800, 0xE880),
    *range(0xE880, 0xF880, 13),
    *range(0xF880, 0x10000),
)
OTHER_PLANES = (
    *range(0x10000, 0x34000, 97),
    *range(0x2F7F0, 0x2FA30),
    *range(0xE00F0, 0xE0200),
    *(0xEFFFF, 0xF0000, 0xFFFFD, 0xFFFFE, 0x100000, 0x10FFFD, 0x10FFFF),
)


@pytest.mark.parametrize("points", [BASIC_PLANE, OTHER_PLANES], ids=len)
def test_every_character_does_what_the_table_says(points: Iterable[int]) -> None:
    for point in points:
        found = outcome(f"张{chr(point)}三")
        found_kind = found if isinstance(found, str) else type(found)
        assert found_kind == expected_of(point), hex(point)


def test_the_legacy_gbk_characters_are_80_and_most_are_han() -> None:
    assert list(LEGACY) == list(range(0xE815, 0xE865))
    assert LEGACY[0xE863] == "䶮"
    for point, character in LEGACY.items():
        assert compact(chr(point)) == character
    assert validate("王\ue863") == "王䶮"
    for point in (0xE814, 0xE865, 0xE000, 0xF8FF):
        with pytest.raises(NamePrivateUseError):
            validate(f"王{chr(point)}")


def test_radicals_are_the_characters_that_they_look_like() -> None:
    assert validate("\u2f00\u2e9f\u2ef3") == "一母龟"
    assert compact("".join(map(chr, RADICALS[:3]))) == "一丨丶"


def test_a_whole_name_is_never_folded() -> None:
    for symbol in "㈱㊀㋿㌀㏿":
        with pytest.raises(NameSpecialCharacterError):
            validate(f"张{symbol}")
    assert validate("張國榮") == "張國榮"


# --- separators and blanks


@pytest.mark.parametrize("separator", ["·", *SEPARATORS], ids=ascii)
def test_separators(separator: str) -> None:
    assert validate(f"买买提{separator}阿不都") == "买买提·阿不都"
    assert validate(f"买{separator}买{separator}提") == "买·买·提"
    wrong = (f"{separator}买", f"买{separator}", f"买{separator}{separator}提", separator)
    for name in (*wrong, f"买{separator}\u3000·提"):
        with pytest.raises(NameSeparatorError):
            validate(name)


@pytest.mark.parametrize("point", [*SPACES, *INVISIBLE], ids=hex)
def test_blanks_are_no_part_of_a_name(point: int) -> None:
    blank = chr(point)
    assert validate(f"{blank}张{blank}{blank}三{blank}") == "张三"
    with pytest.raises(NameEmptyError):
        validate(blank)
    between = " " if point in SPACES else ""
    assert validate(f"{blank}Li{blank}{blank}Na{blank}", latin=True) == f"LI{between}NA"


def test_variation_selectors_are_no_part_of_a_name() -> None:
    for selector in map(chr, VARIATION_SELECTORS):
        assert validate(f"葛{selector}三") == "葛三"


@pytest.mark.parametrize("placeholder", PLACEHOLDERS, ids=ascii)
def test_a_sign_for_what_could_not_be_written(placeholder: str) -> None:
    for name in (placeholder, f"张{placeholder}", f"张{placeholder}A1\ue000·"):
        with pytest.raises(NamePlaceholderError):
            validate(name)


# --- Latin


@pytest.mark.parametrize(
    ("name", "normalised"),
    [
        ("zhang san", "ZHANG SAN"),
        (" Smith,\u00a0 John\tF. ", "SMITH, JOHN F."),
        ("O'Neil-Smith", "O'NEIL-SMITH"),
        ("X", "X"),
    ],
)
def test_latin_names_with_a_number_that_allows_them(name: str, normalised: str) -> None:
    assert validate(name, latin=True) == normalised
    assert "name_latin" in warnings(normalised)
    with pytest.raises(NameSpecialCharacterError):
        validate(name)


@pytest.mark.parametrize(
    "name", ["张San", "Zhang·San", "José", "Straße", "ﬁn", "\u212aim", "Ｌｉ", "R2", ",", "-", "'"]
)
def test_what_is_no_latin_name_either(name: str) -> None:
    with pytest.raises(NameSpecialCharacterError):
        validate(name, latin=True)


def test_a_number_that_allows_latin_allows_han_as_before() -> None:
    assert validate("陈 大文", latin=True) == "陈大文"
    assert warnings("陈大文") == ()


# --- length


@pytest.mark.parametrize(
    ("length", "found"),
    [(1, ("name_short",)), (2, ()), (25, ()), (26, ("name_long",)), (50, ("name_long",))],
)
def test_lengths(length: int, found: tuple[str, ...]) -> None:
    name = "𰀀" * length
    assert validate(name) == name
    assert warnings(name) == found
    latin = "A" * length
    assert validate(latin, latin=True) == latin
    assert warnings(latin) == (*found, "name_latin")


def test_too_short_and_too_long() -> None:
    with pytest.raises(NameEmptyError):
        validate("")
    assert validate("阿" * 50 + " " * 50) == "阿" * 50
    for name in ("阿" * 51, "阿·" * 25 + "阿", "?" * 51, "A" * 51, "阿" * 100_000):
        with pytest.raises(NameTooLongError):
            validate(name, latin=True)


@pytest.mark.parametrize(
    ("name", "masked"),
    [
        ("", ""),
        ("张", "*"),
        ("张三", "张*"),
        ("买买提·阿", "买****"),
        ("𰀀三", "𰀀*"),
        ("LI NA", "L****"),
    ],
)
def test_masks(name: str, masked: str) -> None:
    assert mask(name) == masked


# --- properties

INTERESTING = st.sampled_from(
    "".join(map(chr, (*SPACES, *INVISIBLE)))
    + "\ufe00\U000e0100\ue815\ue863\ue000\uf900\u2f00\ud800\udfff\U0010ffff"
    "张三〇䶮𰀀AazZ ,.'-·•・?□1éＡ㈱（😀"
)
ANYTHING = st.one_of(
    st.text(st.characters(), max_size=60), st.text(INTERESTING, max_size=60), person_names()
)


@given(person_names(), st.booleans())
def test_valid_names_stay_as_they_are(name: str, latin: bool) -> None:
    assert validate(name, latin=latin) == name
    assert compact(name) == name


@given(ANYTHING)
def test_normalising_twice_is_normalising_once(name: str) -> None:
    assert compact(compact(name)) == compact(name)


def outcome(name: str, *, latin: bool = False) -> str | PersonNameError:
    try:
        return validate(name, latin=latin)
    except PersonNameError as exc:
        return exc


@given(ANYTHING, st.booleans())
@example("\ud800", False)
@example("张\udfff", True)
def test_nothing_but_documented_errors_and_no_word_of_what_was_sent(name: str, latin: bool) -> None:
    found = outcome(name, latin=latin)
    if isinstance(found, PersonNameError):
        assert str(found) == TEXTS[type(found)]
        assert found.args == (found.detail,)
        assert found.__context__ is None
    else:
        assert 1 <= len(found) <= 50
        assert validate(found, latin=latin) == found
        assert set(warnings(found)) <= {"name_short", "name_long", "name_latin"}
        assert found.encode()


@given(ANYTHING)
def test_a_mask_shows_one_character_of_several(name: str) -> None:
    masked = mask(name)
    assert len(masked) == len(name)
    assert set(masked[1:]) <= {"*"}
    assert masked[:1] == (name[0] if len(name) > 1 else "*" * len(name))


TEXTS = {type(e): str(e) for e in map(outcome, ("", "阿" * 51, "?", "\ue000", "·", "1"))}


def test_every_error_has_one_text_without_a_digit() -> None:
    every = {NameEmptyError, NameTooLongError, NamePlaceholderError, NamePrivateUseError}
    assert set(TEXTS) == every | {NameSeparatorError, NameSpecialCharacterError}
    for text in TEXTS.values():
        assert text.isascii()
        assert text.startswith("name: ")
        assert not any(map(str.isdigit, text))
