"""One alert of every kind, as it may really look."""

from datetime import UTC, datetime, timedelta

from chalicelib.domain.alerts import Alert, Kind, Number

NOON = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
_AT = NOON.isoformat()
_NUMBERS: dict[Kind, tuple[str, dict[str, Number]]] = {
    Kind.LOW_BALANCE: ("20", {"percent": 20, "left": 199, "total": 1000, "yuan": "5.97"}),
    Kind.PACKAGE_EXPIRING: (
        "pkg_7q3xk9d2m5t8w1y4b6c0e3f5g7#7",
        {
            "days": 7,
            "package": "pkg_7q3xk9d2m5t8w1y4b6c0e3f5g7",
            "left": 640,
            "at": (NOON + timedelta(days=7)).isoformat(),
            "yuan": "19.20",
        },
    ),
    Kind.CAP_REACHED: (
        "2026-11-24#shop#500",
        {"period": "day", "of": "2026-11-24", "owner": "shop", "limit": 500, "taken": 500},
    ),
    Kind.QUOTA_EXHAUSTED: (_AT, {"at": _AT}),
    Kind.PACKAGE_EXPIRED: (_AT, {"at": _AT}),
    Kind.ACCOUNT_IN_ARREARS: (_AT, {"at": _AT}),
    Kind.APPCODE_INVALID: (_AT, {"at": _AT}),
    Kind.MAINTENANCE: ("", {"at": _AT}),
    Kind.UNKNOWNS_WAITING: ("", {"count": "3", "at": _AT}),
    Kind.DEAD_LETTERS: (
        "eryaosu-prod-DeadLetters-1A2B3C",
        {"queue": "eryaosu-prod-DeadLetters-1A2B3C", "count": 2},
    ),
    Kind.SOURCE_FAILING: (
        "survey-2026",
        {"owner": "survey-2026", "rejected": 12, "refused": 0, "reason": "fields_missing"},
    ),
}


def example(kind: Kind) -> Alert:
    """It begins at noon UTC."""
    about, numbers = _NUMBERS[kind]
    return Alert(kind, about, NOON, numbers)
