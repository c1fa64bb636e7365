"""A scenario gives the start, or stops it with one line that says where and why."""

import re
import tomllib
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mock_server import create_app, scenario, toml_lines
from mock_server.effects import AFTER, BEFORE, Effect
from mock_server.faults import Fault, Match
from mock_server.options import Options
from mock_server.scenario import ScenarioError
from tests.mock_server.support import OTHER, PERSON, SAMPLE, UNHELD, Json, Upstream, code

EVERYTHING = f"""\
# All that a scenario can say.
appcodes = ["one", "two"]
unknown = "mismatch"
latency_ms = 5
gateway = "old"
lower_x = "accept"
charged_codes = ["0000"]
clock = 2026-11-23
maintenance = true
calls_per_second = 7
journal_length = 8
people_file = "people.csv"

[quota]
used = 1
total = 10
expires_at = 2027-01-01

[[people]]
name = "赵六"
id_number = "{UNHELD}"

[[faults]]
kind = "hang"
value = 100
when = "after_charge"
times = 2
probability = 0.5
seed = 3
match = {{ id_number = "{OTHER[1]}", name = "{OTHER[0]}", nth_call = 4 }}

[[faults]]
kind = "gateway:B403MQ"
value = "Quota Exhausted"
"""


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "scenario.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.fixture
def people(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    path.write_text("name,id_number\n孙七,110105194912310039\n", encoding="utf-8")
    return path


def test_everything(tmp_path: Path, people: Path) -> None:
    assert scenario.load(write(tmp_path, EVERYTHING)) == Options(
        appcodes=("one", "two"),
        quota=10,
        used=1,
        expires_at=date(2027, 1, 1),
        clock=date(2026, 11, 23),
        unknown="mismatch",
        latency_ms=5,
        people=people,
        extra_people=(("赵六", UNHELD),),
        gateway="old",
        lower_x="accept",
        charged_codes=frozenset({"0000"}),
        calls_per_second=7,
        maintenance=True,
        journal_length=8,
        faults=(
            Fault(Effect("hang", 100, AFTER), 2, 0.5, 3, Match(OTHER[1], OTHER[0], 4)),
            Fault(Effect("gateway:B403MQ", "Quota Exhausted")),
        ),
    )


@pytest.mark.parametrize("text", ["", "\ufeff", "# nothing\n", "[quota]\n"])
def test_nothing_is_the_defaults(tmp_path: Path, text: str) -> None:
    assert scenario.load(write(tmp_path, text)) == Options()


def test_options_of_a_scenario_are_hashable(tmp_path: Path, people: Path) -> None:
    path = write(tmp_path, EVERYTHING)
    assert people.exists()
    assert len({scenario.load(path), scenario.load(path)}) == 1


def test_a_day_may_be_a_text(tmp_path: Path) -> None:
    assert scenario.load(write(tmp_path, 'clock = "2026-11-23"')).clock == date(2026, 11, 23)


def test_what_is_given_goes_over_it(tmp_path: Path) -> None:
    path = write(tmp_path, 'unknown = "match"\nlatency_ms = 5\n[quota]\ntotal = 3\nused = 1\n')
    options = scenario.load(path, {"quota": 4, "unknown": "no_record"})
    assert options == Options(quota=4, used=1, latency_ms=5)


def test_faults_are_held_against_the_generation_that_is_given(tmp_path: Path) -> None:
    path = write(tmp_path, '[[faults]]\nkind = "gateway:B403MQ"\nvalue = "Quota Exhausted"\n')
    assert scenario.load(path, {"gateway": "old"}).faults
    with pytest.raises(ScenarioError, match=re.escape("toml:3: faults[0].value: ")):
        scenario.load(path)


class TestRunning:
    """The mock starts so, and a reset goes back to it."""

    TEXT = f"""
        clock = 2026-11-23
        maintenance = true
        appcodes = ["{"0123456789abcdef" * 2}"]
        calls_per_second = 1000000
        [quota]
        used = 1
        total = 5
        expires_at = 2026-12-01
        [[people]]
        name = "赵六"
        id_number = "{UNHELD}"
        [[faults]]
        kind = "resp_code:0007"
        times = 1
        [[faults]]
        kind = "http_500"
        match.name = "{OTHER[0]}"
    """

    @pytest.fixture
    def started(self, tmp_path: Path, start_session: Callable[[Options], Upstream]) -> Upstream:
        upstream = start_session(scenario.load(write(tmp_path, self.TEXT)))
        upstream.do("/reset")
        return upstream

    def test_it_starts_so(self, started: Upstream) -> None:
        state = started.get("/state")
        assert state["quota"] == {"used": 1, "total": 5, "expires_at": "2026-12-01"}
        assert state["clock"] == {"today": "2026-11-23", "fixed": True}
        assert state["maintenance"] == {"on": True}
        assert state["appcodes"] == {"any": False, "count": 1}
        assert state["throttle"] == {"calls_per_second": 1_000_000}
        assert state["faults"] == 2
        assert [fault["id"] for fault in started.get("/faults")["faults"]] == [1, 2]
        assert code(started.ask(*PERSON)) == "0007"
        assert code(started.ask(*PERSON)) == "0010"
        assert started.ask(*OTHER).status_code == 500
        started.do("/maintenance", {"on": False})
        assert code(started.ask("赵六", UNHELD)) == "0000"

    def test_a_reset_goes_back_to_it(self, started: Upstream) -> None:
        before = {path: started.get(path) for path in ("/state", "/faults", "/people", "/ledger")}
        started.ask(*PERSON)
        started.do("/people", [{"name": "钱八", "id_number": UNHELD}])
        started.do("/quota", {"used": 0, "total": None, "expires_at": None})
        started.do("/clock", {"today": None})
        started.do("/maintenance", {"on": False})
        started.do("/appcodes", [])
        started.do("/throttle", {"calls_per_second": None})
        started.admin("DELETE", "/faults/2")
        started.arm("reset")
        started.do("/reset")
        assert {path: started.get(path) for path in before} == before
        assert code(started.ask(*PERSON)) == "0007"
        assert started.do("/faults", {"kind": "reset"})["id"] == 3


def test_added_people_go_over_the_scenarios_and_those_over_the_files(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text(f"孙七,{UNHELD}\n", encoding="utf-8")
    row = f'[[people]]\nname = "赵六"\nid_number = "{UNHELD}"\n'
    app = create_app(scenario.load(write(tmp_path, 'people_file = "people.csv"\n' + row)))
    held = app.extensions["mock_server"].setup.people
    assert held[UNHELD] == "赵六"


BAD: list[tuple[str, int, str]] = [
    ("clock = 2026-11-23\nclocks = 1\n", 2, "clocks: is unknown (allowed: appcodes, unknown, "),
    ("\n[colours]\nred = 1\n", 2, "colours: is unknown (allowed: "),
    ('"a b" = 1', 1, "a b: is unknown (allowed: "),
    ("\nappcodes = [\n 'a',\n 'b c',\n]\n", 2, "appcodes[1]: is no AppCode (allowed: "),
    ("appcodes = 'a'", 1, "appcodes: must be a list (allowed: "),
    ("unknown = 'maybe'", 1, "unknown: is unknown (allowed: no_record, match, mismatch)"),
    ("#\nlatency_ms = -1", 2, "latency_ms: must be a whole number (allowed: 0 to 1000000000)"),
    ("latency_ms = 1.0", 1, "latency_ms: must be a whole number"),
    ("gateway = 'newest'", 1, "gateway: is unknown (allowed: old, new)"),
    ("lower_x = true", 1, "lower_x: is unknown (allowed: accept, refuse)"),
    ("charged_codes = ['0000', '0005']", 1, "charged_codes[1]: is unknown (allowed: 0000, 0001, "),
    ("charged_codes = '0000'", 1, "charged_codes: must be a list (allowed: 0000, 0001, "),
    ("clock = 2026-11-23T00:00:00", 1, "clock: must be a date (allowed: YYYY-MM-DD"),
    ("clock = 20261123", 1, "clock: must be a date"),
    ("clock = 2026-02-30", 1, "Invalid date or datetime"),
    ("maintenance = 1", 1, "maintenance: must be true or false (allowed: True, False)"),
    ("calls_per_second = 0", 1, "calls_per_second: must be a whole number (allowed: 1 to "),
    ("journal_length = 0", 1, "journal_length: must be a whole number (allowed: 1 to "),
    ("\npeople_file = 'none.csv'", 2, "people_file: there is no file "),
    ("people_file = 1", 1, "people_file: must be a string"),
    ("people_file = ''", 1, "people_file: there is no file "),
    (f"people_file = '{'名' * 200}'", 1, "people_file: there is no file "),
    ('people_file = "a\\u0000"', 1, "people_file: there is no file "),
    ("quota = 10", 1, "quota: must be an object (allowed: used, total, expires_at)"),
    ("[quota]\ntotal = 5\nused = -1", 3, "quota.used: must be a whole number"),
    ("[quota]\n\n  expires_at = 'soon'", 3, "quota.expires_at: must be a date"),
    ("[quota]\nleft = 1", 2, "quota.left: is unknown (allowed: used, total, expires_at)"),
    ("clock = 2026-11-23\nquota.total = 5\nquota.used = 'x'", 3, "quota.used: must be a whole"),
    ("\nquota = { total = 'x' }", 2, "quota.total: must be a whole number"),
    ("people = 1", 1, "people: must be a list"),
    ("people = [1]", 1, "people[0]: must be an object (allowed: name, id_number)"),
    ("[people]\nname = '赵六'", 1, "people: must be a list"),
    (f"[[people]]\nid_number = '{UNHELD}'\nname = 'Zhao'", 3, "people[0].name: must be Han"),
    (f"[[people]]\nname = '赵六'\nid_number = '{SAMPLE}'", 3, "people[0].id_number: must be 17"),
    ("[[people]]\nname = '赵六'\n", 1, "people[0].id_number: must be a string"),
    (
        f"[[people]]\nname = '赵六'\nid_number = '{UNHELD}'\n[[people]]\nname = 6\n",
        5,
        "people[1].name: must be a string",
    ),
    ("[[faults]]\nkind = 'reset'\n\n[[faults]]\nkind = 'x'", 5, "faults[1].kind: is unknown"),
    ("[[faults]]\ntimes = 1", 1, "faults[0].kind: is unknown (allowed: latency_ms, "),
    ("[[faults]]\nkind = 'hang'\nvalue = -1", 3, "faults[0].value (ms): must be a whole number"),
    ("[[faults]]\nkind = 'hang'\n", 1, "faults[0].value (ms): must be a whole number"),
    ("[[faults]]\nkind = 'reset'\nmatch.nth_call = 0", 3, "faults[0].nth_call: must be a whole"),
    ("[[faults]]\nkind = 'reset'\nmatch = { a = 0 }", 3, "faults[0].a: is unknown (allowed: id_"),
    (
        "[[faults]]\nkind = 'reset'\n[faults.match]\nname = '甲'\nnth_call = 0\n[[faults]]\n",
        5,
        "faults[0].nth_call: must be a whole",
    ),
    ("faults = [\n{kind = 'reset'},\n{kind = 'x'},\n]", 1, "faults[1].kind: is unknown"),
    ("[faults]", 1, "faults: must be a list"),
    ("[[faults]]\nkind = 'reset'\n'times ' = 1", 3, "faults[0].times : is unknown"),
    ("clock = 2026-11-23\r\nmaintenance = 1\r\n", 2, "maintenance: must be true or false"),
    ("clock = 2026-11-23\nunknown", 2, ""),
    ("clock = 2026-11-23\nunknown =\n", 2, "Invalid value"),
    ("clock = 2026-11-23\nclock = 2026-11-23\n", 2, "Cannot overwrite a value"),
    ("\n[quota\n", 2, "Expected ']'"),
    ("\nappcodes = [", 2, "Invalid value"),
    ("unknown = " + "9" * 5_000, 0, "Exceeds the limit"),
    ("unknown = " + "[" * 100_000, 0, "maximum recursion depth"),
]


@pytest.mark.parametrize(("text", "line", "reason"), BAD, ids=[str(i) for i in range(len(BAD))])
def test_what_is_wrong_and_where(tmp_path: Path, text: str, line: int, reason: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ScenarioError) as caught:
        scenario.load(path)
    assert str(caught.value).startswith(f"{path}:{line}: {reason}")


def test_no_utf_8(tmp_path: Path) -> None:
    path = write(tmp_path, "#\n# 赵六".encode("gbk"))
    with pytest.raises(ScenarioError, match=r"toml:2: must be UTF-8"):
        scenario.load(path)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"toml:0: No such file"):
        scenario.load(tmp_path / "none.toml")


KEYS = [*scenario._VALUES, "quota", "people", "people_file", "faults", "colour"]
FIELDS = [*KEYS, "used", "total", "expires_at", "name", "id_number", "kind", "value", "match"]


def literal(value: Json) -> str:
    match value:
        case bool():
            return str(value).lower()
        case dict():
            return "{" + ", ".join(f"{key(k)} = {literal(v)}" for k, v in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(literal, value)) + "]"
        case str():
            return '"' + "".join(f"\\U{ord(c):08x}" for c in value) + '"'
        case date():
            return value.isoformat()
        case _:
            return repr(value)


def key(name: str) -> str:
    return name if re.fullmatch(r"\w+", name, re.ASCII) else literal(name)


TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
SCALARS = (
    st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats()
    | TEXTS
    | st.dates()
    | st.datetimes()
    | st.sampled_from(["reset", "hang", "old", "match", "0000", UNHELD, "赵六", BEFORE])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(FIELDS) | TEXTS, inner, max_size=3)
    ),
    max_leaves=6,
)
TABLES = st.dictionaries(st.sampled_from(FIELDS) | TEXTS, VALUES, max_size=4)


