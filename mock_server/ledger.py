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
        # Two flat tables: a hundred thousand people in one run are a hundred thousand entries.
        self._by_number: Counter[str] = Counter()
        self._by_person: Counter[tuple[str, str]] = Counter()

    def add(self, entry: Entry) -> None:
        """Book one call."""
        self.entries.append(entry)
        if entry.charged:
            self.paid_calls += 1
            number = entry.fields.id_number.upper()
            self._by_number[number] += 1
            self._by_person[number, entry.fields.name] += 1

    def count(self, id_number: str, name: str | None = None) -> int:
        """Count the paid calls for a number, or for a number with that name only."""
        number = id_number.upper()
        return self._by_number[number] if name is None else self._by_person[number, name]
