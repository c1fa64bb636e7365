"""A running mock, driven over HTTP with the standard library alone: what the pytest fixture gives.

upstream.fault("hang", when="after_charge", times=1)
...  # the code under test calls upstream.endpoint with upstream.appcode
assert upstream.paid_calls == 1
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from http import HTTPStatus
from http.client import HTTPConnection
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

_PATH = "/idenAuthentication"
_TIMEOUT_SECONDS = 30


class RefusedError(ValueError):
    """The mock refused an input: which field, why, and what is allowed (None: it does not say)."""

    def __init__(self, field: str, message: str, allowed: object = None) -> None:
        hint = "" if allowed is None else f"; allowed: {allowed}"
        super().__init__(f"{field} {message}{hint}")
        self.field = field
        self.message = message
        self.allowed = allowed


class Person(NamedTuple):
    """Somebody to ask about."""

    name: str
    id_number: str


@dataclass(frozen=True, slots=True)
class Upstream:
    """One mock. Whatever is set here lasts until `reset()`.

    Attributes:
        url: `http://host:port`.
        appcode: an AppCode that it accepts.
        admin_token: the token of its /__admin, if it asks for one.
    """

    url: str
    appcode: str = field(repr=False)
    admin_token: str | None = field(default=None, repr=False)

    @property
    def endpoint(self) -> str:
        """The URL to POST to."""
        return self.url + _PATH

    @property
    def paid_calls(self) -> int:
        """How many calls were charged."""
        count: int = self._ask("GET", "/ledger?limit=1")["paid_calls"]
        return count

    def count(self, id_number: str, name: str | None = None) -> int:
        """Count the paid calls about one number, or one number with that name."""
        person = {"id_number": id_number} | ({} if name is None else {"name": name})
        count: int = self._ask("POST", "/ledger/count", person)["paid_calls"]
        return count

    def fault(self, kind: str, **options: object) -> dict[str, Any]:
        """Arm a fault, for every call unless `times` or `match` say less.

        Args:
            kind: for example `hang`, `reset`, `gateway:D504TO`, `resp_code:0010`.
            options: `value`, `when`, `times`, `probability`, `seed`, `match`.

        Raises:
            RefusedError: an unknown kind or option, or a value that it cannot have.
        """
        fault: dict[str, Any] = self._ask("POST", "/faults", {"kind": kind, **options})
        return fault

    def clear_faults(self) -> int:
        """Clear all faults; give how many there were."""
        cleared: int = self._ask("DELETE", "/faults")["cleared"]
        return cleared

    def people(self, names: Mapping[str, str]) -> int:
        """Add people, `{id_number: name}`; give how many."""
        people = [{"name": name, "id_number": number} for number, name in names.items()]
        added: int = self._ask("POST", "/people", people)["added"]
        return added

    def identity(self, answers: str, when: str | None = None) -> Person:
        """Give a test identity that is answered so: a respCode, gateway code or kind of fault.

        Args:
            answers: for example `0007`, `D504TO`, `hang`.
            when: `before_charge` or `after_charge`; if not given, before where there are both.

        Raises:
            RefusedError: no published identity is answered so.
        """
        identities = self._ask("GET", "/identities")
        for row in identities:
            if row["answers"] == answers and when in (None, row["when"]):
                return Person(row["name"], row["id_number"])
        known = {(row["answers"], row["when"]) for row in identities}
        allowed = sorted(f"{a} {w}" if w else a for a, w in known)
        wanted = answers if when is None else f"{answers} {when}"
        raise RefusedError("answers", f"{wanted!r} has no test identity", allowed)

    def requests(
        self,
        *,
        resp_code: str | None = None,
        since: datetime | str | None = None,
        limit: int | None = None,
    ) -> list[dict[str, Any]]:
        """Give the calls it got, oldest first; names and numbers are masked unless it reveals."""
        moment = since.isoformat() if isinstance(since, datetime) else since
        filters = {"resp_code": resp_code, "since": moment, "limit": limit}
        query = urlencode({key: value for key, value in filters.items() if value is not None})
        found: list[dict[str, Any]] = self._ask("GET", f"/requests?{query}")["requests"]
        return found

    def verify(self, count: int = 1, **match: str | int | bool) -> None:
        """Assert that it got exactly `count` calls that match.

        Args:
            count: how many.
            match: `name`, `id_number`, `resp_code`, `gateway_code`, `fault` (kind), `method`,
                `path`, `status`, `charged`; compared unmasked.

        Raises:
            AssertionError: another number of calls; it lists the nearest misses.
            RefusedError: an unknown key.
        """
        __tracebackhide__ = True  # pytest then shows the test's line
        path = "/requests/verify"
        status, answer = self._send("POST", path, {"count": count, "match": match})
        if status == HTTPStatus.UNPROCESSABLE_ENTITY and "near_misses" in answer:
            raise AssertionError("\n".join([answer["message"], *map(_miss, answer["near_misses"])]))
        _expect_ok("POST", path, status, answer)

    def quota(self, **changes: object) -> dict[str, Any]:
        """Change what is named of `used`, `total` (None: unlimited), `expires_at`; give all."""
        return self._setting("/quota", changes)

    def clock(self, today: date | str | None) -> dict[str, Any]:
        """Set today's date; None follows the real one."""
        return self._setting("/clock", {"today": today})

    def maintenance(self, on: bool = True) -> dict[str, Any]:  # noqa: FBT001, FBT002  # as it reads
        """Answer 0010 to everything, or stop that."""
        return self._setting("/maintenance", {"on": on})

    def throttle(self, calls_per_second: int | None) -> dict[str, Any]:
        """Refuse more calls a second than that; None lets any number through."""
        return self._setting("/throttle", {"calls_per_second": calls_per_second})

    def reset(self) -> None:
        """Go back to how it was started."""
        self._ask("POST", "/reset")

    def _setting(self, path: str, changes: Mapping[str, object]) -> dict[str, Any]:
        setting: dict[str, Any] = self._ask("POST", path, changes)
        return setting

    def _ask(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401  # JSON
        status, answer = self._send(method, path, body)
        _expect_ok(method, path, status, answer)
        return answer

    def _send(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        host = urlsplit(self.url)
        headers = {"Content-Type": "application/json", "Connection": "close"}
        if self.admin_token is not None:
            headers["Authorization"] = f"Bearer {self.admin_token}"
        # Unlike urllib it asks no proxy; a connection a call is safe in any thread.
        connection = HTTPConnection(host.hostname or "", host.port, timeout=_TIMEOUT_SECONDS)
        try:
            sent = None if body is None else json.dumps(body, default=date.isoformat)
            connection.request(method, f"/__admin{path}", sent, headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()


def _expect_ok(method: str, path: str, status: int, answer: Any) -> None:  # noqa: ANN401  # JSON
    if status == HTTPStatus.OK:
        return
    if status == HTTPStatus.UNPROCESSABLE_ENTITY:
        raise RefusedError(answer["field"], answer["message"], answer["allowed"])
    raise RuntimeError(f"{method} /__admin{path}: {status} {answer}")


def _miss(near: Mapping[str, Any]) -> str:
    request = near["request"]
    fields, answer = request["fields"], request["answer"]
    code = answer["resp_code"] or answer["gateway_code"] or "no answer"
    asked = f"{request['method']} {request['path']} name={fields['name']} idNo={fields['idNo']}"
    fault = f", fault {request['fault']['kind']}" if request["fault"] else ""
    return f"  differs in {', '.join(near['differs'])}: {asked} -> {code}{fault}"
