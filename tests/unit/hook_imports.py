"""A function's life in a new interpreter: it imports the app, then takes hooks one by one.

Reads sources and events from stdin, prints as JSON which modules the app loaded, and for each event
the answer's status and which modules it loaded on top; in the end how many verifications there are.
"""

import json
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.fakes.repository import FakeRepository


def main() -> None:
    from app import app
    from chalicelib import bootstrap

    # The report has stdout to itself.
    bootstrap.log_to(sys.stderr)
    loaded = set(sys.modules)
    report: dict[str, object] = {"app": sorted(loaded)}
    given = json.load(sys.stdin)
    repository = _put_in_place(given["sources"])
    for name, event in given["events"].items():
        loaded = set(sys.modules)
        status = app(event, None)["statusCode"]
        report[name] = [status, sorted(set(sys.modules) - loaded)]
    report["verifications"] = len(repository.items)
    print(json.dumps(report))


def _put_in_place(sources: object) -> "FakeRepository":
    """Fakes behind the app; no test tool may hide what a hook loads."""
    from chalicelib import bootstrap
    from chalicelib.domain.secret import Secret
    from chalicelib.domain.source_entry import read_sources
    from chalicelib.services.breaker import CachedBreaker
    from chalicelib.services.verify import Policy, Tools
    from tests.fakes.callbacks import FakeCallbacks
    from tests.fakes.clock import FakeClock
    from tests.fakes.outbox import FakeOutbox, FakeSubmissions
    from tests.fakes.provider import FakeProvider
    from tests.fakes.queue import FakeQueue
    from tests.fakes.repository import FakeRepository
    from tests.fakes.sealer import FakeSealer
    from tests.fakes.secrets import FakeSecrets

    clock = FakeClock()
    outbox = FakeOutbox(clock)
    repository = FakeRepository(clock, outbox)
    secret = Secret("an-appcode", b"i" * 32, b"h" * 32, (), sources=read_sources(sources))
    tools = Tools(
        repository=repository,
        provider=FakeProvider(),
        secrets=FakeSecrets(secret),
        sealer=FakeSealer(),
        queue=FakeQueue(),
        outbox=outbox,
        submissions=FakeSubmissions(clock),
        callbacks=FakeCallbacks(),
        breaker=CachedBreaker(repository, clock),
        clock=clock,
    )
    bootstrap.override(bootstrap.Container(tools, Policy()))
    return repository


if __name__ == "__main__":
    main()
