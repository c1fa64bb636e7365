"""THE table of codes: what each answer of the upstream means, costs and asks for.

Two vocabularies meet here. A *respCode* comes from the vendor's service, a *gateway code*
from Alibaba Cloud's API gateway in front of it, in two generations: the newer one names a code
in ``X-Ca-Error-Code``, the older one only a status and a message. Transport failures have codes
of our own. ``find`` gives the row of any of them, and the default row, *outcome unknown, may
have been charged*, for whatever is not listed.

Source: the vendor's service description and Alibaba Cloud's gateway error pages, as gathered in
``docs/upstream.md``. Which answers the seller bills is not documented: the column ``billed`` is
a cautious default that the setting ``BILLED_CODES`` overrides.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple


class Outcome(StrEnum):
    """What the upstream found: values, never errors."""

    MATCH = "match"
    MISMATCH = "mismatch"
    NO_RECORD = "no_record"


class Billed(StrEnum):
    """Whether an attempt, or a verification over all its attempts, was charged."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class Acts(StrEnum):
    """Who can do something about it."""

    NOBODY = "nobody"
    CALLER = "caller"
    OWNER = "owner"
    US = "us"
    TIME = "time"


class Trip(StrEnum):
    """What an answer does to the breaker."""

    NONE = "none"
    BACKEND = "backend"  # a run of them opens it for seconds
    PAUSE = "pause"  # opens it for minutes
    HOLD = "hold"  # opens it until a human acted


class Row(NamedTuple):
    """One line of the table.

    Exactly one of ``outcome`` and ``problem`` (a key of ``PROBLEMS``) is set. ``settled`` says
    that the answer ends the attempt with certainty; without it nobody can know yet.
    """

    code: str
    billed: Billed
    outcome: Outcome | None = None
    problem: str | None = None
    acts: Acts = Acts.NOBODY
    trip: Trip = Trip.NONE
    message: str = ""
    status: int = 200

    @property
    def settled(self) -> bool:
        """Whether the attempt's end is known."""
        return self.problem != "outcome_unknown"


class Problem(NamedTuple):
    """A refusal or failure as callers see it: ``billed`` unless a verification knows better."""

    code: str
    billed: Billed = Billed.NO
    retryable: bool = False


PROBLEMS: Mapping[str, Problem] = {
    problem.code: problem
    for problem in (
        Problem("malformed_request"),
        Problem("payload_too_large"),
        Problem("unsupported_media_type"),
        Problem("unauthenticated"),
        Problem("forbidden"),
        Problem("not_found"),
        Problem("method_not_allowed"),
        Problem("too_many_requests", retryable=True),
        Problem("erased"),
        Problem("name_empty"),
        Problem("name_invalid"),
        Problem("id_number_empty"),
        Problem("id_number_invalid"),
        Problem("id_number_not_text"),
        Problem("test_identity"),
        Problem("idempotency_key_reused"),
        Problem("verification_in_progress", Billed.UNKNOWN, retryable=True),
        Problem("not_unknown"),
        Problem("budget_exhausted", retryable=True),
        Problem("upstream_throttled", retryable=True),
        Problem("upstream_maintenance", retryable=True),
        Problem("upstream_unreachable", retryable=True),
        Problem("quota_exhausted", retryable=True),
        Problem("package_expired", retryable=True),
        Problem("account_in_arrears", retryable=True),
        Problem("appcode_invalid", retryable=True),
        Problem("upstream_rejected"),
        Problem("outcome_unknown", Billed.UNKNOWN),
        Problem("closed_without_outcome"),
        Problem("service_unavailable", retryable=True),
    )
}

