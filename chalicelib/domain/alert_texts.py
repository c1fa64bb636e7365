"""What an alert says, in Chinese and in English: what happened, what it means, what to do.

Numbers, codes, names of clients, sources and queues; never a person. Each text fits into a chat
robot's shortest message (2,048 bytes of UTF-8).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from chalicelib.domain.alert_settings import Language
from chalicelib.domain.alerts import Alert, Kind
from chalicelib.domain.caps import ALL
from chalicelib.domain.verification import CHINA


class Message(NamedTuple):
    """``subject`` is ASCII of at most 100 characters, as an e-mail's must be; ``text`` is all."""

    subject: str
    text: str


class _Wording(NamedTuple):
    title: str
    happened: str
    means: str
    todo: str


_EN, _ZH = Language.EN, Language.ZH
_SUBJECT = 100

_TEXTS: Mapping[Kind, Mapping[Language, _Wording]] = {
    Kind.LOW_BALANCE: {
        _EN: _Wording(
            "{percent} % or less of the calls are left",
            "{left} of {total} calls are left in the packages that have not expired{worth}.",
            "Once they are used up, the upstream refuses every verification.",
            "Buy the next package and record it with POST /v1/packages. GET /v1/packages/advice "
            "says which one is cheapest.",
        ),
        _ZH: _Wording(
            "套餐余量已降到 {percent}%",
            "未过期的套餐还剩 {left} 次，共 {total} 次{worth}。",
            "用完之后，上游会拒绝每一次核验。",
            "购买下一个套餐，再用 POST /v1/packages 登记。买哪个最划算，看 "
            "GET /v1/packages/advice。",
        ),
    },
    Kind.PACKAGE_EXPIRING: {
        _EN: _Wording(
            "A package expires within {days} days",
            "The package {package} expires at {at}, with {left} calls left{worth}.",
            "What is left then is lost.",
            "Use what you can until then, and buy the next package in time.",
        ),
        _ZH: _Wording(
            "套餐将在 {days} 天内到期",
            "套餐 {package} 于 {at} 到期，还剩 {left} 次{worth}。",
            "到期时没用完的次数作废。",
            "能用的先用掉；需要的话提前买好下一个套餐。",
        ),
    },
    Kind.CAP_REACHED: {
        _EN: _Wording(
            "A spending cap is reached",
            "{who} made {taken} calls in the {period} {of}; the cap is {limit}.",
            "New verifications are refused (budget_exhausted) until the {period} is over (UTC+8). "
            "Queued ones wait.",
            "If that is what you want, nothing. Otherwise raise the cap in the secret.",
        ),
        _ZH: _Wording(
            "已达到用量上限",
            "{who}在 {of}（按{period}计）已调用 {taken} 次，上限 {limit} 次。",
            "到当{period}结束（北京时间）之前，新的核验会被拒绝（budget_exhausted），排队的等待。",
            "符合预期就不用处理；要继续，就在密钥里调高上限。",
        ),
    },
    Kind.QUOTA_EXHAUSTED: {
        _EN: _Wording(
            "The package is used up",
            "Since {at} the upstream answers that the package is used up. Calls are stopped.",
            "Every verification is refused, free of charge. Queued ones wait, for 24 hours at "
            "most.",
            "Buy a package and record it with POST /v1/packages: calls go on at once.",
        ),
        _ZH: _Wording(
            "套餐次数已用完",
            "{at} 起，上游答复套餐次数已用完。调用已停止。",
            "所有核验都被拒绝，不扣费。排队的等待，最多 24 小时。",
            "购买套餐，再用 POST /v1/packages 登记，调用立即恢复。",
        ),
    },
    Kind.PACKAGE_EXPIRED: {
        _EN: _Wording(
            "The package has expired",
            "Since {at} the upstream answers that the package has expired. Calls are stopped.",
            "Every verification is refused, free of charge. Queued ones wait, for 24 hours at "
            "most.",
            "Buy a package and record it with POST /v1/packages: calls go on at once.",
        ),
        _ZH: _Wording(
            "套餐已到期",
            "{at} 起，上游答复套餐已到期。调用已停止。",
            "所有核验都被拒绝，不扣费。排队的等待，最多 24 小时。",
            "购买套餐，再用 POST /v1/packages 登记，调用立即恢复。",
        ),
    },
    Kind.ACCOUNT_IN_ARREARS: {
        _EN: _Wording(
            "The upstream account is in arrears",
            "Since {at} the upstream answers that the account is in arrears. Calls are stopped.",
            "Every verification is refused, free of charge. Queued ones wait, for 24 hours at "
            "most.",
            "Settle the account, then POST /v1/breaker/close.",
        ),
        _ZH: _Wording(
            "上游账户欠费",
            "{at} 起，上游答复账户欠费。调用已停止。",
            "所有核验都被拒绝，不扣费。排队的等待，最多 24 小时。",
            "结清欠费，然后 POST /v1/breaker/close。",
        ),
    },
    Kind.APPCODE_INVALID: {
        _EN: _Wording(
            "The upstream refuses our AppCode",
            "Since {at} the upstream refuses the AppCode. Calls are stopped.",
            "Every verification is refused, free of charge. Queued ones wait, for 24 hours at "
            "most.",
            "Put the AppCode of the seller's console into the secret; it is read within 5 minutes.",
        ),
        _ZH: _Wording(
            "上游不认 AppCode",
            "{at} 起，上游拒绝 AppCode。调用已停止。",
            "所有核验都被拒绝，不扣费。排队的等待，最多 24 小时。",
            "把卖家控制台里的 AppCode 写进密钥，5 分钟内生效。",
        ),
    },
    Kind.MAINTENANCE: {
        _EN: _Wording(
            "The upstream is under maintenance",
            "Since {at} the upstream answers that it is under maintenance. Calls are paused.",
            "Verifications are refused with Retry-After. Queued ones are asked again by "
            "themselves.",
            "Nothing. You are told when it is over.",
        ),
        _ZH: _Wording(
            "上游正在维护",
            "{at} 起，上游答复正在维护。调用已暂停。",
            "核验会被拒绝，并带 Retry-After；排队的会自动重试。",
            "不用处理，结束时会通知。",
        ),
    },
    Kind.UNKNOWNS_WAITING: {
        _EN: _Wording(
            "Unknown outcomes wait to be settled",
            "Verifications with an unknown outcome: {count}, the oldest since {at}.",
            "Each may have been charged, and none is asked again by itself.",
            "GET /v1/verifications?status=unknown&day=…, compare with the counter in the "
            "seller's console, then resolve each.",
        ),
        _ZH: _Wording(
            "有结果未知的核验待处理",
            "有 {count} 次核验结果未知，最早的在 {at}。",
            "每一次都可能已经扣费，不会自动重试。",
            "用 GET /v1/verifications?status=unknown&day=… 查出，与卖家控制台的用量对照，"
            "再逐个 resolve。",
        ),
    },
    Kind.DEAD_LETTERS: {
        _EN: _Wording(
            "Messages were given up",
            "Messages in the dead letters {queue}: {count}.",
            "What they were for has come to a halt. Nothing is lost.",
            "Find the cause in the worker's log, mend it, then python -m tools.redrive.",
        ),
        _ZH: _Wording(
            "有消息处理不了",
            "死信队列 {queue} 里有 {count} 条消息。",
            "对应的核验或结果回传停住了，没有丢失。",
            "在 worker 的日志里找原因，修好后运行 python -m tools.redrive。",
        ),
    },
    Kind.SOURCE_FAILING: {
        _EN: _Wording(
            "The form {owner} fails",
            "Of the form {owner} within an hour: entries not taken: {rejected}{reason}, requests "
            "not let in: {refused}.",
            "These people are not verified; nothing is charged.",
            "GET /v1/submissions?source={owner} says why. Mend the source, then replay. Not let "
            "in: compare the form's secret.",
        ),
        _ZH: _Wording(
            "表单 {owner} 出错",
            "一小时内，表单 {owner} 有 {rejected} 条未被接收{reason}，{refused} 次请求未通过认证。",
            "这些人没有被核验，也没有扣费。",
            "原因见 GET /v1/submissions?source={owner}；修好来源后 replay。未通过认证的，"
            "核对表单的密钥。",
        ),
    },
}

