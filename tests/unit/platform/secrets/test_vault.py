"""The vault: what it seals only it can open, and it never makes up a key."""

from __future__ import annotations

from pathlib import Path

import pytest

from ephemera.errors import ConfigError
from ephemera.platform.secrets.vault import Vault


def test_what_is_sealed_is_opened_by_the_next_server_too(tmp_path: Path) -> None:
    first = Vault(tmp_path)
    sealed = first.seal(b"a value", "row")
    again = Vault(tmp_path, first.fingerprint)
    assert again.open(sealed, "row") == first.open(sealed, "row") == b"a value"


def test_a_sealed_value_shows_nothing_and_is_never_the_same(tmp_path: Path) -> None:
    vault = Vault(tmp_path)
    one, other = vault.seal(b"a value", "row"), vault.seal(b"a value", "row")
    assert b"a value" not in one
    assert one != other


def test_a_value_that_was_sealed_for_something_else_is_refused(tmp_path: Path) -> None:
    vault = Vault(tmp_path)
    sealed = vault.seal(b"a value", "secret/app/A/1")
    with pytest.raises(ConfigError, match="secret/app/B/1"):
        vault.open(sealed, "secret/app/B/1")


@pytest.mark.parametrize("cut", [0, 1, 5, 13, 20, -1])
def test_a_damaged_value_is_refused_clearly(tmp_path: Path, cut: int) -> None:
    vault = Vault(tmp_path)
    sealed = vault.seal(b"a value", "row")
    with pytest.raises(ConfigError, match=r"secrets\.key does not open"):
        vault.open(sealed[:cut], "row")


def test_a_changed_byte_is_noticed_wherever_it_is(tmp_path: Path) -> None:
    vault = Vault(tmp_path)
    sealed = vault.seal(b"a value", "row")
    for index in range(len(sealed)):
        changed = bytearray(sealed)
        changed[index] ^= 1
        with pytest.raises(ConfigError):
            vault.open(bytes(changed), "row")


def test_the_key_is_for_its_owner_alone_and_stays_the_same(tmp_path: Path) -> None:
    Vault(tmp_path)
    file = tmp_path / "secrets.key"
    key = file.read_bytes()
    Vault(tmp_path)
    assert file.read_bytes() == key
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["secrets.key"]


def test_a_key_that_is_gone_is_not_replaced(tmp_path: Path) -> None:
    fingerprint = Vault(tmp_path).fingerprint
    (tmp_path / "secrets.key").unlink()
    with pytest.raises(ConfigError, match=r"secrets\.key is missing"):
        Vault(tmp_path, fingerprint)
    assert not (tmp_path / "secrets.key").exists()


def test_the_key_of_another_platform_is_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    ours, theirs = Vault(tmp_path / "a"), Vault(tmp_path / "b")
    assert ours.fingerprint != theirs.fingerprint
    with pytest.raises(ConfigError, match=r"secrets\.key is not the key"):
        Vault(tmp_path / "b", ours.fingerprint)


@pytest.mark.parametrize("content", [b"", b"\n", b"c2hvcnQ=\n", b"\xff\xfe", b"not base64!"])
def test_a_file_that_holds_no_key_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "secrets.key"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=r"secrets\.key holds no key"):
        Vault(tmp_path)
    assert file.read_bytes() == content


def test_something_else_in_the_place_of_the_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secrets.key").mkdir()
    with pytest.raises(ConfigError, match=r"secrets\.key cannot be read"):
        Vault(tmp_path)


def test_what_a_killed_server_left_of_a_key_is_no_key(tmp_path: Path) -> None:
    (tmp_path / "secrets.key.new").write_bytes(b"half")
    vault = Vault(tmp_path)
    assert Vault(tmp_path, vault.fingerprint).fingerprint == vault.fingerprint


def test_digests_are_the_same_for_the_same_value_and_key_only(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    ours, theirs = Vault(tmp_path / "a"), Vault(tmp_path / "b")
    assert ours.digest(b"x") == ours.digest(b"x")
    assert len({ours.digest(b"x"), ours.digest(b"y"), theirs.digest(b"x")}) == 3
    assert len(ours.digest(b"x")) == 16


def test_no_error_and_no_representation_tells_the_key(tmp_path: Path) -> None:
    vault = Vault(tmp_path)
    key = (tmp_path / "secrets.key").read_text().strip()
    with pytest.raises(ConfigError) as caught:
        vault.open(b"", "row")
    assert key not in str(caught.value) + repr(vault) + vault.fingerprint
