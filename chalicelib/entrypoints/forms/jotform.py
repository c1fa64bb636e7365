"""Jotform signs nothing: a URL token. Answers by the part after ``q3_``, or the whole key."""

import re
from datetime import datetime

from chalicelib.domain.source import Assurance, Source
from chalicelib.domain.submission import HookRequest, Parsed
from chalicelib.entrypoints.forms import bodies, mapping, signatures
from chalicelib.entrypoints.forms.profile import ALWAYS_200

PROFILE = ALWAYS_200

_QUESTION = re.compile(r"q[0-9]{1,6}_(.+)")


def authenticate(request: HookRequest, source: Source, now: datetime) -> Assurance:  # noqa: ARG001  # nothing is stamped
    """The token is one of the source's secrets."""
    return signatures.check_url_token(request, source)


def parse(request: HookRequest, source: Source) -> Parsed:
    """De-duplicated by the submission's id; the answers are JSON inside the form."""
    fields = bodies.form_fields(request)
    answers = bodies.json_object(fields.get("rawRequest"))
    if not answers:
        return mapping.malformed(request)
    rows = [(question, _answer(answer)) for question, answer in answers.items()]
    return mapping.submitted(
        request,
        source,
        mapping.named(
            mapping.first_of(rows, ((_short(question), answer) for question, answer in rows))
        ),
        dedupe=mapping.key(fields.get("submissionID")),
        forms=(fields.get("formID"),),
    )


def _short(question: str) -> str | None:
    found = _QUESTION.fullmatch(question)
    return found[1] if found else None


def _answer(value: object) -> object:
    """A name in parts, in the order of an identity card; everything else as it is."""
    parts = bodies.as_object(value)
    texts = [parts.get(part) for part in ("last", "middle", "first")]
    if not {"first", "last"} & parts.keys():
        return value
    return " ".join(text for text in texts if isinstance(text, str) and text)
