"""Dead letters sent again, over moto's SQS."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from chalicelib.domain.messages import Ask, Deliver, Repair, encode
from chalicelib.domain.verification import Answer
from local_stack.resources import ACCESS_KEY, REGION, create_queues
from tests.examples import NUMBER
from tools import redrive
from tools.redrive import main

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

READABLE = [
    encode(Ask("vrf_1")),
    encode(Repair("vrf_2", "a-token", Answer("0000", "身份证信息匹配", "an-id"))),
    encode(Deliver("dlv_3")),
]
UNREADABLE = ["", "{", "[]", json.dumps({"ask": 1, "id_number": NUMBER}), "[" * 2_000]


@dataclass
class Queues:
    """A queue and its dead letters."""

    sqs: "SQSClient"
    url: str
    dead_letters: str

    def bury(self, *bodies: str) -> None:
        for body in bodies:
            self.sqs.send_message(QueueUrl=self.dead_letters, MessageBody=body or " ")

    def standing(self, url: str) -> list[str]:
        """What can be received there now, without taking it."""
        found = []
        while messages := self.sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=60
        ).get("Messages"):
            found += messages
        for message in found:
            self.sqs.change_message_visibility(
                QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
            )
        return sorted(message["Body"] for message in found)


@pytest.fixture
def queues(sqs: "SQSClient", aws_url: str, monkeypatch: pytest.MonkeyPatch) -> Queues:
    url, dead_letters = create_queues(sqs)
    for name, value in {
        "AWS_ENDPOINT_URL": aws_url,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": ACCESS_KEY,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_MAX_ATTEMPTS": "1",
        "QUEUE_URL": url,
    }.items():
        monkeypatch.setenv(name, value)
    return Queues(sqs, url, dead_letters)


def test_all_that_is_readable_is_moved(queues: Queues, capsys: pytest.CaptureFixture[str]) -> None:
    many = [encode(Ask(f"vrf_many{n}")) for n in range(25)]
    queues.bury(*READABLE, *many)
    assert main([]) == 0
    assert queues.standing(queues.url) == sorted([*READABLE, *many])
    assert queues.standing(queues.dead_letters) == []
    out = capsys.readouterr().out
    assert "\nFound: ask 26, deliver 1, repair 1. Queued again: 28; left: 0.\n" in out
    assert "repair vrf_2, sent 20" in out
    assert "a-token" not in out


def test_nothing_there(queues: Queues, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--queue-url", queues.url]) == 0
    assert capsys.readouterr().out == "There are no dead letters.\n"


def test_a_dry_run_moves_nothing(queues: Queues, capsys: pytest.CaptureFixture[str]) -> None:
    queues.bury(*READABLE)
    for _ in range(2):
        assert main(["--dry-run"]) == 0
        assert "Found: ask 1, deliver 1, repair 1. Nothing was moved." in capsys.readouterr().out
    assert queues.standing(queues.url) == []
    assert queues.standing(queues.dead_letters) == sorted(READABLE)


def test_what_nobody_can_read_stays_and_is_not_shown(
    queues: Queues, capsys: pytest.CaptureFixture[str]
) -> None:
    queues.bury(*UNREADABLE, READABLE[0])
    assert main([]) == 1
    assert queues.standing(queues.url) == [READABLE[0]]
    assert queues.standing(queues.dead_letters) == sorted(body or " " for body in UNREADABLE)
    out = capsys.readouterr().out
    assert "Found: ask 1, unreadable 5. Queued again: 1; left: 5." in out
    assert NUMBER not in out


def test_what_the_queue_refuses_stays(queues: Queues, monkeypatch: pytest.MonkeyPatch) -> None:
    queues.bury(*READABLE)
    real = redrive._sent
    monkeypatch.setattr(redrive, "_sent", lambda client, url, some: real(client, url, some[1:]))
    assert main([]) == 1
    assert len(queues.standing(queues.url)) == 2
    assert len(queues.standing(queues.dead_letters)) == 1


def test_what_is_sent_but_not_deleted_is_there_twice(
    queues: Queues, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Never the other way round: a crash in between loses nothing."""
    queues.bury(READABLE[0])

    def refuse(*_: object) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied"}}, "DeleteMessageBatch")

    monkeypatch.setattr(redrive, "_delete", refuse)
    assert main([]) == 2
    assert capsys.readouterr().err == "redrive: AWS refused DeleteMessageBatch: AccessDenied\n"
    assert queues.standing(queues.url) == queues.standing(queues.dead_letters) == [READABLE[0]]


class TestErrors:
    def said(self, capsys: pytest.CaptureFixture[str]) -> str:
        err = capsys.readouterr().err
        assert err.startswith("redrive: ")
        assert len(err.splitlines()) == 1
        return err

    def test_no_queue_is_named(
        self,
        queues: Queues,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.delenv("QUEUE_URL")
        with pytest.raises(SystemExit) as stopped:
            main([])
        assert stopped.value.code == 2
        assert "QUEUE_URL is not set; name the queue" in capsys.readouterr().err

    def test_no_such_queue(self, queues: Queues, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["--queue-url", queues.url + "x"]) == 2
        assert "GetQueueAttributes: AWS.SimpleQueueService.NonExistentQueue" in self.said(capsys)

    def test_a_queue_without_dead_letters(
        self, queues: Queues, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["--queue-url", queues.dead_letters]) == 2
        assert "has no redrive policy" in self.said(capsys)

    @pytest.mark.parametrize(
        ("name", "value", "says"),
        [
            ("AWS_ENDPOINT_URL", "closed", "Could not connect"),
            ("AWS_DEFAULT_REGION", None, "You must specify a region"),
        ],
    )
    def test_aws_out_of_reach(
        self,
        queues: Queues,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        request: pytest.FixtureRequest,
        name: str,
        value: Any,
        says: str,
    ) -> None:
        if value:
            monkeypatch.setenv(name, request.getfixturevalue("closed_url"))
        else:
            monkeypatch.delenv(name)
            monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
        assert main([]) == 2
        assert says in self.said(capsys)
