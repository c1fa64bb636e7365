"""Chat robots: signatures against vectors made elsewhere, answers, and the secret's section."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain import robots
from chalicelib.domain.alert_settings import (
    MAX_ROBOTS,
    AlertSettings,
    Language,
    Robot,
    RobotKind,
    read_alerts,
)
from chalicelib.domain.delivery import CallbackResult, Fault
from chalicelib.domain.robots import Answered
from chalicelib.domain.secret import SecretError, parse
from tests.integration.conftest import SECRET_TEXT

NOW = datetime(2026, 11, 24, 4, 0, 0, 250_000, tzinfo=UTC)
DINGTALK = Robot(
    RobotKind.DINGTALK, "https://oapi.dingtalk.com/robot/send?access_token=t0ken-1-dingtalk", "SEC1"
)
FEISHU = Robot(RobotKind.FEISHU, "https://open.feishu.cn/open-apis/bot/v2/hook/t0ken-2-feishu", "s")
WECOM = Robot(RobotKind.WECOM, "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=t0ken-3-wecom")


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    """RFC 2104, step by step."""
    block = (hashlib.sha256(key).digest() if len(key) > 64 else key).ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block) + message).digest()
    return hashlib.sha256(bytes(byte ^ 0x5C for byte in block) + inner).digest()


def test_the_reference_is_right() -> None:
    """RFC 4231, test case 2."""
    found = hmac_sha256(b"Jefe", b"what do ya want for nothing?").hex()
    assert found == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"


class TestSignatures:
    def test_dingtalks_as_openssl_makes_it(self) -> None:
        secret = "SEC" + "0" * 60 + "test"
        assert robots.dingtalk_signature(secret, 1_599_360_473_000) == {
            "timestamp": "1599360473000",
            "sign": "5Sxyse71wYKkTYcJa8QcHfq/ABmryUwynuoO99u93+c=",
        }

    def test_feishus_as_openssl_makes_it(self) -> None:
        assert robots.feishu_signature("feishu-test-secret", 1_599_360_473) == {
            "timestamp": "1599360473",
            "sign": "7Gq8ROqhtzskcbk2fAPXpWnrRaTUDD2iIHvbmt3/cuo=",
        }

    @given(
        secret=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=99),
        moment=st.integers(10**9, 10**13),
    )
    def test_any(self, secret: str, moment: int) -> None:
        text = f"{moment}\n{secret}".encode()
        made = robots.dingtalk_signature(secret, moment)["sign"]
        assert base64.b64decode(made) == hmac_sha256(secret.encode(), text)
        made = robots.feishu_signature(secret, moment)["sign"]
        assert base64.b64decode(made) == hmac_sha256(text, b"")


class TestPost:
    def test_dingtalk_signs_in_the_query(self) -> None:
        url, body = robots.post(DINGTALK, "余量不足", NOW)
        query = parse_qs(urlsplit(url).query, strict_parsing=True)
        signed = robots.dingtalk_signature("SEC1", 1_795_492_800_250)
        assert query == {"access_token": ["t0ken-1-dingtalk"]} | {n: [v] for n, v in signed.items()}
        assert json.loads(body) == {"msgtype": "text", "text": {"content": "余量不足"}}

    def test_a_url_without_a_query_gets_one(self) -> None:
        bare = Robot(RobotKind.DINGTALK, "https://robot.example/send", "SEC1")
        assert robots.post(bare, "x", NOW).url.startswith("https://robot.example/send?timestamp=")

    def test_feishu_signs_in_the_body(self) -> None:
        url, body = robots.post(FEISHU, "余量不足", NOW)
        assert url == FEISHU.url
        assert json.loads(body) == {
            "msg_type": "text",
            "content": {"text": "余量不足"},
            **robots.feishu_signature("s", 1_795_492_800),
        }
        unsigned = Robot(RobotKind.FEISHU, FEISHU.url)
        assert json.loads(robots.post(unsigned, "x", NOW).body).keys() == {"msg_type", "content"}

    def test_wecom_signs_nothing(self) -> None:
        url, body = robots.post(WECOM, "余量不足", NOW)
        assert url == WECOM.url
        assert json.loads(body) == {"msgtype": "text", "text": {"content": "余量不足"}}

    @pytest.mark.parametrize("robot", [DINGTALK, FEISHU, WECOM])
    def test_no_charset_has_to_be_agreed_on(self, robot: Robot) -> None:
        assert robots.post(robot, "余量不足\n😀", NOW).body.isascii()


def result(code: int | Fault, answer: object = None) -> CallbackResult:
    raw = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return CallbackResult(code, answer=raw)


class TestAnswers:
    @pytest.mark.parametrize(
        ("robot", "answer"),
        [
            (DINGTALK, {"errcode": 0, "errmsg": "ok"}),
            (FEISHU, {"code": 0, "msg": "success", "data": {}}),
            (FEISHU, {"Extra": None, "StatusCode": 0, "StatusMessage": "success"}),
            (FEISHU, {"code": 0, "msg": "success", "StatusCode": 0, "StatusMessage": "success"}),
            (WECOM, {"errcode": 0, "errmsg": "ok"}),
        ],
    )
    def test_taken(self, robot: Robot, answer: object) -> None:
        assert robots.answered(robot, result(200, answer)) == Answered(ok=True, code="0")

    @pytest.mark.parametrize(
        ("robot", "answer", "code", "said"),
        [
            (DINGTALK, {"errcode": 310000, "errmsg": "sign not match"}, "310000", "sign not match"),
            (FEISHU, {"code": 19021, "msg": "sign match fail"}, "19021", "sign match fail"),
            (FEISHU, {"code": 9499, "msg": "Bad Request", "data": {}}, "9499", "Bad Request"),
            (WECOM, {"errcode": 93000, "errmsg": "invalid\nurl"}, "93000", "invalid url"),
            (WECOM, {"errcode": 45009, "errmsg": "x" * 999}, "45009", "x" * 200),
            (WECOM, {"errcode": 40058}, "40058", None),
        ],
    )
    def test_200_is_no_success(
        self, robot: Robot, answer: object, code: str, said: str | None
    ) -> None:
        found = robots.answered(robot, result(200, answer))
        assert found == Answered(ok=False, code=code, said=said)

    @pytest.mark.parametrize("robot", [DINGTALK, FEISHU, WECOM])
    def test_what_leads_back_to_the_url_is_not_repeated(self, robot: Robot) -> None:
        token = re.split("[=/]", robot.url)[-1]
        for said in (robot.url, f"no such token: {token}"):
            found = robots.answered(robot, result(200, {"errcode": 1, "errmsg": said}))
            assert found == Answered(ok=False, code="1")

    @pytest.mark.parametrize(
        "answer", [b"", b"ok", b"[]", b"\xff", b'"0"', b"{", {}, {"errcode": "0"}, {"code": None}]
    )
    def test_no_code_is_no_success(self, answer: object) -> None:
        assert robots.answered(DINGTALK, result(200, answer)) == Answered(ok=False, code="200")

    @pytest.mark.parametrize("code", [Fault.TIMEOUT, Fault.BLOCKED_ADDRESS, 302, 500])
    def test_no_answer_says_why(self, code: int | Fault) -> None:
        assert robots.answered(WECOM, result(code, b"")) == Answered(ok=False, code=str(code))

    def test_a_good_word_under_a_bad_status(self) -> None:
        assert not robots.answered(WECOM, result(500, {"errcode": 0})).ok

    @given(st.binary(max_size=300))
    def test_any_answer_is_read(self, raw: bytes) -> None:
        assert not robots.answered(FEISHU, result(500, raw)).ok


def entry(kind: str = "feishu", **changes: Any) -> dict[str, Any]:
    return {"kind": kind, "url": "https://robot.example/x"} | changes


def wrong() -> Iterator[tuple[object, str]]:
    yield [], "alerts: must be a JSON object"
    yield {"x": 1}, "alerts: has an unknown field; allowed are language, robots"
    yield {"language": "fr"}, "alerts.language: must be one of zh, en"
    yield {"robots": {}}, "alerts.robots: must be a list of at most 10 robots"
    yield {"robots": [entry()] * (MAX_ROBOTS + 1)}, "alerts.robots: must be a list of at most 10"
    yield {"robots": [entry()] * 2}, "alerts.robots: the same url stands twice"
    yield {"robots": [{}]}, r"alerts.robots\[0\].kind: is missing"
    yield {"robots": [entry("slack")]}, r"alerts.robots\[0\].kind: must be one of dingtalk, feishu"
    yield {"robots": [entry("dingtalk")]}, r"alerts.robots\[0\].secret: is missing"
    yield {"robots": [entry("wecom", secret="s")]}, r"alerts.robots\[0\].secret: WeCom's robots"
    for secret in ("", 7, "钥", "s" * 257):
        yield {"robots": [entry(secret=secret)]}, r"alerts.robots\[0\].secret: must be 1 to 256"
    for url in ("http://robot.example/", "https://a:b@robot.example/", 5):
        yield {"robots": [entry(url=url)]}, r"alerts.robots\[0\].url: must be an https address"


class TestTheSecret:
    def test_what_it_may_say(self) -> None:
        section = {
            "language": "en",
            "robots": [
                {"kind": "dingtalk", "url": DINGTALK.url, "secret": "SEC1"},
                {"kind": "feishu", "url": FEISHU.url},
                {"kind": "wecom", "url": "http://127.0.0.1:8080/"},
            ],
        }
        found = parse(json.dumps(json.loads(SECRET_TEXT) | {"alerts": section})).alerts
        assert found is not None
        assert found.language is Language.EN
        assert found.robots == (
            DINGTALK,
            Robot(RobotKind.FEISHU, FEISHU.url),
            Robot(RobotKind.WECOM, "http://127.0.0.1:8080/"),
        )
        assert "ken-" not in repr(found)
        assert "SEC1" not in repr(found)

    def test_nothing_has_to_be_said(self) -> None:
        assert read_alerts({}) == AlertSettings(Language.ZH, ())
        assert parse(SECRET_TEXT).alerts is None

    @pytest.mark.parametrize(("section", "said"), [*wrong()])
    def test_what_it_must_not_say(self, section: object, said: str) -> None:
        with pytest.raises(SecretError, match=f"^{said}") as caught:
            parse(json.dumps(json.loads(SECRET_TEXT) | {"alerts": section}))
        assert "robot.example" not in str(caught.value)

    def test_an_id_stays_while_the_url_does(self) -> None:
        assert Robot(RobotKind.FEISHU, FEISHU.url, "another").id == FEISHU.id
        assert len({robot.id for robot in (DINGTALK, FEISHU, WECOM)}) == 3
        assert FEISHU.host == "open.feishu.cn"
