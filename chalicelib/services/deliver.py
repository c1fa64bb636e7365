"""Sending results on: at least once, by the schedule, signed, to whom it concerns and no others."""

from contextlib import suppress
from datetime import timedelta
from math import ceil
from typing import NamedTuple

from chalicelib.domain import delivery as rules
from chalicelib.domain import events
from chalicelib.domain.delivery import CallbackResult, Delivery, DeliveryStatus, Fault
from chalicelib.domain.errors import NotFoundError
from chalicelib.domain.messages import Deliver
from chalicelib.domain.secret import Client
from chalicelib.domain.standard_webhooks import sign
from chalicelib.domain.verification import Verification
from chalicelib.services.ports import UnavailableError
from chalicelib.services.verify import Tools

_LEASE = timedelta(seconds=60)
"""Longer than an attempt may take: a sender that died holds its delivery up no longer."""

_UNDER_WAY = timedelta(minutes=5)
_LONGEST_QUEUE_DELAY = timedelta(minutes=15)
_PUNCTUAL = timedelta(seconds=2)
"""A queue that is a little early is on time."""


def deliver(message: Deliver, *, tools: Tools) -> None:
    """Make one attempt, if the delivery is due; raises UnavailableError."""
    found = tools.outbox.get(message.delivery_id)
    now = tools.clock.now()
    if found is None or found.due_at is None or found.due_at > now + _PUNCTUAL:
        return
    verification = tools.repository.get(found.verification_id)
    if verification is None or rules.event_type(verification) is None:
        # It is being asked once more; its new end will be told.
        tools.outbox.replace(rules.taken(found, now, _UNDER_WAY), found)
        return
    taken = rules.taken(found, now, _LEASE)
    if tools.outbox.replace(taken, found):
        _attempt(taken, verification, tools)


def _attempt(taken: Delivery, verification: Verification, tools: Tools) -> None:
    if tools.outbox.is_disabled(taken.client, taken.endpoint):
        result = CallbackResult(rules.GONE)
    else:
        result = _post(taken, verification, tools)
    now = tools.clock.now()
    after = rules.attempted(taken, result, now, tools.jitter())
    if not tools.outbox.replace(after, taken):
        return  # its lease ended and somebody else made an attempt
    tools.tell(events.delivery_attempted(after))
    if after.status is DeliveryStatus.DISABLED:
        tools.outbox.set_disabled(taken.client, taken.endpoint, disabled=True)
    if after.due_at is not None and after.due_at - now <= _LONGEST_QUEUE_DELAY:
        queue(after, tools, delay=ceil((after.due_at - now).total_seconds()))


def _post(taken: Delivery, verification: Verification, tools: Tools) -> CallbackResult:
    key = tools.secrets.current().callback_key(taken.client)
    if key is None:
        return CallbackResult(Fault.NOT_CONFIGURED)
    body = rules.payload(verification)
    return tools.callbacks.post(taken.url, sign(key, taken.id, tools.clock.now(), body), body)


def queue(delivery: Delivery, tools: Tools, *, delay: int = 0) -> None:
    """Have the worker make an attempt; the schedule does, should the message get lost."""
    with suppress(UnavailableError):
        tools.queue.send(Deliver(delivery.id, tools.correlation), delay)


class Sent(NamedTuple):
    """How many deliveries were handed to the worker."""

    queued: int


def send_due(*, tools: Tools, limit: int = 500) -> Sent:
    """One round of the schedule; raises UnavailableError."""
    due = tools.outbox.due(tools.clock.now(), limit)
    for delivery in due:
        tools.queue.send(Deliver(delivery.id, tools.correlation))
    return Sent(len(due))


def get(delivery_id: str, *, client: Client, tools: Tools) -> Delivery:
    """One delivery; raises NotFoundError, for another client's as well."""
    found = tools.outbox.get(delivery_id)
    if found is None or not ("admin" in client.scopes or found.client == client.name):
        raise NotFoundError("There is no such delivery for this client.")
    return found


def replay(delivery_id: str, *, client: Client, tools: Tools) -> Delivery:
    """The whole schedule once more; an endpoint that was disabled is tried again.

    Raises NotFoundError, UnavailableError.
    """
    while True:
        found = get(delivery_id, client=client, tools=tools)
        after = rules.replayed(found, tools.clock.now())
        if tools.outbox.replace(after, found):
            tools.outbox.set_disabled(found.client, found.endpoint, disabled=False)
            queue(after, tools)
            return after
