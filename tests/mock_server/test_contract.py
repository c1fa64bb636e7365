"""The contract: every code of the tables, by its test identity and by an armed fault.

What is observed on the wire is collected and compared with the tables at the end, so that a code
which is added without an identity, or that answers as another, fails here.
"""

from collections.abc import Callable, Iterator
from typing import get_args

import pytest
import requests

from mock_server import effects, resp_codes
from mock_server.gateway_errors import TABLE, Generation
from tests.mock_server.support import PERSON, Json, Upstream

CODES = {*resp_codes.MESSAGES, *TABLE}
FIELDS = (
    "name",
    "idNo",
    "respMessage",
    "respCode",
    "province",
    "city",
    "county",
    "birthday",
    "sex",
    "age",
)
# The older generation sends no code: what of the table fits status and message is what a caller
# can know.
Observed = set[str]


def observed(response: requests.Response, generation: Generation) -> Observed:
    """The codes that a caller can take an answer for."""
    if response.status_code == 200:
        document = response.json()
        assert tuple(document) == FIELDS
        assert all(isinstance(value, str) for value in document.values())
        assert document["respMessage"] == resp_codes.MESSAGES[document["respCode"]]
        return {document["respCode"]}
    assert response.content == b""
    message = response.headers["X-Ca-Error-Message"]
    form = (response.status_code, message)
    fitting = {error.code for error in TABLE.values() if form in error.forms(generation)}
    code = response.headers.get("X-Ca-Error-Code")
    if generation == "old":
        assert code is None
        return fitting
    assert code in fitting
    return {code}


def by_identity(upstream: Upstream, identities: list[Json], code: str) -> Iterator[Json]:
    for row in identities:
        if row["answers"] == code and row["any_name"]:
            upstream.do("/reset")
            yield upstream.ask("谁", row["id_number"])
            assert upstream.paid == row["charged"], row


def by_fault(upstream: Upstream, code: str) -> Iterator[Json]:
    kind = ("resp_code:" if code in resp_codes.MESSAGES else "gateway:") + code
    sides = (effects.BEFORE, effects.AFTER) if effects.takes_when(kind) else (None,)
    for when in sides:
        upstream.do("/reset")
        upstream.arm(kind, when=when, times=1)
        yield upstream.ask(*PERSON)
        charged = when == effects.AFTER or code in ("0000", "0007", "0008")
        assert upstream.paid == charged, (kind, when)


@pytest.mark.parametrize("generation", get_args(Generation))
def test_every_code_by_identity_and_by_fault(
    start: Callable[..., Upstream], generation: Generation
) -> None:
    upstream = start(gateway=generation)
    identities = upstream.get("/identities")
    reached: dict[str, Observed] = {"identity": set(), "fault": set()}
    for code in CODES:
        for way, answers in (
            ("identity", by_identity(upstream, identities, code)),
            ("fault", by_fault(upstream, code)),
        ):
            for answer in answers:
                assert code in observed(answer, generation), (way, code)
                reached[way].add(code)
    assert reached["identity"] == reached["fault"] == CODES
    assert len(resp_codes.MESSAGES) == 8
