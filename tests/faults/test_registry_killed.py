"""A push that is killed with SIGKILL before each of its steps leaves all of it or nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests import needs
from tests.faults.mortal_push import IMAGE, TAG
from tests.registry_world import RegistryWorld

pytestmark = [pytest.mark.faults, needs.linux]

#: Three files with their names, a tag, and what the disk has to have taken of each.
_STEPS_MIN = 15


def test_an_image_is_whole_or_not_there_wherever_its_push_was_killed(tmp_path: Path) -> None:
    program = [sys.executable, "-m", "tests.faults.mortal_push", str(tmp_path)]
    subprocess.run(program, check=True, timeout=60)
    folders = sorted(tmp_path.iterdir(), key=lambda path: int(path.name))
    whole = [_is_whole_or_nothing(folder) for folder in folders]
    assert len(whole) > _STEPS_MIN
    assert (whole[0], whole[-1]) == (False, True)
    assert sorted(whole) == whole


def _is_whole_or_nothing(folder: Path) -> bool:
    """Return whether the image is there, after a server has been started again."""
    world = RegistryWorld(folder)
    holdings = world.registry.of(world.app)
    assert not list((folder / "unfinished").iterdir())
    kept = {path.name for path in (folder / "pool").iterdir()}
    assert kept == {digest.partition(":")[2] for digest in holdings.blobs() | holdings.manifests()}
    if holdings.tagged("shop", TAG):
        assert world.has(IMAGE)
        return True
    return False
