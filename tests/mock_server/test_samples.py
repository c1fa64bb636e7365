import uuid

from tests.mock_server.support import SAMPLE, Upstream

MATCH = (
    '{"name":"张三","idNo":"340421190710145412","respMessage":"身份证信息匹配","respCode":"0000",'
    '"province":"安徽省","city":"淮南市","county":"凤台县","birthday":"19071014","sex":"M",'
    '"age":"111"}'
)
MISMATCH = (
    '{"name":"李四","idNo":"340421190710145412","respMessage":"身份证信息不匹配",'
    '"respCode":"0008","province":"安徽省","city":"淮南市","county":"凤台县",'
    '"birthday":"19071014","sex":"M","age":"111"}'
)


def test_the_documented_match_byte_for_byte(upstream: Upstream) -> None:
    response = upstream.ask("张三", SAMPLE)
    assert response.content == MATCH.encode()
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json; charset=UTF-8"
    assert "X-Ca-Error-Code" not in response.headers
    uuid.UUID(response.headers["X-Ca-Request-Id"])


def test_the_documented_mismatch_byte_for_byte(upstream: Upstream) -> None:
    assert upstream.ask("李四", SAMPLE).content == MISMATCH.encode()


def test_the_samples_do_not_age(upstream: Upstream) -> None:
    upstream.do("/clock", {"today": "2126-01-01"})
    assert upstream.ask("张三", SAMPLE).content == MATCH.encode()


def test_every_call_has_its_own_request_id(upstream: Upstream) -> None:
    ids = {upstream.ask("张三", SAMPLE).headers["X-Ca-Request-Id"] for _ in range(5)}
    assert len(ids) == 5
