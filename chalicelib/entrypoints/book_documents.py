"""How packages, advice, the comparison with the console and the export look on the wire.

Money is text with two digits after the point; a price a call has six, and is rounded.
"""

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal

from chalicelib.domain.cells import formula_safe
from chalicelib.domain.codes import RESP_CODES, Billed
from chalicelib.domain.forecast import Advice, Basis, Purchase
from chalicelib.domain.packages import Balance, Package, PackageState
from chalicelib.domain.price_list import Combination
from chalicelib.domain.reconcile import Comparison, Explanation
from chalicelib.domain.verification import Verification, utc
from chalicelib.services.packages import Outlook

_BOM = "\ufeff"
"""Without it Excel takes UTF-8 for the machine's own code page."""


def package(found: Package) -> dict[str, object]:
    """What was recorded."""
    return {
        "id": found.id,
        "calls": found.calls,
        "price": _yuan(found.price),
        "purchased_at": utc(found.purchased_at),
        "expires_at": utc(found.expires_at),
        "note": found.note,
    }


def outlook(found: Outlook) -> dict[str, object]:
    """The balance, the packages in order of expiry, and when they run out."""
    balance = found.balance
    unit_price = balance.unit_price
    return {
        **_counts(balance),
        "unit_price": None if unit_price is None else f"{unit_price:.6f}",
        "since": None if balance.since is None else balance.since.isoformat(),
        "runs_out_on": None if found.runs_out_on is None else found.runs_out_on.isoformat(),
        "basis": _basis(found.basis),
        "items": [_state(state, balance.since) for state in balance.packages],
    }


def advice(balance: Balance, found: Advice) -> dict[str, object]:
    """What to buy, and the sums behind it."""
    return {
        "until": found.until.isoformat(),
        "basis": _basis(found.basis),
        "left": balance.left,
        "runs_out_on": None if found.runs_out_on is None else found.runs_out_on.isoformat(),
        "expected": found.expected,
        "covered": found.covered,
        "missing": found.expected - found.covered,
        "purchases": [_purchase(one) for one in found.purchases],
        "price": _yuan(sum((one.cheapest.price for one in found.purchases), Decimal(0))),
    }


def comparison(found: Comparison) -> dict[str, object]:
    """The console's numbers, ours, and what would explain the difference."""
    reading = found.reading
    return {
        "at": utc(reading.at),
        "console": {
            "used": reading.used,
            "total": reading.total,
            "left": reading.total - reading.used,
        },
        "ours": _counts(found.ours),
        "difference": {"used": found.used_difference, "total": found.total_difference},
        "tolerance": found.tolerance,
        "doubtful": dict(found.doubtful),
        "unknowns": found.unknowns,
        "verdict": _verdict(found),
        "explanations": [_explanation(one) for one in found.explanations],
        "explanations_found": found.found,
        "notes": [*_notes(found)],
    }


