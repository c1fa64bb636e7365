"""What an authenticated request holds: every way of naming a field, and what is left aside."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain.source_entry import VENDORS
from chalicelib.domain.submission import (
    Handshake,
    HookRequest,
    Ignored,
    Reason,
    Submission,
    Unmapped,
    remapped,
)
from chalicelib.entrypoints.forms import registry
from tests.examples import NAME, NUMBER
from tests.hook_payloads import (
    ENTRIES,
    NOW,
    TOKEN,
    Entry,
    Hook,
    build,
    canonical,
    dumps,
    jiandaoyun,
    json_hook,
    multipart,
)
from tests.hook_sources import request_of, source_of, with_fields

# A number that a JSON hop can still carry whole: what matters is that it stays a number.
AS_NUMBER = 110105194912310021
FORMLESS = {"standard_webhooks", "github", "bearer", "basic", "url_token", "hubspot"}


def parsed(hook: Hook, vendor: str, **changes: Any) -> object:
    return registry.parse(request_of(hook), source_of(vendor, **changes))


def submission(hook: Hook, vendor: str, **changes: Any) -> Submission:
    found = parsed(hook, vendor, **changes)
    assert isinstance(found, Submission), found
    return found


def edited(hook: Hook, *path: str | int, value: object = None) -> Hook:
    """Another value in a JSON body; None takes the member away."""
    document = json.loads(hook.body)
    place = document
    for step in path[:-1]:
        place = place[step]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return replace(hook, body=dumps(document))


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_realistic_entry_is_mapped(vendor: str) -> None:
    found = submission(build(vendor), vendor)
    name = "张 三" if vendor == "jotform" else NAME  # last and first; the blank is removed later
    assert (found.name, found.id_number, found.reference) == (name, NUMBER, "order-9")
    forms = {"wjx": "5657754"} | dict.fromkeys(FORMLESS)
    assert found.form == forms.get(vendor, "form-1")


@pytest.mark.parametrize(
    ("vendor", "fields"),
    [
        ("standard_webhooks", ("/data/name", "/data/id_number")),
        ("github", ("name", "id_number")),
        ("bearer", ("/name", "/id_number")),
        ("url_token", ("/name", "/id_number")),
        ("typeform", ("name", "number")),
        ("typeform", ("id-name", "id-number")),
        ("typeform", ("姓名", "身份证号码")),
        ("tally", ("question_a", "question_b")),
        ("tally", ("姓名", "身份证号码")),
        ("jotform", ("name", "number")),
        ("jotform", ("q3_name", "q4_number")),
        ("webflow", ("姓名", "身份证号码")),
        ("webflow", ("el-name", "el-number")),
        ("wufoo", ("Field1", "Field2")),
        ("wufoo", ("姓名", "身份证号码")),
        ("fanqier", ("姓名", "身份证号码")),
        ("fanqier", ("c1", "c2")),
        ("fanqier", ("/values/0/value", "/values/1/value")),
    ],
)
def test_every_way_of_naming_a_field(vendor: str, fields: tuple[str, str]) -> None:
    names = {"name": fields[0], "id_number": fields[1]}
    found = submission(build(vendor), vendor, fields=names)
    assert (str(found.name).replace(" ", ""), found.id_number) == (NAME, NUMBER)
    assert found.reference is None


@pytest.mark.parametrize("vendor", sorted({*VENDORS} - {"url_token", "wufoo"}))
def test_a_number_stays_a_number(vendor: str) -> None:
    found = submission(build(vendor, number=AS_NUMBER), vendor)
    assert found.id_number == AS_NUMBER
    assert type(found.id_number) is int


@pytest.mark.parametrize("vendor", VENDORS)
def test_the_dedupe_key_follows_the_entry_and_nothing_else(vendor: str) -> None:
    def key(**changes: Any) -> str:
        return submission(build(vendor, **changes), vendor).dedupe

    assert key() == key(now=NOW.replace(minute=9))
    assert key() != key(dedupe="8")
    assert key() == key(name="李四") or vendor == "formspree"  # it has no id of its own


@pytest.mark.parametrize("vendor", sorted({*VENDORS} - FORMLESS))
def test_another_form_is_not_taken(vendor: str) -> None:
    hook = build(vendor)
    if vendor == "wjx":
        assert parsed(hook, vendor, form="1") == Ignored(Reason.OTHER_FORM)
        return
    assert parsed(hook, vendor, form="form-2") == Ignored(Reason.OTHER_FORM)
    assert submission(hook, vendor, form=None).form == "form-1"


def test_a_form_that_cannot_be_told_is_not_taken() -> None:
    hook = edited(build("typeform"), "form_response", "form_id")
    assert parsed(hook, "typeform") == Ignored(Reason.FORM_MISSING)


@pytest.mark.parametrize(
    ("vendor", "form"), [("webflow", "el-form"), ("wufoo", "kyc"), ("feishu", "file-1")]
)
def test_a_form_with_two_ids_goes_by_either(vendor: str, form: str) -> None:
    assert submission(build(vendor), vendor, form=form).form == form


@pytest.mark.parametrize("field", ["name", "id_number"])
@pytest.mark.parametrize("vendor", VENDORS)
def test_a_missing_field_is_kept_and_mapped_again(vendor: str, field: str) -> None:
    request = request_of(build(vendor))
    nowhere = with_fields(vendor, **{field: "/no/where"})
    kept = registry.parse(request, nowhere)
    assert isinstance(kept, Unmapped)
    assert (kept.reason, kept.missing) == (Reason.FIELDS_MISSING, (field,))
    assert NUMBER in kept.scalars.values()
    assert NUMBER not in repr(kept)
    assert remapped(kept, source_of(vendor)) == registry.parse(request, source_of(vendor))
    again = remapped(kept, nowhere)
    assert isinstance(again, Unmapped)
    assert again == kept


def test_what_is_kept_holds_no_secret() -> None:
    kept = registry.parse(request_of(build("wufoo")), with_fields("wufoo", name="nowhere"))
    assert isinstance(kept, Unmapped)
    assert ENTRIES["wufoo"]["secrets"][0] not in kept.scalars.values()


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize(
    "body", [b"", b"null", b"\xff", b"{", b"[" * 100_000, b"NaN", b"1" * 5_000]
)
def test_what_cannot_be_read_is_kept_by_its_hash(vendor: str, body: bytes) -> None:
    found = parsed(replace(build(vendor), body=body), vendor)
    assert isinstance(found, Unmapped)
    assert found.dedupe.startswith("sha256:")
    # An urlencoded body is hardly ever unreadable, only without its fields.
    urlencoded = vendor in {"url_token", "wufoo"}
    assert found.reason is Reason.MALFORMED_BODY or urlencoded


@pytest.mark.parametrize(
    ("vendor", "path"),
    [
        ("typeform", ("form_response", "token")),
        ("tally", ("data", "responseId")),
        ("webflow", ("payload", "id")),
        ("jiandaoyun", ("data", "_id")),
        ("wjx", ("index",)),
        ("feishu", ("header", "event_id")),
    ],
)
def test_without_a_dedupe_key_it_is_kept(vendor: str, path: tuple[str, ...]) -> None:
    unusable: list[object] = [None, "", "x" * 300, 1.5, True, [], {}]
    for value in unusable:
        found = parsed(edited(build(vendor), *path, value=value), vendor)
        assert isinstance(found, Unmapped)
        assert found.reason is Reason.DEDUPE_MISSING
        assert NUMBER in found.scalars.values()


@pytest.mark.parametrize("vendor", ["bearer", "basic", "url_token"])
def test_the_configured_dedupe_key_must_be_there(vendor: str) -> None:
    found = parsed(build(vendor), vendor, dedupe="/nowhere")
    assert isinstance(found, Unmapped)
    assert (found.reason, found.missing) == (Reason.DEDUPE_MISSING, ("dedupe",))


def test_github_without_a_pointer_goes_by_the_body() -> None:
    one = submission(build("github"), "github", dedupe=None)
    other = submission(build("github", name="李四"), "github", dedupe=None)
    assert one.dedupe.startswith("sha256:")
    assert one.dedupe != other.dedupe


@pytest.mark.parametrize(
    ("vendor", "path", "value", "reason"),
    [
        ("typeform", ("event_type",), "form_response_partial", Reason.PARTIAL),
        ("typeform", ("event_type",), "other", Reason.OTHER_EVENT),
        ("typeform", ("event_type",), None, Reason.OTHER_EVENT),
        ("tally", ("eventType",), "FORM_DELETED", Reason.OTHER_EVENT),
        ("webflow", ("triggerType",), "site_publish", Reason.OTHER_EVENT),
        ("jiandaoyun", ("op",), "data_update", Reason.OTHER_EVENT),
        ("jiandaoyun", ("op",), "data_remove", Reason.OTHER_EVENT),
        ("jiandaoyun", ("op",), None, Reason.OTHER_EVENT),
        ("feishu", ("header", "event_type"), "drive.file.edit_v1", Reason.OTHER_EVENT),
        ("feishu", ("event", "action_list", 0, "action"), "record_edited", Reason.OTHER_EVENT),
        ("feishu", ("event", "action_list", 0, "action"), "record_deleted", Reason.OTHER_EVENT),
        ("feishu", ("event", "action_list"), [], Reason.OTHER_EVENT),
    ],
)
def test_other_events_are_ignored(
    vendor: str, path: tuple[str | int, ...], value: object, reason: Reason
) -> None:
    assert parsed(edited(build(vendor), *path, value=value), vendor) == Ignored(reason)


class TestJotform:
    def test_urlencoded_is_read_too(self) -> None:
        raw = json.dumps({"q1_n": NAME, "q2_i": NUMBER})
        body = f"submissionID=5&formID=form-1&rawRequest={raw}".encode()
        hook = Hook(body, {"content-type": "application/x-www-form-urlencoded"}, token=TOKEN)
        found = submission(hook, "jotform", fields={"name": "n", "id_number": "i"})
        assert (found.dedupe, found.name) == ("5", NAME)

    @pytest.mark.parametrize(
        ("answer", "name"),
        [
            ({"first": "三", "last": "张"}, "张 三"),
            ({"first": "张三"}, "张三"),
            ({"prefix": "Dr", "first": "A", "middle": "B", "last": "C"}, "C B A"),
            ({"first": 1, "last": "张"}, "张"),
            ({"area": "1"}, {"area": "1"}),
        ],
    )
    def test_a_name_in_parts(self, answer: object, name: object) -> None:
        raw = json.dumps({"q3_name": answer, "q4_number": NUMBER})
        hook = multipart({"submissionID": "5", "formID": "form-1", "rawRequest": raw})
        assert submission(hook, "jotform").name == name

    def test_a_file_among_the_parts_is_passed_over(self) -> None:
        hook = build("jotform")
        boundary = hook.headers["content-type"].partition("boundary=")[2]
        part = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="rawRequest"; '
            'filename="x"\r\n\r\n{}\r\n'
        )
        with_file = replace(hook, body=part.encode() + hook.body)
        assert submission(with_file, "jotform") == submission(hook, "jotform")


class TestHubspot:
    def test_a_body_of_ones_own(self) -> None:
        hook = json_hook(dumps({"fullname": NAME, "id_number": NUMBER, "objectId": 5}))
        found = submission(hook, "hubspot")
        assert (found.name, found.id_number) == (NAME, NUMBER)
        assert found.dedupe.startswith("sha256:")

    def test_plain_properties(self) -> None:
        properties = {"fullname": NAME, "id_number": NUMBER, "hs_lastmodifieddate": "t"}
        hook = json_hook(dumps({"objectId": 5, "properties": properties}))
        assert submission(hook, "hubspot").dedupe == '["5","t"]'


class TestJinshuju:
    def test_an_entry_without_token_goes_by_its_serial_number(self) -> None:
        hook = edited(build("jinshuju"), "entry", "token")
        assert submission(hook, "jinshuju").dedupe == '["form-1","123","2026-03-01 04:00:00 UTC"]'
        bare = edited(hook, "entry", "updated_at")
        assert submission(bare, "jinshuju").dedupe == '["form-1","123","-"]'

    def test_an_entry_changed_since_is_another(self) -> None:
        changed = edited(build("jinshuju"), "entry", "updated_at", value="later")
        assert (
            submission(changed, "jinshuju").dedupe
            != submission(build("jinshuju"), "jinshuju").dedupe
        )


class TestJiandaoyun:
    def test_another_operation_time_is_another_entry(self) -> None:
        other = jiandaoyun(Entry(), opTime=1)
        assert submission(other, "jiandaoyun").dedupe == '["entry-1","data_create","1"]'


class TestWjx:
    def test_the_unsigned_joinid_changes_nothing(self) -> None:
        hook = build("wjx")
        other = edited(hook, "joinid", value="1")
        assert submission(hook, "wjx").dedupe == submission(other, "wjx").dedupe


class TestFeishu:
    def test_several_records_at_once_are_kept_apart(self) -> None:
        action = json.loads(build("feishu").body)["event"]["action_list"][0]
        hook = edited(build("feishu"), "event", "action_list", value=[action, action])
        assert parsed(hook, "feishu") == Unmapped("entry-1", Reason.SEVERAL_RECORDS)
        assert parsed(hook, "feishu", form="other") == Ignored(Reason.OTHER_FORM)

    def test_edits_beside_the_new_record_are_passed_over(self) -> None:
        action = json.loads(build("feishu").body)["event"]["action_list"][0]
        edit = {"action": "record_edited", "after_value": []}
        hook = edited(build("feishu"), "event", "action_list", value=[edit, action])
        assert submission(hook, "feishu").name == NAME

    @pytest.mark.parametrize(
        ("value", "name"),
        [
            ('[{"type":"text","text":"张"},{"type":"text","text":"三"}]', NAME),
            ('"张三"', NAME),
            ("张三", NAME),
            ("340421190710145412", 340421190710145412),
            ("[]", []),
            ('[{"text":1}]', ""),
            (5, 5),
        ],
    )
    def test_a_value_is_json_inside_a_text(self, value: object, name: object) -> None:
        path = ("event", "action_list", 0, "after_value", 0, "field_value")
        assert submission(edited(build("feishu"), *path, value=value), "feishu").name == name

    @pytest.mark.parametrize("value", ["", "null"])
    def test_an_empty_value_is_missing(self, value: str) -> None:
        path = ("event", "action_list", 0, "after_value", 0, "field_value")
        found = parsed(edited(build("feishu"), *path, value=value), "feishu")
        assert isinstance(found, Unmapped)
        assert found.missing == ("name",)

    def test_the_challenge_is_echoed(self) -> None:
        body = {"challenge": "a-challenge", "token": "t", "type": "url_verification"}
        found = parsed(json_hook(dumps(body)), "feishu")
        assert found == Handshake('{"challenge": "a-challenge"}', "application/json")

    @pytest.mark.parametrize("challenge", [None, 1, "x" * 2_000])
    def test_what_is_no_challenge_is_not_echoed(self, challenge: object) -> None:
        body = {"challenge": challenge, "token": "t", "type": "url_verification"}
        assert parsed(json_hook(dumps(body)), "feishu") == Ignored(Reason.OTHER_EVENT)


class TestReferences:
    @pytest.mark.parametrize(
        ("given", "kept"), [(7, "7"), (None, None), (True, None), (1.5, None), ({}, None), ("", "")]
    )
    def test_only_texts_and_whole_numbers(self, given: object, kept: str | None) -> None:
        assert submission(build("tally", reference=given), "tally").reference == kept


class TestPointers:
    def test_a_name_at_the_top_may_hold_a_slash(self) -> None:
        hook = json_hook(dumps({"a/b~c": NAME, "n": NUMBER, "id": 1}))
        fields = {"name": "a/b~c", "id_number": "n"}
        assert submission(hook, "bearer", fields=fields, dedupe="id").name == NAME
        kept = parsed(hook, "bearer", fields={"name": "a/b~c", "id_number": "x"}, dedupe="id")
        assert isinstance(kept, Unmapped)
        mended = remapped(kept, source_of("bearer", fields=fields, dedupe="id"))
        assert isinstance(mended, Submission)
        assert (mended.name, mended.id_number) == (NAME, NUMBER)

    def test_the_document_may_be_a_list(self) -> None:
        hook = json_hook(dumps([canonical(Entry())]))
        fields = {"name": "/0/name", "id_number": "/0/id_number"}
        found = submission(hook, "bearer", fields=fields, dedupe="/0/submission_id")
        assert found.id_number == NUMBER

    def test_only_so_much_is_kept(self) -> None:
        hook = json_hook(dumps({str(n): n for n in range(1_000)}))
        kept = parsed(hook, "bearer")
        assert isinstance(kept, Unmapped)
        assert len(kept.scalars) == 256


leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner)
)


def places(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return [path, *(place for step, one in inner for place in places(one, (*path, step)))]


def replaced(value: Any, path: tuple[Any, ...], new: object) -> Any:
    if not path:
        return new
    changed = value.copy()
    changed[path[0]] = replaced(value[path[0]], path[1:], new)
    return changed


@pytest.mark.parametrize("vendor", VENDORS)
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_no_json_makes_it_raise(vendor: str, data: st.DataObject) -> None:
    hook = build(vendor)
    if vendor in {"url_token", "wufoo"}:
        body = data.draw(st.binary(max_size=60))
    elif vendor == "jotform":
        raw = json.dumps(data.draw(values))
        body = multipart({"submissionID": "5", "formID": "form-1", "rawRequest": raw}).body
    else:
        document = json.loads(hook.body)
        path = data.draw(st.sampled_from(places(document)))
        new = data.draw(values)
        if vendor == "fanqier" and path == ("data",):
            new = json.dumps(new)
        body = json.dumps(replaced(document, path, new)).encode()
    found = registry.parse(request_of(replace(hook, body=body)), source_of(vendor))
    assert isinstance(found, Submission | Handshake | Ignored | Unmapped)


@pytest.mark.parametrize("vendor", VENDORS)
@settings(max_examples=20, deadline=None)
@given(body=st.binary(max_size=60), content_type=st.text(max_size=40))
def test_no_bytes_make_it_raise(vendor: str, body: bytes, content_type: str) -> None:
    request = HookRequest("POST", "/", "", {"content-type": content_type}, body, "")
    found = registry.parse(request, source_of(vendor))
    assert isinstance(found, Ignored | Unmapped)
