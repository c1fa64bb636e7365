"""One contract, kept by the fake and by KMS, and what is KMS's own."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import boto3
import pytest

from chalicelib.adapters.sealer import KmsSealer
from chalicelib.services.ports import Sealer, UnavailableError
from local_stack.resources import Names
from tests.fakes.sealer import FakeSealer
from tests.integration.conftest import QUICK

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

PLAIN = "张三 11010519491231002X".encode()
BROKEN: tuple[Callable[[bytes], bytes], ...] = (
    lambda sealed: sealed[:-1] + bytes([sealed[-1] ^ 1]),
    lambda sealed: sealed[:-1],
    lambda _: b"x" * 60,
    lambda _: b"",
)


@pytest.fixture
def kms(boto: boto3.Session, aws_url: str) -> "Iterator[KMSClient]":
    client = boto.client("kms", endpoint_url=aws_url, config=QUICK)
    yield client
    client.close()


@pytest.fixture(params=["fake", "kms"])
def sealer(request: pytest.FixtureRequest) -> Sealer:
    if request.param == "fake":
        return FakeSealer()
    names: Names = request.getfixturevalue("names")
    return KmsSealer(request.getfixturevalue("kms"), names.key_id)


@pytest.fixture
def unreachable(boto: boto3.Session, closed_url: str) -> "Iterator[KMSClient]":
    client = boto.client("kms", endpoint_url=closed_url, config=QUICK)
    yield client
    client.close()


@pytest.fixture(params=["fake", "kms"])
def down(request: pytest.FixtureRequest) -> Sealer:
    if request.param == "fake":
        fake = FakeSealer()
        fake.down = True
        return fake
    return KmsSealer(request.getfixturevalue("unreachable"), "a-key")


class TestContract:
    @pytest.mark.parametrize("plain", [b"x", PLAIN, b"\0\xff" * 2_048])
    def test_what_is_sealed_comes_back(self, sealer: Sealer, plain: bytes) -> None:
        assert sealer.unseal(sealer.seal(plain, "vrf_1"), "vrf_1") == plain

    def test_nothing_of_it_can_be_seen(self, sealer: Sealer) -> None:
        sealed = sealer.seal(PLAIN, "vrf_1")
        assert not any(PLAIN[at : at + 4] in sealed for at in range(len(PLAIN) - 3))

    def test_the_same_sealed_twice_differs(self, sealer: Sealer) -> None:
        assert sealer.seal(PLAIN, "vrf_1") != sealer.seal(PLAIN, "vrf_1")

    @pytest.mark.parametrize("other", ["vrf_2", "vrf_", "VRF_1"])
    def test_it_belongs_to_one_verification(self, sealer: Sealer, other: str) -> None:
        sealed = sealer.seal(PLAIN, "vrf_1")
        with pytest.raises(UnavailableError):
            sealer.unseal(sealed, other)

    @pytest.mark.parametrize("broken", BROKEN)
    def test_what_is_broken_is_refused(
        self, sealer: Sealer, broken: Callable[[bytes], bytes]
    ) -> None:
        sealed = sealer.seal(PLAIN, "vrf_1")
        with pytest.raises(UnavailableError):
            sealer.unseal(broken(sealed), "vrf_1")

    @pytest.mark.parametrize("size", [0, 4_097])
    def test_sizes_that_cannot_be_sealed(self, sealer: Sealer, size: int) -> None:
        with pytest.raises(ValueError, match=f"these are {size}$"):
            sealer.seal(b"x" * size, "vrf_1")

    def test_out_of_reach(self, down: Sealer) -> None:
        with pytest.raises(UnavailableError) as sealing:
            down.seal(PLAIN, "vrf_1")
        with pytest.raises(UnavailableError) as unsealing:
            down.unseal(b"x" * 60, "vrf_1")
        for caught in (sealing, unsealing):
            assert "张三" not in str(caught.value)


class TestKms:
    def test_the_context_is_the_verification(self, kms: "KMSClient", names: Names) -> None:
        sealed = KmsSealer(kms, names.key_id).seal(PLAIN, "vrf_1")
        opened = kms.decrypt(CiphertextBlob=sealed, EncryptionContext={"verification_id": "vrf_1"})
        assert opened["Plaintext"] == PLAIN
        assert opened["KeyId"].endswith(names.key_id)

    def test_an_unknown_key(self, kms: "KMSClient") -> None:
        missing = "00000000-0000-0000-0000-000000000000"
        with pytest.raises(
            UnavailableError, match=f"^key {missing}: NotFoundException: there "
        ) as caught:
            KmsSealer(kms, missing).seal(PLAIN, "vrf_1")
        assert isinstance(caught.value.__cause__, kms.exceptions.NotFoundException)

    def test_errors_name_the_key_and_the_cause(self, unreachable: "KMSClient") -> None:
        with pytest.raises(UnavailableError, match=r"^key a-key: EndpointConnectionError$"):
            KmsSealer(unreachable, "a-key").seal(PLAIN, "vrf_1")
