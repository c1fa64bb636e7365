"""Names, numbers and AppCodes are shown nowhere, unless --reveal."""

import json
import logging
from collections.abc import Callable

import pytest
import requests

from mock_server import masking
from tests.mock_server.support import APPCODE, PATH, Upstream

NAME, NUMBER = "欧阳测试", "11010519491231002X"
SECRETS = (NAME, NAME[1:], NUMBER, NUMBER[3:14], APPCODE, APPCODE[:8])
ASKED = "/ledger", "/requests", "/people", "/faults"


def misuse(upstream: Upstream) -> None:
    """Call it well, and in the ways that put data where it does not belong."""
    upstream.do("/people", [{"name": NAME, "id_number": NUMBER}])
    upstream.arm("latency_ms", value=1, match={"name": NAME, "id_number": NUMBER})
    for name, number in ((NAME, NUMBER), (NUMBER, NAME), (NAME, NAME), (NAME, NUMBER + "1")):
        upstream.ask(name, number)
    for path in (f"/{NUMBER}", f"/{NAME}", f"/{APPCODE}", f"{PATH}?name={NAME}&idNo={NUMBER}"):
        upstream.send({"name": NAME, "idNo": NUMBER}, path=path)
    upstream.send(f"idNo={NUMBER}&name={NAME}".encode())
    form = {"name": NAME, "idNo": NUMBER}
    upstream.send(form, Authorization=APPCODE)
    upstream.send(form, X_Ca_Key=APPCODE, Cookie=f"{APPCODE}={NUMBER}")
    upstream.arm("close", times=1, match={"nth_call": 1})
    with pytest.raises(requests.ConnectionError):
        upstream.ask(NAME, NUMBER[:-1] + "1")


def shown(upstream: Upstream) -> str:
    return json.dumps([upstream.get(path) for path in ASKED], ensure_ascii=False)


def test_masked(upstream: Upstream, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        misuse(upstream)
    text = shown(upstream) + "\n".join(
        record.getMessage() for record in caplog.records if record.name == "mock_server"
    )
    assert "欧***" in text
    assert "110***********002X" in text
    assert "-> 200 0000" in text
    for secret in SECRETS:
        assert secret not in text


def test_revealed(start: Callable[..., Upstream]) -> None:
    upstream = start(reveal=True)
    misuse(upstream)
    text = shown(upstream)
    for secret in SECRETS:
        assert secret in text


@pytest.mark.parametrize(
    ("mask", "plain", "expected"),
    [
        (masking.id_number, "340421190710145412", "340***********5412"),
        (masking.id_number, "34042119071014541x", "340***********541x"),
        (masking.id_number, "张三", "**"),
        (masking.id_number, "", ""),
        (masking.id_number, "1" * 99, "*" * 50),
        (masking.name, "张三", "张*"),
        (masking.name, "张", "*"),
        (masking.name, "", ""),
        (masking.name, "买买提·吐尔逊", "买******"),
        (masking.authorization, "", ""),
        (masking.authorization, "APPCODE abc", "APPCODE ***"),
        (masking.authorization, "abc", "***"),
        (masking.path, PATH, PATH),
        (masking.path, "/a/340421190710145412", "/a/***"),
        (masking.path, "/å¼", "/***"),
    ],
)
def test_masks(mask: Callable[[str], str], plain: str, expected: str) -> None:
    assert mask(plain) == expected
