"""One entry of the secret's ``sources``, read strictly.

    "sources": {"survey-2026": {
        "vendor": "typeform", "secrets": ["…", "…"], "form": "…",
        "fields": {"name": "…", "id_number": "…", "reference": "…"},
        "callback": {"url": "https://…", "secret": "whsec_…"},
        "max_age_seconds": 600, "mode": "enforce", "allow_ips": ["192.0.2.0/24"],
        "caps": {"day": 200, "month": 3000}}}

Errors name source and field, and never show a value.
"""

import re
from collections.abc import Mapping
from ipaddress import ip_network
from typing import NamedTuple

from chalicelib.domain.callback import callback_of, read_url, read_whsec
from chalicelib.domain.secret_fields import (
    SecretError,
    check_unique,
    read_caps,
    read_choice,
    read_matching,
    read_max_age,
    read_name,
    read_object,
    read_texts,
)
from chalicelib.domain.source import FieldNames, HmacScheme, Mode, Network, Source

_TEXT = re.compile(r"[ -~]{8,512}")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{22,256}")
_BEARER = re.compile(r"[!-~]{22,512}")
_BASIC = re.compile(r"[!-9;-~]{1,128}:[ -~]{16,256}")
_FIELD = re.compile(r"[^\x00-\x1f]{1,256}")
_POINTER = re.compile(r"(/([^~/]|~[01])*)+")
_FORM = re.compile(r"[!-~]{1,128}")
_DIGITS = re.compile(r"[0-9]{1,20}")
_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}")
_PREFIX = re.compile(r"[!-~]{0,32}")


_TEXT_RULE = "8 to 512 printable ASCII characters"
_TOKEN_RULE = "22 to 256 of A-Z a-z 0-9 - _, random (128 bits)"  # noqa: S105  # a rule in words
_HMAC = ("header", "hash", "encoding", "prefix")
_FORM_TOO = ("form",)


class _Rules(NamedTuple):
    """What a vendor's entry must and may hold, beside what all may."""

    secret: re.Pattern[str] | None = _TEXT
    rule: str = _TEXT_RULE
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    pointers: bool = False
    allow_ips: tuple[str, ...] = ()


_VENDORS: Mapping[str, _Rules] = {
    "standard_webhooks": _Rules(pointers=True),
    "github": _Rules(optional=(*_HMAC, "dedupe"), pointers=True),
    "bearer": _Rules(
        _BEARER, "22 to 512 printable ASCII characters without blanks", ("dedupe",), pointers=True
    ),
    "basic": _Rules(
        _BASIC, "user:password in printable ASCII, the password 16 or longer", ("dedupe",), (), True
    ),
    "url_token": _Rules(_TOKEN, _TOKEN_RULE, ("dedupe",), pointers=True),
    "typeform": _Rules(optional=_FORM_TOO),
    "tally": _Rules(optional=_FORM_TOO),
    "jotform": _Rules(_TOKEN, _TOKEN_RULE, optional=_FORM_TOO),
    "formspree": _Rules(optional=_FORM_TOO),
    "webflow": _Rules(optional=_FORM_TOO),
    "wufoo": _Rules(optional=_FORM_TOO),
    "hubspot": _Rules(required=("public_url",)),
    "jinshuju": _Rules(
        _TOKEN,
        _TOKEN_RULE,
        optional=_FORM_TOO,
        # As the vendor publishes them; allow_ips replaces them when they change.
        allow_ips=("52.82.74.116", "52.82.89.22", "52.82.100.17"),
    ),
    "jiandaoyun": _Rules(optional=_FORM_TOO),
    "wjx": _Rules(required=_FORM_TOO),
    "feishu": _Rules(None, "", ("verification_token",), ("encrypt_key", "form")),
    "fanqier": _Rules(optional=_FORM_TOO, pointers=True),
}
VENDORS = tuple(_VENDORS)


def read_sources(value: object) -> Mapping[str, Source]:
    """The member ``sources`` of the secret; raises SecretError."""
    if not isinstance(value, dict):
        raise SecretError("sources: must be a JSON object of sources by their name")
    for name in value:
        read_name(name, "sources: each name")
    return {name: _source(name, entry) for name, entry in value.items()}


