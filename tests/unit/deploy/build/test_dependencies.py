"""Layers of dependencies that several builds make at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ephemera.deploy.build import dependencies


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    folder = tmp_path / "dependencies"
    folder.mkdir()
    return folder


def made(folder: Path, said: str) -> Path:
    """Make a layer that says who made it; return the folder that it was made in."""
    (folder / "whole").mkdir(parents=True)
    (folder / "whole/layer").write_text(said)
    (folder / "whole/about").write_text(json.dumps(["sha256:1", "sha256:2", len(said), "tar"]))
    return folder


def meanwhile(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Have something happen once, just before a layer is put in its place."""
    rename = Path.rename
    acts = [act]

    def renamed(path: Path, target: Path) -> Path:
        if path.name == "whole" and acts:
            acts.pop()()
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", renamed)


@pytest.mark.parametrize("fresh", [False, True])
def test_where_another_build_was_faster_its_layer_stays(
    fresh: bool, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, other = kept / "key", made(kept / "new-2", "other")
    meanwhile(monkeypatch, lambda: dependencies._put(other, place, fresh=False))
    dependencies._put(made(kept / "new-1", "ours"), place, fresh=fresh)
    assert (place / "layer").read_text() == "other"


def test_a_fresh_layer_takes_the_place_of_one_that_was_made_before(kept: Path) -> None:
    place = kept / "key"
    dependencies._put(made(kept / "new-1", "old"), place, fresh=False)
    dependencies._put(made(kept / "new-2", "new"), place, fresh=True)
    assert (place / "layer").read_text() == "new"


def test_a_layer_that_is_not_whole_is_replaced(kept: Path) -> None:
    place = kept / "key"
    dependencies._put(made(kept / "new-1", "cut off"), place, fresh=False)
    (place / "layer").write_text("cut")
    dependencies._put(made(kept / "new-2", "whole"), place, fresh=False)
    assert (place / "layer").read_text() == "whole"


def test_a_layer_that_another_build_removes_is_no_error(kept: Path) -> None:
    (kept / "key").symlink_to(kept / "gone")  # listed, and not there when it is looked at
    dependencies._keep_newest(kept)
