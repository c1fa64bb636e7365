"""A file, from its upload to its result.

The Idempotency-Key comes from the file's hash and the options. So the same command finds its
batch again after Ctrl-C, a crash or a lost connection, and no state is kept on this machine.
"""

import argparse
import hashlib
import json
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from client import ending
from client.console import Console
from client.errors import ClientError, usage_error
from client.exits import Exit
from client.follow import Batch, follow, money, moves, unit_price
from client.forecast import forecast, shown
from client.joining import results, write
from client.service import Answer, Service
from client.source import INLINE_BYTES, Source, inline, look
from client.upload import upload

_MAX_RUNS = 20
_CREATED = 201
_ENDED = frozenset({"completed", "cancelled", "failed"})


def batch(service: Service, options: argparse.Namespace, console: Console) -> Exit:
    """Send FILE, follow its batch, write its result."""
    out = options.out or options.file.with_name(options.file.name + ".result.csv")
    if out.exists() and options.file.exists() and out.samefile(options.file):
        raise usage_error("--out must not be FILE itself", "--out 不能是 FILE 本身")
    if out.is_dir():
        raise usage_error(f"{out}: is a folder", f"{out}：是文件夹")
    if not out.absolute().parent.is_dir():
        raise usage_error(f"{out}: no such folder", f"{out}：文件夹不存在")
    source = look(options.file, options.encoding)
    if options.sheet and source.format == "csv":
        raise usage_error("--sheet is for workbooks only", "--sheet 只用于工作簿")
    if options.encoding and source.format == "xlsx":
        raise usage_error("--encoding is for CSV only", "--encoding 只用于 CSV")
    run = _Run(service, options, console, source, out)
    try:
        return run.to_its_end()
    except KeyboardInterrupt:
        run.leave()
        raise


