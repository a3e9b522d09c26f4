"""Whether a machine's events tell of a life that it can have had.

Not every move has an event, and some events go with one of several moves. So what is followed is
every state in which the machine may be.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ephemera.platform.states import MOVES, Event, State

_S, _E = State, Event

#: Moves that no event tells of.
_SILENT: Mapping[State, tuple[Event, ...]] = {
    _S.CREATED: (_E.START, _E.REST),
    _S.REPLACING: (_E.REPLACED, _E.REST),
    _S.STOPPING: (_E.EXITED,),
}

#: The moves that each event may tell of, and the states in which it tells of none.
_TELLS: Mapping[str, tuple[tuple[Event, ...], frozenset[State]]] = {
    "start/starting": ((_E.START,), frozenset()),
    "start/started": ((_E.BOOTED,), frozenset()),
    "resume/started": ((_E.BOOTED,), frozenset()),
    "start/failed": (
        (_E.BOOT_FAILED, _E.EXITED, _E.REPLACED, _E.REST),
        frozenset({_S.DESTROYING}),
    ),
    "exit/stopped": (
        (_E.EXITED, _E.EXITED_AGAIN, _E.REPLACED, _E.REST),
        frozenset({_S.DESTROYING}),
    ),
    "stop/stopping": ((_E.STOP,), frozenset()),
    "suspend/suspending": ((_E.SUSPEND,), frozenset()),
    "suspend/suspended": ((_E.FROZEN,), frozenset()),
    "suspend/stopping": ((_E.STOP,), frozenset()),
    "restart/stopping": ((_E.RESTART, _E.START), frozenset()),
    # written with the exit before it; without one where it was between two boots
    "restart/starting": ((_E.EXITED,), frozenset({_S.STARTING})),
    "update/replacing": ((_E.UPDATE,), frozenset()),
    "destroy/destroying": ((_E.DESTROY,), frozenset()),
    "destroy/destroyed": ((_E.GONE,), frozenset()),
}


class Impossible(AssertionError):
    """No machine can have had this life."""


def states_after(happened: Iterable[str]) -> frozenset[State]:
    """Return the states in which a machine may be after its whole life up to now.

    Args:
        happened: All its events as `type/status`, oldest first.

    Raises:
        Impossible: one of them could not happen then.
    """
    told = list(happened)
    if told[:1] != ["launch/created"]:
        raise Impossible(f"a life does not begin with {told[:1]}")
    states = _and_silently({State.CREATED})
    for number, event in enumerate(told[1:], 1):
        again = told[number + 1 : number + 2] == ["restart/starting"]
        states = _and_silently(_after_one(states, event, again=again))
        if not states:
            raise Impossible(f"{event} cannot follow {told[:number]}")
    return states


def _after_one(states: frozenset[State], event: str, *, again: bool) -> set[State]:
    """Return the states after one event.

    Args:
        again: Whether the next event says that the program is started again. It is written with
            the exit before it, so an exit without it did not lead there.
    """
    moves, stays = _TELLS[event]
    moved = {(state, move) for state in states for move in moves if move in MOVES[state]}
    if event == "restart/starting" or (event == "exit/stopped" and not again):
        wanted = event == "restart/starting"
        moved = {one for one in moved if _starts_again(*one) is wanted}
    return {MOVES[state][move] for state, move in moved} | (states & stays)


def _starts_again(state: State, move: Event) -> bool:
    return move is _E.EXITED_AGAIN or state is _S.RESTARTING


def _and_silently(states: Iterable[State]) -> frozenset[State]:
    reached = set(states)
    for state in states:
        reached |= {MOVES[state][move] for move in _SILENT.get(state, ())}
    return frozenset(reached)
