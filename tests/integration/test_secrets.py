"""One contract, kept by the fake and by Secrets Manager, and what the cache adds."""

import json
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Protocol
from uuid import uuid4

import boto3
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from chalicelib.adapters.secrets import SecretsManagerSecrets
from chalicelib.domain.secret import Secret, SecretError, parse
from chalicelib.services.ports import Secrets, UnavailableError
from tests.fakes.clock import FakeClock
from tests.fakes.secrets import FakeSecrets
from tests.integration.conftest import QUICK, SECRET_TEXT

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

SECRET = parse(SECRET_TEXT)


def text(**fields: object) -> str:
    return json.dumps(json.loads(SECRET_TEXT) | fields)


ROTATED = parse(text(appcode="rotated"))
MARK = "A-VALUE-THAT-NOBODY-MAY-SEE"


class Place(Protocol):
    """Where the secret lies, and the port that reads it."""

    @property
    def secrets(self) -> Secrets: ...

    def rotate(self) -> None: ...


class FakePlace:
    def __init__(self) -> None:
        self.secrets = FakeSecrets(SECRET)

    def rotate(self) -> None:
        self.secrets.next = ROTATED


class RealPlace:
    def __init__(self, client: "SecretsManagerClient") -> None:
        self.client = client
        self.name = f"contract-{uuid4()}"
        self.secrets = SecretsManagerSecrets(client, self.name, FakeClock())
        client.create_secret(Name=self.name, SecretString=SECRET_TEXT)

    def rotate(self) -> None:
        self.client.put_secret_value(SecretId=self.name, SecretString=text(appcode="rotated"))


@pytest.fixture
def manager(boto: boto3.Session, aws_url: str) -> "Iterator[SecretsManagerClient]":
    client = boto.client("secretsmanager", endpoint_url=aws_url, config=QUICK)
    yield client
    client.close()


@pytest.fixture(params=["fake", "secretsmanager"])
def place(request: pytest.FixtureRequest) -> Place:
    if request.param == "fake":
        return FakePlace()
    return RealPlace(request.getfixturevalue("manager"))


@pytest.fixture
def unreachable(boto: boto3.Session, closed_url: str) -> "Iterator[SecretsManagerClient]":
    client = boto.client("secretsmanager", endpoint_url=closed_url, config=QUICK)
    yield client
    client.close()


@pytest.fixture(params=["fake", "secretsmanager"])
def down(request: pytest.FixtureRequest) -> Secrets:
    if request.param == "fake":
        fake = FakeSecrets(SECRET)
        fake.down = True
        return fake
    return SecretsManagerSecrets(request.getfixturevalue("unreachable"), "gone", FakeClock())


class TestContract:
    def test_the_secret_is_read(self, place: Place) -> None:
        assert place.secrets.current() == SECRET
        assert place.secrets.refresh() == SECRET

    def test_a_rotation_is_seen_by_a_refresh_and_from_then_on(self, place: Place) -> None:
        assert place.secrets.current() == SECRET
        place.rotate()
        assert place.secrets.current() == SECRET
        assert place.secrets.refresh() == ROTATED
        assert place.secrets.current() == ROTATED

    def test_out_of_reach(self, down: Secrets) -> None:
        with pytest.raises(UnavailableError):
            down.current()
        with pytest.raises(UnavailableError):
            down.refresh()


class ScriptedManager:
    """Answers with ``answer``, a text or an error; ``asked`` counts."""

    def __init__(self, answer: str | Exception = SECRET_TEXT) -> None:
        self.answer: str | Exception = answer
        self.asked = 0
        self.lock = threading.Lock()
        self.meanwhile: Callable[[], object] = bool
        self.meta = SimpleNamespace(region_name="cn-north-1")

    def get_secret_value(self, **request: str) -> dict[str, str]:
        assert request == {"SecretId": "the-secret", "VersionStage": "AWSCURRENT"}
        with self.lock:
            self.asked += 1
        self.meanwhile()
        if isinstance(self.answer, Exception):
            raise self.answer
        return {"SecretString": self.answer} if self.answer else {}


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": MARK}}, "GetSecretValue")


TIMEOUT = ReadTimeoutError(endpoint_url="http://127.0.0.1")


class World:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.manager = ScriptedManager()
        self.secrets = self.container()

    def container(self, check: Callable[[Secret], None] | None = None) -> SecretsManagerSecrets:
        client: Any = self.manager
        return SecretsManagerSecrets(client, "the-secret", self.clock, check=check)


@pytest.fixture
def world() -> World:
    return World()


