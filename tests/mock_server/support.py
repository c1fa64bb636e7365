"""What the tests of the mock share: a running mock, and how to call it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self, TypeAlias

import requests
from requests.adapters import HTTPAdapter

Json: TypeAlias = Any
Body: TypeAlias = Mapping[str, str] | list[tuple[str, str]] | bytes | str | Iterator[bytes] | None

PATH = "/idenAuthentication"
APPCODE = "0123456789abcdef0123456789abcdef"
FORM = "application/x-www-form-urlencoded; charset=UTF-8"
SAMPLE = "340421190710145412"
# A fictitious person of the published table.
PERSON = ("李秀英", "120101185304270249")
OTHER = ("王建国", "110104185303050217")
UNHELD = "11010519491231002X"
PATIENCE = 20


def _session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # reading it takes longer than a call
    session.mount("http://", HTTPAdapter(pool_maxsize=64))
    return session


@dataclass(frozen=True)
class Upstream:
    url: str
    session: requests.Session = field(default_factory=_session)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.session.close()

    def ask(self, name: str, id_number: str, timeout: float = PATIENCE) -> requests.Response:
        return self.send({"name": name, "idNo": id_number}, timeout=timeout)

    def send(
        self,
        body: Body,
        *,
        method: str = "POST",
        path: str = PATH,
        timeout: float = PATIENCE,
        **headers: str | None,
    ) -> requests.Response:
        sent = {
            "Authorization": f"APPCODE {APPCODE}",
            "Content-Type": FORM,
            **{key.replace("_", "-"): value for key, value in headers.items()},
        }
        return self.session.request(
            method, self.url + path, data=body, headers=sent, timeout=timeout
        )

    def admin(self, method: str, path: str, json: Json = None, **headers: str) -> requests.Response:
        url = f"{self.url}/__admin{path}"
        return self.session.request(method, url, json=json, headers=headers, timeout=PATIENCE)

    def get(self, path: str) -> Json:
        response = self.admin("GET", path)
        assert response.status_code == 200, response.text
        return response.json()

    def do(self, path: str, json: Json = None) -> Json:
        response = self.admin("POST", path, json)
        assert response.status_code == 200, response.text
        return response.json()

    def arm(self, kind: str, **more: Json) -> None:
        self.do("/faults", {"kind": kind, **more})

    def disarm(self) -> None:
        self.admin("DELETE", "/faults")

    @property
    def paid(self) -> int:
        count: int = self.get("/ledger")["paid_calls"]
        return count


def code(response: requests.Response) -> str:
    assert response.status_code == 200, response.headers
    found: str = response.json()["respCode"]
    return found
