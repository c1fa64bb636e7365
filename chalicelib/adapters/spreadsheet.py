"""Lists of people out of CSV and XLSX files: the one way in.

What reads XML is imported when a workbook comes, so that nothing else waits for it.
"""

from collections.abc import Iterator, Mapping
from typing import BinaryIO

from chalicelib.adapters import spreadsheet_csv
from chalicelib.domain import batch_rows
from chalicelib.domain.batch_file import FileError
from chalicelib.domain.batch_rows import Row

_FORMATS = ("csv", "xlsx")
_WORKBOOK = b"PK\x03\x04"
_OLD_OR_ENCRYPTED = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # an OLE container


def rows(
    stream: BinaryIO,
    *,
    format: str,  # noqa: A002  # the word of the API
    columns: Mapping[str, str | int | None] | None = None,
    encoding: str | None = None,
    sheet: str | None = None,
) -> Iterator[Row]:
    """The people of a seekable stream, ``format`` being csv or xlsx; raises FileError at any row.

    ``encoding`` is utf-8 or gb18030, for CSV only; ``sheet`` a worksheet's name, for XLSX only.
    Memory does not grow with the rows, but for the texts that a workbook keeps apart.
    """
    if format not in _FORMATS:
        raise FileError("format: must be csv or xlsx.")
    stream.seek(0)
    begin = stream.read(len(_OLD_OR_ENCRYPTED))
    if begin == _OLD_OR_ENCRYPTED:
        raise FileError(
            "The file is an old workbook (.xls) or has a password; save it as .xlsx without one."
        )
    is_workbook = begin.startswith(_WORKBOOK)
    if format == "csv":
        if is_workbook:
            raise FileError('The file is a workbook; say "format": "xlsx", or save it as CSV.')
        if sheet is not None:
            raise FileError("sheet: a CSV file has none.")
        found = spreadsheet_csv.records(stream, encoding)
        yield from batch_rows.read(found, columns)
        return
    if not is_workbook:
        raise FileError("The file is no XLSX workbook; save it as .xlsx, or say its format.")
    if encoding is not None:
        raise FileError("encoding: is for CSV only; a workbook has its own.")
    from chalicelib.adapters import spreadsheet_xlsx

    yield from batch_rows.read(spreadsheet_xlsx.records(stream, sheet), columns)
