from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from .world import Scene, play_in


@pytest.fixture
def play(tmp_path: Path) -> Callable[[Scene], None]:
    """Run a scene in a world of its own."""
    return partial(play_in, tmp_path)
