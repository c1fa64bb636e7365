"""The composition root: what is put together follows the settings."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace

import pytest

from chalicelib import bootstrap
from chalicelib.config import LIVE_HOST, Settings
from chalicelib.domain.secret import LOCAL_DEV_KEY, Secret, SecretError
from tests.unit.conftest import SECRET, SHOP

SETTINGS = Settings(
    upstream_url="http://127.0.0.1:1/idenAuthentication",
    secret_id="secret",
    table_name="table",
    kms_key_id="key",
    queue_url="http://127.0.0.1:1/queue",
    rows_queue_url="http://127.0.0.1:1/rows",
    bucket_name="a-bucket",
)
LIVE = replace(SETTINGS, upstream_url=f"https://{LIVE_HOST}/idenAuthentication")


@pytest.fixture(autouse=True)
def _region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "cn-north-1")


def secret_with(key: str) -> Secret:
    digest = hashlib.sha256(key.encode()).hexdigest()
    return replace(SECRET, clients=(replace(SHOP, key_sha256=(digest,)),))


def checks(settings: Settings) -> Iterator[object]:
    """What a secret has to pass before it is used."""
    yield bootstrap.build(settings).tools.secrets._check  # type: ignore[attr-defined]


def test_the_key_that_everybody_knows_never_guards_the_paid_upstream() -> None:
    (check,) = checks(LIVE)
    assert callable(check)
    check(secret_with("a-key-of-ones-own"))
    with pytest.raises(SecretError, match="known to everybody"):
        check(secret_with(LOCAL_DEV_KEY))
    (check,) = checks(SETTINGS)
    assert check is None


def test_the_policy_is_the_settings() -> None:
    changed = replace(
        LIVE, person_days=0, enforce_check_digit=False, deadline_seconds=9, lease_seconds=40
    )
    policy = bootstrap.build(changed).policy
    assert (policy.live, policy.keep_person, policy.check_character) == (True, False, False)
    assert (policy.deadline, policy.lease.total_seconds()) == (9, 40)


def test_one_container_a_process() -> None:
    one = bootstrap.build(SETTINGS)
    bootstrap.override(one)
    assert bootstrap.container() is one
    bootstrap.override(None)
