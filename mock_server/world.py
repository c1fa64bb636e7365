"""State behind one lock: decisions are taken and booked in one step."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock
from time import perf_counter
from uuid import uuid4

from mock_server import hints, journal, ledger, resp_codes, state
from mock_server.call import Call
from mock_server.decide import Decision, decide
from mock_server.effects import BREAKS
from mock_server.state import Setup, State

log = logging.getLogger("mock_server")


@dataclass(slots=True)
class Exchange:
    """One call on its way through the mock."""

    call: Call
    decision: Decision
    request_id: str
    journalled: journal.Entry
    started: float
    booked: ledger.Entry | None = None


def new_request_id() -> str:
    """Give an id as the gateway writes them."""
    return str(uuid4()).upper()


class World:
    """One mock: its setup, and its state under a lock."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self._state = state.start(setup.options)
        self._lock = Lock()

    @contextmanager
    def state(self) -> Iterator[State]:
        """Hold the lock and give the state, to read or to change."""
        with self._lock:
            yield self._state

    def reset(self) -> None:
        """Go back to the start."""
        with self._lock:
            self._state = state.start(self.setup.options)

    def answer(self, call: Call) -> Exchange:
        """Decide a call and book it."""
        started = perf_counter()
        request_id = new_request_id()
        with self._lock:
            decision = decide(call, self.setup, self._state, started)
            if decision.metered:
                self._state.throttle.count(started)
            entry = journal.opened(
                datetime.now(UTC), request_id, call, decision.fields, decision.effect
            )
            self._state.journal.add(entry)
            exchange = Exchange(call, decision, request_id, entry, started)
            self._book(exchange)
        return exchange

    def resume(self, exchange: Exchange) -> None:
        """Decide a call that was put off."""
        with self._lock:
            now = perf_counter()
            exchange.decision = decide(exchange.call, self.setup, self._state, now, waited=True)
            self._book(exchange)

    def lost(self, exchange: Exchange, *, unsent: bool = False) -> None:
        """Note that the caller hung up before the answer was out, or before it was begun."""
        with self._lock:
            if unsent:
                exchange.journalled.status = None
            if exchange.booked is not None:
                exchange.booked.answered = False

    def finish(self, exchange: Exchange) -> None:
        """Close the journal entry as the answer begins, and log the call."""
        entry = exchange.journalled
        entry.duration_ms = round((perf_counter() - exchange.started) * 1000, 3)
        if log.isEnabledFor(logging.INFO):
            log.info(entry.line(reveal=self.setup.options.reveal))

    def _book(self, exchange: Exchange) -> None:
        decision, entry = exchange.decision, exchange.journalled
        for fault in decision.seen:
            fault.seen += 1
        if decision.fired is not None:
            decision.fired.fired += 1
        if decision.answer is not None and not _nothing_sent(decision):
            entry.status = decision.answer.status
        entry.resp_code, entry.gateway_code = decision.resp_code, decision.gateway_code
        if decision.effect is None and decision.resp_code not in resp_codes.ON_RECORD:
            entry.hints = hints.find(exchange.call, decision.fields)
        entry.charged = decision.charged
        if decision.booked:
            self._charge(exchange)

    def _charge(self, exchange: Exchange) -> None:
        decision = exchange.decision
        exchange.booked = ledger.Entry(
            exchange.journalled.at,
            decision.fields,
            decision.resp_code,
            decision.charged,
            decision.answered,
            exchange.request_id,
        )
        self._state.ledger.add(exchange.booked)
        self._state.quota.used += decision.charged


def _nothing_sent(decision: Decision) -> bool:
    return decision.effect is not None and decision.effect.kind in BREAKS
