"""The machines of an app as they are, once more: for new secrets, another size, or more of them.

Each is given a config, which makes a new version of it: a version has the app's secrets of the
moment in which it was made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from ephemera.client import Client
from ephemera.deploy.release import history, labels, wanted
from ephemera.deploy.release.history import Release
from ephemera.deploy.release.image import Image
from ephemera.deploy.release.making import Making, Manner, making
from ephemera.deploy.release.plan import Wanted, plan
from ephemera.errors import ConfigError
from ephemera.wire.models import Machine, MachineConfig

Edit = Callable[[MachineConfig], MachineConfig]


def restart_all(client: Client, app: str, manner: Manner, description: str = "restart") -> int:
    """Restart all machines of an app, rolling, with its newest secrets; return how many.

    An app without machines is no error: its first ones will have them.

    Raises:
        DeployError: one did not become well; all are as before, but for the secrets.
        AppBusy: somebody else makes a release of it.
        NotFound: there is no such app.
    """
    with making(client, app, description, manner) as made:
        present = made.present
        if present:
            roll_again(made, present, lambda config: config, description)
        return len(present)


def roll_again(made: Making, machines: Sequence[Machine], edit: Edit, description: str) -> Release:
    """Make a release in which machines have the configs that they have, edited.

    Args:
        machines: At least one. The others stay as they are.

    Raises:
        DeployError: one did not become well.
    """
    release = made.begin(image_of(made.present), description)
    stamp, ports = made.stamp(release), made.free_ports()
    groups = sorted({labels.group(one) for one in machines})
    found = plan(
        machines,
        [
            Wanted(
                group,
                sum(labels.group(one) == group for one in machines),
                _configs(edit, machines, group, stamp, ports),
            )
            for group in groups
        ],
        "rolling",
        names_taken=made.names,
    )
    made.roll_out(release, found)
    return release


def count_again(made: Making, counts: Mapping[str, int]) -> None:
    """Have as many machines of some groups as are wanted, like those that are there.

    Raises:
        ConfigError: there is no machine of a group to be like.
        DeployError: a new one did not become well.
    """
    present = made.present
    release = current(present)
    stamp = {**release.stamp(), labels.RELEASES: history.written(made.history)}
    ports = made.free_ports()
    missing = [group for group in counts if not of_group(present, group)]
    if missing:
        raise ConfigError(
            f"there is no machine of group '{missing[0]}' that another could be like",
            hint="`ephemera deploy` makes the first one, `ephemera rollback VERSION` "
            "one of an earlier release",
        )
    found = plan(
        present,
        [
            Wanted(
                group,
                count,
                _configs(lambda config: config, present, group, stamp, ports),
                [one.region for one in of_group(present, group)],
            )
            for group, count in counts.items()
        ],
        "rolling",
        names_taken=made.names,
        only_count=True,
    )
    if all(counts.get(labels.group(one)) == 0 for one in present):
        made.remember(release)
    made.carry_out(release.id, found)


def of_group(machines: Sequence[Machine], group: str) -> list[Machine]:
    """Return the machines of a group."""
    return [one for one in machines if labels.group(one) == group]


def current(machines: Sequence[Machine]) -> Release:
    """Return the release that machines are of; one without a number where nobody wrote any."""
    newest = max(map(labels.version, machines), default=0)
    known = [one for one in history.read(machines) if one.version == newest]
    return known[0] if known else Release(newest, _reference(machines), "succeeded", "")


def image_of(machines: Sequence[Machine]) -> Image:
    """Return the image of the release that machines are of."""
    return current(machines).image_of()


def _reference(machines: Sequence[Machine]) -> str:
    return next((image for one in machines if (image := wanted.config_of(one).image)), "")


def _configs(
    edit: Edit,
    machines: Sequence[Machine],
    group: str,
    stamp: Mapping[str, str],
    ports: Iterator[int],
) -> Callable[[Machine | None, bool], MachineConfig]:
    model = max(of_group(machines, group), key=labels.version)

    def config(before: Machine | None, fresh: bool) -> MachineConfig:
        found = wanted.again(before or model, fresh, ports)
        return wanted.labelled(edit(found), stamp)

    return config