_RESP_CODES = (
    Row("0000", Billed.YES, outcome=Outcome.MATCH, message="身份证信息匹配"),
    Row("0001", Billed.UNKNOWN, problem="name_empty", acts=Acts.CALLER, message="开户名不能为空"),
    Row(
        "0002",
        Billed.UNKNOWN,
        problem="name_invalid",
        acts=Acts.CALLER,
        message="开户名不能包含特殊字符",
    ),
    Row(
        "0003",
        Billed.UNKNOWN,
        problem="id_number_empty",
        acts=Acts.CALLER,
        message="身份证号不能为空",
    ),
    Row(
        "0004",
        Billed.UNKNOWN,
        problem="id_number_invalid",
        acts=Acts.CALLER,
        message="身份证号格式错误",
    ),
    Row("0007", Billed.YES, outcome=Outcome.NO_RECORD, message="无此身份证号码"),
    Row("0008", Billed.YES, outcome=Outcome.MISMATCH, message="身份证信息不匹配"),
    Row(
        "0010",
        Billed.UNKNOWN,
        problem="upstream_maintenance",
        acts=Acts.TIME,
        trip=Trip.PAUSE,
        message="系统维护，请稍后再试",
    ),
)


def _owner(code: str, status: int, problem: str, message: str) -> Row:
    return Row(
        code,
        Billed.NO,
        problem=problem,
        acts=Acts.OWNER,
        trip=Trip.HOLD,
        message=message,
        status=status,
    )


def _ours(code: str, status: int, message: str) -> Row:
    return Row(
        code, Billed.NO, problem="upstream_rejected", acts=Acts.US, message=message, status=status
    )


def _lost(code: str, status: int, message: str) -> Row:
    return Row(
        code,
        Billed.UNKNOWN,
        problem="outcome_unknown",
        acts=Acts.OWNER,
        trip=Trip.BACKEND,
        message=message,
        status=status,
    )


# Codes of the newer generation; its messages are matched by nobody, they are for people.
_GATEWAY_CODES = (
    _owner("A400AC", 400, "appcode_invalid", "Invalid AppCode"),
    _owner("A401AC", 401, "appcode_invalid", "Invalid AppCode"),
    _owner("A400MA", 400, "appcode_invalid", "Need authorization"),
    _owner("I403AA", 403, "appcode_invalid", "Unauthorized"),
    _owner("B403MQ", 403, "quota_exhausted", "Api Market Subscription quota exhausted"),
    _owner("B403ME", 403, "package_expired", "Api Market Subscription expired"),
    _owner("B403OD", 403, "account_in_arrears", "User Arrears"),
    _owner("B403MO", 403, "account_in_arrears", "User Arrears"),
    _ours("I404NF", 404, "API Not Found"),
    _ours("I404DO", 404, "Invalid Domain"),
    _ours("I405UM", 405, "Unsupported Method"),
    _ours("I413RL", 413, "Request Too Large"),
    _ours("I413UL", 413, "Request Url Too Large"),
    Row(
        "D504CO",
        Billed.NO,
        problem="upstream_unreachable",
        acts=Acts.TIME,
        trip=Trip.BACKEND,
        message="Backend Connection Failed",
        status=504,
    ),
    _lost("D504TO", 504, "Backend Timeout"),
    _lost("X504TO", 504, "Timeout"),
    _lost("D504CS", 504, "Backend Connection Closed"),
    _lost("D504RE", 504, "Backend Connection Reset"),
    _lost("D502FC", 502, "Backend Failed"),
    _lost("N502RE", 502, "Bad Gateway"),
    _lost("D503BB", 503, "Backend Busy"),
    _lost("X500ER", 500, "Internal Error"),
    _lost("X503BZ", 503, "Service Unavailable"),
)

# Whole families of the newer generation.
_GATEWAY_FAMILIES = (
    (
        re.compile(r"T429[A-Z]{2}"),
        Row(
            "T429",
            Billed.NO,
            problem="upstream_throttled",
            acts=Acts.TIME,
            message="Throttled",
            status=429,
        ),
    ),
    (re.compile(r"I400[A-Z]{2}"), _ours("I400", 400, "Invalid Request")),
)

# Not from the upstream at all: how the transport ended.
NOT_SENT = "not_sent"
TOO_LATE = "too_late"
NO_ANSWER = "no_answer"
BAD_ANSWER = "bad_answer"
LEASE_EXPIRED = "lease_expired"

