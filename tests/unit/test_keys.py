"""Keys and the secret's file, as an operator makes them."""

import hashlib
import json
import re
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from chalicelib.domain.secret import LOCAL_DEV_KEY, parse
from tools import keys, secret

Begin = Callable[..., Path]


@pytest.fixture
def begin(tmp_path: Path) -> Begin:
    """A secret as ``new`` begins it, its AppCode filled in."""

    def make(**changes: object) -> Path:
        file = tmp_path / "secret.json"
        assert secret.main(["new", str(file)]) == 0
        fields = json.loads(file.read_text("utf-8")) | {"appcode": "an-appcode"} | changes
        file.write_text(json.dumps(fields), "utf-8")
        return file

    return make


def printed_key(text: str) -> str:
    found = re.search(r"shown this once: (\S+)", text)
    assert found
    return found[1]


class TestNewKey:
    def test_it_opens_what_its_client_may_open(
        self, begin: Begin, capsys: pytest.CaptureFixture[str]
    ) -> None:
        file = begin()
        assert keys.main(["new", "shop", "--file", str(file), "--scopes", "verify"]) == 0
        shown = capsys.readouterr().out
        key, text = printed_key(shown), file.read_text("utf-8")
        client = parse(text).client_of(key)
        assert client is not None
        assert (client.name, sorted(client.scopes)) == ("shop", ["verify"])
        assert key not in text
        assert shown.count(key) == 1
        assert stat.S_IMODE(file.stat().st_mode) == 0o600

    def test_a_rotation(self, begin: Begin, capsys: pytest.CaptureFixture[str]) -> None:
        file = begin()
        made = []
        for _ in range(2):
            assert keys.main(["new", "shop", "--file", str(file)]) == 0
            made.append(printed_key(capsys.readouterr().out))
        both = parse(file.read_text("utf-8"))
        assert all(both.client_of(key) for key in made)
        assert keys.main(["retire", "shop", "--file", str(file)]) == 0
        one = parse(file.read_text("utf-8"))
        assert [one.client_of(key) is not None for key in made] == [False, True]
        assert both.clients[0].scopes == one.clients[0].scopes

    def test_nothing_is_lost_of_what_stands_there(self, begin: Begin) -> None:
        other = {"name": "till", "key_sha256": ["0" * 64], "scopes": ["read"]}
        file = begin(clients=[other], hash_key="h" * 40)
        before = json.loads(file.read_text("utf-8"))
        assert keys.main(["new", "shop", "--file", str(file)]) == 0
        after = json.loads(file.read_text("utf-8"))
        assert after["clients"][0] == other
        assert {**after, "clients": None} == {**before, "clients": None}

    def test_without_a_place_the_hash_is_shown(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert keys.main(["new", "shop"]) == 0
        shown = capsys.readouterr().out
        digest = hashlib.sha256(printed_key(shown).encode()).hexdigest()
        assert f"key_sha256: {digest}" in shown
        assert "not stored yet" in shown


class TestRefusals:
    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["new", "No Such Name", "--file", "{file}"], "client: must be 1 to 32 of a-z"),
            (["new", "pop", "--file", "{file}", "--scopes", "all"], "scopes: must be some of"),
            (["new", "pop", "--file", "{file}.gone"], "cannot be read"),
            (["retire", "pop", "--file", "{file}"], "there is no client pop; there are shop"),
            (["retire", "shop", "--file", "{file}"], "shop has one key only"),
            (["retire", "shop"], "name the secret with --secret-id or --file"),
        ],
    )
    def test_they_name_the_mend_and_change_nothing(
        self,
        begin: Begin,
        capsys: pytest.CaptureFixture[str],
        arguments: list[str],
        said: str,
    ) -> None:
        client = {"name": "shop", "key_sha256": ["0" * 64], "scopes": ["verify"]}
        file = begin(clients=[client])
        before = file.read_text("utf-8")
        capsys.readouterr()
        assert keys.main([one.format(file=file) for one in arguments]) == 2
        shown = capsys.readouterr()
        assert said in shown.err
        assert "shown this once" not in shown.out
        assert file.read_text("utf-8") == before

    def test_a_third_key(self, begin: Begin, capsys: pytest.CaptureFixture[str]) -> None:
        hashes = ["0" * 64, "1" * 64]
        file = begin(clients=[{"name": "shop", "key_sha256": hashes, "scopes": ["verify"]}])
        assert keys.main(["new", "shop", "--file", str(file)]) == 2
        assert "shop has 2 keys already; end the old one first" in capsys.readouterr().err

    def test_a_broken_secret_stays_as_it_is(
        self, begin: Begin, capsys: pytest.CaptureFixture[str]
    ) -> None:
        file = begin(appcode="")
        before = file.read_text("utf-8")
        assert keys.main(["new", "shop", "--file", str(file)]) == 2
        assert "appcode: must be the AppCode" in capsys.readouterr().err
        assert file.read_text("utf-8") == before


class TestSecretFile:
    def test_a_new_one_lacks_what_only_its_owner_knows(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        file = tmp_path / "secret.json"
        assert secret.main(["new", str(file)]) == 0
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        fields = json.loads(file.read_text("utf-8"))
        assert len({fields["id_key"], fields["hash_key"]}) == 2
        assert secret.main(["check", str(file)]) == 1
        assert "clients: must be a list with at least one client" in capsys.readouterr().err

    def test_an_old_one_is_never_written_over(
        self, begin: Begin, capsys: pytest.CaptureFixture[str]
    ) -> None:
        file = begin()
        before = file.read_text("utf-8")
        assert secret.main(["new", str(file)]) == 2
        assert "is there already" in capsys.readouterr().err
        assert file.read_text("utf-8") == before

    def test_a_good_one(self, begin: Begin, capsys: pytest.CaptureFixture[str]) -> None:
        file = begin()
        assert keys.main(["new", "shop", "--file", str(file)]) == 0
        assert secret.main(["check", str(file)]) == 0
        assert "The secret is good. Clients: shop; sources: none." in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("text", "code", "said"),
        [
            ("{", 1, "the secret is not JSON"),
            ("{}", 1, "appcode: is missing"),
            (None, 2, "cannot be read"),
        ],
    )
    def test_a_bad_one(
        self,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        text: str | None,
        code: int,
        said: str,
    ) -> None:
        file = tmp_path / "secret.json"
        if text is not None:
            file.write_text(text, "utf-8")
        assert secret.main(["check", str(file)]) == code
        assert said in capsys.readouterr().err

    def test_the_key_that_everybody_knows(
        self, begin: Begin, capsys: pytest.CaptureFixture[str]
    ) -> None:
        known = hashlib.sha256(LOCAL_DEV_KEY.encode()).hexdigest()
        file = begin(clients=[{"name": "shop", "key_sha256": [known], "scopes": ["verify"]}])
        assert secret.main(["check", str(file)]) == 1
        assert "the key local-dev-key is known to everybody" in capsys.readouterr().err
