"""The charge ledger: what the vendor would have billed, call by call."""

from collections import Counter, deque
from dataclasses import dataclass
from datetime import datetime

from mock_server import masking
from mock_server.call import Fields

KEPT_ENTRIES = 10_000


@dataclass(slots=True)
class Entry:
    """One call that the vendor looked at.

    Attributes:
        answered: the vendor's answer went out whole, and the caller was still there.
    """

    at: datetime
    fields: Fields
    resp_code: str
    charged: bool
    answered: bool
    request_id: str

    def to_json(self, *, reveal: bool) -> dict[str, object]:
        """Show the entry; unmasked only with `reveal`."""
        number = self.fields.id_number
        return {
            "at": self.at.isoformat(),
            "id_number_masked": number if reveal else masking.id_number(number),
            "resp_code": self.resp_code,
            "charged": self.charged,
            "answered": self.answered,
            "request_id": self.request_id,
        }


class Ledger:
    """All charges, and the last KEPT_ENTRIES entries; the counts are exact however many."""

    def __init__(self) -> None:
        self.paid_calls = 0
        self.entries: deque[Entry] = deque(maxlen=KEPT_ENTRIES)
        self._by_person: dict[str, Counter[str]] = {}

    def add(self, entry: Entry) -> None:
        """Book one call."""
        self.entries.append(entry)
        if entry.charged:
            self.paid_calls += 1
            names = self._by_person.setdefault(entry.fields.id_number.upper(), Counter())
            names[entry.fields.name] += 1

    def count(self, id_number: str, name: str | None = None) -> int:
        """Count the paid calls for a number, or for a number with that name only."""
        names = self._by_person.get(id_number.upper(), Counter())
        return names.total() if name is None else names[name]