@dataclass(slots=True)
class _Run:
    """One run of the command; ``seen`` is the batch as the service told of it last.

    ``in_doubt`` while a file is under way that the service asks by itself once it is there.
    """

    service: Service
    options: argparse.Namespace
    console: Console
    source: Source
    out: Path
    seen: Batch | None = None
    has_file: bool = False
    in_doubt: bool = False
    price: Decimal | None = None

    def to_its_end(self) -> Exit:
        found = self._begun()
        self.console.note(f"batch {found['id']}", f"批次 {found['id']}")
        if self.options.dry_run and not found["dry_run"]:
            raise _is_asked(found)
        if found["status"] == "awaiting_upload" and found["upload"]:
            self.in_doubt = not found["dry_run"]
            upload(self.source, found, self.console)
        self.has_file = True
        self.price = unit_price(self.service)
        if found["status"] == "paused":
            found = self._resumed()
        found = self._followed(found)
        if found["status"] == "checked":
            if self.options.dry_run:
                exit_code = shown(forecast(self.service, found), self.console)
                if not self._goes_on():
                    return exit_code
            found = self._followed(self._resumed())
        if found["status"] == "failed" and not found["started_at"]:
            raise ending.failed(found)
        if found["status"] not in _ENDED:
            return ending.waits(found, self.console)
        lines = results(self.service, found["id"])
        count = write(self.out, self.source, self.options.sheet, lines, self.console.language)
        return ending.finished(found, self.out, count, self.price, self.console)

    def leave(self) -> None:
        """Say what Ctrl-C leaves behind."""
        console, found = self.console, self.seen
        console.note("", "")
        if found is not None and self.has_file and _asks(found):
            name, cost = found["id"], money(found, self.price)
            if self.options.pause_on_interrupt and self._has_paused():
                console.note("paused", "已暂停")
            else:
                console.note(
                    f"the service goes on asking, and paying, without you ({cost[0]} so far)\n"
                    f"to stop it: eryaosu batches pause {name}, or cancel",
                    f"服务端会继续核验并扣费（目前 {cost[1]}）\n"
                    f"要停止：eryaosu batches pause {name}，或 cancel",
                )
        elif self.in_doubt and not self.has_file:
            console.note(
                "the file may have arrived, and the service then asks, and pays, without you",
                "文件可能已经到达；若已到达，服务端会继续核验并扣费",
            )
        elif found is None or found["status"] in {"awaiting_upload", "splitting", "checked"}:
            console.note("nothing was asked", "没有发起核验")
        console.note("to go on: the same command", "继续：执行同样的命令")

    def _begun(self) -> Batch:
        """The batch of this file and these options: an earlier run's, or a new one."""
        source, body = self.source, _request(self.source, self.options)
        text = json.dumps([source.sha256, body], sort_keys=True)
        if source.size <= INLINE_BYTES:
            body["content"] = inline(source)
            self.in_doubt = not self.options.dry_run
        for run in range(_MAX_RUNS):
            key = hashlib.sha256(f"{run}{text}".encode()).hexdigest()
            answer = self._posted(body, key)
            found = self.seen = answer.json()
            if _has_no_way_in(found, body):
                found = self._told("cancel")
            if answer.status == _CREATED or not _came_to_nothing(found):
                return found
        raise ClientError(
            Exit.REFUSED,
            "too_many_runs",
            f"this file came to nothing {_MAX_RUNS} times; --label TEXT begins anew",
            f"该文件已 {_MAX_RUNS} 次无果而终；用 --label 文本 重新开始",
        )

    def _posted(self, body: dict[str, Any], key: str) -> Answer:
        """The answer; a dry run and the run proper have one key, or a list would be paid twice."""
        wanted = self.options.dry_run
        try:
            return self.service.post("/v1/batches", body | {"dry_run": wanted}, key=key)
        except ClientError as exc:
            if exc.code != "idempotency_key_reused":
                raise
        return self.service.post("/v1/batches", body | {"dry_run": not wanted}, key=key)

    def _followed(self, found: Batch) -> Batch:
        for state in follow(self.service, found, self.console, self.price):
            found = self.seen = state
        return found

    def _goes_on(self) -> bool:
        """Whether a checked batch is to be asked; a declined one is removed from the service."""
        name = (self.seen or {})["id"]
        if not self.console.asks:
            self.console.note(
                f"to ask these rows: eryaosu batches resume {name}; "
                f"to remove the file from the service: eryaosu batches cancel {name}",
                f"发起核验：eryaosu batches resume {name}；"
                f"从服务端删除文件：eryaosu batches cancel {name}",
            )
            return False
        if self.console.confirmed("Ask them now? [y/N]", "现在开始核验吗？[y/N]"):
            return True
        self._told("cancel")
        self.console.note("nothing was asked; the file is removed", "没有发起核验；文件已删除")
        return False

    def _resumed(self) -> Batch:
        """The batch going on, also where another run, or time, was faster."""
        try:
            return self._told("resume")
        except ClientError as exc:
            if exc.code != "batch_state":
                raise
        found = self.seen = self.service.get(f"/v1/batches/{(self.seen or {})['id']}").json()
        return found

    def _told(self, action: str) -> Batch:
        name = (self.seen or {})["id"]
        found = self.seen = self.service.post(f"/v1/batches/{name}/{action}").json()
        return found

    def _has_paused(self) -> bool:
        try:
            self._told("pause")
        except ClientError:
            return False
        return True


def _request(source: Source, options: argparse.Namespace) -> dict[str, Any]:
    asked = {
        "columns": options.columns,
        "sheet": options.sheet,
        "encoding": options.encoding,
        "max_age_seconds": options.max_age,
        "label": options.label,
    }
    given = {name: value for name, value in asked.items() if value is not None}
    return {"format": source.format} | given


def _came_to_nothing(found: Batch) -> bool:
    """Whether it ended before a row was asked, so that beginning anew pays nothing twice.

    What is billed does not tell: rows that are being asked are counted later.
    """
    return found["status"] in {"cancelled", "failed"} and not found["started_at"]


def _has_no_way_in(found: Batch, body: dict[str, Any]) -> bool:
    """Whether it waits for a file whose time is over."""
    return found["status"] == "awaiting_upload" and not found["upload"] and "content" not in body


def _is_asked(found: Batch) -> ClientError:
    name = found["id"]
    return ClientError(
        Exit.REFUSED,
        "already_asked",
        f"{name}: this list was begun without --dry-run; the command without it goes on",
        f"{name}：该名单已在不带 --dry-run 的情况下开始；去掉它即可继续",
    )


def _asks(found: Batch) -> bool:
    """Whether rows are asked, or will be, if nobody does anything."""
    only_checked = found["dry_run"] and found["status"] in {"awaiting_upload", "splitting"}
    return moves(found) and not only_checked