def rows(table: dict[str, Json]) -> str:
    return "".join(f"{key(name)} = {literal(value)}\n" for name, value in table.items())


DOCUMENTS = st.builds(
    lambda top, tables: rows(top) + "".join(f"{head}\n{rows(table)}" for head, table in tables),
    st.dictionaries(st.sampled_from(KEYS) | TEXTS, VALUES, max_size=4),
    st.lists(
        st.tuples(
            st.sampled_from(["[quota]", "[[people]]", "[[faults]]", "[faults.match]"]), TABLES
        ),
        max_size=3,
    ),
)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scenarios") / "scenario.toml"


@given(DOCUMENTS.map(str.encode) | st.text(max_size=60).map(lambda t: t.encode(errors="replace")))
@example(b"\x00")
@example(b"\xff")
@example(b'"\\u2028\\n\\u0085" = 1')
@example(b'"quota.used" = 1')
@example(b'"people[99999999999999999999].name" = 1')
@example(b"clock = 0001-01-01\n[quota]\nexpires_at = 9999-12-31")
@example(b"latency_ms = 1_0\ncharged_codes = []")
def test_whatever_it_holds_is_options_or_one_line(file: Path, raw: bytes) -> None:
    file.write_bytes(raw)
    try:
        options = scenario.load(file)
    except ScenarioError as exc:
        error = str(exc)
        place, line, reason = re.fullmatch(r"(.*\.toml):([0-9]+): (.+)", error).groups()  # type: ignore[union-attr]
        assert (Path(place), bool(reason.strip())) == (file, True)
        assert int(line) <= raw.count(b"\n") + 1
        assert len(error.splitlines()) == 1
    else:
        hash(options)
        create_app(replace(options, people=None))


@given(st.data())
def test_the_line_of_a_key_that_stands_alone_in_its_line(data: st.DataObject) -> None:
    """Where lines look as people write them, the line found is the line where it stands."""
    lines: list[str] = []
    fields: dict[str, int] = {}

    def fill(prefix: str) -> None:
        for name in data.draw(st.lists(st.sampled_from(FIELDS), unique=True, max_size=4)):
            lines.append(f"{name} = {literal(data.draw(SCALARS))}  # {name}")
            fields[prefix + name] = len(lines)
            lines.extend(data.draw(st.lists(st.sampled_from(["", "# kind = 1"]), max_size=2)))

    fill("")
    heads = data.draw(st.lists(st.sampled_from(["aa", "bb"]), max_size=6))
    for position, head in enumerate(heads):
        lines.append(f"[[ {head} ]]")
        prefix = f"{head}[{heads[:position].count(head)}]"
        fields[prefix] = len(lines)
        fill(prefix + ".")
    text = "\n".join(lines)
    tomllib.loads(text)
    for field, line in fields.items():
        assert toml_lines.line_of(text, field) == line
