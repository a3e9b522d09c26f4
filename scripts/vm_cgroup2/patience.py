"""A plug-in of pytest that waits ten times as long: an emulated computer is as slow as that."""

from __future__ import annotations

import pytest
from tests import container_world, one_driver, rootless_world
from tests.acceptance import command_line

from ephemera.testing.drivers import subject

_SLOWER = 10

# before other modules import them
subject.TIMEOUT_S *= _SLOWER
container_world.TIMEOUT_S *= _SLOWER
one_driver.TIMEOUT_S *= _SLOWER
rootless_world.TIMEOUT_S *= _SLOWER
command_line.DONE_WITHIN_S *= _SLOWER


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have tests with a time limit of their own end later, too."""
    for item in items:
        if mark := item.get_closest_marker("timeout"):
            later = pytest.mark.timeout(mark.args[0] * _SLOWER)
            item.add_marker(later, append=False)
