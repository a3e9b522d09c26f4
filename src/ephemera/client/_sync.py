"""The Machines API as methods. Made by scripts/generate_client.py; do not edit."""
# ruff: noqa: A002  # arguments have the API's own names, such as `type`

from __future__ import annotations

import builtins
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from ephemera.client import calls
from ephemera.client.attempt import Pace
from ephemera.client.links import Link
from ephemera.client.place import Place
from ephemera.wire.addresses import AssignedIp, IpAssignment, IpType
from ephemera.wire.certificates import (
    Certificate,
    CertificatesPage,
    CertificateSummary,
    CheckedCertificate,
    RemovedCertificate,
)
from ephemera.wire.inside import Memory, ProcessStat, ReclaimedMemory
from ephemera.wire.models import (
    App,
    AppList,
    ExecResult,
    Guest,
    Lease,
    LogEntry,
    LogPage,
    Machine,
    MachineConfig,
    MachineEvent,
    MachineVersion,
    StartResult,
    WaitResult,
)
from ephemera.wire.orgs import OrgMachine, OrgMachinesPage, OrgVolume, OrgVolumesPage
from ephemera.wire.places import RegionPlacement, Regions
from ephemera.wire.secrets import (
    AppSecret,
    SecretChange,
    SecretKey,
    SecretKeyChange,
    SecretRemoval,
    SecretsChange,
)
from ephemera.wire.tokens import Authorization, TokenAccess, TokenInfo, VerifiedToken
from ephemera.wire.volumes import ExtendedVolume, Volume, VolumeSnapshot

if TYPE_CHECKING:
    import httpx2


class Client:
    """The Machines API of Fly.io, of the embedded platform, or of whatever speaks it.

    ```python
    machine = client.machines.create("jobs", config={"image": "host"})
    ```

    Safe to use from any thread.

    Making one starts nothing and connects nowhere. To give its connections back early, `close`
    it or use it in a `with` statement.

    Args:
        url: The base URL. Else `FLY_FLAPS_BASE_URL` or `EPHEMERA_URL`; else, inside Fly.io or
            where there is a token, Fly.io; else the embedded platform of `EPHEMERA_HOME`, which
            the first request starts if need be.
        token: With or without a scheme in front. Else `FLY_API_TOKEN`; else, for an API on this
            computer, the embedded platform's own token; else none, inside a machine that has a
            socket of its own to the API.
        limits: Whether to keep Fly.io's rate limits on this side, by waiting a moment before a
            request that would be turned away. Else only where requests go to Fly.io.
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
        limits: bool | None = None,
        transport: httpx2.BaseTransport | None = None,
        pace: Pace | None = None,
    ) -> None:
        self._link = Link(Place(url, token), transport, pace, limits)
        self.apps = Apps(self._link)
        self.machines = Machines(self._link)
        self.leases = Leases(self._link)
        self.logs = Logs(self._link)
        self.volumes = Volumes(self._link)
        self.secrets = Secrets(self._link)
        self.secret_keys = SecretKeys(self._link)
        self.certificates = Certificates(self._link)
        self.ips = Ips(self._link)
        self.tokens = Tokens(self._link)
        self.platform = Platform(self._link)
        self.orgs = Orgs(self._link)

    @property
    def local(self) -> bool:
        """Whether the API is on this computer. Known without asking it."""
        return self._link.place.local

    @property
    def link(self) -> Link:
        """What carries its calls out, for what only the embedded platform has."""
        return self._link

    def locate(self) -> str:
        """Return the base URL, starting the embedded platform if that is where this client goes.

        Raises:
            ConfigError: it cannot be started.
        """
        return self._link.locate()

    def close(self) -> None:
        """Close all connections. Repeating is safe."""
        self._link.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self._link.place!r})"


class Apps:
    """The names that machines and private networks hang on."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def create(
        self,
        name: str,
        *,
        org_slug: str = "personal",
        network: str | None = None,
        enable_subdomains: bool = False,
    ) -> App:
        """Create an app and return it.

        If the answer is lost the app is looked up, and sent again only if it is not there.

        Args:
            name: Lower-case letters, digits and dashes, under 63; unique in the whole API.
            network: A private network of its own with this name, instead of the organisation's.
            enable_subdomains: Serve names below the app's own too.

        Raises:
            Conflict: the name is taken.
            Invalid: it is not a name.

        Source: https://fly.io/docs/machines/api/apps-resource/
        """
        return self._link.run(
            calls.apps.create(
                name, org_slug=org_slug, network=network, enable_subdomains=enable_subdomains
            )
        )

    def get(self, name: str) -> App:
        """Return an app.

        Raises:
            NotFound: there is no such app.
            Unauthorized: the token may not see it; the name may belong to somebody else (403).
        """
        return self._link.run(calls.apps.get(name))

    def list(self, *, org_slug: str = "personal", app_role: str | None = None) -> AppList:
        """Return the apps of an organisation.

        Args:
            app_role: Only those with this role; ordinary apps have none.
        """
        return self._link.run(calls.apps.list_(org_slug=org_slug, app_role=app_role))

    def delete(self, name: str, *, force: bool = False) -> None:
        """Delete an app. Safe to repeat.

        Args:
            force: Also destroy its machines, whatever they are doing.

        Raises:
            NotFound: there is no such app.
        """
        self._link.run(calls.apps.delete(name, force=force))


