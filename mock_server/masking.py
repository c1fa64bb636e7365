"""How names, numbers, AppCodes and paths look wherever they are shown."""

import re

_NUMBER = re.compile(r"[0-9]{17}[0-9Xx]")
_PLAIN_SEGMENT = re.compile(r"[A-Za-z_.-]{0,40}")
_SHOWN = 50


def id_number(text: str) -> str:
    """Mask a number: first 3, 11 stars, last 4; only stars for what is no number.

    >>> id_number("340421190710145412")
    '340***********5412'
    >>> id_number("张三")
    '**'
    """
    if _NUMBER.fullmatch(text):
        return f"{text[:3]}{'*' * 11}{text[-4:]}"
    return "*" * min(len(text), _SHOWN)


def name(text: str) -> str:
    """Mask a name: its first character, then a star for each further one.

    >>> name("张三"), name("张")
    ('张*', '*')
    """
    shown = text[:_SHOWN]
    return shown[:1] + "*" * (len(shown) - 1) if len(shown) > 1 else "*" * len(shown)


def authorization(header: str) -> str:
    """Mask an Authorization header but for its scheme.

    >>> authorization("APPCODE 0123456789abcdef"), authorization("0123"), authorization("")
    ('APPCODE ***', '***', '')
    """
    if not header:
        return ""
    return "APPCODE ***" if header.startswith("APPCODE ") else "***"


def path(text: str) -> str:
    """Star each segment of a path that is not plain letters: numbers get into paths, too.

    >>> path("/idenAuthentification"), path("/people/340421190710145412")
    ('/idenAuthentification', '/people/***')
    """
    segments = text.split("/")[:10]
    return "/".join(s if _PLAIN_SEGMENT.fullmatch(s) else "***" for s in segments)
