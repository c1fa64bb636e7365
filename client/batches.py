"""Batches that exist: list, show, pause, resume, cancel."""

import argparse
import re
from typing import Any

from client.console import Console
from client.errors import usage_error
from client.exits import Exit
from client.follow import money, status_text
from client.reasons import in_words
from client.service import Service

_BATCH_ID = re.compile(r"bat_[a-z0-9]{1,60}")


def batches(service: Service, options: argparse.Namespace, console: Console) -> Exit:
    """One of them, or those of a day."""
    if options.action == "list":
        return _listed(service, options, console)
    if not options.id or not _BATCH_ID.fullmatch(options.id):
        raise usage_error("ID must look like bat_…", "ID 应形如 bat_…")
    path = f"/v1/batches/{options.id}"
    if options.action == "show":
        found = service.get(path).json()
    else:
        found = service.post(f"{path}/{options.action}").json()
    console.answer(found)
    _shown(found, console)
    return Exit.OK


def _listed(service: Service, options: argparse.Namespace, console: Console) -> Exit:
    items: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        page = service.get("/v1/batches", {"day": options.day, "cursor": cursor}).json()
        items += page["items"]
        cursor = page["next_cursor"]
        if not cursor:
            break
    console.answer({"items": items})
    head = (
        ("batch", "created", "status", "rows", "done", "label")
        if console.language == "en"
        else ("批次", "创建时间", "状态", "行数", "已完成", "标签")
    )
    rows = [
        (
            found["id"],
            found["created_at"],
            console.pick(*status_text(found)),
            found["rows"]["total"],
            found["rows"]["done"],
            found["label"] or "",
        )
        for found in items
    ]
    console.table(head, rows)
    return Exit.OK


def _shown(found: dict[str, Any], console: Console) -> None:
    rows, status, cost = found["rows"], status_text(found), money(found, None)
    cause = (found.get("paused") or {}).get("cause")
    because = (f" ({cause})", f"（{in_words(cause, 'zh')}）") if cause else ("", "")
    console.say(
        f"{found['id']}: {status[0]}{because[0]}", f"{found['id']}：{status[1]}{because[1]}"
    )
    console.say(
        f"{rows['done']} of {rows['total']} rows, {cost[0]}",
        f"{rows['done']} / {rows['total']} 行，{cost[1]}",
    )
