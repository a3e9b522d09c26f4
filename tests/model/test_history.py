"""The model knows an impossible life when it sees one."""

from __future__ import annotations

import pytest

from ephemera.platform.states import State
from tests.model.history import Impossible, states_after

BEGUN = ["launch/created", "start/started"]


@pytest.mark.parametrize(
    ("happened", "state"),
    [
        (["launch/created"], State.STOPPED),  # `skip_launch`
        (BEGUN, State.STARTED),
        ([*BEGUN, "exit/stopped"], State.STOPPED),
        ([*BEGUN, "exit/stopped", "restart/starting"], State.STARTING),
        ([*BEGUN, "stop/stopping", "exit/stopped", "start/starting"], State.STARTING),
        ([*BEGUN, "suspend/suspending", "suspend/suspended"], State.SUSPENDED),
        ([*BEGUN, "update/replacing", "exit/stopped", "start/started"], State.STARTED),
        ([*BEGUN, "destroy/destroying", "exit/stopped", "destroy/destroyed"], State.DESTROYED),
    ],
)
def test_a_life_leads_to_its_state(happened: list[str], state: State) -> None:
    assert state in states_after(happened)


@pytest.mark.parametrize(
    "happened",
    [
        [],
        ["start/started"],
        [*BEGUN, "start/started"],
        [*BEGUN, "exit/stopped", "exit/stopped"],
        [*BEGUN, "exit/stopped", "stop/stopping"],
        [*BEGUN, "suspend/suspended"],
        [*BEGUN, "destroy/destroyed"],
        ["launch/created", "destroy/destroying", "destroy/destroyed", "start/starting"],
    ],
)
def test_a_life_that_nobody_can_have_is_refused(happened: list[str]) -> None:
    with pytest.raises(Impossible):
        states_after(happened)
