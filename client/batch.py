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
from client.service import Service
from client.source import INLINE_BYTES, Source, inline, look
from client.upload import upload

_MAX_RUNS = 20
_CREATED = 201


def batch(service: Service, options: argparse.Namespace, console: Console) -> Exit:
    """Send FILE, follow its batch, write its result."""
    out = options.out or options.file.with_name(options.file.name + ".result.csv")
    if out.absolute() == options.file.absolute():
        raise usage_error("--out must not be FILE itself", "--out 不能是 FILE 本身")
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
    """One run of the command; ``seen`` is the batch as the service told of it last."""

    service: Service
    options: argparse.Namespace
    console: Console
    source: Source
    out: Path
    seen: Batch | None = None
    has_file: bool = False
    price: Decimal | None = None

    def to_its_end(self) -> Exit:
        found = self._begun()
        self.console.note(f"batch {found['id']}", f"批次 {found['id']}")
        if found["status"] == "awaiting_upload" and found["upload"]:
            upload(self.source, found, self.console)
        self.has_file = True
        self.price = unit_price(self.service)
        if found["status"] == "paused":
            found = self._told("resume")
        found = self._followed(found)
        if found["status"] == "checked":
            exit_code = shown(forecast(self.service, found), self.console)
            if not self._goes_on():
                return exit_code
            found = self._followed(self._told("resume"))
        if found["status"] == "failed":
            raise ending.failed(found)
        if found["status"] not in {"completed", "cancelled"}:
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
        elif found is None or found["status"] in {"awaiting_upload", "splitting", "checked"}:
            console.note("nothing was asked", "没有发起核验")
        console.note("to go on: the same command", "继续：执行同样的命令")

    def _begun(self) -> Batch:
        """The batch of this file and these options: an earlier run's, or a new one."""
        source, body = self.source, _request(self.source, self.options)
        text = json.dumps([source.sha256, body], sort_keys=True)
        if source.size <= INLINE_BYTES:
            body["content"] = inline(source)
        for run in range(_MAX_RUNS):
            key = hashlib.sha256(f"{run}{text}".encode()).hexdigest()
            answer = self.service.post("/v1/batches", body, key=key)
            found = self.seen = answer.json()
            if answer.status == _CREATED or not _came_to_nothing(found):
                return found
        raise ClientError(
            Exit.REFUSED,
            "too_many_runs",
            f"this file came to nothing {_MAX_RUNS} times; --label TEXT begins anew",
            f"该文件已 {_MAX_RUNS} 次无果而终；用 --label 文本 重新开始",
        )

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
    return {"format": source.format, "dry_run": options.dry_run} | given


def _came_to_nothing(found: Batch) -> bool:
    """Whether it ended without a paid row, so that beginning anew pays nothing twice."""
    paid = found["billed"]["yes"] + found["billed"]["unknown"]
    return found["status"] in {"cancelled", "failed"} and not paid


def _asks(found: Batch) -> bool:
    """Whether rows are asked, or will be, if nobody does anything."""
    only_checked = found["dry_run"] and found["status"] in {"awaiting_upload", "splitting"}
    return moves(found) and not only_checked
