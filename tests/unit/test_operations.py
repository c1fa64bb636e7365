"""The package carries the operations that are called: no adapter calls another one."""

import ast
from collections.abc import Iterator
from pathlib import Path

from botocore import xform_name

from tools.operations import OPERATIONS

ADAPTERS = Path(__file__).parents[2] / "chalicelib/adapters"


def called(tree: ast.AST) -> Iterator[str]:
    """Methods of whatever is called ``client``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            owner = node.value
            name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
            if name.lstrip("_") == "client":
                yield node.attr


def test_what_the_adapters_call_is_what_the_package_carries() -> None:
    used = {
        name
        for file in ADAPTERS.glob("*.py")
        for name in called(ast.parse(file.read_text("utf-8")))
    }
    carried = [xform_name(name) for operations in OPERATIONS.values() for name in operations]
    # Where a client is, and not what it does; a signature that reaches nothing.
    assert used - {"meta", "generate_presigned_url"} == {*carried}
    assert len(carried) == len({*carried})
