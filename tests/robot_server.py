"""Chat robots of three vendors on loopback: they check what the real ones check, and keep texts.

Signatures are checked with code of their own, as the vendors' pages describe them.
"""

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

TOKEN = "fake-token-of-a-robot"
DINGTALK_SECRET = "SECfake0of0a0test"
FEISHU_SECRET = "fake-of-a-test"
HOUR = 3600
KINDS = ("dingtalk", "feishu", "wecom")


@dataclass(frozen=True)
class Heard:
    """One message that a robot took."""

    robot: str
    text: str


class RobotServer:
    """``heard`` is what they took; robots in ``broken`` answer 200 and an error, as real ones do.

    ``now`` is the vendors' clock: a signature is good for an hour.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.heard: list[Heard] = []
        self.refused: list[str] = []
        self.broken: set[str] = set()
        self._now = now
        self._server = _Server(self._answer)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def section(self, language: str) -> dict[str, Any]:
        """The secret's ``alerts``, with one robot of each kind."""
        robots = [
            {
                "kind": "dingtalk",
                "url": f"{self.url}/robot/send?access_token={TOKEN}",
                "secret": DINGTALK_SECRET,
            },
            {
                "kind": "feishu",
                "url": f"{self.url}/open-apis/bot/v2/hook/{TOKEN}",
                "secret": FEISHU_SECRET,
            },
            {"kind": "wecom", "url": f"{self.url}/cgi-bin/webhook/send?key={TOKEN}"},
        ]
        return {"language": language, "robots": robots}

    def taken(self) -> list[Heard]:
        """What they heard since the last time."""
        heard, self.heard = self.heard, []
        return heard

    def _answer(self, target: str, body: Any) -> Mapping[str, object]:
        parts = urlsplit(target)
        query = {name: value for name, (value,) in parse_qs(parts.query).items()}
        vendors: dict[str, tuple[str, Callable[[Mapping[str, str], Any], Any]]] = {
            "/robot/send": ("dingtalk", self._dingtalk),
            f"/open-apis/bot/v2/hook/{TOKEN}": ("feishu", self._feishu),
            "/cgi-bin/webhook/send": ("wecom", self._wecom),
        }
        robot, check = vendors[parts.path]
        answer: Mapping[str, object] = check(query, body)
        if 0 not in answer.values():
            self.refused.append(robot)
        return answer

    def _dingtalk(self, query: Mapping[str, str], body: Any) -> Mapping[str, object]:
        stamp = query.get("timestamp", "0")
        signed = f"{stamp}\n{DINGTALK_SECRET}".encode()
        good = hmac.digest(DINGTALK_SECRET.encode(), signed, hashlib.sha256)
        if query.get("access_token") != TOKEN:
            return {"errcode": 300001, "errmsg": "token is not exist"}
        if query.get("sign") != base64.b64encode(good).decode() or self._stale(int(stamp) / 1000):
            return {"errcode": 310000, "errmsg": "sign not match"}
        if "dingtalk" in self.broken:
            return {"errcode": 130101, "errmsg": "send too fast"}
        self._take("dingtalk", body["msgtype"], body["text"]["content"])
        return {"errcode": 0, "errmsg": "ok"}

    def _feishu(self, query: Mapping[str, str], body: Any) -> Mapping[str, object]:
        stamp = body.get("timestamp", "0")
        good = hmac.digest(f"{stamp}\n{FEISHU_SECRET}".encode(), b"", hashlib.sha256)
        if body.get("sign") != base64.b64encode(good).decode() or self._stale(int(stamp)):
            return {"code": 19021, "msg": "sign match fail or timestamp is not within one hour"}
        if "feishu" in self.broken:
            return {"code": 11232, "msg": "frequency limited"}
        self._take("feishu", body["msg_type"], body["content"]["text"])
        return {"code": 0, "msg": "success", "data": {}}

    def _wecom(self, query: Mapping[str, str], body: Any) -> Mapping[str, object]:
        if query.get("key") != TOKEN:
            return {"errcode": 93000, "errmsg": "invalid webhook url"}
        if "wecom" in self.broken:
            return {"errcode": 45009, "errmsg": "api freq out of limit"}
        text = body["text"]["content"]
        if len(text.encode()) > 2048:
            return {"errcode": 40058, "errmsg": "text.content exceed max length 2048"}
        self._take("wecom", body["msgtype"], text)
        return {"errcode": 0, "errmsg": "ok"}

    def _stale(self, seconds: float) -> bool:
        return abs(self._now() - seconds) > HOUR

    def _take(self, robot: str, kind: str, text: str) -> None:
        assert kind == "text"
        self.heard.append(Heard(robot, text))

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, answer: Callable[[str, Any], Mapping[str, object]]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, _Server)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = json.dumps(server.answer(self.path, json.loads(body))).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # http.server's name
        """Quiet."""
