"""The bucket: one contract for the fake and for S3's stand-in, and what is S3's own."""

import io
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import requests
from botocore.config import Config

from chalicelib.adapters import files as adapter
from chalicelib.adapters.files import S3Files
from chalicelib.bootstrap import _S3
from chalicelib.services.batch_ports import FileChangedError, Files
from chalicelib.services.ports import UnavailableError
from local_stack.resources import ACCESS_KEY, REGION, Names
from tests.fakes.batches import FakeFiles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_s3 import S3Client

OK = 200


@pytest.fixture(scope="module")
def s3(boto: boto3.Session, aws_url: str) -> "Iterator[S3Client]":
    client = boto.client("s3", endpoint_url=aws_url, config=_S3)
    yield client
    client.close()


@pytest.fixture
def bucket(s3: "S3Client", names: Names) -> S3Files:
    return S3Files(lambda: s3, names.bucket, names.key_id)


@pytest.fixture(params=["fake", "s3"])
def files(request: pytest.FixtureRequest) -> Files:
    return FakeFiles() if request.param == "fake" else request.getfixturevalue("bucket")


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "BLOCK", 1000)


class TestFiles:
    def test_what_was_put_is_read(self, files: Files) -> None:
        files.put("a", b"0123456789")
        assert files.read("a", 2, 5) == b"234"
        with files.open("a") as file:
            assert file.read() == b"0123456789"

    def test_what_is_not_there(self, files: Files) -> None:
        for call in (
            lambda: files.read("nowhere", 0, 1),
            lambda: files.open("nowhere").read(),
        ):
            with pytest.raises(UnavailableError, match="NoSuchKey"):
                call()
        files.delete(["nowhere", "nowhere"])

    def test_what_was_deleted_is_gone(self, files: Files) -> None:
        files.put("b", b"1")
        files.put("c", b"1")
        files.delete(["b", "c"])
        with pytest.raises(UnavailableError):
            files.read("b", 0, 1)

    def test_an_empty_one(self, files: Files) -> None:
        files.put("empty", b"")
        with files.open("empty") as file:
            assert file.read() == b""
            assert file.seek(0, io.SEEK_END) == 0

    def test_written_bit_by_bit(self, files: Files) -> None:
        with files.writer("d") as out:
            for n in range(10):
                out.write(b"%d" % n)
        assert files.read("d", 0, 10) == b"0123456789"

    def test_one_that_failed_half_way_is_not_there(self, files: Files) -> None:
        with suppress(ZeroDivisionError), files.writer("e") as out:
            out.write(b"1")
            raise ZeroDivisionError
        with pytest.raises(UnavailableError):
            files.read("e", 0, 1)

    @pytest.mark.usefixtures("small_blocks")
    def test_anywhere_in_it(self, files: Files) -> None:
        data = bytes(n % 251 for n in range(20_500))
        files.put("f", data)
        with files.open("f") as file:
            assert file.seek(-500, io.SEEK_END) == 20_000
            assert file.read() == data[20_000:]
            for place in (0, 19_999, 999, 5_000, 1_000):
                file.seek(place)
                assert file.read(1_500) == data[place : place + 1_500]
                assert file.tell() == min(place + 1_500, len(data))

    @pytest.mark.usefixtures("small_blocks")
    def test_another_one_in_its_place_is_noticed(self, files: Files) -> None:
        files.put("g", b"1" * 20_000)
        with files.open("g") as file:
            assert file.read(100) == b"1" * 100
            files.put("g", b"2" * 20_000)
            with pytest.raises(FileChangedError):
                file.read()


