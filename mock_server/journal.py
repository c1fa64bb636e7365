"""The request journal: every call, whatever became of it."""

from collections import deque
from dataclasses import dataclass
from datetime import datetime

from mock_server import masking
from mock_server.call import Call, Fields, RawHeaders
from mock_server.effects import Effect

# Whatever else a caller sends might hold a name.
_SHOWN_HEADERS = frozenset(
    {
        b"accept",
        b"accept-encoding",
        b"connection",
        b"content-length",
        b"content-type",
        b"host",
        b"user-agent",
    }
)


def opened(
    at: datetime, request_id: str, call: Call, fields: Fields, effect: Effect | None
) -> "Entry":
    """Open the entry of a call; its body is not kept."""
    return Entry(
        at, request_id, call.method, call.path, call.query, call.headers, fields, effect=effect
    )


@dataclass(slots=True)
class Entry:
    """One call; `duration_ms` is None until its answer begins.

    Attributes:
        hints: codes of hints.TABLE, for a call that was refused.
    """

    at: datetime
    request_id: str
    method: str
    path: str
    query: str
    headers: RawHeaders
    fields: Fields
    status: int | None = None
    resp_code: str = ""
    gateway_code: str = ""
    effect: Effect | None = None
    charged: bool = False
    duration_ms: float | None = None
    hints: tuple[str, ...] = ()

    def to_json(self, *, reveal: bool) -> dict[str, object]:
        """Show the entry; unmasked only with `reveal`."""
        name, number = self.fields
        path = self.path + ("?" + self.query if self.query else "")
        masked_path = masking.path(self.path) + ("?***" if self.query else "")
        return {
            "at": self.at.isoformat(),
            "request_id": self.request_id,
            "method": self.method,
            "path": path if reveal else masked_path,
            "headers": {
                name.decode("latin-1"): _shown(name, value.decode("latin-1"), reveal=reveal)
                for name, value in self.headers
            },
            "fields": {
                "name": name if reveal else masking.name(name),
                "idNo": number if reveal else masking.id_number(number),
            },
            "answer": {
                "status": self.status,
                "resp_code": self.resp_code,
                "gateway_code": self.gateway_code,
            },
            "fault": self.effect and {"kind": self.effect.kind, "when": self.effect.when},
            "charged": self.charged,
            "duration_ms": self.duration_ms,
            "hints": list(self.hints),
        }

    def line(self, *, reveal: bool) -> str:
        """Give the log line."""
        name, number = self.fields
        if not reveal:
            name, number = masking.name(name), masking.id_number(number)
        fault = self.effect.kind if self.effect else "-"
        return (
            f"{self.method} {masking.path(self.path)} name={name} idNo={number}"
            f" -> {self.status or '-'} {self.resp_code or self.gateway_code or '-'}"
            f" fault={fault} charged={self.charged} {self.duration_ms} ms {self.request_id}"
        )


def _shown(name: bytes, value: str, *, reveal: bool) -> str:
    if reveal or name in _SHOWN_HEADERS:
        return value
    return masking.authorization(value) if name == b"authorization" else "***"


class Journal:
    """The last `length` calls, oldest first; `count` is of all, kept or not."""

    def __init__(self, length: int) -> None:
        self.entries: deque[Entry] = deque(maxlen=length)
        self.count = 0

    def add(self, entry: Entry) -> None:
        """Note one call."""
        self.entries.append(entry)
        self.count += 1

    def select(self, *, resp_code: str | None, since: datetime | None, limit: int) -> list[Entry]:
        """Give the last `limit` entries with that respCode, not older than `since`."""
        found = [
            entry
            for entry in self.entries
            if resp_code in (None, entry.resp_code) and (since is None or entry.at >= since)
        ]
        return found[-limit:]
