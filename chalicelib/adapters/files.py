"""The port of files over one S3 bucket; what lies there is sealed by the stack's key.

Nothing is kept on disk, and of an object of any size some blocks of memory at most.
"""

import io
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Self, cast

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.adapters import faults
from chalicelib.services.batch_ports import FileChangedError, FileWriter, Upload
from chalicelib.services.ports import UnavailableError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PART = 8 * 1024 * 1024
"""Bytes written at once; S3 takes no fewer than 5 MiB of a part that is not the last."""

BLOCK = 2 * 1024 * 1024
"""Bytes read at once."""

_BLOCKS = 8
_BYTES = "application/octet-stream"
_CHANGED = {"PreconditionFailed", "412"}
_NO_BYTES = {"InvalidRange", "416"}


class S3Files:
    """One bucket; ``make`` gives a low-level S3 client, at the first call that needs it."""

    def __init__(self, make: "Callable[[], S3Client]", bucket: str, key_id: str) -> None:
        self._make = make
        self._made: S3Client | None = None
        self._bucket = bucket
        # In so many words, though it is the bucket's default too: an address says what it does.
        self._sealed = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key_id}

    @property
    def _client(self) -> "S3Client":
        if self._made is None:
            self._made = self._make()
        return self._made

    def put(self, key: str, body: bytes) -> None:
        """Put a small object; raises UnavailableError, as all of these."""
        with self._translated():
            self._client.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=body,
                **self._sealed,  # type: ignore[arg-type]
            )

    def upload(self, key: str, seconds: int) -> Upload:
        """An address under which others may put it for so long; reaches nothing."""
        url = self._client.generate_presigned_url(
            "put_object",
            Params={
                "Bucket": self._bucket,
                "Key": key,
                "ContentType": _BYTES,
                **self._sealed,
            },
            ExpiresIn=seconds,
        )
        headers = {
            "content-type": _BYTES,
            "x-amz-server-side-encryption": self._sealed["ServerSideEncryption"],
            "x-amz-server-side-encryption-aws-kms-key-id": self._sealed["SSEKMSKeyId"],
        }
        return Upload("PUT", url, headers)

    def open(self, key: str) -> BinaryIO:
        """The object as it stands now; reading raises FileChangedError once it was replaced."""
        etag = ""

        def fetch(start: int) -> tuple[bytes, int]:
            """A block, and how long the whole is."""
            nonlocal etag
            options = {"IfMatch": etag} if etag else {}
            try:
                with self._translated():
                    reply = self._client.get_object(
                        Bucket=self._bucket,
                        Key=key,
                        Range=f"bytes={start}-{start + BLOCK - 1}",
                        **options,  # type: ignore[arg-type]
                    )
                    etag = reply["ETag"]
                    return reply["Body"].read(), int(reply["ContentRange"].rpartition("/")[2])
            except _NothingThereError:
                return b"", 0

        return cast("BinaryIO", io.BufferedReader(_Blocks(fetch), BLOCK // 4))

    def read(self, key: str, start: int, end: int) -> bytes:
        """These bytes of it."""
        with self._translated():
            reply = self._client.get_object(
                Bucket=self._bucket, Key=key, Range=f"bytes={start}-{end - 1}"
            )
            return reply["Body"].read()

    def writer(self, key: str) -> FileWriter:
        """Write one of any size, a part of it in memory at a time."""
        return _Writer(self, key)

    def delete(self, keys: Iterable[str]) -> None:
        """Remove them; those that are not there are no error."""
        for key in keys:
            with self._translated():
                self._client.delete_object(Bucket=self._bucket, Key=key)

    def begin(self, key: str) -> str:
        """A multipart upload's id."""
        with self._translated():
            reply = self._client.create_multipart_upload(
                Bucket=self._bucket,
                Key=key,
                **self._sealed,  # type: ignore[arg-type]
            )
            return reply["UploadId"]

    def add_part(self, key: str, upload_id: str, number: int, body: bytes) -> str:
        """One part more; its ETag."""
        with self._translated():
            reply = self._client.upload_part(
                Bucket=self._bucket, Key=key, UploadId=upload_id, PartNumber=number, Body=body
            )
            return reply["ETag"]

    def end(self, key: str, upload_id: str, etags: list[str]) -> None:
        """Put the parts together: only now the object is there."""
        parts = [{"ETag": etag, "PartNumber": n} for n, etag in enumerate(etags, 1)]
        with self._translated():
            self._client.complete_multipart_upload(
                Bucket=self._bucket,
                Key=key,
                UploadId=upload_id,
                MultipartUpload={"Parts": parts},  # type: ignore[typeddict-item]
            )

    def abort(self, key: str, upload_id: str) -> None:
        """Leave nothing of it."""
        with self._translated():
            self._client.abort_multipart_upload(Bucket=self._bucket, Key=key, UploadId=upload_id)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except ClientError as exc:
            code = exc.response["Error"]["Code"]
            if code in _CHANGED:
                raise FileChangedError("the file was replaced while it was read") from exc
            if code in _NO_BYTES:
                raise _NothingThereError from exc
            why = faults.with_mend(code, "BUCKET_NAME", self._client)
            raise UnavailableError(f"bucket {self._bucket}: {why}") from exc
        except BotoCoreError as exc:
            raise UnavailableError(f"bucket {self._bucket}: {type(exc).__name__}") from exc


class _NothingThereError(UnavailableError):
    """No byte lies in that range."""


class _Blocks(io.RawIOBase):
    """A seekable object of which the blocks that were read last are kept."""

    def __init__(self, fetch: Callable[[int], tuple[bytes, int]]) -> None:
        super().__init__()
        self._fetch = fetch
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._place = 0
        first, self._size = fetch(0)
        self._blocks[0] = first

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise OSError("before the beginning")
        self._place = start + offset
        return self._place

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        number, within = divmod(self._place, BLOCK)
        found = self._block(number)[within : within + len(buffer)]
        buffer[: len(found)] = found
        self._place += len(found)
        return len(found)

    def _block(self, number: int) -> bytes:
        if number * BLOCK >= self._size:
            return b""
        if number in self._blocks:
            self._blocks.move_to_end(number)
        else:
            self._blocks[number], _ = self._fetch(number * BLOCK)
            while len(self._blocks) > _BLOCKS:
                self._blocks.popitem(last=False)
        return self._blocks[number]


class _Writer:
    """Parts as they fill up; a small object is put at once."""

    def __init__(self, files: S3Files, key: str) -> None:
        self._files = files
        self._key = key
        self._buffer = bytearray()
        self._upload_id: str | None = None
        self._etags: list[str] = []

    def write(self, data: bytes) -> None:
        """Add to it."""
        self._buffer += data
        if len(self._buffer) >= PART:
            self._flush()

    def _flush(self) -> None:
        if self._upload_id is None:
            self._upload_id = self._files.begin(self._key)
        number = len(self._etags) + 1
        part = bytes(self._buffer)
        self._etags.append(self._files.add_part(self._key, self._upload_id, number, part))
        self._buffer.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exc is not None:
            # What cannot be removed now goes with the bucket's lifecycle.
            with suppress(UnavailableError):
                if self._upload_id is not None:
                    self._files.abort(self._key, self._upload_id)
        elif self._upload_id is None:
            self._files.put(self._key, bytes(self._buffer))
        else:
            if self._buffer:
                self._flush()
            self._files.end(self._key, self._upload_id, self._etags)
