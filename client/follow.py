"""A batch until it ends, or somebody has to do something."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from decimal import Decimal
from time import monotonic, sleep
from typing import Any

from client.console import Console
from client.service import Service

Batch = dict[str, Any]

_PATIENCE = 300.0  # a lost connection is no reason to leave a batch that goes on by itself
_SOONEST, _LATEST = 0.3, 5.0
_LINE_SECONDS = 30.0
_TEXTS: Mapping[str, tuple[str, str]] = {
    "awaiting_upload": ("waiting for the file", "等待文件"),
    "splitting": ("reading the file", "读取文件"),
    "checked": ("checked", "检查完毕"),
    "running": ("asking", "核验中"),
    "paused": ("paused", "已暂停"),
    "completed": ("completed", "已完成"),
    "cancelled": ("cancelled", "已取消"),
    "failed": ("failed", "失败"),
}


def follow(service: Service, batch: Batch, console: Console) -> Iterator[Batch]:
    """Show the batch's progress, give each state of it, until it moves no more by itself."""
    with ExitStack() as stack:
        show = _bar(stack, console) if _has_bar(console) else _lines(console)
        started = monotonic()
        while True:
            show(batch)
            yield batch
            if not moves(batch):
                return
            # A short batch is looked at often, a long one rarely.
            sleep(min(max((monotonic() - started) / 20, _SOONEST), _LATEST))
            batch = service.get(f"/v1/batches/{batch['id']}", patience=_PATIENCE).json()


def status_text(batch: Batch) -> tuple[str, str]:
    """The batch's state in words."""
    return _TEXTS.get(batch["status"], (batch["status"],) * 2)


def money(batch: Batch) -> tuple[str, str]:
    """What it cost so far and what it will, in both languages; calls where no price is known."""
    cost, paid = batch.get("cost") or {}, int((batch.get("billed") or {}).get("yes", 0))
    price = cost.get("unit_price")
    if price is None:
        return f"{paid} paid calls", f"已扣费 {paid} 次"
    so_far = f"¥{paid * Decimal(price):.2f}"
    total = f"¥{Decimal(cost['yuan']):.2f}" if cost.get("yuan") is not None else "?"
    return f"{so_far} of about {total}", f"{so_far} / 约 {total}"


def moves(batch: Batch) -> bool:
    """Whether time alone changes its state."""
    paused = batch.get("paused") or {}
    # Maintenance and the like end by themselves; without "until" a human has to act.
    by_time = batch["status"] == "paused" and bool(paused.get("until"))
    return by_time or batch["status"] in {"awaiting_upload", "splitting", "running"}


def _has_bar(console: Console) -> bool:
    return not console.as_json and sys.stderr.isatty()


def _bar(stack: ExitStack, console: Console) -> Callable[[Batch], None]:
    from tqdm import tqdm

    bar: tqdm[Any] | None = None

    def show(batch: Batch) -> None:
        nonlocal bar
        rows = batch.get("rows") or {}
        total, done = rows.get("total") or None, rows.get("done") or 0
        if bar is None:
            unit = console.pick("rows", "行")
            # What was done before this run says nothing of the rate.
            bar = stack.enter_context(
                tqdm(total=total, initial=done, unit=unit, file=sys.stderr, dynamic_ncols=True)
            )
        bar.total = total
        bar.set_description_str(console.pick(*status_text(batch)), refresh=False)
        bar.set_postfix_str(console.pick(*money(batch)), refresh=False)
        bar.update(done - bar.n)
        bar.refresh()

    return show


def _lines(console: Console) -> Callable[[Batch], None]:
    """Where nobody watches: a line at each change of state, and now and then."""
    last: tuple[object, float] = (None, 0.0)

    def show(batch: Batch) -> None:
        nonlocal last
        now, rows = monotonic(), batch.get("rows") or {}
        if last[0] == batch["status"] and now - last[1] < _LINE_SECONDS:
            return
        last = (batch["status"], now)
        count = f"{rows.get('done') or 0}/{rows.get('total') or '?'}"
        texts, cost = status_text(batch), money(batch)
        console.note(f"{texts[0]}: {count} rows, {cost[0]}", f"{texts[1]}：{count} 行，{cost[1]}")

    return show
