"""What a mock starts with, and everything that changes while it runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from mock_server import clock, identities, people, regions
from mock_server.faults import Armed
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
class State:
    """Everything that a reset forgets.

    Attributes:
        clock: today's date; None follows the real date in UTC+8.
        people: added while it runs; goes over the setup's.
    """

    quota: Quota
    clock: date | None
    maintenance: bool = False
    faults: list[Armed] = field(default_factory=list)
    people: dict[str, str] = field(default_factory=dict)
    ledger: Ledger = field(default_factory=Ledger)
    journal: Journal = field(default_factory=Journal)

    def today(self) -> date:
        """Give the mock's date."""
        return self.clock or clock.today()


def start(options: Options) -> State:
    """Give the state that a mock starts in."""
    return State(quota=Quota(total=options.quota), clock=options.clock)
