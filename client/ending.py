"""What is told of a batch that moves no more by itself."""

from decimal import Decimal
from pathlib import Path

from client.console import Console
from client.errors import ClientError
from client.exits import Exit
from client.follow import Batch, money, status_text
from client.reasons import in_words

_OUTCOMES = {
    "match": "一致",
    "mismatch": "不一致",
    "no_record": "库中无此号",
    "unknown": "未知",
    "failed": "失败",
    "hopeless": "无法核验",
    "duplicate": "重复",
}


def failed(batch: Batch) -> ClientError:
    """The file as a whole could not be used."""
    problem = batch.get("problem") or {}
    code, row = str(problem.get("code", "failed")), problem.get("row")
    detail = str(problem.get("detail", ""))
    where = (f"row {row}: ", f"第 {row} 行：") if row is not None else ("", "")
    return ClientError(
        Exit.REFUSED,
        code,
        f"the batch failed, nothing was asked: {where[0]}{detail} ({code})",
        f"批次失败，没有发起核验：{in_words(code, 'zh')}（{code}）：{where[1]}{detail}",
        {"batch": batch},
    )


def waits(batch: Batch, console: Console) -> Exit:
    """Somebody has to do something before it goes on."""
    console.answer({"batch": batch, "out": None})
    cause = str((batch.get("paused") or {}).get("cause") or "")
    english = f" ({in_words(cause, 'en')}, {cause})" if cause else ""
    chinese = f"（{in_words(cause, 'zh')}，{cause}）" if cause else ""
    console.note(
        f"paused{english}; once that is mended, the same command goes on",
        f"已暂停{chinese}；处理之后，执行同样的命令即可继续",
    )
    return Exit.UNFINISHED


def finished(batch: Batch, out: Path, count: int, price: Decimal | None, console: Console) -> Exit:
    """Its result stands in ``out``."""
    console.answer({"batch": batch, "out": str(out)})
    outcomes, billed = batch["outcomes"], batch["billed"]
    status, cost = status_text(batch), money(batch, price)
    english = ", ".join(f"{name} {outcomes.get(name, 0)}" for name in _OUTCOMES)
    chinese = "，".join(f"{word} {outcomes.get(name, 0)}" for name, word in _OUTCOMES.items())
    console.say(f"{status[0]}: {english}", f"{status[1]}：{chinese}")
    console.say(
        f"billed {billed['yes']}, unknown {billed['unknown']}; {cost[0]}",
        f"已扣费 {billed['yes']}，未知 {billed['unknown']}；{cost[1]}",
    )
    console.say(f"{out}: {count} rows", f"{out}：{count} 行")
    if batch["status"] != "completed":
        why = str((batch.get("problem") or {}).get("detail", ""))
        console.note(
            f"{why} Rows without a result were not asked; --label TEXT asks the file anew".lstrip(),
            f"{why}没有结果的行未曾核验；用 --label 文本 可重新核验整个文件",
        )
    if outcomes.get("unknown"):
        return Exit.UNKNOWN
    lacking = outcomes.get("failed") or outcomes.get("hopeless") or batch["status"] != "completed"
    return Exit.OTHERWISE if lacking else Exit.OK
