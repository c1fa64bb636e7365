"""The paid upstream in memory; passes the same contract suite as the HTTP adapter."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from threading import Lock
from uuid import uuid4

from chalicelib.domain import codes
from chalicelib.domain.codes import Outcome
from chalicelib.domain.verification import Answer, DerivedFields, Person

Script = Answer | str | Callable[[Person], Answer]


class FakeProvider:
    """What was asked is in ``asked``, with what in ``appcodes`` and ``timeouts``.

    ``answers`` are given first, one a call: an answer, the code of one, or a function of the
    person. Then the rule: ``always`` (number to code), ``people`` (number to name: 0000 for the
    right name, 0008 for another), 0007 for everyone else. Tests may read and set all of these.
    """

    def __init__(
        self,
        answers: Iterable[Script] = (),
        *,
        people: Mapping[str, str] | None = None,
        always: Mapping[str, str] | None = None,
    ) -> None:
        self.asked: list[Person] = []
        self.appcodes: list[str] = []
        self.timeouts: list[float] = []
        self.answers: deque[Script] = deque(answers)
        self.people = dict(people or {})
        self.always = dict(always or {})
        self._lock = Lock()

    def ask(self, person: Person, appcode: str, timeout: float) -> Answer:
        with self._lock:
            self.asked.append(person)
            self.appcodes.append(appcode)
            self.timeouts.append(timeout)
            script = self.answers.popleft() if self.answers else self._rule(person)
        if isinstance(script, str):
            return answer(script, person)
        return script if isinstance(script, Answer) else script(person)

    def _rule(self, person: Person) -> str:
        if person.id_number in self.always:
            return self.always[person.id_number]
        if person.id_number in self.people:
            return "0000" if self.people[person.id_number] == person.name else "0008"
        return "0007"


def answer(code: str, person: Person) -> Answer:
    """How the upstream answers with that code: derived fields come with a match or mismatch."""
    row = codes.find(code)
    if row.code in {codes.NOT_SENT, codes.NO_ANSWER}:
        return Answer(code)
    found = row.outcome in {Outcome.MATCH, Outcome.MISMATCH}
    return Answer(code, row.message, str(uuid4()).upper(), _derived(person) if found else None)


def _derived(person: Person) -> DerivedFields:
    number = person.id_number
    return DerivedFields(
        province="安徽省",
        city="淮南市",
        county="凤台县",
        birthday=number[6:14],
        sex="M" if number[16:17] in set("13579") else "F",
        age=111,
    )
