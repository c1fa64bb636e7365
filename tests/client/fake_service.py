"""The service's API as the client knows it, with visible state, on loopback."""

import base64
import csv
import io
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Json = dict[str, Any]

KEY = "local-dev-key"
PRICE = "0.030000"


@dataclass
class Asked:
    """One request as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Reply:
    body: object
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class FakeBatch:
    """A batch, a few rows of which are asked each time somebody looks."""

    id: str
    body: Json
    content: bytes | None = None
    status: str = "awaiting_upload"
    started: bool = False
    done: int = 0
    lines: list[list[str]] = field(default_factory=list)
    flaws: dict[str, int] = field(default_factory=dict)
    paused: Json | None = None
    problem: Json | None = None


class FakeService:
    """What ``client`` talks to; tests read and set the attributes."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.replies: list[Reply | Callable[[], None]] = []  # for the next requests, before all
        self.routes = {("GET", "/v1/packages"): Reply({"unit_price": PRICE})}
        self.batches: dict[str, FakeBatch] = {}
        self.by_key: dict[str, str] = {}
        self.step = 10**9
        self.page = 5000
        self.pause_at: tuple[int, Json] | None = None
        self.fail: Json | None = None
        self.looked = threading.Event()
        self.puts: list[Asked] = []
        self.put_status = 200
        self.upload_open = True
        self.url = ""

    def answer(self, asked: Asked) -> Reply:
        if asked.path.startswith("/bucket/"):
            return self._put(asked)
        self.asked.append(asked)
        if self.replies:
            reply = self.replies.pop(0)
            if isinstance(reply, Reply):
                return reply
            reply()
        if asked.headers.get("authorization") != f"Bearer {KEY}":
            return problem("unauthenticated", 401)
        if found := self.routes.get((asked.method, asked.path)):
            return found
        if asked.path.startswith("/v1/batches"):
            return self._batches(asked)
        return problem("not_found", 404)

    def _batches(self, asked: Asked) -> Reply:
        parts = asked.path.split("/")[3:]
        if not parts:
            return self._created(asked) if asked.method == "POST" else self._listed()
        batch = self.batches[parts[0]]
        if len(parts) == 1:
            self._moved(batch)
            self.looked.set()
            return Reply(self.document(batch))
        if parts[1] == "results":
            return self._results(batch, int(asked.query["from_row"]))
        status = {"pause": "paused", "resume": "running", "cancel": "cancelled"}[parts[1]]
        batch.status, batch.paused = status, None
        batch.started |= status == "running"
        if status == "paused":
            batch.paused = {"cause": "requested", "until": None}
        return Reply(self.document(batch))

    def _listed(self) -> Reply:
        items = [self.document(batch) for batch in self.batches.values()]
        return Reply({"items": items, "next_cursor": None})

    def _created(self, asked: Asked) -> Reply:
        key = asked.headers["idempotency-key"]
        if key in self.by_key:
            batch = self.batches[self.by_key[key]]
            if asked.json != batch.body:
                return problem("idempotency_key_reused", 422)
            return Reply(self.document(batch))
        batch = FakeBatch(f"bat_{len(self.batches):026d}", asked.json)
        self.batches[batch.id], self.by_key[key] = batch, batch.id
        if "content" in batch.body:
            self._split(batch, base64.b64decode(batch.body["content"]))
        return Reply(self.document(batch), 201)

    def _put(self, asked: Asked) -> Reply:
        self.puts.append(asked)
        if self.put_status == 200:
            self._split(self.batches[asked.path.split("/")[2]], asked.body)
        return Reply({}, self.put_status)

    def _split(self, batch: FakeBatch, content: bytes) -> None:
        batch.content, batch.problem = content, self.fail
        if self.fail:
            batch.status = "failed"
            return
        seen: dict[str, int] = {}
        for number, cells in _rows(batch.body["format"], content):
            if number == 1 or not any(cells):
                continue
            name, id_number = (*cells, "", "")[:2]
            batch.lines.append(_line(number, name, id_number, seen))
        for line in batch.lines:
            if not line[8] and not line[7].startswith("duplicate_of"):
                batch.flaws[line[7]] = batch.flaws.get(line[7], 0) + 1
        batch.started = not batch.body["dry_run"]
        batch.status = "running" if batch.started else "checked"

    def _moved(self, batch: FakeBatch) -> None:
        if batch.status != "running":
            return
        batch.done = min(batch.done + self.step, len(batch.lines))
        if self.pause_at and batch.done >= self.pause_at[0]:
            batch.status, batch.paused, self.pause_at = "paused", self.pause_at[1], None
        elif batch.done == len(batch.lines):
            batch.status = "completed"

    def _results(self, batch: FakeBatch, start: int) -> Reply:
        after = [line for line in batch.lines if int(line[0]) >= start]
        text = io.StringIO(newline="")
        head = "row,reference,name,id_number,outcome,code,billed,reason,verification_id"
        csv.writer(text).writerows([head.split(","), *after[: self.page]])
        more = {"X-Next-Row": after[self.page][0]} if len(after) > self.page else {}
        return Reply(text.getvalue(), 200, more)

    def document(self, batch: FakeBatch) -> Json:
        hopeless = sum(batch.flaws.values())
        double = sum(line[7].startswith("duplicate_of") for line in batch.lines)
        calls = len(batch.lines) - hopeless - double
        ended = batch.lines[: batch.done]
        outcomes = dict.fromkeys(("match", "mismatch", "no_record", "unknown", "failed"), 0)
        outcomes |= {"hopeless": 0, "duplicate": 0}
        for line in ended:
            if line[7].startswith("duplicate_of"):
                outcomes["duplicate"] += 1
            elif line[7] == "outcome_unknown":
                outcomes["unknown"] += 1
            else:
                outcomes[line[4] or "hopeless"] += 1
        cost = {
            "calls": calls,
            "unit_price": PRICE,
            "yuan": f"{calls * 0.03:.2f}",
            "balance_left": 100,
            "enough": calls <= 100,
        }
        upload = None
        if batch.status == "awaiting_upload" and self.upload_open:
            url = f"{self.url}/bucket/{batch.id}?X-Amz-Signature=a-signature"
            upload = {"method": "PUT", "url": url, "headers": {"X-Extra": "1"}, "expires_at": ""}
        return {
            "id": batch.id,
            "status": batch.status,
            "label": batch.body.get("label"),
            "format": batch.body["format"],
            "dry_run": batch.body["dry_run"],
            "rows": {
                "total": len(batch.lines),
                "hopeless": hopeless,
                "duplicates": double,
                "done": batch.done,
            },
            "flaws": batch.flaws,
            "outcomes": outcomes,
            "billed": {b: sum(line[6] == b for line in ended) for b in ("yes", "no", "unknown")},
            "cost": cost if batch.status == "checked" else None,
            "paused": batch.paused,
            "problem": batch.problem,
            "upload": upload,
            "created_at": "2026-11-24T04:00:00.000Z",
            "started_at": "2026-11-24T04:00:01.000Z" if batch.started else None,
        }