class Machines:
    """Everything that is done with machines."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def create(
        self,
        app: str,
        *,
        config: MachineConfig | Mapping[str, Any],
        name: str | None = None,
        region: str | Sequence[str] | None = None,
        skip_launch: bool = False,
        skip_service_registration: bool = False,
        skip_secrets: bool = False,
        min_secrets_version: int | None = None,
        lease_ttl: int | None = None,
    ) -> Machine:
        """Create a machine and return it; unless told otherwise it starts by itself.

        It is made at most once. If the answer is lost the machine is looked for, by an id in its
        metadata (`ephemera_create_id`), and the request is sent again only if it is not there. The
        id is new each time, whatever the config says.

        Args:
            config: Only `image` is required. Without a restart policy the API restarts a failing
                machine up to ten times.
            name: Unique among the app's machines that are not destroyed. One is made up where none
                is given.
            region: Where it is to run; the API chooses where none is given. Of a list, such as
                `["ams", "fra"]`, each is tried in turn while there is no room. In one text,
                `"ams,fra"`, they are left to the API to choose from.
            skip_launch: Make it ready and leave it stopped.
            skip_service_registration: Keep the proxy from it until it is uncordoned.
            skip_secrets: Without the app's secrets.
            min_secrets_version: Of what a change of secrets has returned: with that one, or newer.
            lease_ttl: Seconds. Take a lease on the new machine; its nonce is in the result.

        Raises:
            Conflict: a living machine has this name; `hint` tells its id where the API does.
            NoCapacity: there is no room for it in the region, or in none of several; then the
                message has the answer of each.
            Invalid: the config is refused.
            NotFound: there is no such app.
            NoAnswer: the answer was lost and so was the way to look. The machine may exist: look
                for it by its name before creating another.

        Source: https://fly.io/docs/machines/api/machines-resource/
        """
        return self._link.run(
            calls.creation.create(
                app,
                config=config,
                name=name,
                region=region,
                skip_launch=skip_launch,
                skip_service_registration=skip_service_registration,
                skip_secrets=skip_secrets,
                min_secrets_version=min_secrets_version,
                lease_ttl=lease_ttl,
            )
        )

    def get(self, app: str, machine_id: str, *, include_leases: bool = False) -> Machine:
        """Return a machine; one that is destroyed is returned too, with `state` `"destroyed"`.

        Args:
            include_leases: Also who holds its lease, in `lease`.

        Raises:
            NotFound: there is no such app, or it never had such a machine.
        """
        return self._link.run(calls.machines.get(app, machine_id, include_leases=include_leases))

    def list(
        self,
        app: str,
        *,
        include_deleted: bool = False,
        region: str | Sequence[str] | None = None,
        state: str | Sequence[str] | None = None,
        summary: bool = False,
        include_leases: bool = False,
        metadata: Mapping[str, str] | None = None,
    ) -> builtins.list[Machine]:
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
        return self._link.run(
            calls.machines.list_(
                app,
                include_deleted=include_deleted,
                region=region,
                state=state,
                summary=summary,
                include_leases=include_leases,
                metadata=metadata,
            )
        )

    def update(
        self,
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
    ) -> Machine:
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
        return self._link.run(
            calls.machines.update(
                app,
                machine_id,
                config=config,
                current_version=current_version,
                skip_launch=skip_launch,
                skip_service_registration=skip_service_registration,
                skip_secrets=skip_secrets,
                min_secrets_version=min_secrets_version,
                lease_ttl=lease_ttl,
                nonce=nonce,
            )
        )

    def events(
        self, app: str, machine_id: str, *, limit: int | None = None
    ) -> builtins.list[MachineEvent]:
        """Return what happened to a machine, newest first.

        Args:
            limit: How many, 1 to 50; the API's own default is 20. Fly.io keeps no more.
        """
        return self._link.run(calls.machines.events(app, machine_id, limit=limit))

    def versions(self, app: str, machine_id: str) -> builtins.list[MachineVersion]:
        """Return the configs that a machine has had, newest first."""
        return self._link.run(calls.machines.versions(app, machine_id))

    def ps(
        self, app: str, machine_id: str, *, sort_by: str | None = None, order: str | None = None
    ) -> builtins.list[ProcessStat]:
        """Return the processes of a started machine.

        Args:
            sort_by: One of the fields, such as `"rss"`.
            order: `"asc"` or `"desc"`.

        Raises:
            WrongState: the machine is not started.
        """
        return self._link.run(calls.machines.ps(app, machine_id, sort_by=sort_by, order=order))

    def memory(self, app: str, machine_id: str) -> Memory:
        """Return how much memory a machine may use, and how much of it is free."""
        return self._link.run(calls.machines.memory(app, machine_id))

    def set_memory(
        self, app: str, machine_id: str, *, limit_mb: int, nonce: str | None = None
    ) -> Memory:
        """Change how much memory a running machine may use. Safe to repeat.

        Args:
            limit_mb: At most what its guest allows.
            nonce: Of the lease that the caller holds on it.

        Raises:
            Invalid: it is too much or too little, or this API cannot do it.
        """
        return self._link.run(
            calls.machines.set_memory(app, machine_id, limit_mb=limit_mb, nonce=nonce)
        )

    def reclaim_memory(
        self, app: str, machine_id: str, *, amount_mb: int, nonce: str | None = None
    ) -> ReclaimedMemory:
        """Ask a running machine to give memory back, and return how much it gave.

        Args:
            amount_mb: How much it should give.
            nonce: Of the lease that the caller holds on it.

        Raises:
            Invalid: this API cannot do it.
            NoAnswer: it may have given some: get its memory.
        """
        return self._link.run(
            calls.machines.reclaim_memory(app, machine_id, amount_mb=amount_mb, nonce=nonce)
        )

    def signal(self, app: str, machine_id: str, signal: str, *, nonce: str | None = None) -> None:
        """Send a signal to the machine's main program.

        Args:
            signal: Such as `"SIGUSR1"`.

        Raises:
            NoAnswer: it may have been delivered.
        """
        self._link.run(calls.machines.signal(app, machine_id, signal, nonce=nonce))

    def exec(
        self,
        app: str,
        machine_id: str,
        command: Sequence[str],
        *,
        stdin: str = "",
        timeout: int = 30,
        container: str | None = None,
        machine: bool = False,
    ) -> ExecResult:
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
        return self._link.run(
            calls.machines.exec_(
                app,
                machine_id,
                command,
                stdin=stdin,
                timeout=timeout,
                container=container,
                machine=machine,
            )
        )

    def start(self, app: str, machine_id: str, *, nonce: str | None = None) -> StartResult:
        """Start a stopped machine.

        Never repeated by itself: a machine may have run to its end between two starts.

        Raises:
            WrongState: it is not in a state to be started from.
            NoAnswer: it may have been started: get it and look at its events.
        """
        return self._link.run(calls.lifecycle.start(app, machine_id, nonce=nonce))

    def stop(
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
        self._link.run(
            calls.lifecycle.stop(app, machine_id, signal=signal, timeout=timeout, nonce=nonce)
        )

    def suspend(self, app: str, machine_id: str, *, nonce: str | None = None) -> None:
        """Freeze a machine with its memory. `wait` for `"suspended"`; `start` goes on from there.

        Args:
            nonce: Of the lease that the caller holds on it.

        Raises:
            WrongState: it is not started, or is one that cannot be suspended.
            NoAnswer: it may be suspended, or may have been: get it.

        Source: https://fly.io/docs/reference/suspend-resume/
        """
        self._link.run(calls.lifecycle.suspend(app, machine_id, nonce=nonce))

    def cordon(self, app: str, machine_id: str, *, nonce: str | None = None) -> None:
        """Keep the proxy from sending anybody to a machine. Safe to repeat.

        Args:
            nonce: Of the lease that the caller holds on it.
        """
        self._link.run(calls.lifecycle.cordon(app, machine_id, nonce=nonce))

    def uncordon(self, app: str, machine_id: str, *, nonce: str | None = None) -> None:
        """Let the proxy send requests to a machine again. Safe to repeat.

        Args:
            nonce: Of the lease that the caller holds on it.
        """
        self._link.run(calls.lifecycle.uncordon(app, machine_id, nonce=nonce))

    def restart(
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
        self._link.run(
            calls.lifecycle.restart(app, machine_id, signal=signal, timeout=timeout, nonce=nonce)
        )

    def destroy(
        self, app: str, machine_id: str, *, force: bool = False, nonce: str | None = None
    ) -> None:
        """Destroy a machine. Safe to repeat.

        Args:
            force: Also if it is not stopped.

        Raises:
            WrongState: it is not stopped, and `force` was not given.
            NotFound: there never was such a machine, on Fly.io; other servers may forget sooner.
        """
        self._link.run(calls.lifecycle.destroy(app, machine_id, force=force, nonce=nonce))

    def wait(
        self,
        app: str,
        machine_id: str,
        state: str | Sequence[str] = "started",
        *,
        timeout: float = 60,
        version: str | None = None,
        from_event_id: str | None = None,
    ) -> WaitResult:
        """Return when the machine is in `state`. Safe to repeat.

        The server holds a request for at most 60 s, so longer waits are several requests.

        Args:
            state: One of `started`, `stopped`, `suspended`, `destroyed`, `failed`, `settled` (any
                in which nothing moves by itself), or several of them: whichever comes first.
            timeout: Seconds, from 0 on; `math.inf` waits for as long as it takes. The server counts
                whole seconds, so it may be up to one second more.
            version: The `instance_id` that is meant, where the machine may be updated meanwhile.
            from_event_id: Only what happened after the event with this id counts: that it is in
                the state since before then is not enough.

        Raises:
            WaitTimeout: not reached in time. The message tells the state it is in.
            NotFound: there is no such machine.

        Source: https://fly.io/docs/machines/api/machines-resource/
        """
        return self._link.run(
            calls.lifecycle.wait(
                app,
                machine_id,
                state,
                timeout=timeout,
                version=version,
                from_event_id=from_event_id,
            )
        )

    def metadata(self, app: str, machine_id: str) -> dict[str, str]:
        """Return all metadata of a machine."""
        return self._link.run(calls.metadata.metadata(app, machine_id))

    def get_metadata(self, app: str, machine_id: str, key: str) -> str:
        """Return one value.

        Raises:
            NotFound: there is no such key, machine or app.
        """
        return self._link.run(calls.metadata.get_metadata(app, machine_id, key))

    def set_metadata(
        self, app: str, machine_id: str, key: str, value: str, *, updated_at: str | None = None
    ) -> None:
        """Set one value. Safe to repeat; needs no lease.

        Args:
            updated_at: When it came to be so (RFC 3339), where that is not now.
        """
        self._link.run(
            calls.metadata.set_metadata(app, machine_id, key, value, updated_at=updated_at)
        )

    def update_metadata(
        self,
        app: str,
        machine_id: str,
        metadata: Mapping[str, str | None],
        *,
        machine_version: str | None = None,
        updated_at: str | None = None,
    ) -> None:
        """Set and remove several values at once. Safe to repeat; needs no lease.

        Args:
            metadata: By key; None or an empty text removes one. Other keys stay as they are.
            machine_version: Only if this is the machine's `instance_id`.
            updated_at: As for `set_metadata`.

        Raises:
            WrongState: the machine has another version.
        """
        self._link.run(
            calls.metadata.update_metadata(
                app, machine_id, metadata, machine_version=machine_version, updated_at=updated_at
            )
        )

    def replace_metadata(
        self,
        app: str,
        machine_id: str,
        metadata: Mapping[str, str],
        *,
        machine_version: str | None = None,
        updated_at: str | None = None,
    ) -> None:
        """Set all metadata: what is not in it is removed. Safe to repeat; needs no lease.

        Args:
            machine_version: As for `update_metadata`.
            updated_at: As for `set_metadata`.

        Raises:
            WrongState: the machine has another version.
        """
        self._link.run(
            calls.metadata.replace_metadata(
                app, machine_id, metadata, machine_version=machine_version, updated_at=updated_at
            )
        )

    def delete_metadata(self, app: str, machine_id: str, key: str) -> None:
        """Remove one key. Safe to repeat; needs no lease."""
        self._link.run(calls.metadata.delete_metadata(app, machine_id, key))


class Leases:
    """The right to be the only one who changes a machine."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def acquire(self, app: str, machine_id: str, *, ttl: int, description: str = "") -> Lease:
        """Take a machine's lease; pass its `nonce` to the calls that change the machine.

        Args:
            ttl: Seconds until it expires by itself. Fly's own tool takes 13 and refreshes every 4.
            description: Shown to whoever finds the machine leased.

        Raises:
            Conflict: somebody holds it.
            NoAnswer: it may be ours with a nonce that nobody knows; it is free again after `ttl`.

        Source: https://fly.io/docs/machines/api/machines-resource/
        """
        return self._link.run(
            calls.leases.acquire(app, machine_id, ttl=ttl, description=description)
        )

    def get(self, app: str, machine_id: str) -> Lease:
        """Return a machine's lease.

        Raises:
            NotFound: nobody holds it, or there is no such machine.
        """
        return self._link.run(calls.leases.get(app, machine_id))

    def refresh(self, app: str, machine_id: str, nonce: str, *, ttl: int) -> Lease:
        """Hold a lease for longer: `ttl` seconds from now. Safe to repeat.

        If it expired and nobody holds it, some servers give a new one, with another `nonce`.

        Raises:
            Conflict: it expired and somebody else holds it.
        """
        return self._link.run(calls.leases.refresh(app, machine_id, nonce, ttl=ttl))

    def release(self, app: str, machine_id: str, nonce: str) -> None:
        """Give a lease back. Safe to repeat.

        Raises:
            NotFound: it has expired already, or there is no such machine.
        """
        self._link.run(calls.leases.release(app, machine_id, nonce))

    def hold(
        self, app: str, machine_id: str, *, ttl: int = 13, description: str = ""
    ) -> AbstractContextManager[Lease]:
        """Hold a machine's lease for the length of a `with`, which is given the lease.

        It is refreshed all the while and given back at the end, whatever happens. Should it be lost
        nevertheless, and be somebody else's, the calls that pass its `nonce` raise `Conflict`.

        Args:
            ttl: Seconds that others have to wait if this process dies. It is refreshed three times
                as often.
            description: Shown to whoever finds the machine leased.

        Raises:
            Conflict: somebody holds it.
            NoAnswer: it may be ours with a nonce that nobody knows; it is free again after `ttl`.
        """
        return self._link.hold(calls.leases.hold(app, machine_id, ttl=ttl, description=description))


