"""Bodies and pointers: what can be read is, and nothing raises."""

from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.submission import HookRequest
from chalicelib.entrypoints.forms import bodies, pointer

FORM = "application/x-www-form-urlencoded"


def request(body: bytes, content_type: str = "") -> HookRequest:
    headers = {"content-type": content_type} if content_type else {}
    return HookRequest("POST", "/", "", headers, body, "192.0.2.1")


class TestJson:
    @pytest.mark.parametrize("body", [b'{"a":1}', b'\xef\xbb\xbf{"a":1}', b' {"a":1}\n'])
    def test_utf_8_with_or_without_a_mark(self, body: bytes) -> None:
        assert bodies.document(request(body)) == {"a": 1}
        assert bodies.document(request(body, "application/json; charset=utf-8")) == {"a": 1}

    @pytest.mark.parametrize("body", [b"", b"\xff", b"{", b"NaN", b"[Infinity]", b"[" * 200_000])
    def test_anything_else_is_nothing(self, body: bytes) -> None:
        assert bodies.document(request(body)) is None


class TestUrlencoded:
    def test_chinese_and_blanks(self) -> None:
        body = b"a=%E5%BC%A0+%E4%B8%89&b=&a=2"
        assert bodies.document(request(body, f"{FORM}; charset=UTF-8")) == {"a": "张 三", "b": ""}

    @pytest.mark.parametrize("body", [b"a=%ff", b"\xff", b"&".join([b"a=1"] * 1_001)])
    def test_what_is_not_utf_8_or_too_much_is_nothing(self, body: bytes) -> None:
        assert bodies.form_fields(request(body, FORM)) == {}


def multipart(*parts: bytes, boundary: bytes = b"b") -> bytes:
    return b"".join(b"--%s\r\n%s\r\n" % (boundary, part) for part in parts) + b"--b--\r\n"


class TestMultipart:
    def read(self, body: bytes, content_type: str = "multipart/form-data; boundary=b") -> Any:
        return bodies.form_fields(request(body, content_type))

    def test_fields_are_read_and_files_are_not(self) -> None:
        body = multipart(
            b'Content-Disposition: form-data; name="a"\r\n\r\n' + "张三\r\n四".encode(),
            b'content-type: text/plain\r\ncontent-disposition: form-data; name="b"\r\n\r\n',
            b'Content-Disposition: form-data; name="c"; filename="x"\r\n\r\nfile',
            b'Content-Disposition: form-data; filename="name=x"; name="d"\r\n\r\nfile',
            b'Content-Disposition: form-data; name="a"\r\n\r\nsecond',
            b'Content-Disposition: attachment; name="e"\r\n\r\nx',
            b"Content-Disposition: form-data\r\n\r\nx",
            b'Content-Disposition: form-data; name="f"',
        )
        assert self.read(body) == {"a": "张三\r\n四", "b": ""}

    @pytest.mark.parametrize(
        "content_type",
        [
            'multipart/form-data; boundary="b"',
            "multipart/form-data;boundary=b;charset=utf-8",
            "MULTIPART/Form-Data; Boundary=b",
        ],
    )
    def test_the_boundary_is_found(self, content_type: str) -> None:
        body = multipart(b'Content-Disposition: form-data; name="a"\r\n\r\n1')
        assert self.read(body, content_type) == {"a": "1"}

    @pytest.mark.parametrize(
        "content_type", ["multipart/form-data", "multipart/form-data; boundary=é", FORM]
    )
    def test_without_the_boundary_there_is_nothing(self, content_type: str) -> None:
        body = multipart(b'Content-Disposition: form-data; name="a"\r\n\r\n1')
        assert "a" not in self.read(body, content_type)

    def test_bytes_that_are_not_utf_8_are_nothing(self) -> None:
        assert self.read(multipart(b'Content-Disposition: form-data; name="a"\r\n\r\n\xff')) == {}

    def test_a_body_of_the_standard_library_is_read(self) -> None:
        message = EmailMessage()
        message["Content-Type"] = "multipart/form-data"
        for name, value in {"a": "1", "b": "two"}.items():
            part = EmailMessage()
            part["Content-Disposition"] = f'form-data; name="{name}"'
            part.set_payload(value)
            message.attach(part)
        text = message.as_bytes().replace(b"\n", b"\r\n")
        body = text.partition(b"\r\n\r\n")[2]
        assert self.read(body, message["Content-Type"]) == {"a": "1", "b": "two"}

    @given(st.binary(max_size=80), st.text(max_size=60))
    def test_nothing_raises(self, body: bytes, content_type: str) -> None:
        for kind in (content_type, "multipart/form-data; boundary=b", FORM):
            self.read(b"--b\r\n" + body, kind)


DOCUMENT = {"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "m~n": 8, " ": 7, "in": {"x": None}}


class TestPointer:
    """The examples of RFC 6901, section 5, and what leads nowhere."""

    @pytest.mark.parametrize(
        ("place", "found"),
        [
            ("/foo", ["bar", "baz"]),
            ("/foo/0", "bar"),
            ("/", 0),
            ("/a~1b", 1),
            ("/c%d", 2),
            ("/m~0n", 8),
            ("/ ", 7),
            ("foo", ["bar", "baz"]),
            ("a/b", 1),
            ("m~n", 8),
        ],
    )
    def test_it_leads_there(self, place: str, found: object) -> None:
        assert pointer.locate(DOCUMENT, place) == found

    @pytest.mark.parametrize(
        "place",
        [
            *("/foo/2", "/foo/-", "/foo/00", "/foo/-1", "/foo/x", "/foo/１", "/foo/99999999999"),
            *("/foo/0/0", "/no", "/in/x", "no"),
        ],
    )
    def test_it_leads_nowhere(self, place: str) -> None:
        assert pointer.locate(DOCUMENT, place) is None

    @given(
        st.recursive(
            st.integers() | st.text(max_size=3) | st.booleans(),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.text(alphabet="ab/~0", max_size=3), inner, max_size=3)
            ),
            max_leaves=10,
        )
    )
    def test_every_scalar_is_found_again_where_it_was(self, document: object) -> None:
        for place, value in pointer.flatten(document).items():
            if place:
                assert pointer.locate(document, place) == value

    def test_depth_and_number_have_an_end(self) -> None:
        deep: object = 1
        for _ in range(9):
            deep = [deep]
        assert pointer.flatten(deep) == {}
        assert len(pointer.flatten(list(range(1_000)))) == 256
