"""Files of spreadsheets as tests need them: honest ones by openpyxl, hostile ones by hand."""

import io
import re
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, BinaryIO, cast
from zipfile import ZIP_DEFLATED, ZipFile

import openpyxl

SHEET = "xl/worksheets/sheet1.xml"
STRINGS = "xl/sharedStrings.xml"

_RELATIONS = "xl/_rels/workbook.xml.rels"
_TYPES = "[Content_Types].xml"
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def workbook(*rows: Sequence[Any], merged: Iterable[str] = (), **sheets: Sequence[Any]) -> bytes:
    """A workbook with these rows in its first sheet, and one row in each further one."""
    book = openpyxl.Workbook()
    first = book.worksheets[0]
    for row in rows:
        first.append(list(row))
    for cells in merged:
        first.merge_cells(cells)
    for name, row in sheets.items():
        book.create_sheet(name).append(list(row))
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def replaced(made: bytes, **parts: str | bytes) -> bytes:
    """The workbook with its ``sheet`` or ``strings`` made of other XML, within the root element."""
    names = {"sheet": (SHEET, "worksheet"), "strings": (STRINGS, "sst")}
    with ZipFile(io.BytesIO(made)) as old:
        texts = {name: old.read(name) for name in old.namelist()}
    if "strings" in parts and STRINGS not in texts:  # openpyxl writes none
        texts[_RELATIONS] = texts[_RELATIONS].replace(
            b"</Relationships>",
            b'<Relationship Id="own" Type="urn:x/sharedStrings" Target="sharedStrings.xml"/>'
            b"</Relationships>",
        )
        texts[_TYPES] = texts[_TYPES].replace(
            b"</Types>",
            b'<Override PartName="/xl/sharedStrings.xml" ContentType="application/vnd.'
            b'openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"/></Types>',
        )
    for part, inner in parts.items():
        name, root = names[part]
        body = inner.encode() if isinstance(inner, str) else inner
        start, end = f'<{root} xmlns="{_MAIN}">'.encode(), f"</{root}>".encode()
        texts[name] = start + body + end
    out = io.BytesIO()
    with ZipFile(out, "w", ZIP_DEFLATED) as new:
        for name, text in texts.items():
            new.writestr(name, text)
    return out.getvalue()


def shared(made: bytes) -> bytes:
    """The workbook with its texts as Excel keeps them: each once, in a part of their own."""
    with ZipFile(io.BytesIO(made)) as old:
        xml = old.read(SHEET).decode()
    strings: dict[str, int] = {}

    def cell(found: re.Match[str]) -> str:
        number = strings.setdefault(found[2], len(strings))
        return f'<c {found[1]} t="s"><v>{number}</v></c>'

    inner = xml[xml.index(">", xml.index("<worksheet")) + 1 : xml.rindex("</worksheet>")]
    inner = re.sub('<c ([^>]*) t="inlineStr"><is>(.*?)</is></c>', cell, inner, flags=re.DOTALL)
    parts = "".join(f"<si>{text}</si>" for text in strings)
    return replaced(made, sheet=inner, strings=parts)


def sheet(inner: str | bytes) -> bytes:
    """A workbook whose one sheet has this XML."""
    return replaced(workbook(["A"]), sheet=inner)


def data(inner: str) -> bytes:
    """The same for the XML of its rows alone."""
    return sheet(f"<sheetData>{inner}</sheetData>")


def zeros(megabytes: int) -> bytes:
    """So many megabytes of zeros, deflated a thousand to one, made at once."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = deflate.compress(bytes(1_000_000)) + deflate.flush(zlib.Z_FULL_FLUSH)
    return block * megabytes + deflate.flush(zlib.Z_FINISH)


def with_deflated(made: bytes, claims: dict[str, int], deflated: bytes) -> bytes:
    """The workbook with these parts replaced by deflated bytes, of whatever size it claims."""
    with ZipFile(io.BytesIO(made)) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    out, directory = io.BytesIO(), b""
    for name, text in {**parts, **dict.fromkeys(claims, b"")}.items():
        body = deflated if name in claims else zlib.compress(text)[2:-4]
        sizes = (zlib.crc32(text), len(body), claims.get(name, len(text)), len(name), 0)
        head = struct.pack("<5H", 20, 0, ZIP_DEFLATED, 0, 33) + struct.pack("<3L2H", *sizes)
        place = struct.pack("<3H2L", 0, 0, 0, 0, out.tell())
        directory += b"PK\x01\x02\x14\x00" + head + place + name.encode()
        out.write(b"PK\x03\x04" + head + name.encode() + body)
    count = len(parts)
    end = struct.pack("<4H2LH", 0, 0, count, count, len(directory), out.tell(), 0)
    out.write(directory + b"PK\x05\x06" + end)
    return out.getvalue()


class Generated(io.RawIOBase):
    """A seekable file whose content is made while it is read, anew from its beginning."""

    def __init__(self, chunks: Callable[[], Iterator[bytes]]) -> None:
        self._make = chunks
        self._chunks = chunks()
        self._rest = b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        assert (offset, whence) == (0, io.SEEK_SET)
        self._chunks, self._rest = self._make(), b""
        return 0

    def readinto(self, buffer: Any) -> int:
        if not self._rest:
            self._rest = next(self._chunks, b"")
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


def generated(chunks: Callable[[], Iterator[bytes]]) -> BinaryIO:
    """The same for who asks for a BinaryIO."""
    return cast("BinaryIO", Generated(chunks))
