"""A lease is held for as long as it was asked for, and not for good."""

from __future__ import annotations

from unittest import mock

import pytest

from ephemera.platform.machines.leases import Leases
from ephemera.platform.store import Store
from ephemera.testing.clock import FakeClock


@pytest.mark.parametrize("now", [1_700_000_000.0, 1_700_000_000.5, 1_700_000_000.999])
def test_a_lease_is_held_for_all_of_its_time_whenever_it_is_taken(now: float) -> None:
    clock, store = FakeClock(now), mock.create_autospec(Store, instance=True)
    store.leases.return_value = []
    leases = Leases(store, clock.now)
    leases.remember(leases.new("m1", "v1", 1, "me"))
    clock.advance(0.99)
    assert leases.held("m1")
    clock.advance(0.01)
    assert not leases.held("m1")
