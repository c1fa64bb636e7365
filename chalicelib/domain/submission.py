"""A form entry, whoever sent it: the request, and what a vendor's file makes of it.

    HookRequest ──▶ Submission   a name and a number to verify, as they came
                ├─▶ Handshake    the vendor asks whether we are there; answer with its body
                ├─▶ Ignored      not an entry to verify, and never will be
                └─▶ Unmapped     an entry whose answers cannot be found; kept to be mapped again

``name`` and ``id_number`` stay as they came: a JSON number has lost digits, and is refused later.
``dedupe`` is the vendor's own; it may be a plain hash of the body, so key it before keeping it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from chalicelib.domain.source import Source

Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class HookRequest:
    """What came in: header names in lower case, the body untouched, the gateway's own address."""

    method: str
    url_path: str = field(repr=False)
    query_string: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    raw: bytes = field(repr=False)
    source_ip: str
    token: str | None = field(default=None, repr=False)


class Reason(StrEnum):
    """Why a request became no submission."""

    OTHER_EVENT = "other_event"
    PARTIAL = "partial_response"
    OTHER_FORM = "other_form"
    FORM_MISSING = "form_missing"
    MALFORMED_BODY = "malformed_body"
    FIELDS_MISSING = "fields_missing"
    DEDUPE_MISSING = "dedupe_missing"
    SEVERAL_RECORDS = "several_records"


@dataclass(frozen=True, slots=True)
class Submission:
    """One entry to verify; ``reference`` is unchecked, since a form may hold anything.

    ``scalars`` gives all its answers, to be kept should it be refused.
    """

    dedupe: str
    name: object = field(repr=False)
    id_number: object = field(repr=False)
    reference: str | None = field(default=None, repr=False)
    form: str | None = None
    scalars: Callable[[], Mapping[str, Scalar]] = field(default=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Handshake:
    """The answer that the vendor waits for, with 200."""

    body: str
    content_type: str


@dataclass(frozen=True, slots=True)
class Ignored:
    """Nothing to do; the vendor is told that all is well."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Unmapped:
    """An entry that cannot be read; ``scalars`` hold all its answers, for ``remapped``."""

    dedupe: str
    reason: Reason
    missing: tuple[str, ...] = ()
    scalars: Mapping[str, Scalar] = field(default_factory=dict, repr=False, hash=False)
    form: str | None = None


Parsed = Submission | Handshake | Ignored | Unmapped
Find = Callable[[str], object]


def mapped(
    source: Source,
    find: Find,
    *,
    dedupe: str,
    scalars: Callable[[], Mapping[str, Scalar]],
    form: str | None = None,
) -> Submission | Unmapped:
    """Take the answers from where the source says; ``find`` gives None for what is not there."""
    fields = source.fields
    answers = {"name": find(fields.name), "id_number": find(fields.id_number)}
    missing = tuple(field for field, answer in answers.items() if answer is None)
    if missing:
        return Unmapped(dedupe, Reason.FIELDS_MISSING, missing, scalars(), form)
    reference = None if fields.reference is None else _text(find(fields.reference))
    return Submission(dedupe, answers["name"], answers["id_number"], reference, form, scalars)


def remapped(kept: Unmapped, source: Source) -> Submission | Unmapped:
    """Map a kept entry again, once the source's ``fields`` are mended."""

    def find(place: str) -> object:
        found = kept.scalars.get(place)
        pointer = "/" + place.replace("~", "~0").replace("/", "~1")
        return kept.scalars.get(pointer) if found is None else found

    return mapped(source, find, dedupe=kept.dedupe, scalars=lambda: kept.scalars, form=kept.form)


def _text(value: object) -> str | None:
    if isinstance(value, str):
        return value
    return str(value) if type(value) is int else None
