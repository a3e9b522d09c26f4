"""The Machines API as methods. Made by scripts/generate_client.py; do not edit."""

from __future__ import annotations

import builtins
from collections.abc import AsyncIterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import httpx2

from ephemera.client import calls
from ephemera.client.exchange import Pace
from ephemera.client.links import AsyncLink
from ephemera.client.place import Place
from ephemera.wire.models import (
    App,
    AppList,
    ExecResult,
    Lease,
    LogEntry,
    LogPage,
    Machine,
    MachineConfig,
    MachineEvent,
    StartResult,
    WaitResult,
)


class AsyncClient:
    """The Machines API of Fly.io, of the embedded platform, or of whatever speaks it.

    ```python
    machine = await client.machines.create("jobs", config={"image": "host"})
    ```

    Belongs to the event loop that uses it first.

    Making one starts nothing and connects nowhere. To give its connections back early, `close`
    it or use it in an `async with` statement.

    Args:
        url: The base URL. Else `FLY_FLAPS_BASE_URL` or `EPHEMERA_URL`; else, inside Fly.io or
            where there is a token, Fly.io; else the embedded platform of `EPHEMERA_HOME`, which
            the first request starts if need be.
        token: With or without a scheme in front. Else `FLY_API_TOKEN`; else, for an API on this
            computer, the embedded platform's own token.
        transport: How bytes travel, for tests: one of `httpx2`'s.
        pace: Clock and chance of the retries, for tests.

    Raises:
        ConfigError: an address or token is missing or malformed.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        transport: httpx2.AsyncBaseTransport | None = None,
        pace: Pace | None = None,
    ) -> None:
        self._link = AsyncLink(Place(url, token), transport, pace)
        self.apps = Apps(self._link)
        self.machines = Machines(self._link)
        self.leases = Leases(self._link)
        self.logs = Logs(self._link)

    @property
    def local(self) -> bool:
        """Whether the API is on this computer. Known without asking it."""
        return self._link.place.local

    async def locate(self) -> str:
        """Return the base URL, starting the embedded platform if that is where this client goes.

        Raises:
            ConfigError: it cannot be started.
        """
        return await self._link.locate()

    async def close(self) -> None:
        """Close all connections. Repeating is safe."""
        await self._link.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"AsyncClient({self._link.place!r})"


class Apps:
    """The names that machines and private networks hang on."""

    def __init__(self, link: AsyncLink) -> None:
        self._link = link

    async def create(
        self, name: str, *, org_slug: str = "personal", network: str | None = None
    ) -> App:
        """Create an app and return it.

        If the answer is lost the app is looked up, and sent again only if it is not there.

        Args:
            name: Lower-case letters, digits and dashes, under 63; unique in the whole API.
            network: A private network of its own with this name, instead of the organisation's.

        Raises:
            Conflict: the name is taken.
            Invalid: it is not a name.

        Source: https://fly.io/docs/machines/api/apps-resource/
        """
        return await self._link.run(calls.apps.create(name, org_slug=org_slug, network=network))

    async def get(self, name: str) -> App:
        """Return an app.

        Raises:
            NotFound: there is no such app.
            Unauthorized: the token may not see it; the name may belong to somebody else (403).
        """
        return await self._link.run(calls.apps.get(name))

    async def list(self, *, org_slug: str = "personal") -> AppList:
        """Return the apps of an organisation."""
        return await self._link.run(calls.apps.list_(org_slug=org_slug))

    async def delete(self, name: str, *, force: bool = False) -> None:
        """Delete an app. Safe to repeat.

        Args:
            force: Also destroy its machines, whatever they are doing.

        Raises:
            NotFound: there is no such app.
        """
        await self._link.run(calls.apps.delete(name, force=force))


class Machines:
    """Everything that is done with machines."""

    def __init__(self, link: AsyncLink) -> None:
        self._link = link

    async def create(
        self,
        app: str,
        *,
        config: MachineConfig | Mapping[str, Any],
        name: str | None = None,
        region: str | None = None,
        skip_launch: bool = False,
        lease_ttl: int | None = None,
    ) -> Machine:
        """Create a machine and return it; unless told otherwise it starts by itself.

        It is made at most once. If the answer is lost the machine is looked for, by an id in its
        metadata (`ephemera_create_id`), and the request is sent again only if it is not there.

        Args:
            config: Only `image` is required. Without a restart policy the API restarts a failing
                machine up to ten times.
            name: Unique among the app's machines that are not destroyed. One is made up where none
                is given.
            region: A region, or several in order of preference: `"ams,fra"`. The API chooses where
                none is given.
            skip_launch: Make it ready and leave it stopped.
            lease_ttl: Seconds. Take a lease on the new machine; its nonce is in the result.

        Raises:
            Conflict: a living machine has this name; `hint` tells its id where the API does.
            NoCapacity: there is no room for it in the region.
            Invalid: the config is refused.
            NotFound: there is no such app.
            NoAnswer: the answer was lost and so was the way to look. The machine may exist: look
                for it by its name before creating another.

        Source: https://fly.io/docs/machines/api/machines-resource/
        """
        return await self._link.run(
            calls.creation.create(
                app,
                config=config,
                name=name,
                region=region,
                skip_launch=skip_launch,
                lease_ttl=lease_ttl,
            )
        )

    async def get(self, app: str, machine_id: str) -> Machine:
        """Return a machine; one that is destroyed is returned too, with `state` `"destroyed"`.

        Raises:
            NotFound: there is no such app, or it never had such a machine.
        """
        return await self._link.run(calls.machines.get(app, machine_id))

    async def list(
        self,
        app: str,
        *,
        include_deleted: bool = False,
        region: str | None = None,
        state: str | Sequence[str] | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> builtins.list[Machine]:
        """Return the machines of an app.

        Args:
            include_deleted: Also those that are destroyed.
            state: Only those in this state, or in one of these.
            metadata: Only those that have all of these keys with exactly these values.

        Raises:
            NotFound: there is no such app.
        """
        return await self._link.run(
            calls.machines.list_(
                app, include_deleted=include_deleted, region=region, state=state, metadata=metadata
            )
        )

    async def update(
        self,
        app: str,
        machine_id: str,
        *,
        config: MachineConfig | Mapping[str, Any],
        current_version: str | None = None,
        skip_launch: bool = False,
        nonce: str | None = None,
    ) -> Machine:
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
        return await self._link.run(
            calls.machines.update(
                app,
                machine_id,
                config=config,
                current_version=current_version,
                skip_launch=skip_launch,
                nonce=nonce,
            )
        )

    async def events(
        self, app: str, machine_id: str, *, limit: int | None = None
    ) -> builtins.list[MachineEvent]:
        """Return what happened to a machine, newest first.

        Args:
            limit: How many, 1 to 50; the API's own default is 20. Fly.io keeps no more.
        """
        return await self._link.run(calls.machines.events(app, machine_id, limit=limit))

    async def signal(
        self, app: str, machine_id: str, signal: str, *, nonce: str | None = None
    ) -> None:
        """Send a signal to the machine's main program.

        Args:
            signal: Such as `"SIGUSR1"`.

        Raises:
            NoAnswer: it may have been delivered.
        """
        await self._link.run(calls.machines.signal(app, machine_id, signal, nonce=nonce))

    async def exec(
        self,
        app: str,
        machine_id: str,
        command: Sequence[str],
        *,
        stdin: str = "",
        timeout: int = 30,
    ) -> ExecResult:
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
        return await self._link.run(
            calls.machines.exec_(app, machine_id, command, stdin=stdin, timeout=timeout)
        )

    async def start(self, app: str, machine_id: str, *, nonce: str | None = None) -> StartResult:
        """Start a stopped machine.

        Never repeated by itself: a machine may have run to its end between two starts.

        Raises:
            WrongState: it is not in a state to be started from.
            NoAnswer: it may have been started: get it and look at its events.
        """
        return await self._link.run(calls.lifecycle.start(app, machine_id, nonce=nonce))

    async def stop(
        self,
        app: str,
        machine_id: str,
        *,
        signal: str | None = None,
        timeout: float | None = None,
        nonce: str | None = None,
    ) -> None:
        """Ask a machine to stop. It is stopping when this returns: `wait` for `"stopped"`.

        Safe to repeat.

        Args:
            signal: Such as `"SIGTERM"`; else that of its config, else `SIGINT`.
            timeout: Seconds until it is killed, at most 300; else that of its config, else 5.

        Raises:
            Conflict: somebody else holds its lease.
        """
        await self._link.run(
            calls.lifecycle.stop(app, machine_id, signal=signal, timeout=timeout, nonce=nonce)
        )

    async def restart(
        self,
        app: str,
        machine_id: str,
        *,
        signal: str | None = None,
        timeout: float | None = None,
        nonce: str | None = None,
    ) -> None:
        """Stop a machine and start it again; returns when it has restarted.

        Args:
            signal: As for `stop`.
            timeout: As for `stop`.

        Raises:
            NoAnswer: it may have been restarted: look at its events.
        """
        await self._link.run(
            calls.lifecycle.restart(app, machine_id, signal=signal, timeout=timeout, nonce=nonce)
        )

    async def destroy(
        self, app: str, machine_id: str, *, force: bool = False, nonce: str | None = None
    ) -> None:
        """Destroy a machine. Safe to repeat.

        Args:
            force: Also if it is not stopped.

        Raises:
            WrongState: it is not stopped, and `force` was not given.
            NotFound: there never was such a machine, on Fly.io; other servers may forget sooner.
        """
        await self._link.run(calls.lifecycle.destroy(app, machine_id, force=force, nonce=nonce))

    async def wait(
        self,
        app: str,
        machine_id: str,
        state: str | Sequence[str] = "started",
        *,
        timeout: float = 60,
        version: str | None = None,
    ) -> WaitResult:
        """Return when the machine is in `state`. Safe to repeat.

        The server holds a request for at most 60 s, so longer waits are several requests.

        Args:
            state: One of `started`, `stopped`, `suspended`, `destroyed`, `failed`, `settled` (any
                in which nothing moves by itself), or several of them: whichever comes first.
            timeout: Seconds, from 0 on; `math.inf` waits for as long as it takes. The server counts
                whole seconds, so it may be up to one second more.
            version: The `instance_id` that is meant, where the machine may be updated meanwhile.

        Raises:
            WaitTimeout: not reached in time. The message tells the state it is in.
            NotFound: there is no such machine.

        Source: https://fly.io/docs/machines/api/machines-resource/
        """
        return await self._link.run(
            calls.lifecycle.wait(app, machine_id, state, timeout=timeout, version=version)
        )

    async def metadata(self, app: str, machine_id: str) -> dict[str, str]:
        """Return all metadata of a machine."""
        return await self._link.run(calls.metadata.metadata(app, machine_id))

    async def get_metadata(self, app: str, machine_id: str, key: str) -> str:
        """Return one value.

        Raises:
            NotFound: there is no such key, machine or app.
        """
        return await self._link.run(calls.metadata.get_metadata(app, machine_id, key))

    async def set_metadata(self, app: str, machine_id: str, key: str, value: str) -> None:
        """Set one value. Safe to repeat; needs no lease."""
        await self._link.run(calls.metadata.set_metadata(app, machine_id, key, value))

    async def delete_metadata(self, app: str, machine_id: str, key: str) -> None:
        """Remove one key. Safe to repeat; needs no lease."""
        await self._link.run(calls.metadata.delete_metadata(app, machine_id, key))


class Leases:
    """The right to be the only one who changes a machine."""

    def __init__(self, link: AsyncLink) -> None:
        self._link = link

    async def acquire(self, app: str, machine_id: str, *, ttl: int, description: str = "") -> Lease:
        """Take a machine's lease; pass its `nonce` to the calls that change the machine.

        Args:
            ttl: Seconds until it expires by itself. Fly's own tool takes 13 and refreshes every 4.
            description: Shown to whoever finds the machine leased.

        Raises:
            Conflict: somebody holds it.
            NoAnswer: it may be ours with a nonce that nobody knows; it is free again after `ttl`.

        Source: https://fly.io/docs/machines/api/machines-resource/
        """
        return await self._link.run(
            calls.leases.acquire(app, machine_id, ttl=ttl, description=description)
        )

    async def get(self, app: str, machine_id: str) -> Lease:
        """Return a machine's lease.

        Raises:
            NotFound: nobody holds it, or there is no such machine.
        """
        return await self._link.run(calls.leases.get(app, machine_id))

    async def refresh(self, app: str, machine_id: str, nonce: str, *, ttl: int) -> Lease:
        """Hold a lease for longer: `ttl` seconds from now. Safe to repeat.

        Raises:
            Conflict: it expired and somebody else holds it.
        """
        return await self._link.run(calls.leases.refresh(app, machine_id, nonce, ttl=ttl))

    async def release(self, app: str, machine_id: str, nonce: str) -> None:
        """Give a lease back. Safe to repeat.

        Raises:
            NotFound: it has expired already, or there is no such machine.
        """
        await self._link.run(calls.leases.release(app, machine_id, nonce))


class Logs:
    """What an app's machines printed, and what was done to them."""

    def __init__(self, link: AsyncLink) -> None:
        self._link = link

    async def page(
        self,
        app: str,
        *,
        next_token: str | None = None,
        machine: str | None = None,
        region: str | None = None,
        wait: int = 0,
    ) -> LogPage:
        """Return some lines of an app's log, oldest first, and the token for those after them.

        Args:
            next_token: Of the page before this one; without it the first lines that are kept
                (Fly.io: of the last 24 hours).
            machine: Only the lines of the machine with this id.
            region: Only lines from this region.
            wait: Seconds to wait for a line where there is none. Fly.io answers at once always.

        Raises:
            NotFound: there is no such app.
        """
        return await self._link.run(
            calls.logs.page(app, next_token=next_token, machine=machine, region=region, wait=wait)
        )

    def follow(
        self, app: str, *, machine: str | None = None, region: str | None = None, tail: bool = True
    ) -> AsyncIterator[LogEntry]:
        """Iterate over the lines of an app's log, oldest first.

        Args:
            machine: Only the lines of the machine with this id.
            region: Only lines from this region.
            tail: Go on for ever with the lines to come; else end where there are no more.

        Raises:
            NotFound: there is no such app.
        """
        return self._link.stream(calls.logs.follow(app, machine=machine, region=region, tail=tail))
