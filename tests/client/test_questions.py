"""verify, get, resolve."""

import json
import ssl
from typing import Any

import pytest
import requests
import urllib3

from client.errors import ClientError
from client.exits import Exit
from client.service import Service, transport_error
from tests.client.conftest import Run
from tests.client.fake_service import FakeService, Reply, lost, problem

NAME, NUMBER = "张三", "11010519491231002X"
ID = "vrf_0123456789abcdefghjkmnpqrs"
PERSON = f"{NAME}\n{NUMBER}\n"


def verification(**members: object) -> Reply:
    return Reply(
        {
            "id": ID,
            "status": "completed",
            "outcome": "match",
            "resp_code": "0000",
            "billed": "yes",
            "retryable": False,
            "name": "张*",
            "id_number": "110***********002X",
            "warnings": [],
            "reference": None,
            "reused_from": None,
            "problem": None,
        }
        | members
    )


def test_a_match_in_both_languages(service: FakeService, run: Run) -> None:
    service.routes["POST", "/v1/verifications"] = verification()
    done = run("verify", stdin=PERSON)
    assert (done.exit, done.out.splitlines()[0], done.err) == (Exit.OK, "match", "")
    assert f"id: {ID}" in done.out
    done = run("verify", stdin=PERSON, LANG="zh_CN.UTF-8")
    assert done.out.splitlines()[0] == "一致（match）"
    assert "扣费：是" in done.out
    first, second = service.asked
    assert first.json == {"name": NAME, "id_number": NUMBER}
    assert first.headers["authorization"] == "Bearer local-dev-key"
    # Each command is a question of its own.
    assert first.headers["idempotency-key"] != second.headers["idempotency-key"]


def test_the_person_by_keyboard_stdin_or_arguments(service: FakeService, run: Run) -> None:
    service.routes["POST", "/v1/verifications"] = verification()
    typed = run("verify", stdin="\t" + PERSON)
    assert typed.err == "Name: Number: "
    assert run("verify", stdin=PERSON).err == ""
    run("verify", NAME, NUMBER)
    assert {asked.body for asked in service.asked} == {service.asked[0].body}
    assert run("verify", NAME).exit == Exit.USAGE
    assert run("verify", stdin=f"{NAME}\n").exit == Exit.USAGE
    assert len(service.asked) == 3


def test_options_are_sent(service: FakeService, run: Run) -> None:
    service.routes["POST", "/v1/verifications"] = verification()
    options = ("--reference", "order-9", "--max-age", "600", "--idempotency-key", "k-1")
    run("verify", *options, stdin=PERSON)
    (asked,) = service.asked
    assert asked.json["reference"] == "order-9"
    assert asked.json["max_age_seconds"] == 600
    assert asked.headers["idempotency-key"] == "k-1"


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"outcome": "mismatch"}, Exit.OTHERWISE),
        ({"outcome": "no_record"}, Exit.OTHERWISE),
        ({"status": "pending", "outcome": None}, Exit.UNFINISHED),
        ({"status": "unknown", "outcome": None}, Exit.UNKNOWN),
        ({"status": "failed", "outcome": None, "retryable": True}, Exit.LATER),
        (
            {"status": "failed", "outcome": None, "problem": {"code": "name_invalid"}},
            Exit.REFUSED,
        ),
    ],
)
def test_the_exit_code_says_how_it_stands(
    service: FakeService, run: Run, members: dict[str, object], code: Exit
) -> None:
    service.routes["POST", "/v1/verifications"] = verification(**members)
    service.routes["GET", f"/v1/verifications/{ID}"] = verification(**members)
    assert run("verify", stdin=PERSON).exit == code
    assert run("get", ID).exit == code
    assert run("get", ID, "--lang", "zh").exit == code
    assert json.loads(run("get", ID, "--json").out)["id"] == ID


@pytest.mark.parametrize(
    ("reply", "code", "waits"),
    [
        (problem("name_invalid", 422), Exit.REFUSED, 0),
        (problem("unauthenticated", 401), Exit.REFUSED, 0),
        (problem("quota_exhausted", 503, retryable=True), Exit.LATER, 0),
        (problem("upstream_maintenance", 503, 300, retryable=True), Exit.LATER, 0),
        (problem("outcome_unknown", 504, verification_id=ID, billed="unknown"), Exit.UNKNOWN, 0),
        (
            problem("verification_in_progress", 409, 60, retryable=True, billed="unknown"),
            Exit.UNFINISHED,
            0,
        ),
        (Reply("<html>", 404), Exit.USAGE, 0),
        (Reply("", 301, {"Location": "https://elsewhere.test/"}), Exit.USAGE, 0),
        (Reply("not JSON"), Exit.USAGE, 0),
    ],
)
def test_what_is_not_repeated(
    service: FakeService, run: Run, reply: Reply, code: Exit, waits: int
) -> None:
    service.routes["POST", "/v1/verifications"] = reply
    done = run("verify", stdin=PERSON)
    assert (done.exit, len(done.waited), len(service.asked)) == (code, waits, 1)
    assert done.err.startswith("eryaosu: ")
    assert done.out == ""
    told = json.loads(run("verify", "--json", stdin=PERSON).out)["error"]
    assert told["exit"] == code


