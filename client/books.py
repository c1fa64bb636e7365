"""usage, packages, export: what was paid for."""

import argparse
import csv
import io
import re
import sys
import uuid
from collections.abc import Iterator
from typing import Any

from client.console import Console, yuan
from client.errors import ClientError, usage_error
from client.exits import Exit
from client.service import Answer, Service
from client.written import whole

_PACKAGE_ID = re.compile(r"pkg_[a-z0-9]{1,60}")


def usage(service: Service, options: argparse.Namespace, console: Console) -> Exit:
    """Calls by day and billing."""
    found = service.get("/v1/usage", _days(options)).json()
    console.answer(found)
    total = console.pick("total", "合计")
    rows = [
        (
            day.get("date", total),
            day["calls"],
            *(day["billed"][b] for b in ("yes", "no", "unknown")),
        )
        for day in [*found["days"], found["total"]]
    ]
    console.table(
        ("date", "calls", "billed", "not billed", "unknown")
        if console.language == "en"
        else ("日期", "调用", "已扣费", "未扣费", "未知"),
        rows,
    )
    return Exit.OK


def packages(service: Service, options: argparse.Namespace, console: Console) -> Exit:
    """What was bought, what is left, what to buy next."""
    chosen = {"list": _listed, "add": _added, "remove": _removed, "advice": _advised}
    return chosen[options.action](service, options, console)


def _listed(service: Service, _: argparse.Namespace, console: Console) -> Exit:
    found = service.get("/v1/packages").json()
    console.answer(found)
    _balance(found, console)
    return Exit.OK


def _added(service: Service, options: argparse.Namespace, console: Console) -> Exit:
    if options.calls is None or options.price is None:
        raise usage_error("add needs --calls and --price", "add 需要 --calls 和 --price")
    body = {
        "calls": options.calls,
        "price": f"{options.price:f}",
        "purchased_at": options.purchased_at,
        "expires_at": options.expires_at,
        "note": options.note,
    }
    sent = {name: value for name, value in body.items() if value is not None}
    key = options.idempotency_key or str(uuid.uuid4())
    try:
        found = service.post("/v1/packages", sent, key=key).json()
    except ClientError as exc:
        if exc.exit_code is not Exit.LATER:
            raise
        raise ClientError(
            exc.exit_code,
            exc.code,
            f"{exc.english}\nto go on: the same command with --idempotency-key {key}",
            f"{exc.chinese}\n继续：同样的命令加上 --idempotency-key {key}",
            exc.problem | {"idempotency_key": key},
        ) from None
    console.answer(found)
    console.say(f"recorded: {found['id']}", f"已记录：{found['id']}")
    return Exit.OK


def _removed(service: Service, options: argparse.Namespace, console: Console) -> Exit:
    if not options.id or not _PACKAGE_ID.fullmatch(options.id):
        raise usage_error("ID must look like pkg_…", "ID 应形如 pkg_…")
    service.delete(f"/v1/packages/{options.id}")
    console.answer({"removed": options.id})
    console.say(f"removed: {options.id}", f"已删除：{options.id}")
    return Exit.OK


def _advised(service: Service, options: argparse.Namespace, console: Console) -> Exit:
    found = service.get("/v1/packages/advice", {"days": options.days}).json()
    console.answer(found)
    basis, ends = found["basis"], found["runs_out_on"] or "–"
    console.say(
        f"{basis['calls']} calls in {basis['days']} days, {basis['calls_a_day']} a day; "
        f"{found['left']} left, used up on {ends}",
        f"{basis['days']} 天内 {basis['calls']} 次，每天 {basis['calls_a_day']} 次；"
        f"剩余 {found['left']} 次，预计 {ends} 用完",
    )
    console.say(
        f"until {found['until']}: {found['expected']} expected - {found['covered']} covered "
        f"= {found['missing']} missing",
        f"到 {found['until']}：预计 {found['expected']} - 已有 {found['covered']} "
        f"= 缺少 {found['missing']}",
    )
    for purchase in found["purchases"]:
        sums = _sums(purchase["cheapest"])
        console.say(
            f"buy on {purchase['day']}, until {purchase['until']}, for {purchase['calls']} calls: "
            f"{sums}",
            f"{purchase['day']} 购买，用到 {purchase['until']}，共 {purchase['calls']} 次：{sums}",
        )
        single = purchase["single"]
        if single and single != purchase["cheapest"]:
            console.say(
                f"  the best single package: {_sums(single)}", f"  单个套餐最优：{_sums(single)}"
            )
    console.say(f"in all: {yuan(found['price'])}", f"合计：{yuan(found['price'])}")
    return Exit.OK


def _sums(combination: dict[str, Any]) -> str:
    lines = [
        f"{line['number']} × {line['calls']} ({yuan(line['price'])}) = {yuan(line['sum'])}"
        for line in combination["packages"]
    ]
    return " + ".join(lines) + (f" = {yuan(combination['price'])}" if len(lines) > 1 else "")


def _balance(found: dict[str, Any], console: Console) -> None:
    console.say(
        f"used {found['used']} of {found['total']}, {found['left']} left; "
        f"unknown {found['unknown']}, uncovered {found['uncovered']}",
        f"已用 {found['used']} / 共 {found['total']}，剩余 {found['left']}；"
        f"未知 {found['unknown']}，无套餐覆盖 {found['uncovered']}",
    )
    rows = [
        (
            p["id"],
            p["calls"],
            yuan(p["price"]),
            # Of days that are not counted any more nothing is known.
            "-" if p["used"] is None else p["used"],
            "-" if p["left"] is None else p["left"],
            str(p["expires_at"])[:10],
        )
        for p in found["items"]
    ]
    head = ("package", "calls", "price", "used", "left", "expires")
    console.table(head if console.language == "en" else _PACKAGE_HEAD, rows)


_PACKAGE_HEAD = ("套餐", "次数", "价格", "已用", "剩余", "到期")


def export(service: Service, options: argparse.Namespace, console: Console) -> Exit:
    """Write the masked CSV of some days, whole or not at all; with --json also its lines."""
    if options.out is None:
        _export_to_stdout(service, options, console)
        return Exit.OK
    lines = 0
    try:
        with whole(options.out) as stream:
            for text, count in _pages(service, options):
                stream.write(text)
                lines += count
    except OSError as exc:
        raise usage_error(*(f"{options.out}: {exc.strerror}",) * 2) from None
    console.answer({"out": str(options.out), "lines": lines})
    console.say(f"{options.out}: {lines} lines", f"{options.out}：{lines} 行")
    return Exit.OK


def _export_to_stdout(service: Service, options: argparse.Namespace, console: Console) -> None:
    texts = (text for text, _ in _pages(service, options))
    if console.as_json:
        console.answer(list(csv.DictReader(io.StringIO("".join(texts), newline=""))))
        return
    for text in texts:
        sys.stdout.write(text)


def _pages(service: Service, options: argparse.Namespace) -> Iterator[tuple[str, int]]:
    """Each page's text, the first with the header row, and how many records it holds."""
    cursor: str | None = None
    first = True
    while first or cursor:
        answer: Answer = service.get("/v1/export", _days(options) | {"cursor": cursor})
        text = answer.text()
        rows = list(csv.reader(io.StringIO(text, newline="")))
        if not first and rows:
            plain = io.StringIO(newline="")
            csv.writer(plain).writerows(rows[1:])
            text = plain.getvalue()
        yield text, max(len(rows) - 1, 0)
        first, cursor = False, answer.headers.get("X-Next-Cursor")


def _days(options: argparse.Namespace) -> dict[str, object]:
    return {"from": options.from_day, "to": options.to_day}
