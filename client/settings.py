"""Which service is asked, and with whose key."""

import argparse
import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from client.errors import usage_error

DEFAULT_URL = "http://127.0.0.1:8000"
LOCAL_DEV_KEY = "local-dev-key"
_MAX_KEY_FILE = 4096


@dataclass(frozen=True, slots=True)
class Settings:
    """``url`` has no slash at its end; ``local`` is this machine itself."""

    url: str
    key: str = field(repr=False)
    local: bool


def settings(options: argparse.Namespace, env: Mapping[str, str] = os.environ) -> Settings:
    """From the command line before the environment; the local stack's key only for the loopback."""
    url = (options.url or env.get("ERYAOSU_URL") or DEFAULT_URL).rstrip("/")
    local = _checked(url)
    if options.key_file:
        key = _of_file(options.key_file)
    else:
        key = env.get("ERYAOSU_KEY", "").strip() or (LOCAL_DEV_KEY if local else "")
    if not key:
        raise usage_error(
            "no key: set ERYAOSU_KEY in the environment, or give --key-file FILE",
            "没有密钥：请设置环境变量 ERYAOSU_KEY，或用 --key-file 文件 指定",
        )
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise usage_error(
            "the key must be one line of printable ASCII without blanks",
            "密钥必须是一行不含空格的可打印 ASCII 字符",
        )
    return Settings(url, key, local)


def _checked(url: str) -> bool:
    """Whether the URL's host is this machine."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        usable = None
    if not usable or parts.username or parts.password or parts.query or parts.fragment:
        raise usage_error(
            "the URL must look like https://host/stage, without user, query or fragment",
            "URL 应形如 https://主机/阶段，不带用户名、查询或片段",
        )
    local = is_loopback(parts.hostname or "")
    if parts.scheme == "http" and not local:
        raise usage_error(
            "the URL must begin with https://, or the key would travel in the clear",
            "URL 必须以 https:// 开头，否则密钥会明文传输",
        )
    return local


def is_loopback(host: str) -> bool:
    """Whether a host is this machine itself."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _of_file(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return stream.read(_MAX_KEY_FILE).decode("ascii").strip()
    except OSError as exc:
        why = f"{file}: {exc.strerror}"
        raise usage_error(
            f"the key file cannot be read: {why}", f"无法读取密钥文件：{why}"
        ) from None
    except UnicodeDecodeError:
        raise usage_error(
            f"{file}: not a key: a key is printable ASCII", f"{file}：不是密钥：密钥是可打印 ASCII"
        ) from None
