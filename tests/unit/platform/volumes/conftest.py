from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from .shelf import Scene, play_on


@pytest.fixture
def play(tmp_path: Path) -> Callable[[Scene], None]:
    """Run a scene with a shelf of its own."""
    return partial(play_on, tmp_path)
