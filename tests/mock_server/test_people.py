from pathlib import Path

import pytest

from mock_server import people
from mock_server.people import PeopleFileError
from tests.mock_server.support import PERSON, SAMPLE, UNHELD

GOOD = f"赵六,{UNHELD}\n"


def write(path: Path, content: str | bytes) -> Path:
    file = path / "people.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


@pytest.mark.parametrize(
    "content", [GOOD, "name,id_number\n" + GOOD, "\ufeff" + GOOD, "\n" + GOOD.replace("\n", "\r\n")]
)
def test_good_files(tmp_path: Path, content: str) -> None:
    assert people.load(write(tmp_path, content)) == {UNHELD: "赵六"}


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        (f"赵六\t{UNHELD}", 1, "columns"),
        (GOOD + "赵六", 2, "columns"),
        (f"name,id_number\nZhao,{UNHELD}", 2, "name: must be Han"),
        (f"赵六,{UNHELD[:-1]}1", 1, "check character"),
        (f"赵六,{UNHELD.lower()}", 1, "check character"),
        (GOOD + GOOD, 2, "twice"),
        (f"张三,{SAMPLE}", 1, "check character"),
        (f"{PERSON[0]},{PERSON[1]}", 1, "test identity"),
        (GOOD.encode("gbk"), 1, "name: must be Han"),
    ],
)
def test_bad_files_say_where_and_why(
    tmp_path: Path, content: str | bytes, line: int, reason: str
) -> None:
    file = write(tmp_path, content)
    with pytest.raises(PeopleFileError, match=reason) as caught:
        people.load(file)
    assert str(caught.value).startswith(f"{file}:{line}: ")
    assert UNHELD not in str(caught.value)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(PeopleFileError, match="No such file"):
        people.load(tmp_path / "none.csv")