class Logs:
    """What an app's machines printed, and what was done to them."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def page(
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
        return self._link.run(
            calls.logs.page(app, next_token=next_token, machine=machine, region=region, wait=wait)
        )

    def follow(
        self, app: str, *, machine: str | None = None, region: str | None = None, tail: bool = True
    ) -> Iterator[LogEntry]:
        """Iterate over the lines of an app's log, oldest first.

        Args:
            machine: Only the lines of the machine with this id.
            region: Only lines from this region.
            tail: Go on for ever with the lines to come; else end where there are no more.

        Raises:
            NotFound: there is no such app.
        """
        return self._link.stream(calls.logs.follow(app, machine=machine, region=region, tail=tail))


class Volumes:
    """Disks of their own that outlive machines."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def list(self, app: str, *, summary: bool = False) -> builtins.list[Volume]:
        """Return the volumes of an app.

        Args:
            summary: Leave out what costs the API time to find out, such as how full they are.
        """
        return self._link.run(calls.volumes.list_(app, summary=summary))

    def create(
        self,
        app: str,
        *,
        name: str,
        region: str | None = None,
        size_gb: int | None = None,
        encrypted: bool | None = None,
        fstype: str | None = None,
        snapshot_id: str | None = None,
        source_volume_id: str | None = None,
        snapshot_retention: int | None = None,
        auto_backup_enabled: bool | None = None,
        require_unique_zone: bool | None = None,
        unique_zone_app_wide: bool | None = None,
        compute: Guest | Mapping[str, Any] | None = None,
        compute_image: str | None = None,
    ) -> Volume:
        """Create a volume and return it.

        Never repeated by itself: names need not be unique, so nobody could tell two apart.

        Args:
            name: Lower-case letters, digits and underscores.
            region: The API chooses where none is given. Machines that mount it run there.
            size_gb: The API's default is 3.
            encrypted: The API's default is yes.
            fstype: `"ext4"`, the default, or `"raw"`.
            snapshot_id: Begin with what this snapshot holds.
            source_volume_id: Begin with what this volume holds.
            snapshot_retention: Days, 1 to 60, that its snapshots are kept. The default is 5.
            auto_backup_enabled: Take a snapshot every day. The API's default is yes.
            require_unique_zone: On other hardware than the app's volumes of the same name. The
                API's default is yes.
            unique_zone_app_wide: On other hardware than all volumes of the app.
            compute: The guest of the machine that will mount it, so that its host has room.
            compute_image: The image of that machine.

        Raises:
            NoCapacity: there is no room in the region.
            NoAnswer: it may have been made: list the volumes.

        Source: https://fly.io/docs/machines/api/volumes-resource/
        """
        return self._link.run(
            calls.volumes.create(
                app,
                name=name,
                region=region,
                size_gb=size_gb,
                encrypted=encrypted,
                fstype=fstype,
                snapshot_id=snapshot_id,
                source_volume_id=source_volume_id,
                snapshot_retention=snapshot_retention,
                auto_backup_enabled=auto_backup_enabled,
                require_unique_zone=require_unique_zone,
                unique_zone_app_wide=unique_zone_app_wide,
                compute=compute,
                compute_image=compute_image,
            )
        )

    def get(self, app: str, volume_id: str) -> Volume:
        """Return a volume; for some days also one that is destroyed.

        Raises:
            NotFound: there is no such volume, or no such app.
        """
        return self._link.run(calls.volumes.get(app, volume_id))

    def update(
        self,
        app: str,
        volume_id: str,
        *,
        snapshot_retention: int | None = None,
        auto_backup_enabled: bool | None = None,
    ) -> Volume:
        """Change what can be changed of a volume, and return it. Safe to repeat.

        Args:
            snapshot_retention: Days, 1 to 60, that its snapshots are kept.
            auto_backup_enabled: Take a snapshot every day.
        """
        return self._link.run(
            calls.volumes.update(
                app,
                volume_id,
                snapshot_retention=snapshot_retention,
                auto_backup_enabled=auto_backup_enabled,
            )
        )

    def delete(self, app: str, volume_id: str) -> Volume:
        """Delete a volume and return what it was. Its snapshots are kept for their time.

        Raises:
            WrongState: a machine has it.
            NotFound: there is no such volume; after a lost answer it may have been this very call.
        """
        return self._link.run(calls.volumes.delete(app, volume_id))

    def extend(self, app: str, volume_id: str, *, size_gb: int) -> ExtendedVolume:
        """Make a volume larger. Safe to repeat.

        Args:
            size_gb: The size that it is to have; a volume cannot become smaller.
        """
        return self._link.run(calls.volumes.extend(app, volume_id, size_gb=size_gb))

    def snapshots(self, app: str, volume_id: str) -> builtins.list[VolumeSnapshot]:
        """Return the snapshots of a volume."""
        return self._link.run(calls.volumes.snapshots(app, volume_id))

    def create_snapshot(self, app: str, volume_id: str) -> None:
        """Begin to take a snapshot of a volume; `snapshots` tells when it is `created`.

        Raises:
            WrongState: another one is on its way.
            NoAnswer: it may have been begun: list the snapshots.
        """
        self._link.run(calls.volumes.create_snapshot(app, volume_id))


