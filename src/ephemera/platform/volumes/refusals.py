"""Every "no" about volumes and snapshots.

Source: the observed errors of the Machines API; texts without a source there are ours.
"""

from __future__ import annotations

from ephemera.platform.refusals import Refusal, invalid, unsupported


def volume_not_found() -> Refusal:
    """The app has no such volume."""
    return Refusal(404, "volume not found")


def mount_not_found() -> Refusal:
    """A machine is to mount a volume that its app does not have, or not any more."""
    return Refusal(400, "volume not found")


def source_not_found(field: str, volume_or_snapshot: str) -> Refusal:
    """A volume is to be made from something that there is not, or not for this caller."""
    return invalid(f"{field} {volume_or_snapshot[:80]!r} not found")


def bound(machine_id: str) -> Refusal:
    """A machine has the volume, running or not."""
    return Refusal(412, f"failed_precondition: volume is currently bound to machine: {machine_id}")


def wrong_state(verb: str, state: str) -> Refusal:
    """The volume is not in a state that allows this."""
    return Refusal(
        412, f"failed_precondition: unable to {verb} volume from current state: '{state}'"
    )


def wrong_region(volume_id: str, region: str) -> Refusal:
    """The machine is to be somewhere else than its volume."""
    return invalid(
        f"Mounts source volume {volume_id!r} is in the wrong region: it is in {region!r}"
    )


def volume_fixed() -> Refusal:
    """A new version of a machine has another volume than the machine, or none."""
    return invalid("config.mounts: the volume of a machine cannot be changed")


def is_disk(volume_id: str) -> Refusal:
    """The volume is a disk, and the driver mounts folders only."""
    return unsupported(f"config.mounts: {disk_unmountable(volume_id)}")


def disk_unmountable(volume_id: str) -> str:
    """Return why a volume that was made by another driver cannot be mounted by this one."""
    return (
        f"volume {volume_id} is a disk of a fixed size, which this platform cannot mount as it runs"
        " now; it was made with the container driver, as root"
    )


def snapshot_unfinished(snapshot_id: str, status: str) -> Refusal:
    """The snapshot holds nothing that could be restored."""
    return Refusal(412, f"failed_precondition: snapshot {snapshot_id} is {status}, not created")


def already_scheduled(at: str) -> Refusal:
    """A snapshot of the volume is being made."""
    return Refusal(412, f"failed_precondition: snapshot is already scheduled at {at}")


def no_capacity(why: str) -> Refusal:
    """The disk has no room for another volume."""
    return Refusal(400, f"no capacity: {why}", code="insufficient_capacity")