class TestCache:
    def test_it_is_read_again_after_five_minutes(self, world: World) -> None:
        world.secrets.current()
        world.manager.answer = text(appcode="rotated")
        world.clock.advance(300)
        assert world.secrets.current() == SECRET
        assert world.manager.asked == 1
        world.clock.advance(1)
        assert world.secrets.current() == ROTATED
        assert world.manager.asked == 2

    def test_the_last_good_one_outlives_an_hour_of_errors_from_its_reading(
        self, world: World
    ) -> None:
        world.secrets.current()
        world.manager.answer = TIMEOUT
        world.clock.advance(3_600)
        assert world.secrets.current() == SECRET
        world.clock.advance(1)
        with pytest.raises(UnavailableError, match="ReadTimeoutError"):
            world.secrets.current()
        world.manager.answer = SECRET_TEXT
        assert world.secrets.current() == SECRET

    def test_while_it_cannot_be_read_callers_wait_every_ten_seconds_only(
        self, world: World
    ) -> None:
        world.secrets.current()
        world.manager.answer = TIMEOUT
        world.clock.advance(301)
        for _ in range(10):
            assert world.secrets.current() == SECRET
        assert world.manager.asked == 2
        world.manager.answer = text(appcode="rotated")
        world.clock.advance(10)
        assert world.secrets.current() == ROTATED

    def test_with_nothing_cached_every_call_tries(self, world: World) -> None:
        world.manager.answer = TIMEOUT
        for _ in range(2):
            with pytest.raises(UnavailableError):
                world.secrets.current()
        assert world.manager.asked == 2

    @pytest.mark.parametrize("moving", ["monotonic", "now"])
    def test_a_frozen_function_is_not_fooled_by_the_clock_that_stood_still(
        self, world: World, moving: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.secrets.current()
        if moving == "now":
            later: datetime = world.clock.now() + timedelta(seconds=301)
            monkeypatch.setattr(world.clock, "now", lambda: later)
        else:
            monkeypatch.setattr(world.clock, "monotonic", lambda: 301.0)
        world.secrets.current()
        assert world.manager.asked == 2


class TestRefresh:
    def test_it_reads_at_once_but_every_ten_seconds_at_most(self, world: World) -> None:
        world.secrets.current()
        world.manager.answer = text(appcode="rotated")
        assert world.secrets.refresh() == ROTATED
        world.manager.answer = SECRET_TEXT
        world.clock.advance(9.9)
        assert world.secrets.refresh() == ROTATED
        assert world.manager.asked == 2
        world.clock.advance(0.1)
        assert world.secrets.refresh() == SECRET

    @pytest.mark.parametrize("answer", [TIMEOUT, "{}"])
    def test_it_does_not_pass_an_old_one_off_as_new(
        self, world: World, answer: str | Exception
    ) -> None:
        world.secrets.current()
        world.manager.answer = answer
        for _ in range(2):
            with pytest.raises(UnavailableError):
                world.secrets.refresh()
        assert world.manager.asked == 2
        assert world.secrets.current() == SECRET


class WatchedLock:
    """``crowded`` is set once that many threads hold it or wait for it."""

    def __init__(self, crowd: int) -> None:
        self.crowded = threading.Event()
        self.lock = threading.Lock()
        self.arrivals = threading.Semaphore(crowd - 1)

    def __enter__(self) -> None:
        if not self.arrivals.acquire(blocking=False):
            self.crowded.set()
        self.lock.acquire()

    def __exit__(self, *_: object) -> None:
        self.lock.release()


class TestThreads:
    def test_many_threads_read_once(self, world: World) -> None:
        ready = threading.Barrier(20, timeout=5)
        world.manager.meanwhile = ready.wait  # the read takes until all others have asked

        def ask(place: int) -> Secret:
            if place:
                ready.wait()
            return world.secrets.current()

        with ThreadPoolExecutor(20) as pool:
            assert set(pool.map(ask, range(20))) == {SECRET}
        assert world.manager.asked == 1

    @pytest.mark.parametrize("call", ["current", "refresh"])
    def test_who_waited_for_a_failed_read_does_not_repeat_it(self, world: World, call: str) -> None:
        world.manager.answer = TIMEOUT
        lock: Any = WatchedLock(10)
        world.secrets._lock = lock
        world.manager.meanwhile = lambda: lock.crowded.wait(5)

        def ask(_: int) -> str:
            with pytest.raises(UnavailableError) as caught:
                getattr(world.secrets, call)()
            return str(caught.value)

        with ThreadPoolExecutor(10) as pool:
            assert len(set(pool.map(ask, range(10)))) == 1
        assert world.manager.asked == 1

    def test_many_refreshes_read_once(self, world: World) -> None:
        world.secrets.current()
        with ThreadPoolExecutor(20) as pool:
            list(pool.map(lambda _: world.secrets.refresh(), range(50)))
        assert world.manager.asked == 2


BROKEN = {
    "not JSON": (MARK, "the secret is not JSON"),
    "no object": (f'["{MARK}"]', "secret: must be a JSON object"),
    "no appcode": ('{"hash_key": "' + MARK + '"}', "appcode: is missing"),
    "short key": (text(id_key=MARK[:20]), "id_key: must be"),
    "unknown field": (text(**{MARK: MARK}), "unknown field"),
    "client": (text(clients=[{"name": MARK, "key_sha256": [], "scopes": []}]), "clients[0].name"),
    "no text": ("", "has no text"),
}


class TestErrors:
    @pytest.mark.parametrize(("answer", "said"), BROKEN.values(), ids=list(BROKEN))
    def test_a_broken_secret_is_told_by_its_field(
        self, world: World, answer: str, said: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        world.manager.answer = answer
        with pytest.raises(UnavailableError) as caught:
            world.secrets.current()
        for shown in (str(caught.value), caplog.text):
            assert said in shown
            assert "put-secret-value --secret-id the-secret" in shown
            assert MARK[:20] not in shown

    def test_a_broken_one_does_not_replace_a_good_one_and_is_logged_once(
        self, world: World, caplog: pytest.LogCaptureFixture
    ) -> None:
        world.secrets.current()
        world.manager.answer = text(appcode="")
        for _ in range(3):
            world.clock.advance(400)
            assert world.secrets.current() == SECRET
        assert [record.levelno for record in caplog.records] == [logging.ERROR]
        assert "appcode: must be" in caplog.text
        world.manager.answer = SECRET_TEXT
        world.clock.advance(400)
        world.secrets.current()
        world.manager.answer = text(appcode="")
        world.clock.advance(400)
        world.secrets.current()
        assert len(caplog.records) == 2, "a new trouble is told anew"

    def test_a_secret_may_be_refused(self, world: World) -> None:
        def check(secret: Secret) -> None:
            if secret.appcode == "rotated":
                raise SecretError("appcode: must not be this one")

        secrets = world.container(check)
        secrets.current()
        world.manager.answer = text(appcode="rotated")
        world.clock.advance(301)
        assert secrets.current() == SECRET
        with pytest.raises(UnavailableError, match="appcode: must not be this one"):
            secrets.refresh()

    @pytest.mark.parametrize(
        ("error", "said"),
        [
            (refusal("ResourceNotFoundException"), "put-secret-value --secret-id the-secret"),
            (refusal("AccessDeniedException"), "allow secretsmanager:GetSecretValue"),
            (refusal("InternalServiceError"), "cannot be read (InternalServiceError)"),
            (TIMEOUT, "cannot be reached (ReadTimeoutError)"),
        ],
    )
    def test_a_failed_read_says_how_to_mend_it(
        self, world: World, error: Exception, said: str
    ) -> None:
        world.manager.answer = error
        with pytest.raises(UnavailableError) as caught:
            world.secrets.current()
        assert str(caught.value).startswith("secret the-secret: ")
        assert said in str(caught.value)
        assert MARK not in str(caught.value)
        assert caught.value.__cause__ is error


class TestSecretsManager:
    def test_it_does_not_exist(self, manager: "SecretsManagerClient") -> None:
        secrets = SecretsManagerSecrets(manager, "nobody-made-it", FakeClock())
        with pytest.raises(UnavailableError, match=r"^secret nobody-made-it: does not exist or"):
            secrets.current()

    def test_it_has_no_value_yet(self, manager: "SecretsManagerClient") -> None:
        name = f"empty-{uuid4()}"
        manager.create_secret(Name=name)
        with pytest.raises(UnavailableError, match="has no value yet in cn-north-1; set it with"):
            SecretsManagerSecrets(manager, name, FakeClock()).current()

    def test_after_a_promoted_rotation_the_new_value_is_read(
        self, manager: "SecretsManagerClient"
    ) -> None:
        name = f"promoted-{uuid4()}"
        old = manager.create_secret(Name=name, SecretString=SECRET_TEXT)["VersionId"]
        new = manager.put_secret_value(
            SecretId=name, SecretString=text(appcode="rotated"), VersionStages=["AWSPENDING"]
        )["VersionId"]
        manager.update_secret_version_stage(
            SecretId=name,
            VersionStage="AWSCURRENT",
            MoveToVersionId=new,
            RemoveFromVersionId=old,
        )
        assert SecretsManagerSecrets(manager, name, FakeClock()).current() == ROTATED
