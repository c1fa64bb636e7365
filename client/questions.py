"""verify, get, resolve: single verifications."""

import argparse
import re
import sys
import uuid
from typing import Any

from client.console import Console
from client.errors import ClientError, usage_error
from client.exits import Exit
from client.reasons import BILLED, OUTCOMES, in_words
from client.service import Service

_PATIENCE = 75.0
_VERIFICATION_ID = re.compile(r"vrf_[a-z0-9]{1,60}")


def verify(service: Service, options: argparse.Namespace, console: Console) -> Exit:
    """Ask one question, repeated under one Idempotency-Key until its answer is there."""
    name, id_number = _person(options, console)
    key = options.idempotency_key or str(uuid.uuid4())
    body = {"name": name, "id_number": id_number}
    body |= {"reference": options.reference} if options.reference else {}
    body |= {"max_age_seconds": options.max_age} if options.max_age is not None else {}
    try:
        found = service.post("/v1/verifications", body, key=key, patience=_PATIENCE).json()
    except ClientError as exc:
        raise _with_key(exc, key) from None
    except KeyboardInterrupt:
        console.note(*_go_on(key))
        raise
    return _shown(found, console)


def get(service: Service, options: argparse.Namespace, console: Console) -> Exit:
    """Read one verification; the exit code is what ``verify`` would have had."""
    return _shown(service.get(f"/v1/verifications/{_id(options)}").json(), console)


def resolve(service: Service, options: argparse.Namespace, console: Console) -> Exit:
    """Settle an unknown outcome as the seller's console says it was billed."""
    body = {"billed": options.billed, "action": options.action}
    found = service.post(f"/v1/verifications/{_id(options)}/resolve", body).json()
    _shown(found, console)
    return Exit.OK


def _id(options: argparse.Namespace) -> str:
    # Also keeps a number that was typed in the wrong place out of URLs and their logs.
    if not _VERIFICATION_ID.fullmatch(options.id):
        raise usage_error("ID must look like vrf_…", "ID 应形如 vrf_…")
    return str(options.id)


def _person(options: argparse.Namespace, console: Console) -> tuple[str, str]:
    """From the command line, the keyboard, or two lines on stdin."""
    if options.name is not None:
        if options.id_number is None:
            raise usage_error(
                "ID_NUMBER is missing; with neither of both, they are asked for",
                "缺少 ID_NUMBER；两者都不写则会逐一询问",
            )
        return options.name, options.id_number
    lines = []
    for english, chinese in (("Name:", "姓名："), ("Number:", "身份证号：")):
        if console.asks:
            print(console.pick(english, chinese), end=" ", file=sys.stderr, flush=True)
        lines.append(sys.stdin.readline().strip())
    if not all(lines):
        raise usage_error(
            "two lines are needed: the name, then the number",
            "需要两行：先姓名，后身份证号",
        )
    return lines[0], lines[1]


def _go_on(key: str) -> tuple[str, str]:
    return (
        f"to go on without paying twice: the same command with --idempotency-key {key}",
        f"继续而不重复扣费：同样的命令加上 --idempotency-key {key}",
    )


def _with_key(exc: ClientError, key: str) -> ClientError:
    """The error with the way on, where there is one."""
    exit_code = Exit.UNKNOWN if exc.code == "no_answer" else exc.exit_code
    if exit_code not in {Exit.UNKNOWN, Exit.LATER, Exit.UNFINISHED}:
        return exc
    found = exc.problem.get("verification_id")
    english, chinese = _go_on(key)
    if exc.code == "outcome_unknown" and found:
        english = f"{found}: compare with the seller's console, then `eryaosu resolve {found} …`"
        chinese = f"{found}：请与卖家控制台核对，再执行 `eryaosu resolve {found} …`"
    problem = exc.problem | {"idempotency_key": key}
    texts = (f"{exc.english}\n{english}", f"{exc.chinese}\n{chinese}")
    return ClientError(exit_code, exc.code, *texts, problem)


def _shown(found: dict[str, Any], console: Console) -> Exit:
    console.answer(found)
    outcome, problem = found.get("outcome"), found.get("problem") or {}
    status, code = str(found.get("status")), str(problem.get("code", ""))
    texts = OUTCOMES.get(str(outcome), (status, status))
    reason = f" ({code})" if code else ""
    in_chinese = f"（{outcome or status}）" + (
        f"：{in_words(code, 'zh')}（{code}）" if code else ""
    )
    console.say(texts[0] + reason, texts[1] + in_chinese if outcome else status + in_chinese)
    billed = BILLED.get(str(found.get("billed")), ("", ""))
    for english, chinese, value in (
        ("id", "编号", found.get("id")),
        ("billed", "扣费", console.pick(*billed)),
        ("name", "姓名", found.get("name")),
        ("number", "身份证号", found.get("id_number")),
        ("reference", "参考号", found.get("reference")),
        ("reused from", "沿用", found.get("reused_from")),
        ("warnings", "提示", ", ".join(found.get("warnings") or [])),
    ):
        if value:
            console.say(f"{english}: {value}", f"{chinese}：{value}")
    return _exit(status, outcome, retryable=found.get("retryable") is True)


def _exit(status: str, outcome: object, *, retryable: bool) -> Exit:
    if status == "completed":
        return Exit.OK if outcome == "match" else Exit.OTHERWISE
    if status in {"pending", "in_progress"}:
        return Exit.UNFINISHED
    if status == "unknown":
        return Exit.UNKNOWN
    return Exit.LATER if retryable else Exit.REFUSED
