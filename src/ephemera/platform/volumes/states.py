"""The states of a volume, every move between them, and what a snapshot goes through.

A volume whose data comes from somewhere else is `restoring` (from a snapshot) or `hydrating`
(from another volume) until all of it is there; nothing can mount it before. The values are
those of the Machines API.
"""

from __future__ import annotations

from enum import StrEnum

from ephemera.errors import IllegalMove


class State(StrEnum):
    """Where a volume is."""

    #: It can be mounted.
    CREATED = "created"
    #: Its data is being copied from a snapshot.
    RESTORING = "restoring"
    #: Its data is being copied from another volume.
    HYDRATING = "hydrating"
    #: It is to go; its data may still be there.
    PENDING_DESTROY = "pending_destroy"
    #: Its data is gone. Its snapshots stay for as long as they are kept.
    DESTROYED = "destroyed"


class Event(StrEnum):
    """What moves a volume."""

    #: All of its data has been copied.
    FILLED = "filled"
    #: Its data cannot be copied.
    FILL_FAILED = "fill_failed"
    #: Somebody asked for its end.
    DESTROY = "destroy"
    #: Nothing of its data is left.
    REMOVED = "removed"


_S, _E = State, Event

MOVES: dict[State, dict[Event, State]] = {
    _S.CREATED: {_E.DESTROY: _S.PENDING_DESTROY},
    _S.RESTORING: {
        _E.FILLED: _S.CREATED,
        _E.FILL_FAILED: _S.PENDING_DESTROY,
        _E.DESTROY: _S.PENDING_DESTROY,
    },
    _S.HYDRATING: {
        _E.FILLED: _S.CREATED,
        _E.FILL_FAILED: _S.PENDING_DESTROY,
        _E.DESTROY: _S.PENDING_DESTROY,
    },
    _S.PENDING_DESTROY: {_E.REMOVED: _S.DESTROYED},
    _S.DESTROYED: {},
}

#: Its data is on the way.
FILLING = frozenset({_S.RESTORING, _S.HYDRATING})
#: It is gone for everybody who asks which volumes there are.
LEAVING = frozenset({_S.PENDING_DESTROY, _S.DESTROYED})


def after(state: State, event: Event) -> State:
    """Return the state that follows.

    Raises:
        IllegalMove: the table has no such move.
    """
    try:
        return MOVES[state][event]
    except KeyError:
        raise IllegalMove(state, event) from None


class Status(StrEnum):
    """What became of a snapshot. It is `pending` first, and moves once."""

    #: It is being copied.
    PENDING = "pending"
    #: It can be restored.
    CREATED = "created"
    #: It could not be copied, and nothing of it is there.
    FAILED = "failed"