_MAINTENANCE_OVER = {
    _EN: _Wording(
        "The upstream's maintenance is over",
        "It had begun at {at}. Calls do not meet it any more.",
        "Calls are no longer paused for it.",
        "Nothing.",
    ),
    _ZH: _Wording(
        "上游维护已结束",
        "维护始于 {at}，现在的调用已不再遇到。",
        "调用不再因此暂停。",
        "不用处理。",
    ),
}

_TEST = {
    _EN: _Wording(
        "A test message",
        "Somebody called POST /v1/alerts/test.",
        "Alerts reach you here.",
        "Nothing.",
    ),
    _ZH: _Wording(
        "测试消息",
        "有人调用了 POST /v1/alerts/test。",
        "告警能发到这里。",
        "不用处理。",
    ),
}

_LABELS = {
    _EN: ("What happened: ", "What it means: ", "What to do: ", "Time: {} (UTC+8)"),
    _ZH: ("情况：", "影响：", "处理：", "时间：{}（北京时间）"),
}
_OVER_BY_NOW = {_EN: "It has ended by now.", _ZH: "现在已经结束。"}
_PERIODS = {_EN: {"day": "day", "month": "month"}, _ZH: {"day": "日", "month": "月"}}


def message(alert: Alert, language: Language, stage: str) -> Message:
    """What a receiver is told of it; ``stage`` tells deployments apart."""
    wordings = _MAINTENANCE_OVER if alert.end_is_news else _TEXTS[alert.kind]
    seen = alert.ended_at if alert.end_is_news and alert.ended_at else alert.since
    late = not alert.active and not alert.end_is_news
    return _message(wordings, alert, language, stage, seen, late=late)


