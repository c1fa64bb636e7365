"""Callback URLs: one meaning, or refused."""

from urllib.parse import urlsplit

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from urllib3.util import parse_url

from chalicelib.domain.callback_url import CallbackUrlError, parse
from chalicelib.domain.delivery import Fault


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://hooks.example.com", "hooks.example.com"),
        ("https://hooks.example.com/a/b?c=d&e=@f", "hooks.example.com"),
        ("https://hooks.example.com?c", "hooks.example.com"),
        ("HTTPS://Hooks.Example.COM:8443/", "hooks.example.com"),
        ("https://xn--fsqu00a.xn--0zwm56d/", "xn--fsqu00a.xn--0zwm56d"),
        ("https://a_b.example-c.com/", "a_b.example-c.com"),
        ("https://93.184.215.14:1/", "93.184.215.14"),
        ("https://[2606:2800:21f::1]:65535/", "2606:2800:21f::1"),
        ("https://localhost/", "localhost"),
    ],
)
def test_plain_ones_are_taken(url: str, host: str) -> None:
    assert parse(url).host == host == urlsplit(url).hostname
    assert parse(url).scheme == "https"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://",
        "https:///x",
        "//hooks.example.com/",
        "hooks.example.com",
        "ftp://hooks.example.com/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        " https://hooks.example.com/",
        "https://hooks.example.com/\n",
        "https://hooks.example.com/\r\nX-Injected: 1",
        "https://hooks.example.com/a b",
        "https://hooks.example.com/\x00",
        "https://user@hooks.example.com/",
        "https://user:password@hooks.example.com/",
        "https://:@hooks.example.com/",
        "https://hooks.example.com\\@10.0.0.1/",
        "https://hooks.example.com/\\x",
        "https://hooks.example.com/#x",
        "https://hooks.example.com#@10.0.0.1/",
        "https://hooks.example.com:0/",
        "https://hooks.example.com:65536/",
        "https://hooks.example.com:/",
        "https://hooks.example.com:-1/",
        "https://hooks.example.com:443:443/",
        "https://hooks..example.com/",
        "https://.example.com/",
        "https://hooks.example.com./",
        "https://-hooks.example.com/",
        "https://" + "a" * 64 + ".example.com/",
        "https://" + "a." * 126 + "com/",
        "https://hooks.example.com/" + "a" * 2048,
        "https://例子.测试/",
        "https://１２７.０.０.１/",
        "https://hooks。example.com/",
        "https://ⓔxample.com/",
        "https://%31%32%37.0.0.1/",
        # Other ways to write 127.0.0.1, which a resolver understands.
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.0.0.1/",
        "https://0X7F.1/",
        "https://0177.0.0.1/",
        "https://017700000001/",
        "https://127.1/",
        "https://127.0.1/",
        "https://127.0.0.0x1/",
        "https://127.0.0.1.0/",
        "https://127.0.0.256/",
        "https://127.0.0.01/",
        "https://[127.0.0.1]/",
        "https://[::1/",
        "https://[::1]x/",
        "https://[fe80::1%25eth0]/",
        "https://[v1.x]/",
        "https://[]/",
    ],
)
def test_whatever_could_be_read_in_two_ways_is_refused(url: str) -> None:
    for allow_loopback in (False, True):
        with pytest.raises(CallbackUrlError) as caught:
            parse(url, allow_loopback=allow_loopback)
        assert caught.value.fault is Fault.MALFORMED_URL
        assert "password@" not in str(caught.value)


def test_http_is_for_loopback_only() -> None:
    with pytest.raises(CallbackUrlError, match=r"^must start with https") as caught:
        parse("http://hooks.example.com/")
    assert caught.value.fault is Fault.NOT_HTTPS
    assert parse("http://127.0.0.1:8080/", allow_loopback=True).scheme == "http"


PIECES = st.sampled_from(
    [
        *("https://", "http://", "//", "/", "\\", "@", ":", "?", "#", "%", "[", "]", ".", "-"),
        *("127.0.0.1", "::1", "10.0.0.1", "0x7f", "1", "443", "evil.example", "hooks.example"),
        *(" ", "\t", "\n", "\x00", "é", "。"),
    ]
)


@given(st.lists(PIECES | st.text(max_size=3), max_size=8).map("".join), st.booleans())
def test_every_reader_sees_the_same_host_in_what_is_taken(rest: str, plain: bool) -> None:
    url = ("https://hooks.example" if plain else "https://") + rest
    try:
        target = parse(url)
    except CallbackUrlError:
        return
    assert urlsplit(url).hostname == target.host
    assert (parse_url(url).host or "").strip("[]") == target.host
    prepared = requests.Request("POST", url).prepare().url or ""
    assert urlsplit(prepared).hostname == target.host
    assert urlsplit(prepared).port == urlsplit(url).port
    assert urlsplit(prepared).username is None
