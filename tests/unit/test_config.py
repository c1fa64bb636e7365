"""Settings: missing and broken ones are named."""

import pytest

from chalicelib.config import LIVE_HOST, Settings, SettingsError, stage
from chalicelib.domain.codes import Billed

GOOD = {
    "UPSTREAM_URL": "http://127.0.0.1:8001/idenAuthentication",
    "SECRET_ID": "secret",
    "TABLE_NAME": "table",
    "KMS_KEY_ID": "key",
    "QUEUE_URL": "https://sqs.invalid/queue",
    "ROWS_QUEUE_URL": "https://sqs.invalid/rows",
    "BUCKET_NAME": "a-bucket",
}


def test_defaults() -> None:
    one = Settings.from_env(GOOD)
    assert (one.person_days, one.record_days, one.deadline_seconds) == (30, 730, 20.0)
    assert one.enforce_check_digit
    assert not one.live
    assert not one.callback_allow_loopback


@pytest.mark.parametrize("name", GOOD)
def test_a_missing_setting_is_named(name: str) -> None:
    for value in ({}, {name: " "}):
        env = {key: text for key, text in GOOD.items() if key != name} | value
        with pytest.raises(SettingsError, match=f"^{name}: is not set"):
            Settings.from_env(env)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("UPSTREAM_URL", "idenauthen"),
        ("BILLED_CODES", "0007"),
        ("BILLED_CODES", "0005=yes"),
        ("BILLED_CODES", "0007=maybe"),
        ("CHECK_DIGIT", "off"),
        ("PERSON_DAYS", "-1"),
        ("PERSON_DAYS", "٣"),
        ("RECORD_DAYS", "5"),
        ("DEADLINE_SECONDS", "60"),
        ("DEADLINE_SECONDS", "nan"),
        ("LEASE_SECONDS", "20"),
        ("DUPLICATE_WAIT_SECONDS", "x"),
        ("CALLBACK_ALLOW_LOOPBACK", "yes"),
    ],
)
def test_a_broken_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name}: must"):
        Settings.from_env(GOOD | {name: value})


@pytest.mark.parametrize(
    ("value", "name"), [("prod", "prod"), ("eu-1", "eu-1"), ("", "local"), ("Prod!", "local")]
)
def test_a_stages_name_is_a_metrics_dimension(value: str, name: str) -> None:
    assert stage({"STAGE": value}) == name
    assert stage({}) == "local"


def test_all_of_them_are_read() -> None:
    env = GOOD | {
        "BILLED_CODES": "0007=no, 0010=yes",
        "CHECK_DIGIT": "warn",
        "PERSON_DAYS": "0",
        "RECORD_DAYS": "365",
        "DEADLINE_SECONDS": "10",
        "DUPLICATE_WAIT_SECONDS": "2.5",
        "LEASE_SECONDS": "60",
        "CALLBACK_ALLOW_LOOPBACK": "1",
    }
    one = Settings.from_env(env)
    assert one.billed_codes == {"0007": Billed.NO, "0010": Billed.YES}
    assert not one.enforce_check_digit
    assert (one.person_days, one.record_days) == (0, 365)
    assert one.callback_allow_loopback
    assert (one.deadline_seconds, one.duplicate_wait_seconds, one.lease_seconds) == (10, 2.5, 60)


@pytest.mark.parametrize(
    ("url", "live"),
    [
        (f"https://{LIVE_HOST}/idenAuthentication", True),
        (f"https://{LIVE_HOST.upper()}.:443/x", True),
        (f"https://{LIVE_HOST}.example.com/", False),
        (f"http://127.0.0.1/{LIVE_HOST}", False),
    ],
)
def test_live_is_the_documented_host(url: str, live: bool) -> None:
    assert Settings.from_env(GOOD | {"UPSTREAM_URL": url}).live is live


def test_loopback_callbacks_are_refused_when_live() -> None:
    live = GOOD | {"UPSTREAM_URL": f"https://{LIVE_HOST}/idenAuthentication"}
    assert not Settings.from_env(live | {"CALLBACK_ALLOW_LOOPBACK": "0"}).callback_allow_loopback
    with pytest.raises(SettingsError, match=r"^CALLBACK_ALLOW_LOOPBACK: must"):
        Settings.from_env(live | {"CALLBACK_ALLOW_LOOPBACK": "1"})