def trial_message(language: Language, stage: str, now: datetime) -> Message:
    """What is sent to see whether it arrives."""
    return _message(_TEST, None, language, stage, now)


def _message(
    wordings: Mapping[Language, _Wording],
    alert: Alert | None,
    language: Language,
    stage: str,
    seen: datetime,
    *,
    late: bool = False,
) -> Message:
    title, *said = (part.format(**_numbers(alert, language)) for part in wordings[language])
    *labels, time = _LABELS[language]
    lines = [
        f"[eryaosu {stage}] {title}",
        *(label + part for label, part in zip(labels, said, strict=True)),
        time.format(_local(seen)),
    ]
    if late:
        lines.append(_OVER_BY_NOW[language])
    subject = wordings[_EN].title.format(**_numbers(alert, _EN))
    return Message(f"[eryaosu {stage}] {subject}"[:_SUBJECT], "\n".join(lines))


def _numbers(alert: Alert | None, language: Language) -> Mapping[str, object]:
    """The alert's numbers as they are written."""
    if alert is None:
        return {}
    english, given = language is _EN, alert.numbers
    shown: dict[str, object] = {"worth": "", "reason": "", "who": "", **given}
    if "at" in given:
        shown["at"] = _local(datetime.fromisoformat(str(given["at"])))
    if "yuan" in given:
        shown["worth"] = f", worth {given['yuan']} yuan" if english else f"，合 {given['yuan']} 元"
    if "reason" in given:
        shown["reason"] = (
            f" (most often: {given['reason']})" if english else f"（多为 {given['reason']}）"
        )
    if "period" in given:
        shown["period"] = _PERIODS[language][str(given["period"])]
    if given.get("owner") == ALL:
        shown["who"] = "All callers together" if english else "全部调用方合计"
    elif "owner" in given:
        shown["who"] = given["owner"] if english else f"{given['owner']} "
    return shown


def _local(moment: datetime) -> str:
    return moment.astimezone(CHINA).strftime("%Y-%m-%d %H:%M")
