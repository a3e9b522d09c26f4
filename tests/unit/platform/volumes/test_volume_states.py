from __future__ import annotations

import pytest

from ephemera.errors import IllegalMove
from ephemera.platform.volumes.states import FILLING, LEAVING, MOVES, Event, State, after


@pytest.mark.parametrize("state", sorted(set(State) - LEAVING))
def test_every_volume_that_is_there_can_be_destroyed(state: State) -> None:
    assert after(state, Event.DESTROY) is State.PENDING_DESTROY


@pytest.mark.parametrize("state", sorted(FILLING))
def test_filling_ends_in_a_volume_or_in_none(state: State) -> None:
    assert after(state, Event.FILLED) is State.CREATED
    assert after(state, Event.FILL_FAILED) in LEAVING


def test_nothing_leads_back_from_the_end() -> None:
    assert MOVES[State.DESTROYED] == {}
    assert set(MOVES[State.PENDING_DESTROY].values()) == {State.DESTROYED}


def test_every_state_has_its_row() -> None:
    assert set(MOVES) == set(State)


def test_a_move_that_is_not_in_the_table_is_none() -> None:
    with pytest.raises(IllegalMove):
        after(State.CREATED, Event.FILLED)