class Secrets:
    """What an app's machines find in their environment only."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def list(
        self, app: str, *, min_version: int | None = None, show_secrets: bool = False
    ) -> builtins.list[AppSecret]:
        """Return the secrets of an app: their names and digests.

        Args:
            min_version: Of what a change has returned: do not answer with anything older.
            show_secrets: Also their values, where the token may see them.
        """
        return self._link.run(
            calls.secrets.list_(app, min_version=min_version, show_secrets=show_secrets)
        )

    def update(self, app: str, values: Mapping[str, str | None]) -> SecretsChange:
        """Set and remove several secrets at once. Safe to repeat.

        Args:
            values: By name; None removes a secret. Those that are not named stay as they are.

        Source: https://fly.io/docs/machines/api/
        """
        return self._link.run(calls.secrets.update(app, values))

    def get(
        self, app: str, name: str, *, min_version: int | None = None, show_secrets: bool = False
    ) -> AppSecret:
        """Return a secret: its name and digest.

        Args:
            min_version: As for `list`.
            show_secrets: As for `list`.

        Raises:
            NotFound: there is no such secret, or no such app.
        """
        return self._link.run(
            calls.secrets.get(app, name, min_version=min_version, show_secrets=show_secrets)
        )

    def set(self, app: str, name: str, value: str) -> SecretChange:
        """Set a secret. Safe to repeat."""
        return self._link.run(calls.secrets.set_(app, name, value))

    def delete(self, app: str, name: str) -> SecretRemoval:
        """Remove a secret.

        Raises:
            NotFound: there is no such secret; after a lost answer it may have been this very call.
        """
        return self._link.run(calls.secrets.delete(app, name))


class SecretKeys:
    """Keys that the API keeps and uses for an app."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def list(
        self, app: str, *, types: str | Sequence[str] | None = None, min_version: int | None = None
    ) -> builtins.list[SecretKey]:
        """Return the secret keys of an app, without their private parts.

        Args:
            types: Only those of this type, or of one of these.
            min_version: Of what a change has returned: do not answer with anything older.
        """
        return self._link.run(calls.secret_keys.list_(app, types=types, min_version=min_version))

    def get(self, app: str, name: str, *, min_version: int | None = None) -> SecretKey:
        """Return a secret key, without its private part.

        Args:
            min_version: As for `list`.

        Raises:
            NotFound: there is no such key, or no such app.
        """
        return self._link.run(calls.secret_keys.get(app, name, min_version=min_version))

    def set(self, app: str, name: str, *, type: str, value: bytes) -> SecretKeyChange:
        """Keep a key that was made elsewhere. Safe to repeat.

        Args:
            type: `"es256"`, `"hs256"`, `"hs384"`, `"hs512"`, `"xaes256gcm"`, `"nacl_auth"`,
                `"nacl_box"`, `"nacl_secretbox"` or `"nacl_sign"`.
            value: The key itself.

        Raises:
            Invalid: there is no such type, or the value is not a key of it.
        """
        return self._link.run(calls.secret_keys.set_(app, name, type=type, value=value))

    def generate(self, app: str, name: str, *, type: str) -> SecretKeyChange:
        """Let the API make a key.

        Args:
            type: As for `set`.

        Raises:
            NoAnswer: it may have been made: get it.
        """
        return self._link.run(calls.secret_keys.generate(app, name, type=type))

    def delete(self, app: str, name: str) -> SecretRemoval:
        """Remove a key. What was encrypted with it cannot be decrypted any more.

        Raises:
            NotFound: there is no such key; after a lost answer it may have been this very call.
        """
        return self._link.run(calls.secret_keys.delete(app, name))

    def encrypt(
        self,
        app: str,
        name: str,
        plaintext: bytes,
        *,
        associated_data: bytes | None = None,
        min_version: int | None = None,
    ) -> bytes:
        """Encrypt something with a key, and return the ciphertext. Safe to repeat.

        Args:
            associated_data: Has to be shown again for decrypting, where the key's type knows it.
            min_version: As for `list`.

        Raises:
            Invalid: keys of this type do not encrypt.
        """
        return self._link.run(
            calls.secret_keys.encrypt(
                app, name, plaintext, associated_data=associated_data, min_version=min_version
            )
        )

    def decrypt(
        self,
        app: str,
        name: str,
        ciphertext: bytes,
        *,
        associated_data: bytes | None = None,
        min_version: int | None = None,
    ) -> bytes:
        """Decrypt what `encrypt` has returned, and return it. Safe to repeat.

        Args:
            associated_data: What was shown for encrypting.
            min_version: As for `list`.

        Raises:
            Invalid: it was not encrypted with this key, or was changed since.
        """
        return self._link.run(
            calls.secret_keys.decrypt(
                app, name, ciphertext, associated_data=associated_data, min_version=min_version
            )
        )

    def sign(
        self, app: str, name: str, plaintext: bytes, *, min_version: int | None = None
    ) -> bytes:
        """Return the signature of something. Safe to repeat.

        Args:
            min_version: As for `list`.

        Raises:
            Invalid: keys of this type do not sign.
        """
        return self._link.run(calls.secret_keys.sign(app, name, plaintext, min_version=min_version))

    def verify(
        self,
        app: str,
        name: str,
        plaintext: bytes,
        signature: bytes,
        *,
        min_version: int | None = None,
    ) -> None:
        """Return if a signature is the key's own of this text, and raise if not. Safe to repeat.

        Args:
            min_version: As for `list`.

        Raises:
            Invalid: it is not; or keys of this type do not sign.
        """
        self._link.run(
            calls.secret_keys.verify(app, name, plaintext, signature, min_version=min_version)
        )


