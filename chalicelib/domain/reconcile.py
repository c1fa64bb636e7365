"""The seller's console against our own count: the difference, and what would explain it.

The console shows two numbers, used and total, over the packages that are valid at that moment.
Which answers the seller charges is not documented, so for every code in doubt both readings are
tried, and every attempt that ended without a usable answer may be one more. What fits is an
explanation, not a proof: nothing is changed by it.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from itertools import product
from typing import NamedTuple

from chalicelib.domain import codes
from chalicelib.domain.codes import Billed, Outcome
from chalicelib.domain.packages import Balance, Package, allocate, balance
from chalicelib.domain.price_list import PRICE_LIST, Offer
from chalicelib.domain.usage import DayUsage
from chalicelib.domain.verification import CHINA

MAX_CODES = 10
"""So many codes are in doubt at most, those with the most calls: each doubles the work."""

MAX_EXPLANATIONS = 5


class Reading(NamedTuple):
    """What the console showed at ``at``; ``fresh`` if no call can have been made since."""

    used: int
    total: int
    at: datetime
    fresh: bool = False

    @property
    def day(self) -> date:
        """Its day in UTC+8."""
        return self.at.astimezone(CHINA).date()


class Explanation(NamedTuple):
    """One way to come to the console's number.

    ``billed`` says of each code in doubt whether it is charged, ``changed`` names those for
    which our table says the opposite. ``unknowns`` of the attempts without a usable answer were
    charged then, and ``later`` charged calls of the reading's day were made after it.
    """

    billed: Mapping[str, bool]
    changed: tuple[str, ...]
    unknowns: int
    later: int


class Comparison(NamedTuple):
    """``ours`` is the balance at the reading's moment, of all calls until the end of that day.

    ``tolerance`` of these calls may have been made after the reading: usage is kept by day.
    ``doubtful`` are the calls by code in doubt, ``unknowns`` the attempts without a usable answer
    whose billing is open. ``explanations`` are the first of ``found``, those that differ least
    from our table first. ``missing`` is a package of the price list as large as the total's
    difference.
    """

    reading: Reading
    ours: Balance
    tolerance: int
    doubtful: Mapping[str, int]
    unknowns: int
    explanations: tuple[Explanation, ...]
    found: int
    missing: Offer | None

    @property
    def used_difference(self) -> int:
        """How many more calls the console counts as used."""
        return self.reading.used - self.ours.used

    @property
    def total_difference(self) -> int:
        """How many more calls the console knows as bought."""
        return self.reading.total - self.ours.total


class _Doubt(NamedTuple):
    """A code and its calls by day: what we count of them, or would if we were wrong."""

    code: str
    ours: Billed
    calls: Mapping[date, int]

    @property
    def number(self) -> int:
        return sum(self.calls.values())

    def moved(self, *, billed: bool) -> int:
        """The factor by which the day's count changes with its calls."""
        return billed - (self.ours is Billed.YES)


def compare(
    packages: Sequence[Package],
    usage: Sequence[DayUsage],
    reading: Reading,
    billed: Mapping[str, Billed],
) -> Comparison:
    """Compare with a reading.

    ``usage`` is that of the ``days_that_matter`` at the reading's moment; ``billed`` is the
    setting ``BILLED_CODES``.
    """
    bought = [one for one in packages if one.purchased_at <= reading.at]
    ours = balance(bought, usage, reading.at)
    doubts = _doubts(usage, billed)
    unknowns = max(
        0,
        sum(day.billed["unknown"] for day in usage)
        - sum(doubt.number for doubt in doubts if doubt.ours is Billed.UNKNOWN),
    )
    fitting = sorted(
        _fitting(bought, usage, reading, doubts, unknowns),
        key=lambda one: (len(one.changed), one.unknowns + one.later, sum(one.billed.values())),
    )
    counted = {day.day: day.billed["yes"] for day in usage}
    return Comparison(
        reading,
        ours,
        _later(reading, counted),
        {doubt.code: doubt.number for doubt in doubts},
        unknowns,
        tuple(fitting[:MAX_EXPLANATIONS]),
        len(fitting),
        next((one for one in PRICE_LIST if one.calls == reading.total - ours.total), None),
    )


def _doubts(usage: Sequence[DayUsage], billed: Mapping[str, Billed]) -> list[_Doubt]:
    """The codes for which the seller may count otherwise than we do, most calls first."""
    seen: Counter[str] = Counter()
    for day in usage:
        seen.update(day.codes)
    called = [code for code, number in seen.items() if number > 0]
    # Once some were resolved, the days do not tell any more which ones are still open.
    open_ones = [code for code in called if codes.find(code, billed).billed is Billed.UNKNOWN]
    by_code = sum(seen[code] for code in open_ones) == sum(day.billed["unknown"] for day in usage)
    doubts = [
        _doubt(code, codes.find(code, billed).billed, usage)
        for code in sorted(called, key=lambda code: (-seen[code], code))
        if _is_doubtful(code, unlisted=by_code)
    ]
    return [doubt for doubt in doubts if doubt.number][:MAX_CODES]


def _is_doubtful(code: str, *, unlisted: bool) -> bool:
    """The seller's own answers are, but for a match; and what no table lists."""
    if code in codes.RESP_CODES:
        return codes.ROWS[code].outcome is not Outcome.MATCH
    return unlisted and not codes.is_listed(code)


def _doubt(code: str, ours: Billed, usage: Sequence[DayUsage]) -> _Doubt:
    def of(day: DayUsage) -> int:
        # A table that was changed meanwhile must not move more than the day has.
        bound = day.codes[code] if ours is Billed.NO else day.billed[ours.value]
        return max(0, min(day.codes[code], bound))

    return _Doubt(code, ours, {day.day: of(day) for day in usage if of(day)})


def _fitting(
    packages: Sequence[Package],
    usage: Sequence[DayUsage],
    reading: Reading,
    doubts: Sequence[_Doubt],
    unknowns: int,
) -> Iterator[Explanation]:
    live = [package.id for package in packages if package.is_live(reading.at)]
    counted = {day.day: day.billed["yes"] for day in usage}
    for choice in product((False, True), repeat=len(doubts)):
        charged = dict(counted)
        for doubt, billed in zip(doubts, choice, strict=True):
            if factor := doubt.moved(billed=billed):
                for day, number in doubt.calls.items():
                    charged[day] += factor * number
        used = allocate(packages, charged).used
        more = reading.used - sum(used[package] for package in live)
        if -_later(reading, charged) <= more <= unknowns:
            yield Explanation(
                {doubt.code: billed for doubt, billed in zip(doubts, choice, strict=True)},
                tuple(
                    doubt.code
                    for doubt, billed in zip(doubts, choice, strict=True)
                    if doubt.ours is (Billed.NO if billed else Billed.YES)
                ),
                max(0, more),
                max(0, -more),
            )


def _later(reading: Reading, charged: Mapping[date, int]) -> int:
    """So many of the charged calls may have been made after the reading."""
    return 0 if reading.fresh else max(0, charged.get(reading.day, 0))
