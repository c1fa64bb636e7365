"""Starting and stopping the parts, and what another process needs to talk to them."""

import hashlib
import json
import os
import secrets
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from chalicelib.config import Settings
from chalicelib.domain.batch import UPLOADS
from chalicelib.domain.secret import LOCAL_DEV_KEY, SCOPES, parse
from local_stack.aws import AwsServer
from local_stack.dynoxide import Dynoxide
from local_stack.pump import BATCH, Handler, Pump, Uploads, every
from local_stack.resources import REGION, create
from mock_server import Options, create_app
from mock_server.serving import Server

if TYPE_CHECKING:
    from collections.abc import Callable

SWEEP_SECONDS = 60
ROW_THREADS = 4
_UPLOAD_SECONDS = 0.2


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

    Without ``worker`` nobody receives what is queued or uploaded; ``row_threads`` ask the rows of
    batches. ``log`` takes every line of the service's
    log; without it only errors are written, to stdout.
    """

    def __init__(
        self,
        ports: Ports,
        secret: str,
        *,
        dynoxide: bool = False,
        worker: bool = True,
        row_threads: int = ROW_THREADS,
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
        self._row_threads = row_threads
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
            "ROWS_QUEUE_URL": names.rows_queue_url,
            "BUCKET_NAME": names.bucket,
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
        from app import app, row_worker, sender, splitter, sweep, worker
        from chalicelib import bootstrap
        from local_stack.gateway import ApiServer

        bootstrap.log_to(self._log or sys.stdout, "INFO" if self._log else "ERROR")
        server = ApiServer(app, port=self._ports.api).start()
        self._stop.append(server.stop)
        self.api_url = server.url
        self._stop += [every(self._sweep_seconds, one) for one in (sweep, sender)]
        if self._worker:
            self._pump(worker, row_worker)
            self._watch(splitter)

    def _pump(self, worker: Handler, row_worker: Handler) -> None:
        import boto3
        from botocore.config import Config

        at_once = Config(max_pool_connections=self._row_threads + BATCH)
        client = boto3.client("sqs", endpoint_url=self._aws.url, config=at_once)
        self._stop.append(client.close)
        pump = Pump(client, self.env["QUEUE_URL"], worker).start()
        self._stop.append(pump.stop)
        rows = Pump(
            client, self.env["ROWS_QUEUE_URL"], row_worker, threads=self._row_threads, batch=1
        ).start()
        self._stop.append(rows.stop)

    def _watch(self, splitter: Handler) -> None:
        import boto3

        client = boto3.client("s3", endpoint_url=self._aws.url)
        self._stop.append(client.close)
        uploads = Uploads(client, self.env["BUCKET_NAME"], splitter, UPLOADS)
        self._stop.append(every(_UPLOAD_SECONDS, uploads))

    def stop(self) -> None:
        """Stop everything, last started first."""
        while self._stop:
            self._stop.pop()()
