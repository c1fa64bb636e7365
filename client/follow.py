"""A batch until it ends, or somebody has to do something."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from decimal import Decimal
from time import monotonic, sleep
from typing import Any

from client.console import Console
from client.errors import ClientError
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


def follow(
    service: Service, batch: Batch, console: Console, price: Decimal | None
) -> Iterator[Batch]:
    """Show the batch's progress, give each state of it, until it moves no more by itself."""
    with ExitStack() as stack:
        show = _bar(stack, console, price) if _has_bar(console) else _lines(console, price)
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


def unit_price(service: Service) -> Decimal | None:
    """What a call costs now; None where the key may not know it, or no package is in use."""
    try:
        price = service.get("/v1/packages").json().get("unit_price")
    except ClientError:
        return None
    return None if price is None else Decimal(price)


def money(batch: Batch, price: Decimal | None) -> tuple[str, str]:
    """What it cost so far and what it will, in both languages; calls where no price is known."""
    rows, paid = batch["rows"], int(batch["billed"]["yes"])
    calls = rows["total"] - rows["hopeless"] - rows["duplicates"]
    if price is None:
        return f"{paid} of about {calls} paid calls", f"已扣费 {paid} / 约 {calls} 次"
    so_far, total = f"¥{paid * price:.2f}", f"¥{calls * price:.2f}"
    return f"{so_far} of about {total}", f"{so_far} / 约 {total}"


def moves(batch: Batch) -> bool:
    """Whether time alone changes its state."""
    paused = batch.get("paused") or {}
    # Maintenance and the like end by themselves; without "until" a human has to act.
    by_time = batch["status"] == "paused" and bool(paused.get("until"))
    return by_time or batch["status"] in {"awaiting_upload", "splitting", "running"}


def _has_bar(console: Console) -> bool:
    return not console.as_json and sys.stderr.isatty()


def _bar(stack: ExitStack, console: Console, price: Decimal | None) -> Callable[[Batch], None]:
    from tqdm import tqdm

    bar: tqdm[Any] | None = None
    before = _lines(console, price)

    def show(batch: Batch) -> None:
        nonlocal bar
        rows = batch["rows"]
        if bar is None and not rows["total"]:
            before(batch)
            return
        if bar is None:
            bar = stack.enter_context(
                tqdm(
                    total=rows["total"],
                    desc=console.pick(*status_text(batch)),
                    initial=rows["done"],  # it says nothing of this run's rate
                    unit=console.pick(" rows", "行"),
                    file=sys.stderr,
                    dynamic_ncols=True,
                    smoothing=0,  # rows come in chunks: the latest moments tell little
                )
            )
        bar.set_description_str(console.pick(*status_text(batch)), refresh=False)
        bar.set_postfix_str(console.pick(*money(batch, price)), refresh=False)
        bar.update(rows["done"] - bar.n)
        bar.refresh()

    return show


def _lines(console: Console, price: Decimal | None) -> Callable[[Batch], None]:
    """Where nobody watches: a line at each change of state, and now and then."""
    last: tuple[object, float] = (None, 0.0)

    def show(batch: Batch) -> None:
        nonlocal last
        now, rows = monotonic(), batch["rows"]
        if last[0] == batch["status"] and now - last[1] < _LINE_SECONDS:
            return
        last = (batch["status"], now)
        texts, cost = status_text(batch), money(batch, price)
        if not rows["total"]:
            console.note(*texts)
            return
        count = f"{rows['done']}/{rows['total']}"
        console.note(f"{texts[0]}: {count} rows, {cost[0]}", f"{texts[1]}：{count} 行，{cost[1]}")

    return show