class Certificates:
    """How an app's own host names are served with TLS."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def page(
        self,
        app: str,
        *,
        filter: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> CertificatesPage:
        """Return some of the host names of an app, and the cursor for those after them.

        Args:
            filter: Only host names that contain this.
            cursor: `next_cursor` of the page before this one.
            limit: How many, 1 to 500; the API's own default is 25.
        """
        return self._link.run(
            calls.certificates.page(app, filter=filter, cursor=cursor, limit=limit)
        )

    def list(self, app: str, *, filter: str | None = None) -> Iterator[CertificateSummary]:
        """Iterate over the host names of an app and how far their certificates are.

        Args:
            filter: Only host names that contain this.
        """
        return self._link.stream(calls.certificates.list_(app, filter=filter))

    def create_acme(self, app: str, hostname: str) -> Certificate:
        """Ask for a certificate from an authority, which the API keeps fresh from then on.

        Raises:
            Invalid: the host name is not one, or this API does not do that.
            NoAnswer: it may have been asked for: get it.
        """
        return self._link.run(calls.certificates.create_acme(app, hostname))

    def create_custom(
        self, app: str, hostname: str, *, fullchain: str, private_key: str
    ) -> Certificate:
        """Serve a host name with a certificate of one's own.

        Args:
            fullchain: The certificate and those of its authorities, as PEM.
            private_key: Its key, as PEM.

        Raises:
            Invalid: they are no certificate and key, or not of each other.
            NoAnswer: it may have been taken: get it.
        """
        return self._link.run(
            calls.certificates.create_custom(
                app, hostname, fullchain=fullchain, private_key=private_key
            )
        )

    def get(self, app: str, hostname: str) -> Certificate:
        """Return everything about the certificates of a host name.

        Raises:
            NotFound: the app has no such host name.
        """
        return self._link.run(calls.certificates.get(app, hostname))

    def check(self, app: str, hostname: str) -> CheckedCertificate:
        """Look at the records of a host name anew, and return what is found. Safe to repeat."""
        return self._link.run(calls.certificates.check(app, hostname))

    def delete(self, app: str, hostname: str) -> None:
        """Remove a host name with all of its certificates. Safe to repeat.

        Raises:
            NotFound: the app has no such host name.
        """
        self._link.run(calls.certificates.delete(app, hostname))

    def delete_acme(self, app: str, hostname: str) -> Certificate:
        """Remove the certificates that the API got for a host name, and return what is left.

        Raises:
            NotFound: there is none; after a lost answer it may have been this very call.
        """
        return self._link.run(calls.certificates.delete_acme(app, hostname))

    def delete_custom(self, app: str, hostname: str) -> RemovedCertificate:
        """Remove one's own certificate for a host name, and return what is left.

        Raises:
            NotFound: there is none; after a lost answer it may have been this very call.
        """
        return self._link.run(calls.certificates.delete_custom(app, hostname))


class Ips:
    """Where an app is reached, and its machines reach out from."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def list(self, app: str) -> builtins.list[IpAssignment]:
        """Return the addresses of an app."""
        return self._link.run(calls.ips.list_(app))

    def assign(
        self,
        app: str,
        type: IpType,
        *,
        region: str | None = None,
        network: str | None = None,
        service_name: str | None = None,
        org_slug: str | None = None,
    ) -> AssignedIp:
        """Give an app an address.

        Args:
            type: What for: `v4` and `v6` are the app's own, `shared_v4` is shared with other apps,
                `private_v6` is for other apps of the organisation, and `egress_v4`, `egress_v6` and
                `egress_pair` are where machines reach out from.
            region: Where it is served, or reached out from.
            network: The private network that `private_v6` is for.
            service_name: The service that it is for.
            org_slug: The organisation that `private_v6` is for.

        Raises:
            NoAnswer: it may have been given: list them. Some of them cost money.
        """
        return self._link.run(
            calls.ips.assign(
                app,
                type,
                region=region,
                network=network,
                service_name=service_name,
                org_slug=org_slug,
            )
        )

    def release(self, app: str, ip: str) -> None:
        """Give an address back. Safe to repeat.

        Raises:
            NotFound: the app has no such address.
        """
        self._link.run(calls.ips.release(app, ip))


