"""How batches and their results look on the wire."""

from collections.abc import Iterable
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from chalicelib.domain import csv_lines
from chalicelib.domain.batch import BILLED, OUTCOMES, Batch
from chalicelib.domain.packages import Balance
from chalicelib.domain.verification import utc
from chalicelib.services.batch_ports import Upload
from chalicelib.services.batch_results import ResultLine

COLUMNS = ResultLine._fields

_CENT = Decimal("0.01")
_MILLIONTH = Decimal("0.000001")


def batch(
    found: Batch, *, upload: Upload | None = None, balance: Balance | None = None
) -> dict[str, object]:
    """A batch in any state; ``balance`` where its cost is to be told."""
    progress, paused, problem = found.progress, found.paused, found.problem
    return {
        "id": found.id,
        "status": found.status.value,
        "label": found.label,
        "format": found.format,
        "dry_run": found.dry_run,
        "max_age_seconds": found.max_age_seconds,
        "rows": {
            "total": found.total,
            "hopeless": found.hopeless,
            "duplicates": found.duplicates,
            "done": progress.done,
        },
        "flaws": dict(sorted(found.flaws.items())),
        "outcomes": {word: progress.outcomes.get(word, 0) for word in OUTCOMES},
        "billed": {word: progress.billed.get(word, 0) for word in BILLED},
        "cost": None if balance is None else _cost(found, balance),
        "paused": None if paused is None else {"cause": paused.cause, "until": _utc(paused.until)},
        "problem": None if problem is None else problem._asdict(),
        "upload": None
        if upload is None
        else {
            "method": upload.method,
            "url": upload.url,
            "headers": dict(upload.headers),
            "expires_at": utc(found.upload_until),
        },
        "created_at": utc(found.created_at),
        "started_at": _utc(found.started_at),
        "ended_at": _utc(found.ended_at),
        "files_until": utc(found.files_until) if found.files else None,
    }


def _cost(found: Batch, balance: Balance) -> dict[str, object]:
    """At most: where an earlier outcome serves, no call is made."""
    price = balance.unit_price
    yuan = None if price is None else (price * found.payable).quantize(_CENT, ROUND_HALF_UP)
    return {
        "calls": found.payable,
        "unit_price": None if price is None else str(price.quantize(_MILLIONTH, ROUND_HALF_UP)),
        "yuan": None if yuan is None else str(yuan),
        "balance_left": balance.left if balance.packages else None,
        "enough": balance.left >= found.payable if balance.packages else None,
    }


def results(lines: Iterable[ResultLine]) -> str:
    """One line a row below a line of names; masked, and safe to open in a spreadsheet."""
    return csv_lines.line(COLUMNS) + "".join(csv_lines.line(one) for one in lines)


def _utc(moment: datetime | None) -> str | None:
    return utc(moment) if moment else None
