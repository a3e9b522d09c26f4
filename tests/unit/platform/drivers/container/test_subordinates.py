from __future__ import annotations

import os
from pathlib import Path

import pytest

from ephemera.platform.drivers.container import subordinates


@pytest.fixture
def etc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with `subuid` and `subgid`, on a computer that has the programs."""
    monkeypatch.setattr("shutil.which", lambda name, path: f"{path}/{name}")
    monkeypatch.setattr("pwd.getpwuid", _Passwd)
    for name in ("subuid", "subgid"):
        (tmp_path / name).write_text("ann:100000:65536\n")
    return tmp_path


class _Passwd:
    def __init__(self, uid: int) -> None:
        self.pw_name = "ann"


def test_root_is_the_user_and_all_others_are_its_subordinates(etc: Path) -> None:
    ids, lacks = subordinates.find(etc)
    assert ids
    assert lacks == []
    assert ids.uids.mapping() == f"0 {os.getuid()} 1 1 100000 65536"
    assert ids.gids.mapping() == f"0 {os.getgid()} 1 1 100000 65536"


def test_a_range_may_be_written_down_by_number(etc: Path) -> None:
    (etc / "subuid").write_text(f"bob:1:70000\n{os.getuid()}:300000:65536\n")
    ids, _ = subordinates.find(etc)
    assert ids
    assert ids.uids.start == 300000


@pytest.mark.parametrize("line", ["", "bob:100000:65536", "ann:100000:1000", "ann:x:y", "ann"])
def test_a_user_with_too_few_is_told_how_to_get_them(etc: Path, line: str) -> None:
    (etc / "subgid").write_text(f"{line}\n")
    ids, [(says, hint)] = subordinates.find(etc)
    assert ids is None
    assert "user 'ann' has no 65,535 subordinate ids" in says
    assert hint.startswith("as root: usermod --add-subuids")
    assert hint.endswith(" ann")


def test_missing_files_are_as_good_as_empty_ones(etc: Path) -> None:
    (etc / "subuid").unlink()
    assert subordinates.find(etc)[0] is None


def test_missing_programs_are_named_first(etc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name, path: None)
    _, [(says, hint)] = subordinates.find(etc)
    assert "no newuidmap" in says
    assert hint == "apt-get install uidmap"