class Tokens:
    """Who may do what."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def create_deploy(self, app: str, *, expiry: float | None = None) -> str:
        """Return a new token that may do everything with one app, and nothing else.

        It can be shown this once only; it is what `FLY_API_TOKEN` takes.

        Args:
            expiry: Seconds that it is good for; the API's own default is many years.

        Raises:
            NoAnswer: it may have been made, and nobody knows it.
        """
        return self._link.run(calls.tokens.create_deploy(app, expiry=expiry))

    def current(
        self,
    ) -> list[TokenInfo]:
        """Return what the tokens of this client are.

        Raises:
            Unauthorized: they are not valid.
        """
        return self._link.run(calls.tokens.current())

    def authenticate(self, header: str) -> list[VerifiedToken]:
        """Return the tokens of a header that somebody has shown, if they are valid.

        Args:
            header: The whole value of an `Authorization` header.

        Raises:
            Invalid: they are not; the API may say so with `Unauthorized` too.
        """
        return self._link.run(calls.tokens.authenticate(header))

    def authorize(self, header: str, access: TokenAccess | Mapping[str, Any]) -> Authorization:
        """Return the access that a header's tokens allow, if they do.

        Args:
            header: The whole value of an `Authorization` header.
            access: What is to be done, and with what.

        Raises:
            Unauthorized: they do not allow it.
            Invalid: they are not valid, or there is no such access.
        """
        return self._link.run(calls.tokens.authorize(header, access))

    def oidc(self, *, aud: str | None = None, aws_principal_tags: bool = False) -> str:
        """Return a token with which a machine shows somebody else who it is. Safe to repeat.

        Only for programs inside a machine.

        Args:
            aud: Whom it is for.
            aws_principal_tags: With the claim that AWS makes session tags of.

        Raises:
            Invalid: the request does not come from a machine.

        Source: https://fly.io/docs/security/openid-connect/
        """
        return self._link.run(calls.tokens.oidc(aud=aud, aws_principal_tags=aws_principal_tags))

    def kms(
        self,
    ) -> str:
        """Return a token with which a machine reaches the API's key store.

        Only for programs inside a machine.
        """
        return self._link.run(calls.tokens.kms())


class Platform:
    """Which regions there are, and where there is room."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def regions(
        self,
    ) -> Regions:
        """Return the regions there are, and which of them is nearest."""
        return self._link.run(calls.platform.regions())

    def placements(
        self,
        *,
        org_slug: str = "personal",
        region: str | Sequence[str] | None = None,
        compute: Guest | Mapping[str, Any] | None = None,
        count: int | None = None,
        volume_name: str | None = None,
        volume_size_bytes: int | None = None,
        weights: Mapping[str, int] | None = None,
    ) -> list[RegionPlacement]:
        """Return where machines would be put if they were created now. Nothing is made.

        Args:
            region: In order of preference: regions, or names for several of them, such as `"eu"`.
                The default is the nearest region, then any.
            compute: The guest of the machines; the default is one cpu of the performance kind.
            count: How many machines; 0, the default, for as many as the organisation may have.
            volume_name: They would mount volumes of this name.
            volume_size_bytes: Of this size.
            weights: How much preferences count: `region` (50) and `spread` (1), by default.
        """
        return self._link.run(
            calls.platform.placements(
                org_slug=org_slug,
                region=region,
                compute=compute,
                count=count,
                volume_name=volume_name,
                volume_size_bytes=volume_size_bytes,
                weights=weights,
            )
        )


