"""Starting and stopping the parts, and what another process needs to talk to them."""

import hashlib
import json
import os
import secrets
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from chalicelib.config import Settings
from chalicelib.domain.secret import LOCAL_DEV_KEY, SCOPES, parse
from local_stack.aws import AwsServer
from local_stack.dynoxide import Dynoxide
from local_stack.pump import Handler, Pump, every
from local_stack.resources import REGION, create
from mock_server import Options, create_app
from mock_server.serving import Server

if TYPE_CHECKING:
    from collections.abc import Callable

SWEEP_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Ports:
    """Where to listen on loopback; 0 takes a free one."""

    api: int = 0
    mock: int = 0
    aws: int = 0


def local_secret() -> str:
    """A secret of this run: fresh keys, and one client that may do everything."""
    return json.dumps(
        {
            "appcode": secrets.token_hex(16),
            "id_key": secrets.token_hex(32),
            "hash_key": secrets.token_hex(32),
            "clients": [
                {
                    "name": "local",
                    "key_sha256": [hashlib.sha256(LOCAL_DEV_KEY.encode()).hexdigest()],
                    "scopes": list(SCOPES),
                }
            ],
        }
    )


class Stack:
    """AWS stand-in, mock upstream, service, worker and schedules here, all in memory.

    Without ``worker`` nobody receives what is queued. ``log`` takes every line of the service's
    log; without it only errors are written, to stdout.
    """

    def __init__(
        self,
        ports: Ports,
        secret: str,
        *,
        dynoxide: bool = False,
        worker: bool = True,
        sweep_seconds: float = SWEEP_SECONDS,
        log: TextIO | None = None,
    ) -> None:
        self._aws = AwsServer(port=ports.aws)
        self.appcode = parse(secret).appcode
        self._mock = Server(create_app(Options(appcodes=(self.appcode,))), port=ports.mock)
        self._dynoxide = Dynoxide() if dynoxide else None
        self._secret = secret
        self._ports = ports
        self._worker = worker
        self._sweep_seconds = sweep_seconds
        self._log = log
        self._stop: list[Callable[[], None]] = []
        self.env: dict[str, str] = {}
        self.api_url = ""

    @property
    def mock_url(self) -> str:
        """The mock upstream's base."""
        return self._mock.url

    def start(self) -> "Stack":
        """Start everything; raises OSError for a port that is taken, SettingsError."""
        for part in (self._aws, self._mock, self._dynoxide):
            if part is not None:
                part.start()
                self._stop.append(part.stop)
        dynamodb = self._dynoxide.url if self._dynoxide else self._aws.url
        names = create(self._aws.url, dynamodb_url=dynamodb, secret_string=self._secret)
        self.env = {
            "AWS_ENDPOINT_URL": self._aws.url,
            "AWS_ENDPOINT_URL_DYNAMODB": dynamodb,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "UPSTREAM_URL": f"{self.mock_url}/idenAuthentication",
            "SECRET_ID": names.secret_id,
            "TABLE_NAME": names.table,
            "KMS_KEY_ID": names.key_id,
            "QUEUE_URL": names.queue_url,
            "DEAD_LETTERS_URL": names.dead_letters_url,
            "ALERT_TOPIC_ARN": names.topic_arn,
            # Results may be sent to a server on this machine.
            "CALLBACK_ALLOW_LOOPBACK": "1",
        }
        # What the deployed function is given; the service reads it when it is first called.
        os.environ.update(self.env)
        self._serve()
        return self

    def _serve(self) -> None:
        # A broken setting of the caller's own environment stops the start here, by name.
        Settings.from_env()
        from app import app, sender, sweep, watch, worker
        from chalicelib import bootstrap
        from local_stack.gateway import ApiServer

        bootstrap.log_to(self._log or sys.stdout, "INFO" if self._log else "ERROR")
        server = ApiServer(app, port=self._ports.api).start()
        self._stop.append(server.stop)
        self.api_url = server.url
        self._stop += [every(self._sweep_seconds, one) for one in (sweep, sender, watch)]
        if self._worker:
            self._pump(worker)

    def _pump(self, worker: Handler) -> None:
        import boto3

        client = boto3.client("sqs", endpoint_url=self._aws.url)
        self._stop.append(client.close)
        pump = Pump(client, self.env["QUEUE_URL"], worker).start()
        self._stop.append(pump.stop)

    def stop(self) -> None:
        """Stop everything, last started first."""
        while self._stop:
            self._stop.pop()()
