"""What each vendor's webhook looks like, signed as the vendor signs it.

``BUILDERS`` make the request, ``ENTRIES`` are the matching entries of the secret's ``sources``.
The signatures are written from the vendors' descriptions, apart from the code under test.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

NOW = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)
PUBLIC_URL = "https://verify.example/hooks/hubspot-form"
JINSHUJU_ADDRESS = "52.82.74.116"

WHSEC = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OLD_WHSEC = "whsec_" + base64.b64encode(bytes(range(32, 64))).decode()
TOKEN = "a-token-of-a-test-0123456789"
OLD_TOKEN = "the-token-before-0123456789"
SECRET = "secret-of-a-test"
OLD_SECRET = "secret-before-that"
ENCRYPT_KEY = "encrypt-key-of-a-test"


@dataclass(frozen=True)
class Hook:
    """A request as a vendor sends it; ``token`` stands at the end of the URL."""

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    query: str = ""
    token: str | None = None
    source_ip: str = "192.0.2.10"


@dataclass(frozen=True)
class Entry:
    """What the respondent filled in, and what the vendor knows of it."""

    name: object = "张三"
    number: object = "11010519491231002X"
    reference: object = "order-9"
    dedupe: str = "entry-1"
    form: str = "form-1"
    secret: str = SECRET
    now: datetime = NOW

    @property
    def seconds(self) -> str:
        return str(int(self.now.timestamp()))

    @property
    def milliseconds(self) -> str:
        return f"{self.seconds}000"


def dumps(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def mac(secret: str | bytes, content: bytes) -> bytes:
    key = secret.encode() if isinstance(secret, str) else secret
    return hmac.new(key, content, hashlib.sha256).digest()


def sha1(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()  # noqa: S324  # what some vendors sign with


def b64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def json_hook(body: bytes, **headers: str) -> Hook:
    return Hook(
        body,
        {"content-type": "application/json"}
        | {name.replace("_", "-"): value for name, value in headers.items()},
    )


def canonical(entry: Entry) -> dict[str, object]:
    """Our own contract."""
    return {
        "submission_id": entry.dedupe,
        "name": entry.name,
        "id_number": entry.number,
        "reference": entry.reference,
        "submitted_at": "2026-03-01T04:00:00Z",
    }


def standard_webhooks(entry: Entry) -> Hook:
    body = dumps({"type": "form.submitted", "timestamp": "…", "data": canonical(entry)})
    key = base64.b64decode(entry.secret.removeprefix("whsec_"))
    signed = mac(key, f"{entry.dedupe}.{entry.seconds}.".encode() + body)
    return json_hook(
        body,
        webhook_id=entry.dedupe,
        webhook_timestamp=entry.seconds,
        webhook_signature=f"v1,{b64(signed)}",
    )


def github(entry: Entry) -> Hook:
    body = dumps(canonical(entry))
    return json_hook(body, x_hub_signature_256=f"sha256={mac(entry.secret, body).hex()}")


def bearer(entry: Entry) -> Hook:
    return json_hook(dumps(canonical(entry)), authorization=f"Bearer {entry.secret}")


def basic(entry: Entry) -> Hook:
    credentials = b64(entry.secret.encode())
    return json_hook(dumps(canonical(entry)), authorization=f"Basic {credentials}")


def url_token(entry: Entry) -> Hook:
    body = urlencode(canonical(entry)).encode()
    headers = {"content-type": "application/x-www-form-urlencoded"}
    return Hook(body, headers, token=entry.secret)


def typeform(entry: Entry) -> Hook:
    def answer(ref: str, value: object) -> dict[str, object]:
        kind = "text" if isinstance(value, str) else "number"
        return {"type": kind, kind: value, "field": {"id": f"id-{ref}", "type": kind, "ref": ref}}

    titles = {"name": "姓名", "number": "身份证号码"}
    body = dumps(
        {
            "event_id": "01HEVENT",
            "event_type": "form_response",
            "form_response": {
                "form_id": entry.form,
                "token": entry.dedupe,
                "submitted_at": "2026-03-01T04:00:00Z",
                "hidden": {"order": entry.reference},
                "definition": {
                    "id": entry.form,
                    "fields": [
                        {"id": f"id-{ref}", "ref": ref, "type": "short_text", "title": title}
                        for ref, title in titles.items()
                    ],
                },
                "answers": [
                    {"type": "boolean", "boolean": True, "field": {"id": "id-ok", "ref": "ok"}},
                    answer("name", entry.name),
                    answer("number", entry.number),
                ],
            },
        }
    )
    return json_hook(body, typeform_signature=f"sha256={b64(mac(entry.secret, body))}")


def tally(entry: Entry) -> Hook:
    def question(key: str, label: str, value: object) -> dict[str, object]:
        return {"key": key, "label": label, "type": "INPUT_TEXT", "value": value}

    body = dumps(
        {
            "eventId": "event-1",
            "eventType": "FORM_RESPONSE",
            "createdAt": "2026-03-01T04:00:00.000Z",
            "data": {
                "responseId": entry.dedupe,
                "submissionId": entry.dedupe,
                "respondentId": "respondent-1",
                "formId": entry.form,
                "formName": "KYC",
                "fields": [
                    question("question_a", "姓名", entry.name),
                    question("question_b", "身份证号码", entry.number),
                    question("question_c", "order", entry.reference),
                ],
            },
        }
    )
    return json_hook(body, tally_signature=b64(mac(entry.secret, body)))


def jotform(entry: Entry) -> Hook:
    answers = {
        "slug": f"submit/{entry.form}/",
        "q3_name": {"first": "三", "last": "张"} if entry.name == "张三" else entry.name,
        "q4_number": entry.number,
        "q5_order": entry.reference,
    }
    return multipart(
        {
            "action": "",
            "formID": entry.form,
            "formTitle": "KYC",
            "submissionID": entry.dedupe,
            "rawRequest": json.dumps(answers),
            "pretty": "…",
        },
        token=entry.secret,
    )


def multipart(fields: Mapping[str, str], *, token: str | None = None) -> Hook:
    boundary = "----------------------------5f3c0ffee"
    body = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )
    headers = {"content-type": f"multipart/form-data; boundary={boundary}"}
    return Hook(f"{body}--{boundary}--\r\n".encode(), headers, token=token)


def formspree(entry: Entry) -> Hook:
    body = dumps(
        {
            "form": entry.form,
            "submission": {
                "_date": f"2026-03-01T04:00:00 {entry.dedupe}",
                "name": entry.name,
                "number": entry.number,
                "order": entry.reference,
            },
        }
    )
    signed = mac(entry.secret, f"{entry.seconds}.".encode() + body).hex()
    return json_hook(body, formspree_signature=f"t={entry.seconds},v1={signed}")


def webflow(entry: Entry) -> Hook:
    labels = {"姓名": ("el-name", entry.name), "身份证号码": ("el-number", entry.number)}
    body = dumps(
        {
            "triggerType": "form_submission",
            "payload": {
                "name": "KYC",
                "siteId": "site-1",
                "data": {label: value for label, (_, value) in labels.items()}
                | {"order": entry.reference},
                "schema": [
                    {"fieldName": label, "fieldType": "FormTextInput", "fieldElementId": element}
                    for label, (element, _) in labels.items()
                ],
                "submittedAt": "2026-03-01T04:00:00.000Z",
                "id": entry.dedupe,
                "formId": entry.form,
                "formElementId": "el-form",
            },
        }
    )
    signed = mac(entry.secret, f"{entry.milliseconds}:".encode() + body).hex()
    return json_hook(body, x_webflow_signature=signed, x_webflow_timestamp=entry.milliseconds)


def wufoo(entry: Entry) -> Hook:
    structure = {
        "Fields": [
            {"Title": "姓名", "Type": "text", "ID": "Field1"},
            {"Title": "身份证号码", "Type": "text", "ID": "Field2"},
        ]
    }
    fields = {
        "Field1": entry.name,
        "Field2": entry.number,
        "Field3": entry.reference,
        "CreatedBy": "public",
        "DateCreated": "2026-03-01 12:00:00",
        "EntryId": entry.dedupe,
        "IP": "192.0.2.7",
        "HandshakeKey": entry.secret,
        "FieldStructure": json.dumps(structure),
        "FormStructure": json.dumps({"Name": "KYC", "Hash": entry.form, "Url": "kyc"}),
    }
    return Hook(urlencode(fields).encode(), {"content-type": "application/x-www-form-urlencoded"})


def hubspot(entry: Entry) -> Hook:
    def one(value: object) -> dict[str, object]:
        return {"value": value, "versions": [{"value": value, "source-type": "FORM"}]}

    body = dumps(
        {
            "vid": 51,
            "portal-id": 62515,
            "is-contact": True,
            "properties": {
                "fullname": one(entry.name),
                "id_number": one(entry.number),
                "order": one(entry.reference),
                "lastmodifieddate": one(entry.dedupe),
            },
        }
    )
    content = f"POST{PUBLIC_URL}".encode() + body + entry.milliseconds.encode()
    return json_hook(
        body,
        x_hubspot_signature_v3=b64(mac(entry.secret, content)),
        x_hubspot_request_timestamp=entry.milliseconds,
    )


def jinshuju(entry: Entry) -> Hook:
    body = dumps(
        {
            "form": entry.form,
            "form_name": "实名登记",
            "entry": {
                "token": entry.dedupe,
                "serial_number": 123,
                "field_1": entry.name,
                "field_2": entry.number,
                "field_3": entry.reference,
                "creator_name": "小王",
                "created_at": "2026-03-01 04:00:00 UTC",
                "updated_at": "2026-03-01 04:00:00 UTC",
                "info_remote_ip": "192.0.2.7",
            },
        }
    )
    hook = json_hook(body, x_requested_by="jinshuju")
    return replace(hook, token=entry.secret, source_ip=JINSHUJU_ADDRESS)


def jiandaoyun(entry: Entry, **changes: object) -> Hook:
    body = dumps(
        {
            "op": "data_create",
            "opTime": 1772337600000,
            "data": {
                "_id": entry.dedupe,
                "appId": "app-1",
                "entryId": entry.form,
                "formName": "实名登记",
                "_widget_1": entry.name,
                "_widget_2": entry.number,
                "order": entry.reference,
            },
        }
        | changes
    )
    nonce, timestamp = "0f5ade", entry.seconds
    signed = sha1(b":".join([nonce.encode(), body, entry.secret.encode(), timestamp.encode()]))
    hook = json_hook(body, x_jdy_signature=signed, x_jdy_deliverid="a-unique-one")
    return replace(hook, query=f"timestamp={timestamp}&nonce={nonce}")


def wjx(entry: Entry) -> Hook:
    activity, index = "5657754", entry.dedupe
    sign = sha1(f"{activity}{index}{entry.secret}".encode())
    return json_hook(
        dumps(
            {
                "activity": activity,
                "name": "实名登记",
                "index": index,
                "timetaken": "528",
                "submittime": "2026-03-01 12:00:00",
                "q1": entry.name,
                "q2": entry.number,
                "sojumpparm": entry.reference,
                "joinid": "101812480275",
                "sign": sign,
            }
        )
    )


def feishu_event(entry: Entry) -> dict[str, object]:
    def text(value: object) -> str:
        if not isinstance(value, str):
            return json.dumps(value)
        return json.dumps([{"type": "text", "text": value}], ensure_ascii=False)

    return {
        "schema": "2.0",
        "header": {
            "event_id": entry.dedupe,
            "event_type": "drive.file.bitable_record_changed_v1",
            "create_time": entry.milliseconds,
            "token": entry.secret,
            "app_id": "cli_a",
            "tenant_key": "tenant-1",
        },
        "event": {
            "file_type": "bitable",
            "file_token": "file-1",
            "table_id": entry.form,
            "revision": 41,
            "action_list": [
                {
                    "action": "record_added",
                    "record_id": "rec1",
                    "after_value": [
                        {"field_id": "fldname", "field_value": text(entry.name)},
                        {"field_id": "fldnumber", "field_value": text(entry.number)},
                        {"field_id": "fldorder", "field_value": text(entry.reference)},
                    ],
                }
            ],
        },
    }


def feishu(entry: Entry) -> Hook:
    return json_hook(dumps(feishu_event(entry)))


def feishu_encrypted(event: object, *, key: str = ENCRYPT_KEY, now: datetime = NOW) -> Hook:
    body = dumps({"encrypt": feishu_sealed(dumps(event), key)})
    timestamp, nonce = str(int(now.timestamp())), "abc"
    signed = hashlib.sha256(f"{timestamp}{nonce}{key}".encode() + body).hexdigest()
    return json_hook(
        body,
        x_lark_signature=signed,
        x_lark_request_timestamp=timestamp,
        x_lark_request_nonce=nonce,
    )


def feishu_sealed(plain: bytes, key: str) -> str:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    iv, padding = bytes(range(16)), 16 - len(plain) % 16
    aes = Cipher(algorithms.AES(hashlib.sha256(key.encode()).digest()), modes.CBC(iv)).encryptor()
    return b64(iv + aes.update(plain + bytes([padding]) * padding) + aes.finalize())


def fanqier(entry: Entry) -> Hook:
    data = json.dumps(
        {
            "_id": entry.dedupe,
            "form": entry.form,
            "created": "2026-03-01T04:00:00.000Z",
            "values": [
                {"cid": "c1", "title": "姓名", "value": entry.name},
                {"cid": "c2", "title": "身份证号码", "value": entry.number},
            ],
            "extendValues": {"queryString": entry.reference},
        },
        ensure_ascii=False,
    )
    time = entry.milliseconds
    sign = sha1(f"{data}{time}{entry.secret}".encode())
    return json_hook(dumps({"data": data, "time": time, "sign": sign}))


BUILDERS: Mapping[str, Callable[[Entry], Hook]] = {
    "standard_webhooks": standard_webhooks,
    "github": github,
    "bearer": bearer,
    "basic": basic,
    "url_token": url_token,
    "typeform": typeform,
    "tally": tally,
    "jotform": jotform,
    "formspree": formspree,
    "webflow": webflow,
    "wufoo": wufoo,
    "hubspot": hubspot,
    "jinshuju": jinshuju,
    "jiandaoyun": jiandaoyun,
    "wjx": wjx,
    "feishu": feishu,
    "fanqier": fanqier,
}

_POINTERS = {"name": "/name", "id_number": "/id_number", "reference": "/reference"}


def _entry(fields: dict[str, str], *secrets: str, **more: object) -> dict[str, Any]:
    return {"secrets": list(secrets), "fields": fields, **more}


def _names(name: str, id_number: str, reference: str) -> dict[str, str]:
    return {"name": name, "id_number": id_number, "reference": reference}


ENTRIES: Mapping[str, dict[str, Any]] = {
    vendor: {"vendor": vendor, **entry}
    for vendor, entry in {
        "standard_webhooks": _entry(
            {name: f"/data{place}" for name, place in _POINTERS.items()}, WHSEC, OLD_WHSEC
        ),
        "github": _entry(_POINTERS, SECRET, OLD_SECRET, dedupe="/submission_id"),
        "bearer": _entry(_POINTERS, TOKEN, OLD_TOKEN, dedupe="/submission_id"),
        "basic": _entry(_POINTERS, f"form:{TOKEN}", f"form:{OLD_TOKEN}", dedupe="/submission_id"),
        "url_token": _entry(
            _names("name", "id_number", "reference"), TOKEN, OLD_TOKEN, dedupe="submission_id"
        ),
        "typeform": _entry(_names("name", "number", "order"), SECRET, OLD_SECRET, form="form-1"),
        "tally": _entry(
            _names("question_a", "question_b", "order"), SECRET, OLD_SECRET, form="form-1"
        ),
        "jotform": _entry(_names("name", "number", "order"), TOKEN, OLD_TOKEN, form="form-1"),
        "formspree": _entry(_names("name", "number", "order"), SECRET, OLD_SECRET, form="form-1"),
        "webflow": _entry(
            _names("el-name", "el-number", "order"), SECRET, OLD_SECRET, form="form-1"
        ),
        "wufoo": _entry(_names("Field1", "Field2", "Field3"), SECRET, OLD_SECRET, form="form-1"),
        "hubspot": _entry(
            _names("fullname", "id_number", "order"), SECRET, OLD_SECRET, public_url=PUBLIC_URL
        ),
        "jinshuju": _entry(
            _names("field_1", "field_2", "field_3"), TOKEN, OLD_TOKEN, form="form-1"
        ),
        "jiandaoyun": _entry(
            _names("_widget_1", "_widget_2", "order"), SECRET, OLD_SECRET, form="form-1"
        ),
        "wjx": _entry(_names("q1", "q2", "sojumpparm"), SECRET, OLD_SECRET, form="5657754"),
        "feishu": {
            "verification_token": [SECRET, OLD_SECRET],
            "fields": _names("fldname", "fldnumber", "fldorder"),
            "form": "form-1",
        },
        "fanqier": _entry(
            _names("姓名", "身份证号码", "/extendValues/queryString"),
            SECRET,
            OLD_SECRET,
            form="form-1",
        ),
    }.items()
}


def secrets_of(vendor: str) -> tuple[str, str]:
    """The new one and the old one, as the vendor holds them."""
    entry = ENTRIES[vendor]
    new, old = entry.get("secrets") or entry["verification_token"]
    return new, old


def build(vendor: str, **changes: Any) -> Hook:
    """One vendor's request; ``changes`` are members of ``Entry``."""
    start = Entry(secret=secrets_of(vendor)[0], dedupe="7" if vendor == "wjx" else "entry-1")
    return BUILDERS[vendor](replace(start, **changes))