class Orgs:
    """What there is in all apps of an organisation."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def machines_page(
        self,
        org_slug: str = "personal",
        *,
        include_deleted: bool = False,
        region: str | Sequence[str] | None = None,
        state: str | Sequence[str] | None = None,
        summary: bool = False,
        updated_after: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> OrgMachinesPage:
        """Return some of an organisation's machines, and the cursor for those after them.

        Args:
            include_deleted: Also those that are destroyed.
            region: Only those in this region, or in one of these.
            state: Only those in this state, or in one of these.
            summary: Without their configs.
            updated_after: Only those that changed after this time (RFC 3339), such as the
                `last_updated_at` of an earlier page.
            cursor: `next_cursor` of the page before this one.
            limit: How many, at most 1000.
        """
        return self._link.run(
            calls.orgs.machines_page(
                org_slug,
                include_deleted=include_deleted,
                region=region,
                state=state,
                summary=summary,
                updated_after=updated_after,
                cursor=cursor,
                limit=limit,
            )
        )

    def machines(
        self,
        org_slug: str = "personal",
        *,
        include_deleted: bool = False,
        region: str | Sequence[str] | None = None,
        state: str | Sequence[str] | None = None,
        summary: bool = False,
        updated_after: str | None = None,
    ) -> Iterator[OrgMachine]:
        """Iterate over all machines of an organisation.

        What happened a moment ago may not be in it yet; a machine that changes meanwhile may come
        twice. Regions that did not answer are left out without a word: `machines_page` names them.

        Args:
            include_deleted: Also those that are destroyed.
            region: Only those in this region, or in one of these.
            state: Only those in this state, or in one of these.
            summary: Without their configs.
            updated_after: Only those that changed after this time (RFC 3339).
        """
        return self._link.stream(
            calls.orgs.machines(
                org_slug,
                include_deleted=include_deleted,
                region=region,
                state=state,
                summary=summary,
                updated_after=updated_after,
            )
        )

    def volumes_page(
        self,
        org_slug: str = "personal",
        *,
        include_deleted: bool = False,
        region: str | Sequence[str] | None = None,
        state: str | Sequence[str] | None = None,
        summary: bool = False,
        updated_after: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> OrgVolumesPage:
        """Return some of an organisation's volumes, and the cursor for those after them.

        Args:
            include_deleted: Also those that are destroyed.
            region: Only those in this region, or in one of these.
            state: Only those in this state, or in one of these.
            summary: Leave out what costs the API time to find out.
            updated_after: Only those that changed after this time (RFC 3339).
            cursor: `next_cursor` of the page before this one.
            limit: How many, at most 1000.
        """
        return self._link.run(
            calls.orgs.volumes_page(
                org_slug,
                include_deleted=include_deleted,
                region=region,
                state=state,
                summary=summary,
                updated_after=updated_after,
                cursor=cursor,
                limit=limit,
            )
        )

    def volumes(
        self,
        org_slug: str = "personal",
        *,
        include_deleted: bool = False,
        region: str | Sequence[str] | None = None,
        state: str | Sequence[str] | None = None,
        summary: bool = False,
        updated_after: str | None = None,
    ) -> Iterator[OrgVolume]:
        """Iterate over all volumes of an organisation.

        A volume that changes meanwhile may come twice.

        Args:
            include_deleted: Also those that are destroyed.
            region: Only those in this region, or in one of these.
            state: Only those in this state, or in one of these.
            summary: Leave out what costs the API time to find out.
            updated_after: Only those that changed after this time (RFC 3339).
        """
        return self._link.stream(
            calls.orgs.volumes(
                org_slug,
                include_deleted=include_deleted,
                region=region,
                state=state,
                summary=summary,
                updated_after=updated_after,
            )
        )
