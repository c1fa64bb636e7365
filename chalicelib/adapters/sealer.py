"""Sealing by the key service, each text bound to its verification."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.adapters import faults
from chalicelib.services.ports import UnavailableError

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

MAX_PLAIN = 4_096
"""Bytes; the key service's own limit."""


class KmsSealer:
    """The sealer port over one KMS key; ``client``'s timeouts and retries bound every call."""

    def __init__(self, client: "KMSClient", key_id: str) -> None:
        self._client = client
        self._key_id = key_id

    def seal(self, plain: bytes, verification_id: str) -> bytes:
        """Encrypt 1 to 4,096 bytes; raises ValueError for others, and UnavailableError."""
        if not 0 < len(plain) <= MAX_PLAIN:
            raise ValueError(f"1 to {MAX_PLAIN} bytes can be sealed; these are {len(plain)}")
        with self._translated():
            return self._client.encrypt(
                KeyId=self._key_id,
                Plaintext=plain,
                EncryptionContext={"verification_id": verification_id},
            )["CiphertextBlob"]

    def unseal(self, sealed: bytes, verification_id: str) -> bytes:
        """Decrypt; raises UnavailableError, also when it was sealed for something else."""
        with self._translated():
            return self._client.decrypt(
                KeyId=self._key_id,
                CiphertextBlob=sealed,
                EncryptionContext={"verification_id": verification_id},
            )["Plaintext"]

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except ClientError as exc:
            why = faults.with_mend(exc.response["Error"]["Code"], "KMS_KEY_ID", self._client)
            raise UnavailableError(f"key {self._key_id}: {why}") from exc
        # An answer that is not the key service's has no field of its own.
        except (BotoCoreError, KeyError) as exc:
            raise UnavailableError(f"key {self._key_id}: {type(exc).__name__}") from exc
