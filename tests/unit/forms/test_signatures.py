"""Comparing: any texts and bytes, and one error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.errors import UnauthenticatedError
from chalicelib.entrypoints.forms import signatures

anything = st.text(st.characters(), max_size=8) | st.binary(max_size=8)


@given(anything, st.lists(anything, max_size=3))
def test_what_is_not_expected_is_refused_whatever_it_is_made_of(
    given: str | bytes, expected: list[str | bytes]
) -> None:
    def raw(value: str | bytes) -> bytes:
        return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value

    if raw(given) in [raw(one) for one in expected]:
        signatures.check(given, expected)
    else:
        with pytest.raises(UnauthenticatedError):
            signatures.check(given, expected)


@pytest.mark.parametrize("given", ["é", "签名", "\udc80", "", b"\xff"])
def test_without_a_secret_nobody_gets_in(given: str | bytes) -> None:
    for expected in ([], ["x"]):
        with pytest.raises(UnauthenticatedError):
            signatures.check(given, expected)


def test_any_pair_is_enough() -> None:
    signatures.check_any(["a", "b"], ["c", b"b"])
    with pytest.raises(UnauthenticatedError):
        signatures.check_any([], ["a"])