_TRANSPORT = (
    Row(
        NOT_SENT,
        Billed.NO,
        problem="upstream_unreachable",
        acts=Acts.TIME,
        trip=Trip.BACKEND,
        status=503,
    ),
    Row(TOO_LATE, Billed.NO, problem="service_unavailable", acts=Acts.CALLER, status=503),
    _lost(NO_ANSWER, 504, ""),
    _lost(BAD_ANSWER, 504, ""),
    Row(LEASE_EXPIRED, Billed.UNKNOWN, problem="outcome_unknown", acts=Acts.OWNER, status=504),
)

ROWS: Mapping[str, Row] = {row.code: row for row in (*_RESP_CODES, *_GATEWAY_CODES, *_TRANSPORT)}
RESP_CODES = tuple(row.code for row in _RESP_CODES)

# The older generation: the status and the beginning of the message; wording drifts at its end.
_OLD_MESSAGES = (
    (400, "Invalid AppCode", "A400AC"),
    (404, "Empty Signature", "A400MA"),
    (403, "Expiry of Authorization", "I403AA"),
    (403, "Unauthorized", "I403AA"),
    (403, "Quota Exhausted", "B403MQ"),
    (403, "Api Market Subscription quota exhausted", "B403MQ"),
    (403, "Quota Expired", "B403ME"),
    (403, "User Arrears", "B403OD"),
    (403, "Throttled by", "T429XX"),
    (403, "TThrottled by", "T429XX"),
    (429, "Throttled by", "T429XX"),
    (400, "Invalid Url", "I400UR"),
    (400, "Invalid HttpMethod", "I405UM"),
    (400, "Invalid Param Location", "I400PL"),
    (400, "Empty Request Body", "I400EB"),
    (400, "Invalid Request Body", "I400RB"),
    (400, "Unsupported Multipart", "I400MP"),
    (400, "API Not Found", "I404NF"),
    (404, "API Not Found", "I404NF"),
    (504, "Async Service", "X504TO"),
    (500, "Failed To Invoke Backend Service", "D502FC"),
    (500, "Internal Error", "X500ER"),
    (503, "Service Unavailable", "X503BZ"),
)


def find(code: str, billed: Mapping[str, Billed] | None = None) -> Row:
    """The row of a respCode, gateway code or transport code; the default row if none is listed.

    ``billed`` overrides the column of that name (the setting ``BILLED_CODES``).

    >>> find("0008").outcome.value
    'mismatch'
    >>> find("T429GR").problem
    'upstream_throttled'
    >>> find("0005").problem, find("0005").billed.value
    ('outcome_unknown', 'unknown')
    """
    row = ROWS.get(code) or _family(code)
    override = (billed or {}).get(code)
    return row if override is None else row._replace(billed=override)


def _family(code: str) -> Row:
    for pattern, row in _GATEWAY_FAMILIES:
        if pattern.fullmatch(code):
            return row._replace(code=code)
    return _lost(code, 504, "")


def is_listed(code: str) -> bool:
    """Whether the table knows the code, by itself or by its family."""
    return code in ROWS or any(pattern.fullmatch(code) for pattern, _ in _GATEWAY_FAMILIES)


def from_old_gateway(status: int, message: str) -> str | None:
    """The newer generation's code for an older gateway error, None if it is not known.

    >>> from_old_gateway(403, "Quota Exhausted")
    'B403MQ'
    >>> from_old_gateway(403, "TThrottled by GROUP Flow Control")
    'T429XX'
    >>> from_old_gateway(403, "RATE_LIMIT") is None
    True
    """
    for known_status, prefix, code in _OLD_MESSAGES:
        if status == known_status and message.startswith(prefix):
            return code
    return None


def retryable(row: Row) -> bool:
    """Whether the same key may be posted again for a new attempt.

    Maintenance that is known to be billed is not asked again by itself.
    """
    if row.problem is None or row.billed is Billed.YES:
        return False
    return PROBLEMS[row.problem].retryable