class TestS3:
    def test_large_ones_come_in_parts(
        self, bucket: S3Files, s3: "S3Client", names: Names, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(adapter, "PART", 5 * 1024 * 1024)
        block = bytes(range(256)) * 4096
        with bucket.writer("large") as out:
            for _ in range(12):
                out.write(block)
        found = s3.head_object(Bucket=names.bucket, Key="large")
        assert found["ContentLength"] == 12 * len(block)
        assert found["ETag"].strip('"').endswith("-3")
        assert bucket.read("large", 11 * len(block), 12 * len(block)) == block

    def test_parts_of_one_that_failed_are_removed(
        self, bucket: S3Files, s3: "S3Client", names: Names, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(adapter, "PART", 1024)
        with suppress(ZeroDivisionError), bucket.writer("half") as out:
            out.write(b"1" * 2048)
            raise ZeroDivisionError
        assert not s3.list_multipart_uploads(Bucket=names.bucket).get("Uploads")

    def test_all_of_it_is_sealed_by_our_key(
        self, bucket: S3Files, s3: "S3Client", names: Names
    ) -> None:
        bucket.put("sealed", b"1")
        found = s3.head_object(Bucket=names.bucket, Key="sealed")
        assert (found["ServerSideEncryption"], found["SSEKMSKeyId"]) == ("aws:kms", names.key_id)

    def test_somebody_else_may_put_one(self, bucket: S3Files, names: Names) -> None:
        upload = bucket.upload("theirs", 60)
        program = (
            "import sys, urllib.request as u; r = u.Request(sys.argv[1], b'from afar', "
            "dict(a.split('=', 1) for a in sys.argv[2:]), method='PUT'); print(u.urlopen(r).status)"
        )
        headers = [f"{name}={value}" for name, value in upload.headers.items()]
        done = subprocess.run(
            [sys.executable, "-c", program, upload.url, *headers],
            check=True,
            capture_output=True,
            text=True,
        )
        assert done.stdout.strip() == str(OK)
        assert bucket.read("theirs", 0, 9) == b"from afar"
        assert "X-Amz-Expires=60" in upload.url
        assert names.key_id in upload.headers.values()

    def test_the_address_says_what_has_to_be_sent(self, bucket: S3Files) -> None:
        """As AWS checks it: every header that makes a difference is signed, and none else."""
        url = requests.utils.unquote(bucket.upload("x", 60).url)
        (signed,) = [part for part in url.split("&") if part.startswith("X-Amz-SignedHeaders")]
        assert signed.partition("=")[2].split(";") == [
            "content-type",
            "host",
            "x-amz-server-side-encryption",
            "x-amz-server-side-encryption-aws-kms-key-id",
        ]

    @pytest.mark.parametrize(
        ("region", "host"),
        [
            ("us-east-1", "a-bucket.s3.us-east-1.amazonaws.com"),
            ("cn-north-1", "a-bucket.s3.cn-north-1.amazonaws.com.cn"),
        ],
    )
    def test_the_address_is_the_regions(self, region: str, host: str) -> None:
        client = boto3.Session(ACCESS_KEY, ACCESS_KEY, region_name=region).client("s3", config=_S3)
        url = S3Files(lambda: client, "a-bucket", "k").upload("uploads/bat_1", 60).url
        client.close()
        place = requests.utils.urlparse(url)
        assert place.scheme == "https"
        assert place.hostname in {host, host.replace(".us-east-1", "")}
        assert place.path == "/uploads/bat_1"
        assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in place.query

    def test_a_bucket_that_is_not_there(self, s3: "S3Client") -> None:
        files = S3Files(lambda: s3, "no-such-bucket", "k")
        with pytest.raises(UnavailableError, match=r"NoSuchBucket.*BUCKET_NAME"):
            files.put("a", b"")

    def test_out_of_reach(self, boto: boto3.Session, closed_url: str) -> None:
        config = Config(retries={"total_max_attempts": 1})
        client: Any = boto.client("s3", endpoint_url=closed_url, config=config)
        files = S3Files(lambda: client, "a-bucket", "k")
        calls: tuple[Callable[[], object], ...] = (
            lambda: files.put("a", b""),
            lambda: files.read("a", 0, 1),
            lambda: files.open("a"),
            lambda: files.delete(["a"]),
        )
        for call in calls:
            with pytest.raises(UnavailableError, match="EndpointConnectionError"):
                call()
        client.close()

    def test_the_region_of_the_stand_in(self, s3: "S3Client") -> None:
        assert s3.meta.region_name == REGION
