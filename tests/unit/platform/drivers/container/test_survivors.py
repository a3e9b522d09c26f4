"""What is left of machines whose monitors were killed, when a server starts."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ephemera.platform.drivers.container import survivors
from ephemera.platform.drivers.container.cgroups import Tree
from ephemera.platform.drivers.monitoring import kernel


def test_cgroups_go_whose_first_process_is_gone(tmp_path: Path) -> None:
    tree = Tree(1, {"memory": str(tmp_path)})
    me = kernel.process(os.getpid())
    assert me
    alive, reused = f"{me.pid}-{me.start}", f"{me.pid}-{me.start + 1}"
    for name in (alive, reused, f"{2**30}-7", "of-others", "notes"):
        (tmp_path / name).mkdir()
    survivors.end_strays(tree)
    assert tree.left() == {alive, "of-others", "notes"}


@pytest.mark.parametrize("who", ["first process", "monitor"])
def test_cgroups_go_whose_first_process_was_killed_just_now_or_is_about_to_be(
    who: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    me = kernel.process(os.getpid())
    assert me
    killed = me.pid if who == "first process" else me.parent
    monkeypatch.setattr(kernel, "is_ending", lambda pid: pid == killed)
    (tmp_path / f"{me.pid}-{me.start}").mkdir()
    tree = Tree(1, {"memory": str(tmp_path)})
    survivors.end_strays(tree)
    assert tree.left() == set()


def test_a_monitor_that_was_killed_just_now_is_none_that_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    me = kernel.process(os.getpid())
    assert me
    (tmp_path / "m1").mkdir()
    (tmp_path / "m1" / "1.lock").write_text(json.dumps({"pid": me.pid, "start": me.start}))
    assert survivors.monitors(str(tmp_path)) == [me.parent]
    for killed in (me.pid, me.parent):
        monkeypatch.setattr(kernel, "is_ending", lambda pid, killed=killed: pid == killed)
        assert survivors.monitors(str(tmp_path)) == []
