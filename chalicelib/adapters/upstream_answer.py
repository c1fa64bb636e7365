"""What the upstream's answer says, read strictly, and nothing in it that repeats a person."""

import json
import re
import unicodedata
from collections.abc import Mapping
from urllib.parse import quote

from chalicelib.domain import codes
from chalicelib.domain.verification import DerivedFields, Person

_OURS = frozenset(
    {codes.NOT_SENT, codes.TOO_LATE, codes.NO_ANSWER, codes.BAD_ANSWER, codes.LEASE_EXPIRED}
)
_CODE = re.compile(r"[!-~]{1,16}")
_NUMBER = re.compile(r"[0-9]{17}[0-9Xx]")
_BIRTHDAY = re.compile(r"[0-9]{8}")
_AGE = re.compile(r"[0-9]{1,3}")
_REQUEST_ID_LENGTH = 128
_PLACE_LENGTH = 64
_MESSAGE_LENGTH = 200
_LIKE_A_NUMBER = re.compile(r"\d{6}")


def json_object(body: bytes) -> Mapping[str, object]:
    """Empty for anything but a JSON object in UTF-8."""
    try:
        value = json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def resp_code(fields: Mapping[str, object], person: Person) -> str | None:
    """None if there is no usable one: a word of another vocabulary, or about another number.

    An answer about someone else would be one that strayed into our connection.
    """
    code, about = fields.get("respCode"), fields.get("idNo")
    if not isinstance(code, str) or not _CODE.fullmatch(code):
        return None
    if code in _OURS or (codes.is_listed(code) and code not in codes.RESP_CODES):
        return None
    if (
        isinstance(about, str)
        and _NUMBER.fullmatch(about)
        and _NUMBER.fullmatch(person.id_number)
        and about.upper() != person.id_number.upper()
    ):
        return None
    return code


def gateway_error(status: int, headers: Mapping[str, str]) -> tuple[str, str]:
    """Code and message; BAD_ANSWER if it was not the gateway, or says nothing we could keep."""
    code = _ascii(headers.get("X-Ca-Error-Code", ""))
    message = _ascii(headers.get("X-Ca-Error-Message", ""))
    if not _CODE.fullmatch(code) or code in _OURS or code in codes.RESP_CODES:
        code = ""
    if not (code and codes.is_listed(code)):
        code = codes.from_old_gateway(status, message) or code
    return code or codes.BAD_ANSWER, message


def request_id_of(headers: Mapping[str, str], person: Person, appcode: str) -> str | None:
    """The id that the seller's support asks for; None if there is none, or it tells too much."""
    request_id = _ascii(headers.get("X-Ca-Request-Id", ""))
    if _reveals(request_id, person, appcode):
        return None
    return request_id[:_REQUEST_ID_LENGTH] or None


def derived_fields(fields: Mapping[str, object]) -> DerivedFields | None:
    """What is usable of them; None if nothing is. They cost the outcome nothing."""
    birthday, sex = _figures(fields.get("birthday")), printable(fields.get("sex"))
    age = _figures(fields.get("age"))
    derived = DerivedFields(
        province=printable(fields.get("province"))[:_PLACE_LENGTH] or None,
        city=printable(fields.get("city"))[:_PLACE_LENGTH] or None,
        county=printable(fields.get("county"))[:_PLACE_LENGTH] or None,
        birthday=birthday if _BIRTHDAY.fullmatch(birthday) else None,
        sex=sex if sex in {"M", "F"} else None,
        age=int(age) if _AGE.fullmatch(age) else None,
    )
    return None if derived == DerivedFields() else derived


def _figures(value: object) -> str:
    """Digits, sent as a string or as a number."""
    return str(value) if type(value) is int else printable(value)


def printable(value: object) -> str:
    """What can be printed of a string, and so be stored and sent on; "" for anything else."""
    if not isinstance(value, str):
        return ""
    return "".join(character for character in value if character.isprintable()).strip()


def _ascii(header: str) -> str:
    return "".join(character for character in header if " " <= character <= "~").strip()


def harmless(message: str, person: Person, appcode: str) -> str:
    """The message, cut to a bounded length; "" if it may hold a person or the AppCode."""
    if _LIKE_A_NUMBER.search(_squeezed(message)) or _reveals(message, person, appcode):
        return ""
    return message[:_MESSAGE_LENGTH]


def _reveals(text: str, person: Person, appcode: str) -> bool:
    """Whether the text repeats name, number or AppCode, however spaced, cased or encoded."""
    squeezed = _squeezed(text)
    told = (person.name, quote(person.name), person.id_number, appcode)
    return any(secret and _squeezed(secret) in squeezed for secret in told)


def _squeezed(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).split()).casefold()
