"""Faults: what is asked for, what is armed, and which of them a call sets off."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from mock_server.call import Fields
from mock_server.effects import Effect


@dataclass(frozen=True, slots=True)
class Match:
    """Which calls a fault looks at; None is any.

    Attributes:
        nth_call: of the calls that fit otherwise, counted from arming, only this one.
    """

    id_number: str | None = None
    name: str | None = None
    nth_call: int | None = None

    def fits(self, fields: Fields) -> bool:
        """Tell whether name and number are the ones looked for."""
        return self.id_number in (None, fields.id_number) and self.name in (None, fields.name)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault as it is asked for.

    Attributes:
        times: how often it fires; None is until it is cleared.
        probability: of firing on a call that fits; `seed` makes the draws repeatable.
    """

    effect: Effect
    times: int | None = None
    probability: float = 1.0
    seed: int = 0
    match: Match = Match()


@dataclass(slots=True)
class Armed:
    """One armed fault and its counters.

    Attributes:
        id: by which it is cleared; no other fault has had it since the start.
        seen: calls that fitted so far.
    """

    id: int
    fault: Fault
    seen: int = 0
    fired: int = 0

    @property
    def effect(self) -> Effect:
        """What it does to a call."""
        return self.fault.effect

    @property
    def used_up(self) -> bool:
        """Whether it will never fire again."""
        times, nth = self.fault.times, self.fault.match.nth_call
        return (times is not None and self.fired >= times) or (nth is not None and self.seen >= nth)

    def looks_at(self, fields: Fields) -> bool:
        """Tell whether the fault is still live and the call fits."""
        return not self.used_up and self.fault.match.fits(fields)

    def fires(self) -> bool:
        """Tell whether it fires on the next call that fits; a pure function of the counters."""
        call, fault = self.seen + 1, self.fault
        if fault.match.nth_call not in (None, call):
            return False
        # Drawn from seed and call number, so that a draw leaves no state behind.
        sure = fault.probability >= 1
        return sure or Random(f"{fault.seed}:{call}").random() < fault.probability  # noqa: S311


def choose(armed: Sequence[Armed], fields: Fields) -> tuple[Armed | None, tuple[Armed, ...]]:
    """Give the first fault that fires, and all that looked at the call; changes nothing."""
    seen: list[Armed] = []
    for fault in armed:
        if fault.looks_at(fields):
            seen.append(fault)
            if fault.fires():
                return fault, tuple(seen)
    return None, tuple(seen)
