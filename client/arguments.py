"""The command line, in two languages.

argparse repeats what it does not understand. Here that may be a person or a key, so every
refusal is worded anew, without the value.
"""

import argparse
import re
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, NoReturn

from client.console import Language
from client.exits import MEANINGS, Exit

Texts = tuple[str, str]

_MAX_AGE = 730 * 86_400
_SUMMARY: Texts = (
    "Ask the verification service whether names belong to resident identity numbers.",
    "通过核验服务查询姓名与身份证号是否一致。",
)
_ENVIRONMENT: Texts = (
    """\
environment:
  ERYAOSU_URL  the service; http://127.0.0.1:8000 without it
  ERYAOSU_KEY  the key. There is no option for it: every user of a machine
               sees command lines, and shells keep them""",
    """\
环境变量：
  ERYAOSU_URL  服务地址；默认 http://127.0.0.1:8000
  ERYAOSU_KEY  密钥。不提供命令行选项：同一台机器上的任何用户都能看到命令行，
               shell 也会把它存入历史""",
)
_COMMANDS: dict[str, Texts] = {
    "verify": ("ask one question", "核验一个人"),
    "batch": ("ask a whole CSV or XLSX file", "核验整个 CSV 或 XLSX 文件"),
    "batches": ("list, show, pause, resume, cancel batches", "查看、暂停、继续、取消批次"),
    "get": ("read one verification", "查看一次核验"),
    "resolve": ("settle an unknown outcome", "处理结果未知的核验"),
    "usage": ("what was charged, by day", "按天查看扣费"),
    "packages": ("what was bought, what is left, what to buy", "套餐余额、登记与购买建议"),
    "export": ("masked CSV of all verifications, for the books", "导出脱敏 CSV，用于对账"),
}
# What argparse says (a pattern) → what is said instead; groups hold no values of the user.
_REFUSALS: tuple[tuple[str, str, str], ...] = (
    (r".*required: (?P<what>.*)", "{what}: missing", "缺少：{what}"),
    (
        r"argument (?P<what>[^:]*): invalid choice.*choose from (?P<which>.*)\)",
        "{what}: must be one of {which}",
        "{what}：只能是 {which}",
    ),
    (r"argument (?P<what>[^:]*): expected.*", "{what}: needs a value", "{what}：需要一个值"),
    (
        r"argument (?P<what>[^:]*): ignored explicit.*",
        "{what}: takes no value",
        "{what}：不带值",
    ),
    # Only the texts below begin so.
    (r"argument (?P<what>[^:]*): (?P<why>(must|必须).*)", "{what}: {why}", "{what}：{why}"),
)


