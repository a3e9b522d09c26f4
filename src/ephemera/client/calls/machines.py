"""Machines: looking at them, changing them, and doing something inside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter

from ephemera.client.call import (
    READ_TIMEOUT_S,
    Call,
    app_path,
    encode,
    machine_path,
    nothing,
    pairs,
    reader,
    with_nonce,
)
from ephemera.client.messages import Answer
from ephemera.errors import ConfigError
from ephemera.wire.models import (
    ExecResult,
    Machine,
    MachineConfig,
    MachineEvent,
)

_MACHINES = TypeAdapter(list[Machine] | None)
_EVENTS = TypeAdapter(list[MachineEvent] | None)


def get(app: str, machine_id: str) -> Call[Machine]:
    """Return a machine; one that is destroyed is returned too, with `state` `"destroyed"`.

    Raises:
        NotFound: there is no such app, or it never had such a machine.
    """
    return Call(
        doing=f"getting machine {machine_id!r} of app {app!r}",
        method="GET",
        path=machine_path(app, machine_id),
        read=reader(Machine),
        repeatable=True,
    )


def list_(
    app: str,
    *,
    include_deleted: bool = False,
    region: str | None = None,
    state: str | Sequence[str] | None = None,
    metadata: Mapping[str, str] | None = None,
) -> Call[list[Machine]]:
    """Return the machines of an app.

    Args:
        include_deleted: Also those that are destroyed.
        state: Only those in this state, or in one of these.
        metadata: Only those that have all of these keys with exactly these values.

    Raises:
        NotFound: there is no such app.
    """

    def read(answer: Answer) -> list[Machine]:
        return _MACHINES.validate_json(answer.body) or []

    states = state if state is None or isinstance(state, str) else ",".join(state)
    filters = tuple((f"metadata.{key}", value) for key, value in (metadata or {}).items())
    return Call(
        doing=f"listing the machines of app {app!r}",
        method="GET",
        path=app_path(app, "/machines"),
        query=(*pairs(include_deleted=include_deleted, region=region, state=states), *filters),
        read=read,
        repeatable=True,
    )


def update(
    app: str,
    machine_id: str,
    *,
    config: MachineConfig | Mapping[str, Any],
    current_version: str | None = None,
    skip_launch: bool = False,
    nonce: str | None = None,
) -> Call[Machine]:
    """Give a machine another config and return its new version; a running one is restarted.

    Args:
        config: The whole config: what is left out is gone.
        current_version: Update only if this is still its `instance_id`.
        skip_launch: Leave it stopped.
        nonce: Of the lease that the caller holds on it.

    Raises:
        Conflict: somebody updated it first, or holds its lease.
        NoAnswer: it may have been updated: get it and compare `instance_id`.
    """
    doing = f"updating machine {machine_id!r} of app {app!r}"
    body = {
        "config": config,
        "current_version": current_version,
        "skip_launch": skip_launch or None,
    }
    return Call(
        doing=doing,
        method="POST",
        path=machine_path(app, machine_id),
        headers=with_nonce(nonce),
        body=encode(doing, body),
        read=reader(Machine),
    )


def events(app: str, machine_id: str, *, limit: int | None = None) -> Call[list[MachineEvent]]:
    """Return what happened to a machine, newest first.

    Args:
        limit: How many, 1 to 50; the API's own default is 20. Fly.io keeps no more.
    """

    def read(answer: Answer) -> list[MachineEvent]:
        return _EVENTS.validate_json(answer.body) or []

    return Call(
        doing=f"listing the events of machine {machine_id!r} of app {app!r}",
        method="GET",
        path=machine_path(app, machine_id, "/events"),
        query=pairs(limit=limit),
        read=read,
        repeatable=True,
    )


def signal(app: str, machine_id: str, signal: str, *, nonce: str | None = None) -> Call[None]:
    """Send a signal to the machine's main program.

    Args:
        signal: Such as `"SIGUSR1"`.

    Raises:
        NoAnswer: it may have been delivered.
    """
    doing = f"signalling machine {machine_id!r} of app {app!r}"
    return Call(
        doing=doing,
        method="POST",
        path=machine_path(app, machine_id, "/signal"),
        headers=with_nonce(nonce),
        body=encode(doing, {"signal": signal}),
        read=nothing,
    )


def exec_(
    app: str, machine_id: str, command: Sequence[str], *, stdin: str = "", timeout: int = 30
) -> Call[ExecResult]:
    """Run a command inside a started machine and return what it printed.

    Args:
        command: The program and its arguments; no shell is involved.
        stdin: What the command reads.
        timeout: Seconds, at least 1. Fly.io gives up after about 30 whatever is asked.

    Raises:
        WaitTimeout: the command took too long (408). It ran, at least in part.
        WrongState: the machine is not started.
        NoAnswer: the command may have been run.
    """
    if isinstance(command, str):
        raise ConfigError(
            "an exec command is a list of arguments, not one string",
            hint=f"try {['sh', '-c', '...']} where a shell is wanted",
        )
    doing = f"running a command in machine {machine_id!r} of app {app!r}"
    body = {"command": list(command), "stdin": stdin or None, "timeout": timeout}
    return Call(
        doing=doing,
        method="POST",
        path=machine_path(app, machine_id, "/exec"),
        body=encode(doing, body),
        read=reader(ExecResult),
        read_timeout_s=READ_TIMEOUT_S + timeout,
        timed=True,
    )
