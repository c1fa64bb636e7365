"""The queue in memory; passes the same contract suite as the SQS adapter."""

from chalicelib.domain.messages import Message, decode, encode
from chalicelib.services.ports import UnavailableError


class FakeQueue:
    """``sent`` lists the messages and their delays; while ``down`` is true nothing is taken."""

    def __init__(self) -> None:
        self.sent: list[tuple[Message, int]] = []
        self.down = False

    def send(self, message: Message, delay: int = 0) -> None:
        if self.down:
            raise UnavailableError("the queue is out of reach")
        # What comes out is what a text can hold.
        self.sent.append((decode(encode(message)), delay))

    @property
    def messages(self) -> list[Message]:
        return [message for message, _ in self.sent]
