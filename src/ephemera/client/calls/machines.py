"""Machines: looking at them, changing them, and doing something inside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ephemera.client.call import (
    READ_TIMEOUT_S,
    Call,
    app_path,
    encode,
    lister,
    machine_path,
    nothing,
    pairs,
    reader,
    with_nonce,
)
from ephemera.client.given import commas, mapping, seconds
from ephemera.errors import ConfigError
from ephemera.wire.inside import Memory, ProcessStat, ReclaimedMemory
from ephemera.wire.models import (
    ExecResult,
    Machine,
    MachineConfig,
    MachineEvent,
    MachineVersion,
)


def get(app: str, machine_id: str, *, include_leases: bool = False) -> Call[Machine]:
    """Return a machine; one that is destroyed is returned too, with `state` `"destroyed"`.

    Args:
        include_leases: Also who holds its lease, in `lease`.

    Raises:
        NotFound: there is no such app, or it never had such a machine.
    """
    return Call(
        doing=f"getting machine {machine_id!r} of app {app!r}",
        method="GET",
        path=machine_path(app, machine_id),
        query=pairs(include_leases=include_leases),
        read=reader(Machine),
        repeatable=True,
    )


def list_(
    app: str,
    *,
    include_deleted: bool = False,
    region: str | Sequence[str] | None = None,
    state: str | Sequence[str] | None = None,
    summary: bool = False,
    include_leases: bool = False,
    metadata: Mapping[str, str] | None = None,
) -> Call[list[Machine]]:
    """Return the machines of an app.

    Args:
        include_deleted: Also those that are destroyed.
        region: Only those in this region, or in one of these.
        state: Only those in this state, or in one of these.
        summary: Without their configs, checks and events.
        include_leases: Also who holds their leases, in `lease`.
        metadata: Only those that have all of these keys with exactly these values.

    Raises:
        NotFound: there is no such app.
    """
    wanted = mapping("metadata", metadata or {})
    filters = tuple((f"metadata.{key}", value) for key, value in wanted.items())
    return Call(
        doing=f"listing the machines of app {app!r}",
        method="GET",
        path=app_path(app, "/machines"),
        query=(
            *pairs(
                include_deleted=include_deleted,
                region=commas("a region", region),
                state=commas("a state", state),
                summary=summary,
                include_leases=include_leases,
            ),
            *filters,
        ),
        read=lister(Machine),
        repeatable=True,
    )


def update(
    app: str,
    machine_id: str,
    *,
    config: MachineConfig | Mapping[str, Any],
    current_version: str | None = None,
    skip_launch: bool = False,
    skip_service_registration: bool = False,
    skip_secrets: bool = False,
    min_secrets_version: int | None = None,
    lease_ttl: int | None = None,
    nonce: str | None = None,
) -> Call[Machine]:
    """Give a machine another config and return its new version; a running one is restarted.

    Args:
        config: The whole config: what is left out is gone.
        current_version: Update only if this is still its `instance_id`.
        skip_launch: Leave it stopped.
        skip_service_registration: Keep the proxy from it until it is uncordoned.
        skip_secrets: Without the app's secrets.
        min_secrets_version: Of what a change of secrets has returned: with that one, or newer.
        lease_ttl: Seconds. Take a lease on the machine; its nonce is in the result.
        nonce: Of the lease that the caller holds on it.

    Raises:
        Conflict: somebody updated it first, or holds its lease.
        NoAnswer: it may have been updated: get it and compare `instance_id`.
    """
    doing = f"updating machine {machine_id!r} of app {app!r}"
    body = {
        "config": config if isinstance(config, MachineConfig) else mapping("a config", config),
        "current_version": current_version,
        "skip_launch": skip_launch or None,
        "skip_service_registration": skip_service_registration or None,
        "skip_secrets": skip_secrets or None,
        "min_secrets_version": min_secrets_version,
        "lease_ttl": lease_ttl,
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
    return Call(
        doing=f"listing the events of machine {machine_id!r} of app {app!r}",
        method="GET",
        path=machine_path(app, machine_id, "/events"),
        query=pairs(limit=limit),
        read=lister(MachineEvent),
        repeatable=True,
    )


def versions(app: str, machine_id: str) -> Call[list[MachineVersion]]:
    """Return the configs that a machine has had, newest first."""
    return Call(
        doing=f"listing the versions of machine {machine_id!r} of app {app!r}",
        method="GET",
        path=machine_path(app, machine_id, "/versions"),
        read=lister(MachineVersion),
        repeatable=True,
    )


def ps(
    app: str, machine_id: str, *, sort_by: str | None = None, order: str | None = None
) -> Call[list[ProcessStat]]:
    """Return the processes of a started machine.

    Args:
        sort_by: One of the fields, such as `"rss"`.
        order: `"asc"` or `"desc"`.

    Raises:
        WrongState: the machine is not started.
    """
    return Call(
        doing=f"listing the processes of machine {machine_id!r} of app {app!r}",
        method="GET",
        path=machine_path(app, machine_id, "/ps"),
        query=pairs(sort_by=sort_by, order=order),
        read=lister(ProcessStat),
        repeatable=True,
    )


def memory(app: str, machine_id: str) -> Call[Memory]:
    """Return how much memory a machine may use, and how much of it is free."""
    return Call(
        doing=f"getting the memory of machine {machine_id!r} of app {app!r}",
        method="GET",
        path=machine_path(app, machine_id, "/memory"),
        read=reader(Memory),
        repeatable=True,
    )


def set_memory(
    app: str, machine_id: str, *, limit_mb: int, nonce: str | None = None
) -> Call[Memory]:
    """Change how much memory a running machine may use. Safe to repeat.

    Args:
        limit_mb: At most what its guest allows.
        nonce: Of the lease that the caller holds on it.

    Raises:
        Invalid: it is too much or too little, or this API cannot do it.
    """
    doing = f"setting the memory of machine {machine_id!r} of app {app!r}"
    return Call(
        doing=doing,
        method="PUT",
        path=machine_path(app, machine_id, "/memory"),
        headers=with_nonce(nonce),
        body=encode(doing, {"limit_mb": limit_mb}),
        read=reader(Memory),
        repeatable=True,
    )


def reclaim_memory(
    app: str, machine_id: str, *, amount_mb: int, nonce: str | None = None
) -> Call[ReclaimedMemory]:
    """Ask a running machine to give memory back, and return how much it gave.

    Args:
        amount_mb: How much it should give.
        nonce: Of the lease that the caller holds on it.

    Raises:
        Invalid: this API cannot do it.
        NoAnswer: it may have given some: get its memory.
    """
    doing = f"reclaiming memory of machine {machine_id!r} of app {app!r}"
    return Call(
        doing=doing,
        method="POST",
        path=machine_path(app, machine_id, "/memory/reclaim"),
        headers=with_nonce(nonce),
        body=encode(doing, {"amount_mb": amount_mb}),
        read=reader(ReclaimedMemory),
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
    app: str,
    machine_id: str,
    command: Sequence[str],
    *,
    stdin: str = "",
    timeout: int = 30,
    container: str | None = None,
    machine: bool = False,
) -> Call[ExecResult]:
    """Run a command inside a started machine and return what it printed.

    Args:
        command: The program and its arguments; no shell is involved.
        stdin: What the command reads.
        timeout: Seconds, at least 1. Fly.io gives up after about 30 whatever is asked.
        container: The container to run it in, where the machine has several.
        machine: Run it beside the containers, in the machine itself.

    Raises:
        WaitTimeout: the command took too long (408). It ran, at least in part.
        WrongState: the machine is not started.
        NoAnswer: the command may have been run.
    """
    if isinstance(command, str | bytes) or not isinstance(command, Sequence):
        raise ConfigError(
            f"an exec command is a list of arguments, not a {type(command).__name__}",
            hint=f"try {['sh', '-c', '...']} where a shell is wanted",
        )
    doing = f"running a command in machine {machine_id!r} of app {app!r}"
    body = {
        "command": list(command),
        "stdin": stdin or None,
        "timeout": timeout,
        "container": container,
        "machine": machine or None,
    }
    return Call(
        doing=doing,
        method="POST",
        path=machine_path(app, machine_id, "/exec"),
        body=encode(doing, body),
        read=reader(ExecResult),
        read_timeout_s=READ_TIMEOUT_S + seconds("an exec's timeout", timeout),
        timed=True,
    )
