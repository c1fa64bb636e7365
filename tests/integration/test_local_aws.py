"""The stand-ins for AWS: they start, stop, keep their word, and are what is deployed."""

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config

from local_stack import resources
from local_stack.aws import AwsServer
from local_stack.dynoxide import Dynoxide, find
from local_stack.resources import Names, create, create_table
from tests.integration.conftest import QUICK, SECRET_TEXT, Dynamodb

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ROOT = Path(__file__).parents[2]
THREADS = 8
CROWD = QUICK.merge(Config(max_pool_connections=THREADS))
Change = Callable[[dict[str, Any]], None]
needs_dynoxide = pytest.mark.skipif(find() is None, reason="dynoxide is not installed")


@pytest.fixture
def client(boto: boto3.Session, dynamodb: Dynamodb) -> "Iterator[DynamoDBClient]":
    made = boto.client("dynamodb", endpoint_url=dynamodb.url, config=CROWD)
    yield made
    made.close()


def outcome(call: Callable[[], object], *allowed: str) -> str:
    """ "" for success, or the error's code, which must be one of those."""
    try:
        call()
    except Exception as exc:
        code: str = getattr(exc, "response", {}).get("Error", {}).get("Code", "")
        if code not in allowed:
            raise
        return code
    return ""


class TestItsWord:
    def test_a_conditional_put_has_one_winner(
        self, client: "DynamoDBClient", dynamodb: Dynamodb
    ) -> None:
        def claim(key: str) -> str:
            return outcome(
                lambda: client.put_item(
                    TableName=dynamodb.table,
                    Item={"PK": {"S": key}, "SK": {"S": "V"}},
                    ConditionExpression="attribute_not_exists(PK)",
                ),
                "ConditionalCheckFailedException",
            )

        with ThreadPoolExecutor(THREADS) as pool:
            for key in ("V#1", "V#2", "V#3", "V#4"):
                assert sorted(pool.map(claim, [key] * THREADS))[:2] == [
                    "",
                    "ConditionalCheckFailedException",
                ]

    def test_a_transaction_counts_once_and_loses_nobodys_write(
        self, client: "DynamoDBClient", dynamodb: Dynamodb
    ) -> None:
        def count(place: int) -> str:
            client.put_item(
                TableName=dynamodb.table, Item={"PK": {"S": f"B#{place}"}, "SK": {"S": "V"}}
            )
            return outcome(
                lambda: client.transact_write_items(
                    TransactItems=[
                        {
                            "Put": {
                                "TableName": dynamodb.table,
                                "Item": {"PK": {"S": f"V#{place % 8}"}, "SK": {"S": "V"}},
                                "ConditionExpression": "attribute_not_exists(PK)",
                            }
                        },
                        {
                            "Update": {
                                "TableName": dynamodb.table,
                                "Key": {"PK": {"S": "U"}, "SK": {"S": "U"}},
                                "UpdateExpression": "ADD calls :one",
                                "ExpressionAttributeValues": {":one": {"N": "1"}},
                            }
                        },
                    ]
                ),
                "TransactionCanceledException",
            )

        with ThreadPoolExecutor(THREADS) as pool:
            won = list(pool.map(count, range(32))).count("")
        items = client.scan(TableName=dynamodb.table, ConsistentRead=True)["Items"]
        written = sum(item["PK"]["S"].startswith("B#") for item in items)
        counted = [item["calls"]["N"] for item in items if item["PK"]["S"] == "U"]
        assert (won, written, counted) == (8, 32, ["8"])

    def test_both_indexes_hold_keys_only_and_are_sparse(
        self, client: "DynamoDBClient", dynamodb: Dynamodb
    ) -> None:
        key = {"PK": {"S": "V#1"}, "SK": {"S": "V"}}
        day = {"day_shard": {"S": "d"}, "day_sort": {"S": "1"}}
        client.put_item(TableName=dynamodb.table, Item={**key, **day, "more": {"S": "x"}})
        for index, attribute, found in (
            ("by_day", "day_shard", [{**key, **day}]),
            ("open", "open_shard", []),
        ):
            answer = client.query(
                TableName=dynamodb.table,
                IndexName=index,
                KeyConditionExpression=f"{attribute} = :d",
                ExpressionAttributeValues={":d": {"S": "d"}},
            )
            assert answer["Items"] == found

    def test_the_table_expires_its_items(
        self, client: "DynamoDBClient", dynamodb: Dynamodb
    ) -> None:
        described = client.describe_time_to_live(TableName=dynamodb.table)
        assert described["TimeToLiveDescription"] == {
            "TimeToLiveStatus": "ENABLED",
            "AttributeName": "ttl",
        }


