"""How many machines an app has, and how large they are.

Both stay through later deploys: those leave the number as it is, and the size where the
`fly.toml` has no `[[vm]]`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ephemera.client import Client
from ephemera.deploy.flytoml.guests import guest_of, is_size
from ephemera.deploy.flytoml.sections import Vm
from ephemera.deploy.release import labels, restarting
from ephemera.deploy.release.making import Making, Manner, making
from ephemera.deploy.release.wanted import config_of
from ephemera.errors import ConfigError, Invalid
from ephemera.wire.models import Guest, Machine, MachineConfig

#: In steps of which a machine has memory, on the platform and on Fly.io.
_MEMORY_STEP_MB = 256
_MEMORY_HINT = (
    "memory is a multiple of 256 MB: up to 2048 for each shared cpu, 2048 to 8192 for each"
    " performance cpu; `ephemera scale vm` gives machines other cpus"
)


@dataclass(frozen=True, slots=True)
class Scale:
    """The machines of a process group."""

    group: str
    count: int
    #: What they are, `shared` or `performance`; of the first of them.
    cpu_kind: str
    cpus: int
    memory_mb: int
    regions: Mapping[str, int]


def scales(client: Client, app: str) -> list[Scale]:
    """Return how many machines each group of an app has, and how large they are.

    Raises:
        NotFound: there is no such app.
    """
    machines = labels.managed(client.machines.list(app))
    groups = sorted({labels.group(one) for one in machines})
    return [_scale(group, restarting.of_group(machines, group)) for group in groups]


def scale_count(client: Client, app: str, wanted: Mapping[str, int], manner: Manner) -> None:
    """Have as many machines as are wanted.

    Args:
        wanted: By group; the empty name is that of the only group of the app.

    Raises:
        ConfigError: there is no machine yet, or no such group.
        DeployError: a new machine did not become well: none of them is there.
    """
    with making(client, app, "scaling", manner) as made:
        restarting.count_again(made, {_named(made, group): wanted[group] for group in wanted})


def scale_memory(
    client: Client, app: str, memory_mb: int, group: str | None, manner: Manner
) -> None:
    """Have machines with so much memory: each is started again with it, rolling.

    Raises:
        ConfigError: no machine has so much, there is none yet, or no such group.
        Invalid: the API does not have this size: all are as before.
        DeployError: one did not become well: all are as before.
    """
    if memory_mb % _MEMORY_STEP_MB:
        raise ConfigError(f"a machine cannot have {memory_mb} MB of memory", hint=_MEMORY_HINT)
    with making(client, app, "scaling", manner) as made:

        def edit(config: MachineConfig) -> MachineConfig:
            had = config.guest or Guest(cpu_kind="shared", cpus=1)
            return config.model_copy(
                update={"guest": had.model_copy(update={"memory_mb": memory_mb})}
            )

        try:
            restarting.roll_again(made, _chosen(made, group), edit, f"memory {memory_mb} MB")
        except Invalid as error:
            error.hint = error.hint or _MEMORY_HINT
            raise


def scale_vm(client: Client, app: str, size: str, group: str | None, manner: Manner) -> None:
    """Have machines of a named size, such as `shared-cpu-2x`: each is started again, rolling.

    Raises:
        ConfigError: there is no such size, no machine yet, or no such group.
        DeployError: one did not become well: all are as before.
    """
    if not is_size(size):
        raise ConfigError(
            f"there is no size '{size}'",
            hint="there are shared-cpu-1x to 8x, performance-1x to 16x",
        )
    guest = guest_of([Vm(size=size)])
    with making(client, app, "scaling", manner) as made:
        restarting.roll_again(
            made,
            _chosen(made, group),
            lambda config: config.model_copy(update={"guest": guest}),
            f"size {size}",
        )


def _chosen(made: Making, group: str | None) -> list[Machine]:
    """Return the machines of a group, or all.

    Raises:
        ConfigError: there are none.
    """
    found = made.present if group is None else restarting.of_group(made.present, group)
    if not found:
        of = "" if group is None else f" of group '{group}'"
        raise ConfigError(f"there is no machine{of} yet", hint="`ephemera deploy` makes them")
    return found


def _named(made: Making, group: str) -> str:
    """Return the name of a group, or that of the only one.

    Raises:
        ConfigError: there are several to choose from.
    """
    groups = sorted({labels.group(one) for one in made.present})
    if group or not groups:
        return group or "app"
    if len(groups) > 1:
        raise ConfigError(
            f"which group? There are {', '.join(groups)}",
            hint=f"for example: ephemera scale count {groups[0]}=2",
        )
    return groups[0]


def _scale(group: str, machines: Sequence[Machine]) -> Scale:
    guest = config_of(machines[0]).guest or Guest()
    regions = [one.region for one in machines]
    return Scale(
        group=group,
        count=len(machines),
        cpu_kind=guest.cpu_kind or "shared",
        cpus=guest.cpus or 1,
        memory_mb=guest.memory_mb or 256,
        regions={one: regions.count(one) for one in sorted(set(regions))},
    )
