from __future__ import annotations

import pytest

from ephemera.errors import IllegalMove
from ephemera.platform.states import LIVE, MOVES, SETTLED, Event, State, after


def _reachable(begin: State) -> set[State]:
    found, left = {begin}, [begin]
    while left:
        for state in set(MOVES[left.pop()].values()) - found:
            found.add(state)
            left.append(state)
    return found


def test_every_state_has_a_row() -> None:
    assert set(MOVES) == set(State)


def test_every_state_is_reached_from_created() -> None:
    assert _reachable(State.CREATED) == set(State)


@pytest.mark.parametrize("state", sorted(set(State) - {State.DESTROYING, State.DESTROYED}))
def test_every_living_state_accepts_destroy(state: State) -> None:
    assert after(state, Event.DESTROY) is State.DESTROYING


@pytest.mark.parametrize("state", State)
def test_every_state_leads_to_destroyed(state: State) -> None:
    assert State.DESTROYED in _reachable(state)


def test_destroyed_is_the_only_end() -> None:
    assert [state for state, moves in MOVES.items() if not moves] == [State.DESTROYED]


@pytest.mark.parametrize("state", [State.STARTED, State.STARTING, State.RESTARTING])
def test_what_runs_can_be_stopped(state: State) -> None:
    assert after(state, Event.STOP) is State.STOPPING


@pytest.mark.parametrize("state", [State.STOPPED, State.FAILED])
def test_what_rests_can_be_started(state: State) -> None:
    assert after(state, Event.START) is State.STARTING


def test_every_event_is_used() -> None:
    assert {event for moves in MOVES.values() for event in moves} == set(Event)


def test_no_state_is_both_settled_and_on_its_way() -> None:
    assert SETTLED.intersection(LIVE) == {State.STARTED, State.SUSPENDED}


def test_a_move_that_is_not_in_the_table_is_illegal() -> None:
    for state in State:
        for event in set(Event) - set(MOVES[state]):
            with pytest.raises(IllegalMove) as caught:
                after(state, event)
            assert (caught.value.state, caught.value.event) == (state, event)
