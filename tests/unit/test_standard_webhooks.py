"""Signing: the published vector, and libraries of others on the receiving side."""

import base64
import json
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from chalicelib.domain.standard_webhooks import sign

ROOT = Path(__file__).parents[2]
MODULES = ROOT / ".peers/node_modules"

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
KEY = base64.b64decode(SECRET.removeprefix("whsec_"))
ID = "dlv_7q3xk9d2m5t8w1y4b6c0e3f5g7_0123456789ab_1"
BODY = b'{"type":"verification.completed"}'


def test_the_published_vector() -> None:
    """Of the specification's own libraries, in Go and elsewhere."""
    headers = sign(
        KEY,
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        datetime.fromtimestamp(1614265330, UTC),
        b'{"test": 2432232314}',
    )
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@given(st.binary(min_size=24, max_size=64), st.text(st.characters(codec="utf-8")))
def test_the_python_library_accepts_it(key: bytes, text: str) -> None:
    body = text.encode()
    headers = dict(sign(key, ID, datetime.now(UTC), body))
    Webhook(key).verify(body, headers, json_parse=False)
    with pytest.raises(WebhookVerificationError):
        Webhook(key).verify(body + b" ", headers, json_parse=False)
    with pytest.raises(WebhookVerificationError):
        Webhook(key).verify(body, headers | {"webhook-id": ID + "1"}, json_parse=False)
    with pytest.raises(WebhookVerificationError):
        Webhook(b"another").verify(body, headers, json_parse=False)


SCRIPT = """
const { Webhook } = require("standardwebhooks");
const { secret, body, headers } = JSON.parse(require("fs").readFileSync(0, "utf8"));
new Webhook(secret).verify(body, headers);
let refused = false;
try { new Webhook(secret).verify(body + " ", headers); } catch { refused = true; }
console.log(refused ? "accepted" : "accepts anything");
"""


@pytest.mark.skipif(
    shutil.which("node") is None or not (MODULES / "standardwebhooks").exists(),
    reason="needs node and the npm package standardwebhooks; make peers installs it",
)
def test_the_javascript_library_accepts_it() -> None:
    headers = dict(sign(KEY, ID, datetime.now(UTC), BODY))
    done = subprocess.run(
        ["node", "-e", SCRIPT],
        input=json.dumps({"secret": SECRET, "body": BODY.decode(), "headers": headers}),
        cwd=MODULES.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "accepted"


@pytest.mark.parametrize("webhook_id", ["", "a.b", "a b", "a\r\nb", "é", "a" * 129])
def test_an_id_that_could_shift_bytes_is_not_signed(webhook_id: str) -> None:
    with pytest.raises(ValueError, match="webhook-id"):
        sign(KEY, webhook_id, datetime.now(UTC), BODY)
