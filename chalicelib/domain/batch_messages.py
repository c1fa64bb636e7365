"""What travels through the queue of the rows: a batch and where in its file, never a person.

{"rows": "bat_…", "run": 1, "start": 0, "end": 1200, "row": 2}   ask the rows in these bytes
{"dispatch": "bat_…", "run": 1, "from": 0}                        send what has no end from there on

Each may have a ``correlation``, which leads its lines of the log back to what began the run.
"""

import json
from dataclasses import dataclass

from chalicelib.domain.messages import correlation_id


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows to be asked; ``row`` is the number of the first, ``run`` the run that sent it."""

    batch_id: str
    run: int
    start: int
    end: int
    row: int
    correlation: str | None = None


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Chunks to be sent, from that one on."""

    batch_id: str
    run: int
    from_chunk: int = 0
    correlation: str | None = None


RowMessage = Rows | Dispatch


def encode(message: RowMessage) -> str:
    """The message's text.

    >>> encode(Dispatch("bat_1", 1))
    '{"dispatch": "bat_1", "run": 1, "from": 0}'
    """
    fields: dict[str, object]
    match message:
        case Rows(batch_id, run, start, end, row):
            fields = {"rows": batch_id, "run": run, "start": start, "end": end, "row": row}
        case Dispatch(batch_id, run, from_chunk):
            fields = {"dispatch": batch_id, "run": run, "from": from_chunk}
    if message.correlation is not None:
        fields["correlation"] = message.correlation
    return json.dumps(fields)


def decode(text: str) -> RowMessage:
    """The message of a text; raises ValueError for what ``encode`` never wrote."""
    fields = json.loads(text)
    correlation = correlation_id(fields.get("correlation")) if isinstance(fields, dict) else None
    match fields:
        case {"rows": str(batch_id), "run": int(run), "start": int(start), "end": int(end)}:
            row = fields.get("row")
            if type(row) is int and 0 <= start < end:
                return Rows(batch_id, run, start, end, row, correlation)
        case {"dispatch": str(batch_id), "run": int(run), "from": int(from_chunk)}:
            if from_chunk >= 0:
                return Dispatch(batch_id, run, from_chunk, correlation)
    raise ValueError("not a message of ours")