class Parser(argparse.ArgumentParser):
    """Speaks the user's language and repeats no value."""

    def __init__(self, *, language: Language, **keywords: Any) -> None:  # noqa: ANN401
        self.language = language
        # An abbreviation would make of --key, which must not exist, a --key-file.
        super().__init__(
            **keywords,
            add_help=False,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    def error(self, message: str) -> NoReturn:
        """End with the usage exit code."""
        text = pick(("not understood", "无法理解"), self.language)
        for pattern, english, chinese in _REFUSALS:
            if found := re.fullmatch(pattern, message, re.DOTALL):
                text = pick((english, chinese), self.language).format(**found.groupdict())
                break
        see = pick(("see", "参见"), self.language)
        self.exit(Exit.USAGE, f"eryaosu: {text}; {see} {self.prog} --help\n")

    def format_help(self) -> str:
        """Argparse's help with its two own words in the user's language."""
        text = super().format_help()
        return text.replace("usage:", "用法：", 1) if self.language == "zh" else text


def pick(texts: Texts, language: Language) -> str:
    """The text in a language."""
    return texts[language == "zh"]


def parse(arguments: Sequence[str], language: Language) -> argparse.Namespace:
    """Give the options, ``command`` among them; ends the program on help and on mistakes."""
    parser = _parser(language)
    options, rest = parser.parse_known_args(arguments)
    if rest:
        flags = [word.partition("=")[0] for word in rest if re.match(r"--?[a-z]", word)]
        told = ", ".join(flags) or pick(("an argument too many", "多余的参数"), language)
        unknown = pick(("not understood", "无法理解"), language)
        parser.exit(Exit.USAGE, f"eryaosu: {unknown}: {told}\n")
    return options


def _parser(language: Language) -> Parser:
    def t(english: str, chinese: str) -> str:
        return pick((english, chinese), language)

    codes = "\n".join(f"  {code:>3}  {pick(MEANINGS[code], language)}" for code in Exit)
    parser = Parser(
        language=language,
        prog="eryaosu",
        description=pick(_SUMMARY, language),
        epilog=t("exit codes:", "退出码：") + "\n" + codes + "\n\n" + pick(_ENVIRONMENT, language),
    )
    _everywhere(parser, language)
    commands = parser.add_subparsers(
        title=t("commands", "命令"), dest="command", required=True, metavar="COMMAND"
    )
    for name, build in _BUILDERS.items():
        texts = pick(_COMMANDS[name], language)
        command = commands.add_parser(name, language=language, help=texts, description=texts)
        build(command.add_argument_group(t("arguments", "参数")), t)
        _everywhere(command, language, again=True)
    return parser


def _everywhere(parser: Parser, language: Language, *, again: bool = False) -> None:
    """The options that stand before a command or behind it."""

    def t(english: str, chinese: str) -> str:
        return pick((english, chinese), language)

    # Behind the command they must not undo with a default what stood before it.
    missing = argparse.SUPPRESS if again else None
    group = parser.add_argument_group(t("everywhere", "通用选项"))
    group.add_argument("-h", "--help", action="help", help=t("show this", "显示帮助"))
    group.add_argument(
        "--json",
        action="store_true",
        default=argparse.SUPPRESS if again else False,
        help=t("one JSON document on stdout", "在标准输出给出一个 JSON 文档"),
    )
    group.add_argument(
        "--lang", choices=("zh", "en"), default=missing, help=t("by LANG otherwise", "默认按 LANG")
    )
    group.add_argument(
        "--url", default=missing, help=t("the service, as ERYAOSU_URL", "服务地址，同 ERYAOSU_URL")
    )
    group.add_argument(
        "--key-file",
        type=Path,
        default=missing,
        metavar="FILE",
        help=t("a file that holds the key", "存放密钥的文件"),
    )


Group = Any  # argparse names its groups' class with an underscore
T = Callable[[str, str], str]


def _verify(group: Group, t: T) -> None:
    group.add_argument(
        "name",
        nargs="?",
        metavar="NAME",
        help=t(
            "better left out: it is asked for, or read from stdin (two lines)",
            "建议不写：会逐一询问，或从标准输入读取（两行）",
        ),
    )
    group.add_argument("id_number", nargs="?", metavar="ID_NUMBER", help=t("the same", "同上"))
    group.add_argument(
        "--reference", metavar="TEXT", help=t("your own; no person in it", "自己的参考号")
    )
    _max_age(group, t)
    _key(group, t)


def _key(group: Group, t: T) -> None:
    group.add_argument(
        "--idempotency-key",
        metavar="KEY",
        help=t("an earlier run's, to go on with it", "沿用上一次的值，继续上一次的请求"),
    )


def _max_age(group: Group, t: T) -> None:
    group.add_argument(
        "--max-age",
        type=_whole(0, _MAX_AGE, t),
        metavar="SECONDS",
        help=t("take an answer that is no older, for free", "沿用不早于此秒数的结果，不扣费"),
    )


def _batch(group: Group, t: T) -> None:
    group.add_argument("file", type=Path, metavar="FILE", help="CSV, XLSX")
    group.add_argument(
        "--dry-run",
        action="store_true",
        help=t("tell what it would cost, then ask", "先说明费用，再询问是否开始"),
    )
    group.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help=t("the result; FILE.result.csv without it", "结果文件；默认 FILE.result.csv"),
    )
    group.add_argument(
        "--columns",
        type=_columns(t),
        metavar="name=…,id_number=…",
        help=t(
            "headers, or numbers from 1; reference=… too",
            "列名，或从 1 起的列号；还可写 reference=…",
        ),
    )
    _max_age(group, t)
    group.add_argument("--sheet", metavar="NAME", help=t("of a workbook", "工作簿中的工作表"))
    group.add_argument(
        "--encoding", choices=("utf-8", "gb18030"), help=t("of a CSV file", "CSV 文件的编码")
    )
    group.add_argument(
        "--label",
        metavar="TEXT",
        help=t(
            "yours; the same file with another label is asked anew",
            "自定标签；同一文件换标签会重新核验",
        ),
    )
    group.add_argument(
        "--pause-on-interrupt",
        action="store_true",
        help=t("Ctrl-C pauses the batch", "按 Ctrl-C 时暂停批次"),
    )