class TestAwsServer:
    def test_a_connection_is_kept(self, aws_url: str) -> None:
        connection = http.client.HTTPConnection(urlsplit(aws_url).netloc, timeout=5)
        sockets = set()
        scope = "local/20261124/cn-north-1/kms/aws4_request"
        for _ in range(3):
            connection.request(
                "POST",
                "/",
                b"{}",
                {
                    "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}",
                    "X-Amz-Target": "TrentService.ListKeys",
                },
            )
            assert connection.getresponse().read()
            sockets.add(connection.sock)
        connection.close()
        assert len(sockets) == 1
        assert None not in sockets

    def test_it_starts_again_where_it_stopped(self) -> None:
        server = AwsServer().start()
        url = server.url
        second = AwsServer(port=int(url.rpartition(":")[2]))
        with pytest.raises(OSError, match="in use"):
            second.start()
        second.stop()
        server.stop()
        server.stop()
        with server:
            assert server.url == url

    def test_it_costs_nothing_until_it_starts_and_keeps_no_process_alive(self) -> None:
        program = (
            "import sys; import local_stack.aws, local_stack.resources, local_stack.dynoxide; "
            "assert not {'moto', 'boto3'} & set(sys.modules); local_stack.aws.AwsServer().start()"
        )
        subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, timeout=30)


@needs_dynoxide
class TestDynoxide:
    def test_a_file_outlives_a_crash(self, boto: boto3.Session, tmp_path: Path) -> None:
        server = Dynoxide(db_path=tmp_path / "table.db").start()
        client = boto.client("dynamodb", endpoint_url=server.url, config=QUICK)
        table = create_table(client, "kept")
        for number in range(20):
            client.put_item(TableName=table, Item={"PK": {"S": f"V#{number}"}, "SK": {"S": "V"}})
        client.close()
        server.kill()
        with server:
            client = boto.client("dynamodb", endpoint_url=server.url, config=QUICK)
            assert create_table(client, "kept") == "kept", "it is left as it is"
            assert client.scan(TableName=table)["Count"] == 20
            client.close()

    def test_a_port_that_is_taken(self) -> None:
        with Dynoxide() as server:
            port = int(server.url.rpartition(":")[2])
            with pytest.raises(OSError, match="already in use"):
                Dynoxide(port=port).start()

    def test_it_starts_again_where_it_stopped_and_forgets(self, boto: boto3.Session) -> None:
        server = Dynoxide()
        tables = []
        for _ in range(2):
            with server:
                client = boto.client("dynamodb", endpoint_url=server.url, config=QUICK)
                tables.append(client.list_tables()["TableNames"])
                create_table(client)
                client.close()
        server.stop()
        assert tables == [[], []]


