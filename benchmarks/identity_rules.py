"""The rules of numbers and names beside python-stdnum and idnumbers, in one run.

``python -m benchmarks.identity_rules``. Every contender gets the same numbers, all of which
python-stdnum accepts, in turn within a round; the best round of each counts. python-stdnum also
looks the county up in its birth year, idnumbers knows no provinces, and neither says what is
doubtful.
"""

import os
import platform
import random
import time
from collections.abc import Callable, Sequence
from datetime import date, timedelta

from idnumbers.nationalid.CHN import ResidentID
from stdnum.cn import ric

from chalicelib.domain import person_name, regions, resident_id

ROUNDS = 30
COUNT = 500
TODAY = date(2026, 1, 1)


def stdnum_accepts(number: str) -> bool:
    """Whether python-stdnum takes it; with a code of a city it fails with a KeyError."""
    try:
        return bool(ric.is_valid(number))
    except KeyError:
        return False


def resident_numbers() -> list[str]:
    """Numbers that python-stdnum accepts, of people born 1950 to 2009."""
    draw = random.Random(11643)  # noqa: S311 - repeatable, and no secret
    words = (word.split(":") for word in regions.TABLE.split())
    codes = [first_five + sixth for first_five, digits in words for sixth in digits]
    numbers: list[str] = []
    while len(numbers) < COUNT:
        born = date(1950, 1, 1) + timedelta(days=draw.randrange(21_900))
        first17 = f"{draw.choice(codes)}{born:%Y%m%d}{draw.randrange(1000):03}"
        number = first17 + resident_id.check_character(first17)
        if stdnum_accepts(number):
            numbers.append(number)
    return numbers


def names() -> list[str]:
    """Two or three characters each, as nearly everybody's."""
    draw = random.Random(33)  # noqa: S311 - repeatable, and no secret
    common = [chr(point) for point in range(0x4E00, 0x9FA6)]
    return ["".join(draw.choices(common, k=draw.choice((2, 3, 3)))) for _ in range(COUNT)]


def contenders() -> list[tuple[str, Callable[[str], object], Sequence[str]]]:
    """What is timed, on what."""
    numbers, plain = resident_numbers(), names()
    sent = [f" {number[:6]} {number[6:14]} {number[14:]}\u200b" for number in numbers]
    mended = [f"{name}•{name}" for name in plain]

    def validate(number: str) -> str:
        return resident_id.validate(number, today=TODAY)

    def check_number(number: str) -> tuple[str, ...]:
        number = resident_id.validate(number, today=TODAY)
        return resident_id.warnings(number, today=TODAY)

    def check_name(name: str) -> tuple[str, ...]:
        return person_name.warnings(person_name.validate(name))

    return [
        ("number: python-stdnum cn.ric.validate", ric.validate, numbers),
        ("number: idnumbers ResidentID.validate", ResidentID.validate, numbers),
        ("number: validate", validate, numbers),
        ("number: validate and warnings", check_number, numbers),
        ("number: validate, sent with blanks", validate, sent),
        ("name: validate", person_name.validate, plain),
        ("name: validate and warnings", check_name, plain),
        ("name: validate, separator to mend", person_name.validate, mended),
    ]


def nanoseconds(call: Callable[[str], object], values: Sequence[str]) -> float:
    """The time of one call, over all values."""
    start = time.perf_counter_ns()
    for value in values:
        call(value)
    return (time.perf_counter_ns() - start) / len(values)


def main() -> None:
    """Print the table."""
    timed = contenders()
    best = [float("inf")] * len(timed)
    for _ in range(ROUNDS):
        for i, (_, call, values) in enumerate(timed):
            best[i] = min(best[i], nanoseconds(call, values))
    python = f"Python {platform.python_version()}, {os.cpu_count()} CPUs"
    print(f"{f'identity rules ({python}, best of {ROUNDS})':<56}{'ns':>8}{'python-stdnum':>15}")
    for (label, *_), taken in zip(timed, best, strict=True):
        ratio = f"{best[0] / taken:.1f} x" if label.startswith("number") else ""
        print(f"{label:<56}{taken:>8.0f}{ratio:>15}")


if __name__ == "__main__":
    main()
