"""XML piece by piece with bounded memory: one loop around expat for every part of a workbook.

There is no tree: handlers see elements go by. What a hostile part could make grow inside expat is
bounded here: a document type (entities), depth, the length of one tag, the names in use.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from xml.parsers import expat

from chalicelib.domain.batch_file import DAMAGED, FileError

_MAX_DEPTH = 64
_MAX_TAG = 1 << 17
_MAX_NAMES = 1 << 16  # characters of all names together: expat keeps each

Start = Callable[[dict[str, str]], None]
End = Callable[[], None]


def parse(
    chunks: Iterable[bytes],
    starts: Mapping[str, Start],
    ends: Mapping[str, End],
    text: Callable[[str], None] | None = None,
) -> Iterator[None]:
    """Call the handlers of elements by local name, and stop after each chunk; raises FileError."""
    parser = expat.ParserCreate()
    parser.buffer_text = True
    depth = 0
    left = _MAX_NAMES
    # By the name as it stands, "row" or "x:row".
    start_of: dict[str, Start | None] = {}
    end_of: dict[str, End | None] = {}
    attribute_names: set[str] = set()

    def on_start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth, left
        depth += 1
        if name not in start_of:
            local = name.rpartition(":")[2]
            start_of[name], end_of[name] = starts.get(local), ends.get(local)
            left -= len(name)
        if not attribute_names.issuperset(attributes):
            left -= sum(map(len, attributes.keys() - attribute_names))
            attribute_names.update(attributes)
        if depth > _MAX_DEPTH or left < 0:
            raise FileError(DAMAGED)
        if handler := start_of[name]:
            handler(attributes)

    def on_end(name: str) -> None:
        nonlocal depth
        depth -= 1
        if handler := end_of[name]:
            handler()

    parser.StartElementHandler = on_start
    parser.EndElementHandler = on_end
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = _refuse
    return _fed(parser, chunks)


def _fed(parser: expat.XMLParserType, chunks: Iterable[bytes]) -> Iterator[None]:
    fed = 0
    try:
        for chunk in chunks:
            parser.Parse(chunk, False)
            fed += len(chunk)
            if fed - parser.CurrentByteIndex > _MAX_TAG + len(chunk):
                raise FileError(DAMAGED)
            yield
        parser.Parse(b"", True)
    except expat.ExpatError as exc:
        raise FileError(DAMAGED) from exc
    yield


def _refuse(*_: object) -> None:
    raise FileError(DAMAGED)
