"""From a vendor's answers to a submission: form, de-duplication key and fields."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from chalicelib.domain.source import Source
from chalicelib.domain.submission import (
    Find,
    HookRequest,
    Ignored,
    Reason,
    Scalar,
    Submission,
    Unmapped,
    mapped,
)
from chalicelib.entrypoints.forms import pointer

_LONGEST = 256


@dataclass(frozen=True, slots=True)
class Answers:
    """How to find one answer, and how to keep them all."""

    find: Find
    scalars: Callable[[], Mapping[str, Scalar]]


def named(answers: Mapping[str, object]) -> Answers:
    """Answers by their names."""
    return Answers(answers.get, lambda: scalars_of(answers))


def pointed(document: object) -> Answers:
    """Answers by JSON pointer, or by name at the top."""
    return Answers(lambda place: pointer.locate(document, place), lambda: pointer.flatten(document))


def first_of(*rows: Iterable[tuple[object, object]]) -> dict[str, object]:
    """Answers by name; of one name the first counts, and what is no name is left out."""
    answers: dict[str, object] = {}
    for row in rows:
        for name, answer in row:
            if isinstance(name, str):
                answers.setdefault(name, answer)
    return answers


def submitted(
    request: HookRequest,
    source: Source,
    answers: Answers,
    *,
    dedupe: str | None,
    forms: Sequence[object] = (),
) -> Submission | Ignored | Unmapped:
    """Map an authenticated entry; ``forms`` are the ids by which the vendor may name its form."""
    given = [form for form in map(key_part, forms) if form is not None]
    if source.form is not None and source.form not in given:
        return Ignored(Reason.OTHER_FORM if given else Reason.FORM_MISSING)
    form = source.form or (given[0] if given else None)
    if dedupe is None:
        kept = answers.scalars()
        return Unmapped(body_key(request), Reason.DEDUPE_MISSING, ("dedupe",), kept, form)
    return mapped(source, answers.find, dedupe=dedupe, scalars=answers.scalars, form=form)


def malformed(request: HookRequest) -> Unmapped:
    """The vendor sent it, and yet it cannot be read."""
    return Unmapped(body_key(request), Reason.MALFORMED_BODY)


def key(*parts: object) -> str | None:
    """A de-duplication key of texts and whole numbers, kept apart; None if one is unusable."""
    texts = [key_part(part) for part in parts]
    if None in texts:
        return None
    return texts[0] if len(texts) == 1 else json.dumps(texts, separators=(",", ":"))


def key_part(value: object) -> str | None:
    """A text or whole number as a short text."""
    if type(value) is int:
        value = str(value) if abs(value) < 10**30 else None
    return value if isinstance(value, str) and 0 < len(value) <= _LONGEST else None


def body_key(request: HookRequest) -> str:
    """A key for what has none: the same body is the same entry."""
    return f"sha256:{hashlib.sha256(request.raw).hexdigest()}"


def scalars_of(answers: Mapping[str, object]) -> Mapping[str, Scalar]:
    """The answers that can be kept."""
    return {
        name: answer
        for name, answer in answers.items()
        if answer is None or isinstance(answer, str | int | float)
    }