def _source(name: str, value: object) -> Source:
    where = f"sources.{name}"
    if not isinstance(value, dict):
        raise SecretError(f"{where}: must be a JSON object")
    if "vendor" not in value:
        raise SecretError(f"{where}.vendor: is missing")
    vendor = read_choice(value["vendor"], f"{where}.vendor", VENDORS)
    rules = _VENDORS[vendor]
    secrets = ("secrets",) if rules.secret else ()
    fields = read_object(
        value,
        where,
        ("vendor", *secrets, "fields", *rules.required),
        ("callback", "max_age_seconds", "mode", "allow_ips", "caps", *rules.optional),
    )
    return Source(
        id=name,
        vendor=vendor,
        fields=_field_names(fields["fields"], f"{where}.fields", pointers=rules.pointers),
        secrets=_secrets(fields, where, vendor),
        form=_form(fields, where, vendor),
        callback=callback_of(fields, where),
        max_age_seconds=read_max_age(fields.get("max_age_seconds", 0), f"{where}.max_age_seconds")
        or 0,
        mode=Mode(read_choice(fields.get("mode", Mode.ENFORCE), f"{where}.mode", tuple(Mode))),
        allow_ips=_networks(fields, where, rules.allow_ips),
        dedupe=_optional_place(fields, "dedupe", where),
        hmac=_hmac(fields, where),
        public_url=_public_url(fields, where),
        verification_tokens=_named_secret(fields, "verification_token", where),
        encrypt_keys=_named_secret(fields, "encrypt_key", where),
        caps=read_caps(fields, where),
    )


def _field_names(value: object, where: str, *, pointers: bool) -> FieldNames:
    fields = read_object(value, where, ("name", "id_number"), ("reference",))
    for member in fields:
        read_matching(
            fields[member], f"{where}.{member}", _FIELD, "a text of 1 to 256, as the vendor says it"
        )
        if pointers:
            _check_place(fields[member], f"{where}.{member}")
    return FieldNames(**{member: str(place) for member, place in fields.items()})


def _check_place(value: object, where: str) -> str:
    place = read_matching(value, where, _FIELD, "a JSON pointer such as /data/name, or a name")
    if place.startswith("/") and not _POINTER.fullmatch(place):
        raise SecretError(f"{where}: in a JSON pointer, ~ stands only in ~0 and ~1")
    return place


def _optional_place(fields: Mapping[str, object], member: str, where: str) -> str | None:
    return None if member not in fields else _check_place(fields[member], f"{where}.{member}")


def _secrets(fields: Mapping[str, object], where: str, vendor: str) -> tuple[bytes, ...]:
    rules = _VENDORS[vendor]
    if rules.secret is None:
        return ()
    texts = _one_or_two(read_texts(fields["secrets"], f"{where}.secrets"), f"{where}.secrets")
    if vendor == "standard_webhooks":
        return tuple(read_whsec(text, f"{where}.secrets") for text in texts)
    return tuple(
        read_matching(text, f"{where}.secrets", rules.secret, rules.rule).encode("ascii")
        for text in texts
    )


def _named_secret(fields: Mapping[str, object], member: str, where: str) -> tuple[bytes, ...]:
    if member not in fields:
        return ()
    value, where = fields[member], f"{where}.{member}"
    texts = _one_or_two(read_texts(value if isinstance(value, list) else [value], where), where)
    return tuple(read_matching(text, where, _TEXT, _TEXT_RULE).encode("ascii") for text in texts)


def _one_or_two(texts: tuple[str, ...], where: str) -> tuple[str, ...]:
    if len(texts) > 2:  # noqa: PLR2004  # the old one and the new one
        raise SecretError(f"{where}: must be one, or two while one is rotated")
    check_unique(texts, f"{where}: both are the same")
    return texts


def _form(fields: Mapping[str, object], where: str, vendor: str) -> str | None:
    if "form" not in fields:
        return None
    if vendor == "wjx":  # its digits are part of what is signed
        return read_matching(fields["form"], f"{where}.form", _DIGITS, "the activity's digits")
    return read_matching(fields["form"], f"{where}.form", _FORM, "the vendor's own id of the form")


def _networks(
    fields: Mapping[str, object], where: str, default: tuple[str, ...]
) -> tuple[Network, ...]:
    if "allow_ips" not in fields:
        return tuple(ip_network(text) for text in default)
    texts = read_texts(fields["allow_ips"], f"{where}.allow_ips")
    try:
        return tuple(ip_network(text) for text in texts)
    except ValueError:
        raise SecretError(
            f"{where}.allow_ips: each must be an address or a CIDR without host bits"
        ) from None


def _hmac(fields: Mapping[str, object], where: str) -> HmacScheme:
    default = HmacScheme()
    header = fields.get("header", default.header)
    algorithm = read_choice(
        fields.get("hash", default.hash), f"{where}.hash", ("sha256", "sha384", "sha512")
    )
    return HmacScheme(
        read_matching(header, f"{where}.header", _HEADER, "the name of a header").lower(),
        algorithm,
        read_choice(
            fields.get("encoding", default.encoding), f"{where}.encoding", ("hex", "base64")
        ),
        read_matching(
            fields.get("prefix", f"{algorithm}="),
            f"{where}.prefix",
            _PREFIX,
            "at most 32 printable ASCII characters, such as sha256=, or empty",
        ),
    )


def _public_url(fields: Mapping[str, object], where: str) -> str | None:
    if "public_url" not in fields:
        return None
    return read_url(fields["public_url"], f"{where}.public_url")