def _rows(kind: str, content: bytes) -> Iterator[tuple[int, list[str]]]:
    if kind == "csv":
        yield from enumerate(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")), 1)
        return
    from openpyxl import load_workbook

    sheet = load_workbook(io.BytesIO(content)).worksheets[0]
    for number, cells in enumerate(sheet.iter_rows(values_only=True), 1):
        yield number, ["" if cell is None else str(cell) for cell in cells]


def _line(number: int, name: str, id_number: str, seen: dict[str, int]) -> list[str]:
    """A row's end, said by its number's last digit but one; the rest is as the service does it."""
    masked = f"{id_number[:3]}***********{id_number[-4:]}"
    row, verification = str(number), f"vrf_{number:026d}"
    if len(id_number) != 18:
        return [row, "", name[:1] + "*", "", "", "", "no", "id_number_invalid", ""]
    if id_number in seen:
        first = seen[id_number]
        reason, of = f"duplicate_of:{first}", f"vrf_{first:026d}"
        return [row, "", name[:1] + "*", masked, "match", "0000", "no", reason, of]
    seen[id_number] = number
    if name == "未知":
        reason = "outcome_unknown"
        return [row, "", "未*", masked, "", "", "unknown", reason, verification]
    outcome, code = ("mismatch", "0008") if name.startswith("李") else ("match", "0000")
    return [row, "", name[:1] + "*", masked, outcome, code, "yes", "", verification]


def problem(code: str, status: int, retry_after: int | None = None, **members: object) -> Reply:
    body = {"code": code, "detail": f"About {code}.", "billed": "no", "retryable": False}
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return Reply(body | members, status, headers)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _any(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.command, parts.path, query, headers, self.rfile.read(length))
        if len(asked.body) < length:  # who sent it has given up
            self.close_connection = True
            return
        service: FakeService = self.server.service  # type: ignore[attr-defined]
        try:
            reply = service.answer(asked)
        except ConnectionAbortedError:  # a test's: the answer gets lost
            self.close_connection = True
            return
        content = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content.encode())))
        self.end_headers()
        self.wfile.write(content.encode())

    do_GET = do_POST = do_PUT = do_DELETE = _any  # noqa: N815  # http.server's names

    def log_message(self, *arguments: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *arguments: object) -> None:
        """A client that was killed is no news."""


@contextmanager
def serving() -> Iterator[FakeService]:
    service = FakeService()
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.service = service  # type: ignore[attr-defined]
        service.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield service
        finally:
            server.shutdown()
            thread.join()


def lost() -> None:
    """A reply of a test: the request arrives and its answer does not."""
    raise ConnectionAbortedError