def _batches(group: Group, t: T) -> None:
    actions = ("list", "show", "pause", "resume", "cancel")
    group.add_argument("action", nargs="?", choices=actions, default="list")
    group.add_argument("id", nargs="?", metavar="ID", help="bat_…")
    group.add_argument("--day", type=_day(t), metavar="YYYY-MM-DD", help=t("of list", "用于 list"))


def _get(group: Group, _: T) -> None:
    group.add_argument("id", metavar="ID", help="vrf_…")


def _resolve(group: Group, t: T) -> None:
    group.add_argument("id", metavar="ID", help="vrf_…")
    group.add_argument(
        "--billed",
        choices=("yes", "no"),
        required=True,
        help=t("as the seller's console shows", "以卖家控制台为准"),
    )
    group.add_argument(
        "--action",
        choices=("close", "retry"),
        required=True,
        help=t("end it, or let it be asked once more", "结案，或允许再问一次"),
    )


def _usage(group: Group, t: T) -> None:
    for flag, place in (("--from", "from_day"), ("--to", "to_day")):
        group.add_argument(
            flag, dest=place, type=_day(t), metavar="YYYY-MM-DD", help=t("UTC+8", "北京时间")
        )


def _export(group: Group, t: T) -> None:
    _usage(group, t)
    group.add_argument(
        "--out", type=Path, metavar="FILE", help=t("stdout without it", "默认标准输出")
    )


def _packages(group: Group, t: T) -> None:
    actions = ("list", "add", "remove", "advice")
    group.add_argument("action", nargs="?", choices=actions, default="list")
    group.add_argument(
        "id", nargs="?", metavar="ID", help=t("of remove: pkg_…", "用于 remove：pkg_…")
    )
    of_add, of_advice = t("of add", "用于 add"), t("of advice", "用于 advice")
    group.add_argument("--calls", type=_whole(1, 10**9, t), metavar="N", help=of_add)
    group.add_argument("--price", type=_price(t), metavar="YUAN", help=of_add)
    group.add_argument("--purchased-at", metavar="TIME", help=of_add)
    group.add_argument("--expires-at", metavar="TIME", help=of_add)
    group.add_argument("--note", metavar="TEXT", help=of_add)
    _key(group, t)
    group.add_argument("--days", type=_whole(1, 730, t), metavar="N", help=of_advice)


_BUILDERS: dict[str, Callable[[Group, T], None]] = {
    "verify": _verify,
    "batch": _batch,
    "batches": _batches,
    "get": _get,
    "resolve": _resolve,
    "usage": _usage,
    "packages": _packages,
    "export": _export,
}


def _whole(least: int, most: int, t: T) -> Callable[[str], int]:
    def read(text: str) -> int:
        if text.isascii() and text.isdigit() and least <= int(text[:19]) <= most:
            return int(text)
        raise argparse.ArgumentTypeError(
            t(
                f"must be a whole number from {least} to {most}",
                f"必须是 {least} 到 {most} 的整数",
            )
        )

    return read


def _price(t: T) -> Callable[[str], Decimal]:
    def read(text: str) -> Decimal:
        try:
            if (price := Decimal(text)).is_finite() and price >= 0:
                return price
        except InvalidOperation:
            pass
        raise argparse.ArgumentTypeError(
            t("must be a sum in yuan, as 299.00", "必须是以元为单位的金额，如 299.00")
        )

    return read


def _day(t: T) -> Callable[[str], str]:
    def read(text: str) -> str:
        try:
            return date.fromisoformat(text).isoformat()
        except ValueError:
            raise argparse.ArgumentTypeError(
                t("must be a day, as 2026-11-24", "必须是日期，如 2026-11-24")
            ) from None

    return read


def _columns(t: T) -> Callable[[str], dict[str, str | int]]:
    def read(text: str) -> dict[str, str | int]:
        found: dict[str, str | int] = {}
        for part in text.split(","):
            name, _, column = part.partition("=")
            if name not in {"name", "id_number", "reference"} or not column or name in found:
                break
            found[name] = int(column) if column.isascii() and column.isdigit() else column
        else:
            return found
        raise argparse.ArgumentTypeError(
            t(
                "must look like name=姓名,id_number=身份证号 or name=2,id_number=3",
                "必须形如 name=姓名,id_number=身份证号 或 name=2,id_number=3",
            )
        )

    return read
