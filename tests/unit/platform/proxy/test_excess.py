"""Which machines are too many: each rule by itself, and what is never done."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ephemera.platform.proxy.excess import Running, excess

IDLE, FRESH = 301.0, 299.0


def one(name: str, load: int = 0, idle_s: float = IDLE, **more: object) -> Running:
    machine = Running(name, "app", "ams", load, 2, idle_s, 300.0)
    return replace(machine, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("running", "stopped"),
    [
        ([], []),
        ([one("a")], ["a"]),
        ([one("a", idle_s=FRESH)], []),
        ([one("a", load=1)], []),
        ([one("a", may_stop=False)], []),
        ([one("a", min_machines_running=1)], []),
        ([one("a", min_machines_running=1, region="fra")], ["a"]),  # not the primary region
        ([one("a"), one("b", idle_s=400.0)], ["b"]),
        ([one("a"), one("b", load=1)], ["a"]),
        ([one("a"), one("b", load=2)], []),  # the other one is at its soft limit
        ([one("a"), one("b"), one("c", load=2)], ["a"]),
        ([one("a"), one("b", region="fra")], ["a", "b"]),
        ([one("a"), one("b", group="worker")], ["a", "b"]),
        ([one("a", min_machines_running=2), one("b"), one("c")], ["a"]),
        ([one("a", min_machines_running=2), one("b")], []),
    ],
)
def test_one_machine_of_a_region_and_group_is_stopped_that_has_nothing_to_do(
    running: list[Running], stopped: list[str]
) -> None:
    assert [found.machine_id for found in excess(running, "ams")] == stopped


def test_it_is_known_how_many_are_left() -> None:
    [found] = excess([one("a"), one("b"), one("c")], "ams")
    assert (found.left, found.region, found.group) == (2, "ams", "app")


_RUNNING = st.lists(
    st.builds(
        Running,
        st.uuids().map(str),
        st.sampled_from(["app", "worker"]),
        st.sampled_from(["ams", "fra"]),
        st.integers(0, 3),
        st.just(2),
        st.sampled_from([IDLE, FRESH]),
        st.just(300.0),
        st.booleans(),
        st.integers(0, 3),
    )
)


@given(_RUNNING)
def test_nothing_that_works_is_stopped_and_as_many_stay_as_are_to_stay(
    running: list[Running],
) -> None:
    found = excess(running, "ams")
    by_id = {machine.id: machine for machine in running}
    assert all(by_id[stopped.machine_id].is_idle for stopped in found)
    places = [(stopped.region, stopped.group) for stopped in found]
    assert len(set(places)) == len(places)
    for region, group in places:
        there = [m for m in running if (m.region, m.group) == (region, group)]
        least = max(m.min_machines_running for m in there) if region == "ams" else 0
        assert len(there) - 1 >= least
