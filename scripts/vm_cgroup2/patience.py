"""A plug-in of pytest that waits ten times as long: an emulated computer is as slow as that."""

from __future__ import annotations

from tests import container_world, one_driver, rootless_world

from ephemera.testing.drivers import subject

_SLOWER = 10

# before other modules import them
subject.TIMEOUT_S *= _SLOWER
container_world.TIMEOUT_S *= _SLOWER
one_driver.TIMEOUT_S *= _SLOWER
rootless_world.TIMEOUT_S *= _SLOWER
