"""Doing the steps of a release, one request or wait each."""

from __future__ import annotations

from collections.abc import Sequence

from ephemera.client import Client
from ephemera.deploy.release import labels
from ephemera.deploy.release.drafting import AT_REST
from ephemera.deploy.release.leasing import TTL_S, Leases
from ephemera.deploy.release.patience import name_is_taken, patient
from ephemera.deploy.release.steps import (
    Change,
    Cordon,
    Create,
    Destroy,
    Drain,
    Label,
    Start,
    Step,
    Stop,
    Uncordon,
    Verify,
)
from ephemera.deploy.release.telling import Tell, line
from ephemera.deploy.release.volumes import mounted
from ephemera.deploy.release.watching import Watch
from ephemera.errors import AppBusy, Conflict, EphemeraError
from ephemera.wire.durations import parse_duration
from ephemera.wire.models import Machine, MachineConfig, MachineEvent

_GONE = frozenset({"destroying", "destroyed"})
#: Without `stop_config`, and what a stop takes beyond the time that its program has.
_STOP_TIMEOUT_S, _STOP_GRACE_S = 5.0, 30.0


class Doing:
    """Does steps. Each may be done again; what it is about may be gone.

    Args:
        release_id: What machines that we make are labelled with.
        present: The machines that there are.
    """

    def __init__(
        self,
        client: Client,
        app: str,
        release_id: str,
        present: Sequence[Machine],
        leases: Leases,
        watch: Watch,
        tell: Tell,
    ) -> None:
        self._client = client
        self._app = app
        self._release_id = release_id
        self._leases = leases
        self._watch = watch
        self._tell = tell
        self._machines = {one.name: one for one in present}
        #: The newest event from before a machine was started, by the machine's id.
        self._since: dict[str, str] = {}
        #: And when that was.
        self._changed_ms: dict[str, int] = {}

    def do(self, step: Step) -> None:
        """Do a step, and say so; again where the API could not answer just then.

        Nothing is done, or said, of a machine that was never made or is gone.

        Raises:
            DeployError: a machine did not become well.
            ApiError, NoAnswer: the API said no, or is gone.
        """
        made = isinstance(step, Create) or patient(lambda: self._find(step.machine), self._pause)
        if not made:
            return
        if said := line(step):
            self._tell(said)
        patient(lambda: self._do(step), self._pause)

    def _pause(self, seconds: float, error: EphemeraError) -> None:
        self._tell(f"{error.message}: trying again in {seconds:.0f} s")
        self._watch.pause(seconds)

    def _do(self, step: Step) -> None:
        if isinstance(step, Create):
            self._create(step)
            return
        machine = self._find(step.machine)
        if machine is None:
            return  # gone by a try whose answer was lost
        match step:
            case Change():
                self._change(machine, step)
            case Start():
                self._start(machine)
            case Verify():
                since = self._since.get(machine.id, "")
                self._watch.until_well(machine, since, comes_back=step.comes_back)
                self._tell(f"machine {machine.name} is well")
            case Label():
                self._label(machine, step.half_done)
            case Cordon():
                self._client.machines.cordon(self._app, machine.id, nonce=self._nonce(machine))
            case Uncordon():
                self._client.machines.uncordon(self._app, machine.id, nonce=self._nonce(machine))
            case Drain():
                self._watch.until_idle(machine.id, _stop_timeout_s(machine.config))
            case Stop():
                self._stop(machine)
            case Destroy():
                self._destroy(machine)

    def show_log(self, machine_id: str) -> None:
        """Say the last lines of a machine's log, from when it was changed on."""
        self._watch.show_log(machine_id, self._changed_ms.get(machine_id, 0), self._tell)

    def _create(self, step: Create) -> None:
        if (found := self._find(step.machine)) is not None:
            if self._leases.nonce(found.id) is None:
                self._leases.born(found)  # by a try whose answer was lost
            return
        config, region = mounted(self._client, self._app, step.config, step.region, self._tell)
        try:
            made = self._client.machines.create(
                self._app,
                config=config,
                name=step.machine,
                region=region,
                skip_service_registration=bool(config.services),
                lease_ttl=TTL_S,
            )
        except Conflict as error:
            if not name_is_taken(error):
                raise
            raise AppBusy(
                f"machine {step.machine} of app '{self._app}' was made by somebody else",
                hint="is another deploy of it under way? Try again when it is over",
            ) from error
        self._leases.born(made)
        self._machines[made.name] = made

    def _change(self, machine: Machine, step: Change) -> None:
        state = self._client.machines.get(self._app, machine.id).state
        changed = self._client.machines.update(
            self._app,
            machine.id,
            config=step.config,
            skip_launch=step.rests and state in AT_REST,  # else a request has woken it just now
            skip_service_registration=step.cordoned,
            nonce=self._nonce(machine),
        )
        self._remember(changed)
        if not step.rests and state in AT_REST:  # it has ended since, and rests on
            self._client.machines.wait(
                self._app, machine.id, ("stopped", "started", "failed"), version=changed.instance_id
            )
            self._start(changed)

    def _start(self, machine: Machine) -> None:
        found = self._settled(machine)
        if found.state in AT_REST:
            self._remember(found)
            self._client.machines.start(self._app, machine.id, nonce=self._nonce(machine))

    def _settled(self, machine: Machine) -> Machine:
        """Return a machine once nothing moves it any more: one that was just changed rests soon."""
        self._client.machines.wait(self._app, machine.id, "settled")
        return self._client.machines.get(self._app, machine.id)

    def _label(self, machine: Machine, half_done: str) -> None:
        said = {labels.HALF_DONE: half_done or None}
        self._client.machines.update_metadata(self._app, machine.id, said)

    def _stop(self, machine: Machine) -> None:
        self._client.machines.stop(self._app, machine.id, nonce=self._nonce(machine))
        self._watch.until_stopped(machine.id, _stop_timeout_s(machine.config) + _STOP_GRACE_S)

    def _destroy(self, machine: Machine) -> None:
        self._client.machines.destroy(self._app, machine.id, force=True, nonce=self._nonce(machine))
        self._leases.forget(machine.id)
        self._machines.pop(machine.name, None)

    def _remember(self, machine: Machine) -> None:
        """Know the version of a machine that is meant from now on, and what was before it."""
        self._machines[machine.name] = machine
        newest = machine.events[0] if machine.events else MachineEvent()
        self._since[machine.id] = newest.id
        self._changed_ms[machine.id] = newest.timestamp

    def _find(self, name: str) -> Machine | None:
        """Return a machine of this name that was there, or that we have made.

        Where the answer to a create was lost, the machine is found by what it is labelled with.
        """
        if name not in self._machines:
            ours = self._client.machines.list(
                self._app, metadata={labels.RELEASE_ID: self._release_id}
            )
            self._machines |= {
                one.name: one
                for one in ours
                if one.name == name
                and labels.of(one).get(labels.RELEASE_ID) == self._release_id
                and one.state not in _GONE
            }
        return self._machines.get(name)

    def _nonce(self, machine: Machine) -> str | None:
        return self._leases.nonce(machine.id)


def _stop_timeout_s(config: MachineConfig | None) -> float:
    stop = config.stop_config if config else None
    return parse_duration(stop.timeout) if stop and stop.timeout is not None else _STOP_TIMEOUT_S
