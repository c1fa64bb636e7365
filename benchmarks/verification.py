"""A warm verification beside the tutorial's, in one process and one run.

``python -m benchmarks.verification``. AWS and the upstream run in processes of their own, so the
CPU time of this one is the handlers' own: reading the event, checking, signing and parsing AWS's
calls, the upstream's POST. Both upstreams are the mock, once over https as the real one is, once
over plain http, where the price of a connection does not show. Write units are those that the
stand-in dynoxide reports; without it (``make peers``) only the calls are counted.
"""

import json
import os
import subprocess
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from benchmarks import mock_process, stack_process
from local_stack import dynoxide

Handler = Callable[[dict[str, Any], object], Any]

ROUNDS = 7
CALLS = 40
CPU_RATIO = 1.1
NAME = "张三"


def event(number: str, **members: object) -> dict[str, Any]:
    """What API Gateway hands to the function."""
    return {
        "resource": "/v1/verifications",
        "requestContext": {
            "httpMethod": "POST",
            "resourcePath": "/v1/verifications",
            "requestId": uuid.uuid4().hex,
            "identity": {"sourceIp": "127.0.0.1"},
        },
        "headers": {
            "authorization": "Bearer local-dev-key",
            "content-type": "application/json",
            "idempotency-key": uuid.uuid4().hex,
        },
        "multiValueQueryStringParameters": None,
        "pathParameters": {},
        "stageVariables": {},
        "body": json.dumps({"name": NAME, "id_number": number, **members}),
        "isBase64Encoded": False,
    }


def number(serial: int) -> str:
    """A well-formed number of the 1850s."""
    from chalicelib.domain.resident_id import check_character

    first17 = f"1101011853010{1 + serial // 1000}{serial % 1000:03d}"
    return first17 + check_character(first17)


class Counted:
    """DynamoDB calls and write units of one handler, by boto's own events."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.units = 0.0

    def watch(self, client: Any) -> None:  # noqa: ANN401  # any boto client
        """Count what goes through this client from now on."""
        service = client.meta.service_model.service_name
        events = client.meta.events
        if service == "dynamodb":
            events.register("before-parameter-build.dynamodb", self._ask_units)
        events.register(f"after-call.{service}", self._count)

    @staticmethod
    def _ask_units(params: dict[str, Any], model: Any, **_: object) -> None:  # noqa: ANN401
        if "ReturnConsumedCapacity" in model.input_shape.members:
            params["ReturnConsumedCapacity"] = "INDEXES"

    def _count(self, parsed: dict[str, Any], model: Any, **_: object) -> None:  # noqa: ANN401
        self.calls[f"{model.service_model.service_name}:{model.name}"] += 1
        if model.name not in {"PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems"}:
            return
        used = parsed.get("ConsumedCapacity") or []
        for entry in used if isinstance(used, list) else [used]:
            self.units += entry.get("WriteCapacityUnits") or entry.get("CapacityUnits") or 0.0


def cpu(handler: Handler, serials: range, **members: object) -> float:
    """Seconds of this process's CPU time a call."""
    events = [event(number(serial), **members) for serial in serials]
    started = time.process_time()
    answers = [handler(one, None) for one in events]
    spent = time.process_time() - started
    assert {answer["statusCode"] for answer in answers} == {200}, answers[0]  # noqa: S101
    return spent / len(events)


def silence() -> None:
    """Write the log as always, but to nowhere: the report has stdout to itself."""
    import app  # noqa: F401  # it sets the log up
    from chalicelib import bootstrap

    bootstrap.log_to(Path(os.devnull).open("w"))  # noqa: SIM115  # for as long as this runs