class TestFindingDynoxide:
    def test_the_environment_comes_first(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        program = tmp_path / "dynoxide"
        program.touch(mode=0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
        assert find() == program
        named = tmp_path / "another"
        named.touch()
        monkeypatch.setenv("DYNOXIDE", str(named))
        assert find() == named
        named.unlink()
        with pytest.raises(FileNotFoundError, match=r"^DYNOXIDE: there is no file"):
            find()

    def test_it_is_not_installed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("local_stack.dynoxide.find", lambda: None)
        with pytest.raises(FileNotFoundError, match="is not installed"):
            Dynoxide().start()


class TestResources:
    def test_the_table_is_the_one_that_is_deployed(
        self, boto: boto3.Session, aws_url: str, names: Names
    ) -> None:
        client = boto.client("dynamodb", endpoint_url=aws_url, config=QUICK)
        table = client.describe_table(TableName=names.table)["Table"]
        backups = client.describe_continuous_backups(TableName=names.table)
        client.close()
        wanted = deployed("Table")
        assert table["AttributeDefinitions"] == wanted["AttributeDefinitions"]
        assert table["KeySchema"] == wanted["KeySchema"]
        assert table["BillingModeSummary"]["BillingMode"] == wanted["BillingMode"]
        assert [
            {name: index.get(name) for name in ("IndexName", "KeySchema", "Projection")}
            for index in table["GlobalSecondaryIndexes"]
        ] == wanted["GlobalSecondaryIndexes"]
        assert table["SSEDescription"]["Status"] == "ENABLED"
        assert names.key_id in table["SSEDescription"]["KMSMasterKeyArn"]
        recovery = backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
        assert recovery["PointInTimeRecoveryStatus"] == "ENABLED"

    def test_the_key_rotates(self, boto: boto3.Session, aws_url: str, names: Names) -> None:
        client = boto.client("kms", endpoint_url=aws_url, config=QUICK)
        assert client.get_key_rotation_status(KeyId=names.key_id)["KeyRotationEnabled"]
        client.close()

    def test_the_secret_has_its_value(
        self, boto: boto3.Session, aws_url: str, names: Names
    ) -> None:
        client = boto.client("secretsmanager", endpoint_url=aws_url, config=QUICK)
        assert client.get_secret_value(SecretId=names.secret_id)["SecretString"] == SECRET_TEXT
        client.close()

    def test_the_queues_are_those_that_are_deployed(
        self, boto: boto3.Session, aws_url: str, names: Names
    ) -> None:
        client = boto.client("sqs", endpoint_url=aws_url, config=QUICK)
        for name, dead, urls in (
            ("Queue", "DeadLetters", (names.queue_url, names.dead_letters_url)),
            ("Rows", "RowsDeadLetters", (names.rows_queue_url, names.rows_dead_letters_url)),
        ):
            queue, dead_letters = (
                client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
                for url in urls
            )
            for made, kind in ((queue, name), (dead_letters, dead)):
                wanted = deployed(kind)
                assert made["MessageRetentionPeriod"] == str(wanted["MessageRetentionPeriod"])
                assert made["SqsManagedSseEnabled"] == "true"
            assert queue["VisibilityTimeout"] == str(deployed(name)["VisibilityTimeout"])
            assert json.loads(queue["RedrivePolicy"]) == {
                "deadLetterTargetArn": dead_letters["QueueArn"],
                "maxReceiveCount": deployed(name)["RedrivePolicy"]["maxReceiveCount"],
            }
        client.close()

    def test_the_bucket_is_the_one_that_is_deployed(
        self, boto: boto3.Session, aws_url: str, names: Names
    ) -> None:
        client = boto.client("s3", endpoint_url=aws_url, config=QUICK)
        found = client.get_bucket_encryption(Bucket=names.bucket)
        (rule,) = found["ServerSideEncryptionConfiguration"]["Rules"]
        assert rule["BucketKeyEnabled"] is True
        assert rule["ApplyServerSideEncryptionByDefault"] == {
            "SSEAlgorithm": "aws:kms",
            "KMSMasterKeyID": names.key_id,
        }
        closed = client.get_public_access_block(Bucket=names.bucket)
        wanted = deployed("Bucket")["PublicAccessBlockConfiguration"]
        assert closed["PublicAccessBlockConfiguration"] == wanted
        client.close()

    def test_what_wakes_people_is_left_out_by_name(
        self, changed: Callable[[Change], Names], names: Names
    ) -> None:
        def one_more(all_of_them: dict[str, Any]) -> None:
            all_of_them["AnotherAlarm"] = all_of_them["DeadLettersAlarm"]

        assert changed(one_more).queue_url != names.queue_url

    def test_everything_is_new_each_time(self, aws_url: str, names: Names) -> None:
        again = create(aws_url, secret_string=SECRET_TEXT)
        assert again.table != names.table
        assert again.secret_id != names.secret_id
        assert again.key_id != names.key_id
        assert again.queue_url != names.queue_url
        assert again.dead_letters_url != names.dead_letters_url

    @needs_dynoxide
    def test_the_table_may_stand_elsewhere(
        self, boto: boto3.Session, aws_url: str, dynoxide_url: str
    ) -> None:
        made = create(aws_url, dynamodb_url=dynoxide_url, table="elsewhere")
        client = boto.client("dynamodb", endpoint_url=dynoxide_url, config=QUICK)
        assert "elsewhere" in client.list_tables()["TableNames"]
        client.close()
        assert made.table == "elsewhere"

    @pytest.mark.parametrize(
        ("resource", "said"),
        [
            ({"Type": "AWS::SQS::Queue", "Properties": {}}, "New: nobody makes this AWS::SQS"),
            ({"Type": "AWS::S3::Bucket", "Properties": {}}, "New: nobody makes this AWS::S3"),
            ({"Type": "AWS::KMS::Key", "Properties": {}}, "New: nobody makes this AWS::KMS"),
        ],
    )
    def test_a_resource_that_nobody_makes_is_not_left_out_in_silence(
        self, changed: Callable[[Change], Names], resource: dict[str, object], said: str
    ) -> None:
        with pytest.raises(ValueError, match=said):
            changed(lambda all_of_them: all_of_them.update(New=resource))

    def test_nor_is_a_property(self, changed: Callable[[Change], Names]) -> None:
        with pytest.raises(ValueError, match="Key: nobody reads MultiRegion locally"):
            changed(lambda all_of_them: all_of_them["Key"]["Properties"].update(MultiRegion=True))


def deployed(name: str) -> Any:
    text = (ROOT / ".chalice" / "resources.json").read_text("utf-8")
    return json.loads(text)["Resources"][name]["Properties"]


@pytest.fixture
def changed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, aws_url: str
) -> Iterator[Callable[[Change], Names]]:
    def make(change: Change) -> Names:
        document = json.loads((ROOT / ".chalice" / "resources.json").read_text("utf-8"))
        change(document["Resources"])
        file = tmp_path / "resources.json"
        file.write_text(json.dumps(document), "utf-8")
        monkeypatch.setattr(resources, "_FILE", file)
        resources._resources.cache_clear()
        return create(aws_url)

    yield make
    resources._resources.cache_clear()
