"""Whoever wants to know what happens, with a memory."""

from chalicelib.domain.events import BY_RESULT, EVENTS, Event


class FakeObserver:
    """What was told is in ``events``; an event that ``EVENTS`` does not list so is refused."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        kind = EVENTS[event.name]
        assert event.members.keys() <= kind.members, event
        assert event.metrics.keys() <= kind.metrics, event
        assert bool(event.result) or not BY_RESULT & event.metrics.keys(), event
        self.events.append(event)

    @property
    def names(self) -> list[str]:
        return [event.name for event in self.events]

    def taken(self) -> list[Event]:
        """What was told since the last time."""
        told, self.events = self.events, []
        return told
