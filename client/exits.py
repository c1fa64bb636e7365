"""The exit codes: a contract with scripts, shown by ``--help`` and in docs/client.md."""

from collections.abc import Mapping
from enum import IntEnum


class Exit(IntEnum):
    """How a command ended; 0 to 6 say something of the question, 7 and 130 of the client."""

    OK = 0
    OTHERWISE = 1
    USAGE = 2
    REFUSED = 3
    UNKNOWN = 4
    LATER = 5
    UNFINISHED = 6
    FAULT = 7
    INTERRUPTED = 130


MEANINGS: Mapping[Exit, tuple[str, str]] = {
    Exit.OK: (
        "done; a verification: match; a batch: every row has an outcome",
        "完成；单条核验：一致；批次：每一行都有结果",
    ),
    Exit.OTHERWISE: (
        "done, not all is well: mismatch or no_record; a batch has rows without an outcome",
        "完成，但并非全部正常：不一致或库中无此号；批次中有的行没有结果",
    ),
    Exit.USAGE: (
        "the command line, the settings or a local file is wrong; nothing was asked",
        "命令行、设置或本地文件有误；没有发起核验",
    ),
    Exit.REFUSED: (
        "refused; the same command would be refused again",
        "被拒绝；同样的命令再次执行仍会被拒绝",
    ),
    Exit.UNKNOWN: (
        "the outcome is unknown and may have been charged; see `resolve`",
        "结果未知，可能已扣费；参见 `resolve`",
    ),
    Exit.LATER: (
        "out of reach, or stopped for a while; run the same command again later",
        "暂时连不上或暂停服务；稍后再执行同样的命令",
    ),
    Exit.UNFINISHED: (
        "not ended yet, and safe with the service; run the same command again",
        "尚未结束，由服务端继续保管；再执行同样的命令即可",
    ),
    Exit.FAULT: ("a fault of the client itself", "客户端自身的错误"),
    Exit.INTERRUPTED: ("Ctrl-C", "Ctrl-C"),
}
