"""The body of whoever chose our contract: JSON or urlencoded, mapped by JSON pointer or name."""

from chalicelib.domain.source import Source
from chalicelib.domain.submission import HookRequest, Parsed
from chalicelib.entrypoints.forms import bodies, mapping, pointer


def parse(request: HookRequest, source: Source) -> Parsed:
    """De-duplicated by ``dedupe``; where the source names none, by the whole body."""
    document = bodies.document(request)
    if document is None:
        return mapping.malformed(request)
    dedupe = (
        mapping.body_key(request)
        if source.dedupe is None
        else mapping.key(pointer.locate(document, source.dedupe))
    )
    return mapping.submitted(request, source, mapping.pointed(document), dedupe=dedupe)