def test_what_is_repeated_keeps_its_key_and_pays_once(service: FakeService, run: Run) -> None:
    service.routes["POST", "/v1/verifications"] = verification()
    service.replies = [
        lost,
        Reply("<html>Bad Gateway</html>", 502),
        problem("verification_in_progress", 409, 2, retryable=True, billed="unknown"),
        problem("outcome_unknown", 504, billed="unknown"),  # API Gateway's own: no id
        problem("service_unavailable", 503, 1, retryable=True),
    ]
    done = run("verify", stdin=PERSON)
    assert done.exit == Exit.OK
    assert len({asked.headers["idempotency-key"] for asked in service.asked}) == 1
    assert done.waited == [0.5, 1.0, 2, 4.0, 1]


def test_no_answer_at_all_is_an_unknown_outcome_with_a_way_on(
    service: FakeService, run: Run
) -> None:
    service.replies = [lost] * 99
    done = run("verify", "--json", stdin=PERSON)
    assert done.exit == Exit.UNKNOWN
    assert sum(done.waited) < 75
    told = json.loads(done.out)["error"]
    assert told["idempotency_key"] == service.asked[0].headers["idempotency-key"]
    assert f"--idempotency-key {told['idempotency_key']}" in told["detail"]


def test_out_of_reach(run: Run) -> None:
    # A port that nobody listens on: 9 is discard's.
    for language in ("en", "zh"):
        done = run("verify", "--url", "http://127.0.0.1:9", "--lang", language, stdin=PERSON)
        assert done.exit == Exit.LATER
        assert "http://127.0.0.1:9" in done.err
        assert "HTTPConnectionPool" not in done.err


def test_a_doubt_outlives_later_tries_that_were_not_sent(
    service: FakeService, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def move_away() -> None:
        monkeypatch.setattr(Service, "_send", unreachable)

    def unreachable(*_: object) -> None:
        raise ClientError(Exit.LATER, "unreachable", "-", "-")

    service.replies = [lost]
    assert run("verify", stdin=PERSON, meanwhile=move_away).exit == Exit.UNKNOWN


def test_a_doubt_outlives_a_later_refusal_that_speaks_of_the_later_try(
    service: FakeService, run: Run
) -> None:
    service.replies = [lost]
    service.routes["POST", "/v1/verifications"] = problem("quota_exhausted", 503, retryable=True)
    assert run("verify", stdin=PERSON).exit == Exit.UNKNOWN
    # What is wrong in itself was wrong in the first try as well.
    service.replies = [lost]
    service.routes["POST", "/v1/verifications"] = problem("name_invalid", 422)
    assert run("verify", stdin=PERSON).exit == Exit.REFUSED


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        (urllib3.exceptions.SSLError(ssl.SSLCertVerificationError("self-signed")), "tls"),
        (urllib3.exceptions.SSLError(ssl.SSLEOFError("EOF")), "no_answer"),
        (urllib3.exceptions.NewConnectionError(None, "refused"), "unreachable"),  # type: ignore[arg-type]
        (urllib3.exceptions.ProtocolError("reset"), "no_answer"),
    ],
)
def test_only_what_was_certainly_not_sent_is_called_so(reason: Exception, code: str) -> None:
    pool: Any = None
    inner = urllib3.exceptions.MaxRetryError(pool, "/?X-Amz-Signature=secret", reason)
    error = transport_error(requests.ConnectionError(inner), "https://service.test")
    assert error.code == code
    assert "secret" not in error.english + error.chinese


def test_resolve(service: FakeService, run: Run) -> None:
    path = f"/v1/verifications/{ID}/resolve"
    service.routes["POST", path] = verification(status="failed", outcome=None)
    assert run("resolve", ID, "--billed", "no", "--action", "retry").exit == Exit.OK
    assert service.asked[0].json == {"billed": "no", "action": "retry"}
    service.routes["POST", path] = problem("not_unknown", 409)
    assert run("resolve", ID, "--billed", "no", "--action", "close").exit == Exit.REFUSED
    # It is not repeated: nothing makes a second one harmless.
    service.replies = [lost]
    assert run("resolve", ID, "--billed", "no", "--action", "close").exit == Exit.LATER
    assert len(service.asked) == 3


@pytest.mark.parametrize("command", ["get", "resolve"])
def test_what_is_no_id_never_reaches_a_url(service: FakeService, run: Run, command: str) -> None:
    more = ("--billed", "no", "--action", "close") if command == "resolve" else ()
    done = run(command, NUMBER, *more)
    assert done.exit == Exit.USAGE
    assert NUMBER not in done.out + done.err
    assert not service.asked
