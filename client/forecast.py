"""A dry run's answer: what is hopeless, what is double, what the rest would cost."""

from collections import defaultdict
from typing import Any

from client.console import Console, yuan
from client.exits import Exit
from client.joining import results
from client.reasons import in_words
from client.service import Service

_SHOWN = 5


def forecast(service: Service, batch: dict[str, Any]) -> dict[str, Any]:
    """The checked batch, with the first row numbers of each flaw."""
    flaws = batch.get("flaws") or {}
    wanted = {code: min(int(count), _SHOWN) for code, count in flaws.items()}
    found: dict[str, list[int]] = defaultdict(list)
    if wanted:
        # Read only as far as needed: the rest of a long result tells nothing new.
        for line in results(service, batch["id"]):
            code = line["reason"]
            if len(found[code]) < wanted.get(code, 0):
                found[code].append(int(line["row"]))
            if all(len(found[code]) >= count for code, count in wanted.items()):
                break
    return {"batch": batch, "flaw_rows": {code: found[code] for code in flaws}}


def shown(told: dict[str, Any], console: Console) -> Exit:
    """Print it; OTHERWISE where rows are hopeless or the balance is too small."""
    console.answer(told)
    batch, rows = told["batch"], told["batch"]["rows"]
    console.say(
        f"{rows['total']} rows: {rows['hopeless']} hopeless, {rows['duplicates']} duplicates",
        f"共 {rows['total']} 行：{rows['hopeless']} 行无法核验，{rows['duplicates']} 行重复",
    )
    for code, count in (batch.get("flaws") or {}).items():
        first = told["flaw_rows"][code]
        more = ", …" if count > len(first) else ""
        numbers = ", ".join(map(str, first)) + more
        console.say(
            f"  {count} × {in_words(code, 'en')} ({code}): rows {numbers}",
            f"  {count} × {in_words(code, 'zh')}（{code}）：第 {numbers} 行",
        )
    enough = _cost(batch.get("cost"), console)
    return Exit.OTHERWISE if rows["hopeless"] or not enough else Exit.OK


def _cost(cost: dict[str, Any] | None, console: Console) -> bool:
    """Whether the packages cover it, as far as anybody can know."""
    if cost is None or cost["unit_price"] is None:
        console.say(
            "no package is in use: record what was bought with `eryaosu packages add`",
            "没有在用的套餐记录：请用 `eryaosu packages add` 登记",
        )
        return True
    calls, left, enough = cost["calls"], cost["balance_left"], cost["enough"] is not False
    english = "enough" if enough else "NOT ENOUGH"
    chinese = "够用" if enough else "不够"
    console.say(
        f"{calls} calls, about {yuan(cost['yuan'])}; {left} left in the packages: {english}",
        f"{calls} 次调用，约 {yuan(cost['yuan'])}；套餐剩余 {left} 次：{chinese}",
    )
    return enough