def measure(upstream: str, ca_bundle: Path, *, required: bool) -> None:
    """Print the table for one upstream; the rest of the environment is the running stack's."""
    from app import app
    from benchmarks import tutorial
    from chalicelib import bootstrap
    from chalicelib.adapters import transport

    os.environ |= {"UPSTREAM_URL": upstream, "REQUESTS_CA_BUNDLE": str(ca_bundle)}
    transport.DEFAULT_CA_BUNDLE_PATH = str(ca_bundle)  # type: ignore[attr-defined]
    bootstrap.override(None)
    silence()
    tools = bootstrap.container().tools
    ours, theirs = Counted(), Counted()
    handlers: dict[str, Handler] = {"tutorial": tutorial.handler, "ours": app}
    # Everybody matches, so that the answer comes with derived fields to seal.
    people = [{"name": NAME, "id_number": number(n)} for n in range(100 + ROUNDS * CALLS)]
    admin = upstream.rpartition("/")[0] + "/__admin/people"
    requests.post(admin, json=people, timeout=10, verify=str(ca_bundle)).raise_for_status()
    for handler in handlers.values():
        cpu(handler, range(3))  # warm
    for client in (tools.repository._client, tools.sealer._client, tools.secrets._client):  # type: ignore[attr-defined]  # noqa: SLF001
        ours.watch(client)
    for client in (tutorial.table.meta.client, tutorial.secrets):
        theirs.watch(client)
    best: dict[str, float] = {}
    for turn in range(ROUNDS):
        for name, handler in handlers.items():
            serials = range(100 + turn * CALLS, 100 + (turn + 1) * CALLS)
            spent = cpu(handler, serials)
            best[name] = min(spent, best.get(name, spent))
    calls, ratio = ROUNDS * CALLS, best["ours"] / best["tutorial"]
    verdict = f"  required <= {CPU_RATIO} {'met' if ratio <= CPU_RATIO else 'NOT MET'}"
    title = f"A warm verification over {upstream.partition(':')[0]}"
    print(f"{title:38}tutorial       ours      ratio")
    print(
        f"  own CPU, ms, best of {ROUNDS} rounds      {best['tutorial'] * 1e3:9.2f}"
        f"  {best['ours'] * 1e3:9.2f}  {ratio:9.2f}{verdict if required else ''}"
    )
    print(_units(theirs, ours, calls))
    for name, counted in (("tutorial", theirs), ("ours", ours)):
        listed = ", ".join(f"{call} {n / calls:.2f}" for call, n in sorted(counted.calls.items()))
        print(f"  AWS calls, {name}: {listed}")


def _units(theirs: Counted, ours: Counted, calls: int) -> str:
    label = "  DynamoDB write units a verification "
    if dynoxide.find() is None:  # what moto reports means nothing
        return label + "  not measured: needs dynoxide, see `make peers`"
    one, other = theirs.units / calls, ours.units / calls
    return f"{label}{one:8.2f}  {other:9.2f}  {other / one:9.2f}"


@contextmanager
def tls_mock(folder: Path) -> Iterator[tuple[str, Path]]:
    """A mock over https: its URL, and all authorities that the world trusts with its own."""
    port, bundle = mock_process.free_port(), folder / "bundle.pem"
    ca_file = folder / "ca.pem"
    url = f"https://{mock_process.HOST}:{port}{mock_process.PATH}"
    process = subprocess.Popen(
        mock_process.ours(port, "--tls", str(ca_file)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not mock_process.listens(port):
            if process.poll() is not None:
                raise RuntimeError("the mock did not start")
            time.sleep(0.01)
        bundle.write_bytes(Path(DEFAULT_CA_BUNDLE_PATH).read_bytes() + ca_file.read_bytes())
        yield url, bundle
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    """Start the stack and a mock in other processes, measure against them in this one."""
    flags = ["--dynoxide"] if dynoxide.find() else []
    with tempfile.TemporaryDirectory() as name, stack_process.running(*flags) as env:
        os.environ.update(env)
        with tls_mock(Path(name)) as (url, bundle):
            measure(url, bundle, required=True)
            measure(env["UPSTREAM_URL"], bundle, required=False)


if __name__ == "__main__":
    main()
