"""番茄表单: answers by name, or by JSON pointer into ``data`` (``/values/0/value``).

Whatever happened, it wants the literal ``success``, and sends again up to three times else.
"""

from datetime import datetime

from chalicelib.domain.source import Assurance, Source
from chalicelib.domain.submission import HookRequest, Parsed
from chalicelib.entrypoints.forms import bodies, mapping, pointer, signatures
from chalicelib.entrypoints.forms.profile import Profile

PROFILE = Profile(literal="success", content_type="text/plain")

_NAMES = ("name", "title", "label", "cid", "id", "_id", "key")


def authenticate(request: HookRequest, source: Source, now: datetime) -> Assurance:  # noqa: ARG001  # see the docstring
    """``sign``: sha1 of data, time and token.

    No time window, since it is unknown whether a retry is stamped anew; the entry's id is signed.
    """
    document = bodies.as_object(bodies.document(request))
    data, time = document.get("data"), mapping.key_part(document.get("time"))
    given = signatures.matching(document.get("sign"), signatures.HEX_SHA1)
    stamp = signatures.matching(time, signatures.MILLISECONDS)
    if not isinstance(data, str):
        raise signatures.refused()
    content = f"{data}{stamp}".encode("utf-8", "surrogatepass")
    signatures.check(given.lower(), [signatures.sha1_hex(content + one) for one in source.secrets])
    return Assurance.SIGNED


def parse(request: HookRequest, source: Source) -> Parsed:
    """De-duplicated by the entry's id; the entry is JSON inside the body."""
    data = bodies.json_object(bodies.dig(bodies.document(request), "data"))
    if not data:
        return mapping.malformed(request)
    values = bodies.as_objects(data.get("values"))
    by_name = mapping.first_of(
        *([(value.get(name), value.get("value")) for value in values] for name in _NAMES)
    )

    def find(place: str) -> object:
        return pointer.locate(data, place) if place.startswith("/") else by_name.get(place)

    return mapping.submitted(
        request,
        source,
        mapping.Answers(find, lambda: {**mapping.scalars_of(by_name), **pointer.flatten(data)}),
        dedupe=mapping.key(data.get("_id")),
        forms=(data.get("form"),),
    )
