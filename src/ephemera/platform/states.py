"""The states of a machine, and every move between them.

`after(state, event)` is the only way from one state to the next. Events that a caller asks for
are named for the asking (`STOP`), events that a driver saw are named for what was seen
(`EXITED`). A state is stored when it was seen, never when it was hoped for.

The diagram in `docs/reference/machine-states.md` is printed from this table.
"""

from __future__ import annotations

from enum import StrEnum

from ephemera.errors import IllegalMove


class State(StrEnum):
    """Where a machine is. The values are those of the Machines API."""

    #: It is written down; nothing has been started.
    CREATED = "created"
    #: A boot was asked of the driver and is not confirmed, or a restart is waiting its turn.
    STARTING = "starting"
    #: The driver has seen the program running.
    STARTED = "started"
    #: The program was told to end and has not yet.
    STOPPING = "stopping"
    #: The program is being frozen where it is.
    SUSPENDING = "suspending"
    #: The program is frozen, and goes on where it was when the machine is started.
    SUSPENDED = "suspended"
    #: The program is gone; the machine and what it left behind are kept.
    STOPPED = "stopped"
    #: The program was told to end in order to be started again.
    RESTARTING = "restarting"
    #: A new version is on its way; the old program may still be ending.
    REPLACING = "replacing"
    #: It could not be started.
    FAILED = "failed"
    #: It is being taken away.
    DESTROYING = "destroying"
    #: It is gone; only its record is left.
    DESTROYED = "destroyed"


class Event(StrEnum):
    """What moves a machine."""

    # asked by a caller, or by the platform for one
    #: Its program is to run.
    START = "start"
    #: Its program is to end, and the machine to stay.
    STOP = "stop"
    #: Its program is to be frozen.
    SUSPEND = "suspend"
    #: Its program is to end and to run again.
    RESTART = "restart"
    #: It is to have another config.
    UPDATE = "update"
    #: It is to go.
    DESTROY = "destroy"
    #: The machine is to rest without having been started (`skip_launch`).
    REST = "rest"
    #: The new version is written down and is to be started.
    REPLACED = "replaced"
    # seen by a driver
    #: The program was executed, or goes on after it was frozen.
    BOOTED = "booted"
    #: Every process of it is frozen.
    FROZEN = "frozen"
    #: The program could not be executed.
    BOOT_FAILED = "boot_failed"
    #: The program ended and is not started again.
    EXITED = "exited"
    #: The program ended and the restart policy starts it again.
    EXITED_AGAIN = "exited_again"
    #: The driver has nothing of the machine left.
    GONE = "gone"


_S, _E = State, Event

MOVES: dict[State, dict[Event, State]] = {
    _S.CREATED: {
        _E.START: _S.STARTING,
        _E.REST: _S.STOPPED,
        _E.UPDATE: _S.REPLACING,
        _E.DESTROY: _S.DESTROYING,
    },
    _S.STARTING: {
        _E.BOOTED: _S.STARTED,
        _E.BOOT_FAILED: _S.FAILED,
        _E.STOP: _S.STOPPING,
        _E.RESTART: _S.RESTARTING,
        _E.UPDATE: _S.REPLACING,
        _E.EXITED: _S.STOPPED,
        _E.EXITED_AGAIN: _S.STARTING,
        _E.DESTROY: _S.DESTROYING,
    },
    _S.STARTED: {
        _E.STOP: _S.STOPPING,
        _E.SUSPEND: _S.SUSPENDING,
        _E.RESTART: _S.RESTARTING,
        _E.UPDATE: _S.REPLACING,
        _E.EXITED: _S.STOPPED,
        _E.EXITED_AGAIN: _S.STARTING,
        _E.DESTROY: _S.DESTROYING,
    },
    _S.STOPPING: {
        _E.EXITED: _S.STOPPED,
        _E.DESTROY: _S.DESTROYING,
    },
    _S.SUSPENDING: {
        _E.FROZEN: _S.SUSPENDED,
        _E.STOP: _S.STOPPING,
        _E.RESTART: _S.RESTARTING,
        _E.UPDATE: _S.REPLACING,
        _E.EXITED: _S.STOPPED,
        _E.DESTROY: _S.DESTROYING,
    },
    _S.SUSPENDED: {
        _E.START: _S.STARTING,
        _E.STOP: _S.STOPPING,
        _E.RESTART: _S.RESTARTING,
        _E.UPDATE: _S.REPLACING,
        _E.EXITED: _S.STOPPED,
        _E.DESTROY: _S.DESTROYING,
    },
    _S.STOPPED: {
        _E.START: _S.STARTING,
        _E.UPDATE: _S.REPLACING,
        _E.DESTROY: _S.DESTROYING,
    },
    _S.RESTARTING: {
        _E.EXITED: _S.STARTING,
        _E.STOP: _S.STOPPING,
        _E.DESTROY: _S.DESTROYING,
    },
    _S.REPLACING: {
        _E.REPLACED: _S.STARTING,
        _E.REST: _S.STOPPED,
        _E.DESTROY: _S.DESTROYING,
    },
    _S.FAILED: {
        _E.START: _S.STARTING,
        _E.UPDATE: _S.REPLACING,
        _E.DESTROY: _S.DESTROYING,
    },
    _S.DESTROYING: {
        _E.GONE: _S.DESTROYED,
    },
    _S.DESTROYED: {},
}

#: A machine in one of these was put to sleep, or is about to be: ending it loses what it was doing
#: on purpose, so its program is not asked, and a new version of it does not begin to run.
ASLEEP = frozenset({_S.SUSPENDING, _S.SUSPENDED})
#: A driver may have a live program for a machine in one of these.
LIVE = frozenset({_S.STARTING, _S.STARTED, _S.STOPPING, _S.RESTARTING, _S.REPLACING, *ASLEEP})
#: Nothing moves here until somebody asks: what `wait` calls `settled`.
SETTLED = frozenset({_S.STARTED, _S.SUSPENDED, _S.STOPPED, _S.FAILED, _S.DESTROYED})
#: Destroying a machine in one of these takes `force`.
BUSY = LIVE - {_S.SUSPENDED}


def after(state: State, event: Event) -> State:
    """Return the state that follows.

    Raises:
        IllegalMove: the table has no such move.
    """
    try:
        return MOVES[state][event]
    except KeyError:
        raise IllegalMove(state, event) from None
