"""One answer's status, headers and bytes."""

import json
from datetime import date
from typing import NamedTuple

from mock_server import resident_id, resp_codes
from mock_server.call import Fields
from mock_server.gateway_errors import GatewayError, Generation
from mock_server.regions import Regions
from mock_server.samples import SAMPLE_AGE, SAMPLE_NUMBER, SAMPLE_REGION

Headers = tuple[tuple[str, str], ...]

_JSON: Headers = (("Content-Type", "application/json; charset=UTF-8"),)
_HTML: Headers = (("Content-Type", "text/html; charset=UTF-8"),)
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
# The spelling is the gateway's own.
_ERROR: Headers = (("Content-Type", "application/oct-stream"),)


class Answer(NamedTuple):
    """What is sent; `X-Ca-Request-Id` is added on the way unless it is `bare`."""

    status: int
    headers: Headers
    body: bytes = b""
    bare: bool = False


EMPTY_200 = Answer(200, _JSON)
NOT_JSON = Answer(200, _HTML, b"<html><body>502 Bad Gateway</body></html>")
HTTP_500 = Answer(500, _HTML, b"<html><body>Internal Server Error</body></html>", bare=True)


def gateway(error: GatewayError, generation: Generation, message: str = "") -> Answer:
    """Build a gateway's refusal; only the newer generation sends a code."""
    form = error.form(generation, message)
    headers = (*_ERROR, ("X-Ca-Error-Message", form.message))
    if generation == "new":
        headers = (*headers, ("X-Ca-Error-Code", error.code))
    return Answer(form.status, headers)


def document(
    code: str, fields: Fields, regions: Regions, today: date, message: str = ""
) -> dict[str, str]:
    """Build the vendor's ten fields, all strings, in the vendor's order."""
    number = fields.id_number.upper()
    derived = ("",) * 6
    if code in resp_codes.WITH_DERIVED_FIELDS:
        derived = _derived(number, regions, today)
    province, city, county, birthday, sex, age = derived
    return {
        "name": fields.name,
        "idNo": fields.id_number,
        "respMessage": message or resp_codes.MESSAGES[code],
        "respCode": code,
        "province": province,
        "city": city,
        "county": county,
        "birthday": birthday,
        "sex": sex,
        "age": age,
    }


def _derived(number: str, regions: Regions, today: date) -> tuple[str, str, str, str, str, str]:
    if number == SAMPLE_NUMBER:
        region, age = SAMPLE_REGION, SAMPLE_AGE
    else:
        region, age = regions.of(number), _age(number, today)
    return (*region, number[6:14], resident_id.sex(number), age)


def _age(number: str, today: date) -> str:
    born = resident_id.birthday(number)
    return "" if born is None else str(resident_id.age(born, today))


def vendor(fields: dict[str, str] | dict[str, object], encoding: str = "utf-8") -> Answer:
    """Print the vendor's fields as it does: no blanks, no escapes."""
    return Answer(200, _JSON, _ENCODER.encode(fields).encode(encoding))


def wrong_types(fields: dict[str, str]) -> dict[str, object]:
    """Turn what looks like a number into a JSON number, respCode too."""
    numeric = {
        key: int(fields[key]) for key in ("respCode", "birthday", "age") if fields[key].isdecimal()
    }
    return {**fields, **numeric}
