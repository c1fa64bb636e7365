"""The watch: looks once a minute at how things stand, and tells what the alerts' rules say.

Whoever succeeds in writing an alert's change down is the one to tell it, so that two watchers at
once tell it once. What could not be told stays written down, and is told by the next round; if a
watcher dies between telling and writing so, it is told once more when its lease has ended.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

from chalicelib.domain import alert_texts, events
from chalicelib.domain import alerts as rules
from chalicelib.domain.alert_settings import AlertSettings
from chalicelib.domain.alert_texts import Message
from chalicelib.domain.alerts import ABOUT_MONEY, Alert, Facts
from chalicelib.domain.errors import ServiceUnavailableError
from chalicelib.domain.robots import Answered
from chalicelib.domain.secret import Client, Secret
from chalicelib.services.ports import UnavailableError
from chalicelib.services.verify import Tools
from chalicelib.services.watch_facts import Watching, look

TOPIC = "topic"
"""The receiver that is no robot."""

AT_ONCE = 10
"""To one receiver in a round: robots take twenty messages a minute, and then none for a while."""

ROUND_SECONDS = 30.0
"""After so long nothing more is begun: the function that sends is stopped after a minute."""

_TRIES = 3

Send = Callable[[Message], Answered]


class Watched(NamedTuple):
    """How many alerts are active, and how many messages were and were not taken."""

    active: int = 0
    sent: int = 0
    failed: int = 0


def watch(*, tools: Tools, watching: Watching) -> Watched:
    """One round; raises UnavailableError when the table or the secret is out of reach."""
    secret = tools.secrets.current()
    board = watching.alerts.board()
    facts = look(board, secret, tools=tools, watching=watching)
    receivers = _receivers(secret, watching)
    standing = {alert.key: alert for alert in board.alerts}
    mine: list[Alert] = []
    for before, after in rules.changes(facts, watching.thresholds, board.alerts, [*receivers]):
        if _written(after, before, tools, watching):
            standing[after.key] = after
            mine += [after] if after.waiting else []
    active = [alert for alert in standing.values() if alert.active]
    _tell_balance(active, facts, tools)
    sent, failed = _tell(mine, receivers, _settings(secret), tools, watching)
    return Watched(len(active), sent, failed)


def _written(after: Alert, before: Alert | None, tools: Tools, watching: Watching) -> bool:
    """Whether the change is ours to tell; one that cannot be written must not stop the others."""
    try:
        return watching.alerts.replace(after, before)
    except UnavailableError as exc:
        tools.tell(events.watch_hindered(str(exc)))
        return False


def _settings(secret: Secret) -> AlertSettings:
    return secret.alerts or AlertSettings()


def _receivers(secret: Secret, watching: Watching) -> Mapping[str, Send]:
    """Everybody by the id under which it is written down who was told."""
    notifier = watching.notifier
    topic: dict[str, Send] = {TOPIC: notifier.to_topic} if notifier.has_topic else {}
    robots = _settings(secret).robots
    return topic | {robot.id: partial(notifier.to_robot, robot) for robot in robots}


def _tell_balance(active: Iterable[Alert], facts: Facts, tools: Tools) -> None:
    kinds = {alert.kind for alert in active} & ABOUT_MONEY
    if kinds:
        left = None if facts.balance is None else facts.balance.left
        tools.tell(events.balance_low(sorted(kinds), left))


def _tell(
    mine: Sequence[Alert],
    receivers: Mapping[str, Send],
    settings: AlertSettings,
    tools: Tools,
    watching: Watching,
) -> tuple[int, int]:
    """All receivers side by side; how many messages were taken, and how many were not."""
    if not mine:
        return 0, 0
    ends = tools.clock.monotonic() + ROUND_SECONDS
    minute = int(tools.clock.now().timestamp() // 60)
    texts = {
        alert.key: alert_texts.message(alert, settings.language, watching.stage) for alert in mine
    }

    def to(receiver: str) -> list[tuple[Alert, str, Answered]]:
        outcomes: list[tuple[Alert, str, Answered]] = []
        wanted = [one for one in mine if receiver in one.waiting]
        # Another one is the first each minute: a text that is never taken must not stop the rest.
        turn = minute % max(1, len(wanted))
        for alert in [*wanted[turn:], *wanted[:turn]][:AT_ONCE]:
            answer = receivers[receiver](texts[alert.key])
            outcomes.append((alert, receiver, answer))
            # After a refusal the others would meet the same, and hold everybody up.
            if not answer.ok or tools.clock.monotonic() >= ends:
                break
        return outcomes

    with ThreadPoolExecutor(max(1, len(receivers))) as threads:
        outcomes = [one for part in threads.map(to, receivers) for one in part]
    for alert, receiver, answer in outcomes:
        tools.tell(events.alert_sent(alert, receiver, answer.code, ok=answer.ok))
    for alert in mine:
        reached = [who for one, who, answer in outcomes if one is alert and answer.ok]
        _note(alert, frozenset(reached), tools, watching)
    taken = sum(answer.ok for _, _, answer in outcomes)
    return taken, len(outcomes) - taken


def _note(sent: Alert, reached: frozenset[str], tools: Tools, watching: Watching) -> None:
    """Write down who was told; what moved on meanwhile is told anew, by whoever moved it."""
    standing: Alert | None = sent
    for _ in range(_TRIES):
        if standing is None:
            return
        after = rules.told(standing, sent, reached, tools.clock.now())
        if after is standing or _written(after, standing, tools, watching):
            return
        try:
            standing = watching.alerts.get(sent.key)
        except UnavailableError:
            return  # It is told once more when the lease has ended.


class Tried(NamedTuple):
    """One receiver, and what came back from it."""

    receiver: str
    host: str | None
    answer: Answered


def send_test(*, tools: Tools, watching: Watching) -> Sequence[Tried]:
    """A message to everybody; raises UnavailableError when the secret is out of reach.

    The secret is read anew, since it may just have been changed.
    """
    secret = _secret_now(tools)
    settings, receivers = _settings(secret), _receivers(secret, watching)
    hosts = {robot.id: robot.host for robot in settings.robots}
    message = alert_texts.trial_message(settings.language, watching.stage, tools.clock.now())
    with ThreadPoolExecutor(max(1, len(receivers))) as threads:
        answers = [*threads.map(lambda send: send(message), receivers.values())]
    return [
        Tried(receiver, hosts.get(receiver), answer)
        for receiver, answer in zip(receivers, answers, strict=True)
    ]


def _secret_now(tools: Tools) -> Secret:
    try:
        return tools.secrets.refresh()
    except UnavailableError as exc:
        raise ServiceUnavailableError(
            "The secret cannot be read as it stands now; the log says why."
        ) from exc


def standing(*, client: Client, watching: Watching) -> Sequence[Alert]:
    """What is active, the latest first; of others' caps and sources an admin's key tells."""
    return sorted(
        (
            alert
            for alert in watching.alerts.board().alerts
            if alert.active and ("admin" in client.scopes or alert.owner in {None, client.name})
        ),
        key=lambda alert: alert.since,
        reverse=True,
    )


def note_refusal(source: str, *, tools: Tools, watching: Watching) -> None:
    """A request for the source was not let in; not to have counted it harms nobody."""
    try:
        watching.alerts.count_refusal(source)
    except UnavailableError as exc:
        tools.tell(events.watch_hindered(str(exc)))
