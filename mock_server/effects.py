"""What can be done to a call instead of, or besides, answering it by the rules."""

from dataclasses import dataclass
from typing import Literal

from mock_server import gateway_errors, resp_codes

When = Literal["before_charge", "after_charge"]
BEFORE: When = "before_charge"
AFTER: When = "after_charge"

RESP_CODE = "resp_code:"
GATEWAY = "gateway:"

# kind -> (unit, smallest, largest, value when a test identity shows it)
VALUED = {
    "latency_ms": ("ms", 0, 600_000, 300),
    "slow_drip": ("ms a byte", 0, 60_000, 100),
    "hang": ("ms", 0, 3_600_000, 60_000),
    "oversize": ("bytes", 1, 1_073_741_824, 8_388_608),
}
PLAIN = (
    "reset",
    "close",
    "truncated_json",
    "not_json",
    "empty_200",
    "http_500",
    "wrong_types",
    "wrong_charset",
    "unknown_code",
)
TRANSPORT = (*VALUED, *PLAIN)
KINDS = (
    *TRANSPORT,
    *(RESP_CODE + code for code in resp_codes.MESSAGES),
    *(GATEWAY + code for code in gateway_errors.TABLE),
)
# The call goes on after these: before the charge they only put it off.
PAUSES = frozenset({"latency_ms", "hang"})
# The caller gets nothing at all.
BREAKS = frozenset({"reset", "close"})
# The caller gets the vendor's answer whole in the end.
HARMLESS = frozenset({*PAUSES, "slow_drip"})


@dataclass(frozen=True, slots=True)
class Effect:
    """One kind of KINDS with its value.

    Attributes:
        value: the amount of VALUED; the respCode of `unknown_code`; the message of a `gateway:`.
        when: whether the vendor has charged the call by then; None follows the table of charges.
    """

    kind: str
    value: int | str = ""
    when: When | None = None

    @property
    def resp_code(self) -> str:
        """The code of `resp_code:<code>`, else `""`."""
        return self.kind[len(RESP_CODE) :] if self.kind.startswith(RESP_CODE) else ""

    @property
    def gateway_code(self) -> str:
        """The code of `gateway:<code>`, else `""`."""
        return self.kind[len(GATEWAY) :] if self.kind.startswith(GATEWAY) else ""


def takes_when(kind: str) -> bool:
    """Tell whether a kind can hit before or after the charge, rather than follow the table."""
    if kind.startswith(GATEWAY):
        return gateway_errors.TABLE[kind[len(GATEWAY) :]].maybe_charged
    return kind in TRANSPORT
