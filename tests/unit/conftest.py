"""One use case's world: fakes whose state a test can look at."""

import base64
import hashlib
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import pytest

from chalicelib.domain.callback import ClientCallback
from chalicelib.domain.secret import Client, Secret
from chalicelib.domain.verification import VerificationRequest
from chalicelib.services.breaker import CachedBreaker
from chalicelib.services.verify import Policy, Result, Tools, verify
from tests.examples import NAME, NUMBER
from tests.fakes.callbacks import FakeCallbacks
from tests.fakes.clock import FakeClock
from tests.fakes.observer import FakeObserver
from tests.fakes.outbox import FakeOutbox, FakeSubmissions
from tests.fakes.packages import FakePackages
from tests.fakes.provider import FakeProvider, Script
from tests.fakes.queue import FakeQueue
from tests.fakes.repository import FakeRepository
from tests.fakes.sealer import FakeSealer
from tests.fakes.secrets import FakeSecrets


def make_client(name: str, *scopes: str, max_age_seconds: int | None = None) -> Client:
    digest = hashlib.sha256(f"{name}-key".encode()).hexdigest()
    return Client(name, (digest,), frozenset(scopes), max_age_seconds)


CALLBACK_SECRET = "whsec_" + base64.b64encode(b"c" * 32).decode()
SHOP = replace(
    make_client("shop", "verify", "read"),
    callback=ClientCallback(("shop.example",), b"c" * 32),
)
OTHER = make_client("other", "verify", "read")
OPS = make_client("ops", "admin")
SECRET = Secret("an-appcode", b"i" * 32, b"h" * 32, (SHOP, OTHER, OPS))


@dataclass
class World:
    """Everything that a verification touches."""

    clock: FakeClock
    repository: FakeRepository
    provider: FakeProvider
    secrets: FakeSecrets
    sealer: FakeSealer
    queue: FakeQueue
    outbox: FakeOutbox
    submissions: FakeSubmissions
    callbacks: FakeCallbacks
    observer: FakeObserver
    tools: Tools
    policy: Policy
    packages: FakePackages = field(default_factory=FakePackages)

    def script(self, answers: Iterable[Script]) -> None:
        """What the upstream answers next, instead of what was scripted before."""
        self.provider.answers = deque(answers)

    def verify(
        self,
        *,
        key: str | None = "k1",
        name: str = NAME,
        id_number: str = NUMBER,
        client: Client = SHOP,
        reference: str | None = None,
        max_age: int = 0,
    ) -> Result:
        request = VerificationRequest(name, id_number, reference, max_age, key)
        return verify(request, client=client, tools=self.tools, policy=self.policy)

    def obey(self, **settings: object) -> None:
        self.policy = replace(self.policy, **settings)  # type: ignore[arg-type]

    def another_container(self) -> Callable[..., Result]:
        """The same system seen from a second process: nothing cached is shared."""
        tools = replace(self.tools, breaker=CachedBreaker(self.repository, self.clock))
        return replace(self, tools=tools).verify


def make_world(clock: FakeClock) -> World:
    outbox, submissions, callbacks = FakeOutbox(clock), FakeSubmissions(clock), FakeCallbacks()
    repository = FakeRepository(clock, outbox)
    provider, secrets, sealer = FakeProvider(), FakeSecrets(SECRET), FakeSealer()
    queue, observer = FakeQueue(), FakeObserver()
    tools = Tools(
        repository=repository,
        provider=provider,
        secrets=secrets,
        sealer=sealer,
        queue=queue,
        outbox=outbox,
        submissions=submissions,
        callbacks=callbacks,
        breaker=CachedBreaker(repository, clock),
        clock=clock,
        jitter=lambda: 0.5,
        observe=observer,
    )
    return World(
        clock,
        repository,
        provider,
        secrets,
        sealer,
        queue,
        outbox,
        submissions,
        callbacks,
        observer,
        tools,
        Policy(),
    )


@pytest.fixture
def world() -> World:
    return make_world(FakeClock())