def csv_file(found: Iterable[Verification]) -> str:
    """One line a verification below a line of names; masked, and safe to open."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows([formula_safe(cell) for cell in _cells(one)] for one in found)
    return _BOM + text.getvalue()


COLUMNS = (
    "id",
    "created_at",
    "ended_at",
    "client",
    "reference",
    "name",
    "id_number",
    "status",
    "outcome",
    "code",
    "billed",
    "attempts",
    "upstream_request_id",
    "problem",
)


def _cells(found: Verification) -> tuple[str, ...]:
    return (
        found.id,
        utc(found.created_at),
        utc(found.ended_at) if found.ended_at else "",
        found.client,
        found.reference or "",
        found.name_masked or "",
        found.id_number_masked or "",
        found.status.value,
        found.outcome.value if found.outcome else "",
        found.resp_code or "",
        found.billed.value,
        str(len(found.attempts)),
        found.upstream_request_id or "",
        found.problem.code if found.problem else "",
    )


def _yuan(amount: Decimal) -> str:
    return f"{amount:.2f}"


def _counts(balance: Balance) -> dict[str, object]:
    return {
        "used": balance.used,
        "total": balance.total,
        "left": balance.left,
        "unknown": balance.unknown,
        "uncovered": balance.uncovered,
    }


def _state(state: PackageState, since: date | None) -> dict[str, object]:
    # The days of one that was over before were not read: nothing used would be a lie.
    counted = since is not None and state.package.last_day >= since
    return {
        **package(state.package),
        "used": state.used if counted else None,
        "left": state.left if counted else None,
        "live": state.live,
    }


def _basis(found: Basis) -> dict[str, object]:
    return {
        "from": found.first.isoformat(),
        "days": found.days,
        "calls": found.calls,
        "calls_a_day": f"{Decimal(found.calls) / found.days:.2f}",
        "today": found.today,
    }


def _purchase(found: Purchase) -> dict[str, object]:
    return {
        "day": found.day.isoformat(),
        "until": found.until.isoformat(),
        "calls": found.calls,
        "cheapest": _combination(found.cheapest),
        "single": None if found.single is None else _combination(found.single),
    }


def _combination(found: Combination) -> dict[str, object]:
    return {
        "packages": [
            {
                "number": line.number,
                "calls": line.offer.calls,
                "price": _yuan(line.offer.price),
                "sum": _yuan(line.offer.price * line.number),
            }
            for line in found.lines
        ],
        "calls": found.calls,
        "price": _yuan(found.price),
    }


def _verdict(found: Comparison) -> str:
    if not found.used_difference and not found.total_difference:
        return "agrees"
    return "explained" if found.explanations else "unexplained"


def _explanation(found: Explanation) -> dict[str, object]:
    return {
        "codes": {code: _word(billed=billed) for code, billed in sorted(found.billed.items())},
        "billed_codes": _setting(found),
        "changed": list(found.changed),
        "unknowns": found.unknowns,
        "later": found.later,
    }


def _word(*, billed: bool) -> str:
    return (Billed.YES if billed else Billed.NO).value


def _setting(found: Explanation) -> str:
    """As the setting ``BILLED_CODES`` takes it, which knows only what the table lists."""
    return ",".join(
        f"{code}={_word(billed=found.billed[code])}" for code in RESP_CODES if code in found.billed
    )


def _notes(found: Comparison) -> Iterator[str]:
    """The same in words."""
    yield from _of_used(found)
    yield from _of_total(found)
    if found.tolerance:
        yield (
            f"Usage is kept by day: up to {found.tolerance} of the calls that are counted here "
            "may have been made after the reading."
        )
    if found.ours.uncovered:
        yield (
            f"{found.ours.uncovered} charged calls came when no recorded package could pay for "
            "them."
        )


def _of_used(found: Comparison) -> Iterator[str]:
    if not found.explanations:
        yield (
            "Nothing explains the number of used calls: neither the codes in doubt nor the "
            f"{found.unknowns} attempts whose billing is open. A wrong reading, calls made past "
            "this service, or a package that is not recorded would."
        )
        return
    first = found.explanations[0]
    if not found.used_difference:
        yield "The console and this service count the same number of used calls."
    for code, billed in sorted(first.billed.items()):
        change = " That is not what this service counts by." if code in first.changed else ""
        yield (
            f"The seller seems {'to' if billed else 'not to'} charge {code} "
            f"({found.doubtful[code]} calls).{change}"
        )
    if first.unknowns:
        yield (
            f"{first.unknowns} of the {found.unknowns} attempts whose billing is open seem to be "
            "charged; resolve them one by one."
        )
    if first.later:
        yield f"{first.later} of that day's calls seem to come after the reading."
    if found.found > 1:
        yield (
            f"{found.found} explanations fit. Compare again after more calls: the right one "
            "still fits then."
        )


def _of_total(found: Comparison) -> Iterator[str]:
    more = found.total_difference
    if found.missing is not None:
        yield (
            f"The console knows {more} calls more than are recorded. A package of {more} is on "
            "the price list: record it with POST /v1/packages, then compare again."
        )
    elif more > 0:
        yield (
            f"The console knows {more} calls more than are recorded. Record what is missing with "
            "POST /v1/packages, then compare again."
        )
    elif more < 0:
        yield (
            f"The console knows {-more} calls fewer than are recorded: a package is over there "
            "already, or was recorded twice."
        )
