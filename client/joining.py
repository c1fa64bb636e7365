"""The service's results beside the original rows."""

import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path

from client.errors import ClientError, usage_error
from client.exits import Exit
from client.reasons import BILLED, OUTCOMES, in_words
from client.service import Service
from client.sheet import rows
from client.source import Source, check_unchanged
from client.written import escaped, whole

Result = dict[str, str]

_PAGE_PATIENCE = 300.0
_HEADS = {
    "en": ("outcome", "resp_code", "billed", "reason", "meaning", "verification_id"),
    "zh": ("结果", "代码", "扣费", "原因", "说明", "核验编号"),
}
_NOT_DIGITS = re.compile(r"[^0-9]+")
_TAIL = 3


def results(service: Service, batch_id: str) -> Iterator[Result]:
    """The lines of a batch's result, in the rows' order, page after page."""
    start: str | None = "1"
    while start:
        path = f"/v1/batches/{batch_id}/results"
        page = service.get(path, {"from_row": start}, patience=_PAGE_PATIENCE)
        yield from csv.DictReader(io.StringIO(page.text(), newline=""))
        start = page.headers.get("X-Next-Row")


def write(
    out: Path, source: Source, sheet: str | None, found: Iterator[Result], language: str
) -> int:
    """Write each original row with its result, in its order; give the number of results.

    Memory is that of one page. Raises ClientError, and ``out`` is then as it was before.
    """
    check_unchanged(source)
    width = max((len(cells) for _, cells in rows(source, sheet)), default=0)
    try:
        with whole(out) as stream:
            count = 0
            write_row = csv.writer(stream).writerow
            for cells, added, is_result in _joined(source, sheet, found, language):
                padded = [*map(escaped, cells), *[""] * (width - len(cells))]
                write_row([*padded, *added])
                count += is_result
    except OSError as exc:
        raise usage_error(f"{out}: {exc.strerror}", f"{out}：{exc.strerror}") from None
    return count


def _joined(
    source: Source, sheet: str | None, found: Iterator[Result], language: str
) -> Iterator[tuple[list[str], list[str], bool]]:
    heads = list(_HEADS[language])
    blank = [""] * len(heads)
    result = next(found, None)
    titled = False
    for number, cells in rows(source, sheet):
        here = result is not None and int(result["row"]) == number
        if not titled and (here or any(cell.strip() for cell in cells)):
            titled = True
            if not here:
                yield cells, heads, False
                continue
            yield [], heads, False  # a list without a header
        if result is None or not here:
            yield cells, blank, False
            continue
        if not _same_person(cells, result):
            raise _misplaced(number)
        yield cells, _added(result, language), True
        result = next(found, None)
    if result is not None:
        raise _misplaced(int(result["row"]))


def _added(result: Result, language: str) -> list[str]:
    in_chinese = language == "zh"

    def told(texts: Mapping[str, tuple[str, str]], value: str) -> str:
        return texts.get(value, (value, value))[in_chinese]

    return [
        told(OUTCOMES, result["outcome"]),
        result["code"],
        told(BILLED, result["billed"]),
        result["reason"],
        in_words(result["reason"], language),
        result["verification_id"],
    ]


def _same_person(cells: list[str], result: Result) -> bool:
    """Whether the row can be the one that was asked: somewhere in it stands the number's end.

    Results beside the wrong people would be worse than none, whatever made two readers of one
    file count differently.
    """
    if not result["verification_id"]:
        return True
    tail = _digits(result["id_number"])[-_TAIL:]
    return any(_digits(cell)[-_TAIL:] == tail for cell in cells)


def _digits(text: str) -> str:
    return _NOT_DIGITS.sub("", unicodedata.normalize("NFKC", text))


def _misplaced(row: int) -> ClientError:
    return ClientError(
        Exit.FAULT,
        "misplaced_result",
        f"the service's result for row {row} does not belong to that row of the file; "
        "nothing was written",
        f"服务端第 {row} 行的结果与文件的该行不符；没有写入任何内容",
    )
