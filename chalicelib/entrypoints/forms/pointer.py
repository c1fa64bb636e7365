"""JSON pointers (RFC 6901) into a parsed document.

>>> locate({"data": [{"a/b": 1}]}, "/data/0/a~1b")
1
"""

import re
from collections.abc import Iterator, Mapping
from itertools import islice

from chalicelib.domain.submission import Scalar

_INDEX = re.compile(r"0|[1-9][0-9]{0,5}")
_DEPTH = 8
_MOST = 256


def locate(document: object, place: str) -> object:
    """What a pointer, or a name at the top, leads to; None where there is nothing."""
    steps = place[1:].split("/") if place.startswith("/") else [_escaped(place)]
    found = document
    for step in steps:
        found = _step(found, step.replace("~1", "/").replace("~0", "~"))
    return found


def _step(value: object, step: str) -> object:
    if isinstance(value, dict):
        return value.get(step)
    if isinstance(value, list) and _INDEX.fullmatch(step) and int(step) < len(value):
        return value[int(step)]
    return None


def _escaped(step: str) -> str:
    return step.replace("~", "~0").replace("/", "~1")


def flatten(document: object) -> Mapping[str, Scalar]:
    """Every scalar by its pointer, as far as any honest form goes."""
    return dict(islice(_walk(document, "", _DEPTH), _MOST))


def _walk(value: object, place: str, depth: int) -> Iterator[tuple[str, Scalar]]:
    if value is None or isinstance(value, str | int | float):
        yield place, value
    elif depth and isinstance(value, dict):
        for step, one in value.items():
            yield from _walk(one, f"{place}/{_escaped(step)}", depth - 1)
    elif depth and isinstance(value, list):
        for step, one in enumerate(value):
            yield from _walk(one, f"{place}/{step}", depth - 1)
