import json
from pathlib import Path
from typing import Any

import pytest

from mock_server import regions

CASES = Path(__file__).parents[1] / "data" / "identity_cases.json"


def labelled() -> list[Any]:
    cases = json.loads(CASES.read_text(encoding="utf-8"))
    return [
        pytest.param(case["input"], case["expected"]["address"], id=case["input"])
        for case in cases
        if case["expected"].get("address") is not None
    ]


@pytest.mark.parametrize(("number", "address"), labelled())
def test_the_labelled_cases(number: str, address: list[str | None]) -> None:
    found = regions.load().of(number)
    expected = tuple(
        have if want is None else want for want, have in zip(address, found, strict=True)
    )
    assert found == expected


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("990101199001010000", ("", "", "")),
        ("119999199001010000", ("北京市", "", "")),
        ("932682198501010017", ("", "", "")),
        ("110228198001010000", ("北京市", "北京市", "密云县")),
        ("659012202401010000", ("新疆维吾尔自治区", "", "白杨市")),
        # After its last year a code keeps its last name.
        ("110104201501010000", ("北京市", "北京市", "宣武区")),
    ],
)
def test_at_the_edges(number: str, expected: tuple[str, str, str]) -> None:
    assert regions.load().of(number) == expected


def test_the_tables_are_read_once() -> None:
    assert regions.load() is regions.load()
