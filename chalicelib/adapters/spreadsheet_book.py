"""What a workbook is made of: its worksheets by name, and where its parts are."""

import posixpath
from collections.abc import Mapping
from typing import NamedTuple

from chalicelib.adapters import spreadsheet_xml
from chalicelib.adapters.spreadsheet_zip import Archive
from chalicelib.domain.batch_file import DAMAGED, FileError

_MAX_ENTRIES = 10_000
_USUAL = "xl/workbook.xml"


class Worksheet(NamedTuple):
    """A sheet with rows."""

    name: str
    visible: bool
    part: str


class Book(NamedTuple):
    """The workbook's parts; ``strings`` may name one that is not there."""

    worksheets: tuple[Worksheet, ...]
    strings: str


def read(archive: Archive) -> Book:
    """The map of a workbook; raises FileError."""
    roots = _relations(archive, "")
    part = next((part for kind, part in roots.values() if kind == "officeDocument"), _USUAL)
    relations = _relations(archive, part)
    worksheets = []
    for attributes in _elements(archive, part, "sheet"):
        own = next((value for name, value in attributes.items() if name.endswith(":id")), "")
        kind, target = relations.get(own, ("", ""))
        if kind == "worksheet":
            visible = attributes.get("state", "visible") == "visible"
            worksheets.append(Worksheet(attributes.get("name", ""), visible, target))
    strings = next((part for kind, part in relations.values() if kind == "sharedStrings"), "")
    return Book(tuple(worksheets), strings)


def worksheet(archive: Archive, book: Book, name: str | None) -> str:
    """The part with the rows: of the worksheet so named, or of the only one with content."""
    if name is not None:
        found = [sheet for sheet in book.worksheets if sheet.name == name]
        if not found:
            raise FileError("sheet: no worksheet has this name; blanks and case count.")
        return found[0].part
    found = [sheet for sheet in book.worksheets if sheet.visible]
    if len({sheet.part for sheet in found}) < len(found):
        raise FileError(DAMAGED)  # one part read ten thousand times
    if len(found) > 1:
        found = [sheet for sheet in found if _has_content(archive, sheet.part)]
    if not found:
        raise FileError("The file holds no rows.")
    if len(found) > 1:
        raise FileError('More than one worksheet has content; say which with "sheet".')
    return found[0].part


def _has_content(archive: Archive, part: str) -> bool:
    seen: list[dict[str, str]] = []
    starts = {"v": seen.append, "t": seen.append}
    return any(seen for _ in spreadsheet_xml.parse(archive.chunks(part), starts, {}))


def _relations(archive: Archive, part: str) -> Mapping[str, tuple[str, str]]:
    """Each relation of a part: its kind, and the part that it leads to."""
    folder, name = posixpath.split(part)
    found = {}
    for attributes in _elements(archive, f"{folder}/_rels/{name}.rels".lstrip("/"), "Relationship"):
        target = posixpath.join("/", folder, attributes.get("Target", ""))
        kind = attributes.get("Type", "").rpartition("/")[2]
        found[attributes.get("Id", "")] = (kind, posixpath.normpath(target).lstrip("/"))
    return found


def _elements(archive: Archive, part: str, wanted: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []

    for _ in spreadsheet_xml.parse(archive.chunks(part), {wanted: found.append}, {}):
        if len(found) > _MAX_ENTRIES:
            raise FileError(DAMAGED)
    return found
