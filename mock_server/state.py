"""What a mock starts with, and everything that changes while it runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from mock_server import clock, identities, people, regions
from mock_server.faults import Armed, Fault
from mock_server.identities import Identity
from mock_server.journal import Journal
from mock_server.ledger import Ledger
from mock_server.options import Options
from mock_server.regions import Regions


@dataclass(frozen=True, slots=True)
class Setup:
    """What never changes: a reset goes back to it and so costs nothing, whatever its size.

    Attributes:
        people: {id_number: name}, fictitious test people included.
        identities: those that answer whatever the name, by number.
    """

    options: Options
    people: Mapping[str, str]
    identities: Mapping[str, Identity]
    published: tuple[Identity, ...]
    regions: Regions


def set_up(options: Options) -> Setup:
    """Read the tables and the people file.

    Raises:
        people.PeopleFileError: one line that says where and why.
    """
    published = identities.load()
    everyone = people.load(options.people) if options.people else {}
    everyone |= {id_number: name for name, id_number in options.extra_people}
    everyone |= {i.id_number: i.name for i in published.values() if i.effect is None}
    return Setup(
        options,
        everyone,
        {number: i for number, i in published.items() if i.effect is not None},
        tuple(published.values()),
        regions.load(),
    )


@dataclass(slots=True)
class Quota:
    """The package: `total` None is unlimited; it is expired from `expires_at` on."""

    used: int = 0
    total: int | None = None
    expires_at: date | None = None

    def to_json(self) -> dict[str, object]:
        """Show it as `POST /__admin/quota` takes it."""
        expires = self.expires_at and self.expires_at.isoformat()
        return {"used": self.used, "total": self.total, "expires_at": expires}


@dataclass(slots=True)
class Throttle:
    """Calls a second, counted from the start of each second; None lets any number through."""

    calls_per_second: int | None = None
    second: int = 0
    calls: int = 0

    def refuses(self, now: float) -> bool:
        """Tell whether one more call at `now` (seconds) is too many; changes nothing."""
        limit = self.calls_per_second
        return limit is not None and self.second == int(now) and self.calls >= limit

    def count(self, now: float) -> None:
        """Count a call that came this far."""
        if self.second != int(now):
            self.second, self.calls = int(now), 0
        self.calls += 1


@dataclass(slots=True)
class State:
    """Everything that a reset forgets.

    Attributes:
        faults: armed ones, in the order in which a call meets them.
        last_fault: the id of the fault that was armed last.
        clock: today's date; None follows the real date in UTC+8.
        appcodes: the AppCodes that are accepted; empty accepts any.
        people: added while it runs; goes over the setup's.
    """

    quota: Quota
    clock: date | None
    appcodes: tuple[str, ...]
    throttle: Throttle
    journal: Journal
    maintenance: bool = False
    faults: list[Armed] = field(default_factory=list)
    last_fault: int = 0
    people: dict[str, str] = field(default_factory=dict)
    ledger: Ledger = field(default_factory=Ledger)

    def today(self) -> date:
        """Give the mock's date."""
        return self.clock or clock.today()

    def arm(self, fault: Fault) -> Armed:
        """Arm a fault after those that are armed."""
        self.last_fault += 1
        armed = Armed(self.last_fault, fault)
        self.faults.append(armed)
        return armed

    def disarm(self, fault_id: int) -> bool:
        """Clear one fault; False if none has that id."""
        kept = [armed for armed in self.faults if armed.id != fault_id]
        cleared = len(kept) < len(self.faults)
        self.faults = kept
        return cleared


def start(options: Options) -> State:
    """Give the state that a mock starts in."""
    state = State(
        quota=Quota(options.used, options.quota, options.expires_at),
        clock=options.clock,
        appcodes=options.appcodes,
        throttle=Throttle(options.calls_per_second),
        journal=Journal(options.journal_length),
        maintenance=options.maintenance,
    )
    for fault in options.faults:
        state.arm(fault)
    return state
