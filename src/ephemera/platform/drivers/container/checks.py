"""What a computer lacks for the container driver, in words: what it means, and what to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from ephemera.errors import DriverError
from ephemera.platform.drivers.container.host import Host

_LAYOUTS = {
    "v2": "version 2",
    "v1": "version 1",
    "hybrid": "version 1, with an empty version 2",
    "none": "none that may be written to",
}


class Verdict(StrEnum):
    """How well a computer does in one respect."""

    OK = "ok"
    #: The driver runs, and there is something that it cannot do.
    LIMITED = "limited"
    #: The driver cannot run.
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that the driver uses, and how it is here."""

    name: str
    verdict: Verdict
    #: What was found, and what it means where it is not well.
    says: str
    #: What to install or to change; empty where nothing is to be done.
    hint: str = ""


def checks(host: Host) -> list[Check]:
    """Return everything that the driver needs or uses, in the order of what it builds on.

    On another system than Linux that is the only thing to say.
    """
    if not host.kernel.startswith("Linux"):
        says = f"{host.kernel}: machines with images need Linux"
        return [Check("kernel", Verdict.MISSING, says, "use the process driver")]
    found = [check(host) for check in _CHECKS]
    if not (host.is_root or host.user_namespace):
        found = [_for_root(one) if one.verdict == Verdict.LIMITED else one for one in found]
    return [Check("kernel", Verdict.OK, host.kernel), *found]


def problems(host: Host) -> list[Check]:
    """Return the checks that are not well, those first that keep the driver from running."""
    found = [one for one in checks(host) if one.verdict != Verdict.OK]
    return sorted(found, key=lambda one: one.verdict != Verdict.MISSING)


def limitations(host: Host) -> list[str]:
    """Return what the driver cannot do on a computer on which it runs, in sentences."""
    limited = [one for one in checks(host) if one.verdict == Verdict.LIMITED]
    return [f"{one.name}: {one.says} ({one.hint})" for one in limited]


def require(host: Host) -> None:
    """Refuse a computer on which the driver cannot run.

    Raises:
        DriverError: it cannot; the message says why, the hint what to do.
    """
    for one in problems(host):
        if one.verdict == Verdict.MISSING:
            raise DriverError(
                f"the container driver cannot run here: {one.name}: {one.says}", hint=one.hint
            )


def _root(host: Host) -> Check:
    if host.is_root:
        return Check("root", Verdict.OK, "this is root")
    if host.user_lacks:
        says, hint = host.user_lacks[0]
        return Check("root", Verdict.MISSING, f"this is not root, and {says}", hint)
    says = (
        "this is not root, but can be it in a user namespace: machines have all that is said here,"
        " and this computer does not reach their private addresses"
    )
    return Check("root", Verdict.LIMITED, says, "start the platform as root")


def _outside(host: Host) -> Check:
    if host.is_root or host.pasta:
        return Check("outside", Verdict.OK, "machines can reach the world outside")
    says = (
        "neither pulls nor machines reach the world: there is no pasta, or no /dev/net/tun for it"
    )
    return Check("outside", Verdict.LIMITED, says, "apt-get install passt; chmod 666 /dev/net/tun")


#: What is about whoever asks, and says itself what is to be done.
_OF_USERS = ("root", "outside", "cgroups")


def _for_root(found: Check) -> Check:
    """Return what lacks to somebody who is not root, for whom nothing need be changed for it."""
    if found.name in _OF_USERS:
        return found
    return replace(found, hint="root may have it: ask again as root")


def _runtime(host: Host) -> Check:
    crun = f"{host.crun}, version {host.crun_version}"
    if host.launches:
        beside = f"; {crun} is there, too" if host.crun else ""
        return Check("runtime", Verdict.OK, f"programs are started by the platform itself{beside}")
    if host.crun:
        return Check("runtime", Verdict.OK, f"programs are started by {crun}")
    says = (
        f"nothing can start programs: the platform itself not ({_why(host, 'launches')}), and crun"
        " is not in the path or does not start"
    )
    return Check("runtime", Verdict.MISSING, says, "apt-get install crun")


def _namespaces(host: Host) -> Check:
    if host.namespaces:
        return Check("namespaces", Verdict.OK, "mounts, processes, network, ipc, names, cgroups")
    return Check(
        "namespaces",
        Verdict.MISSING,
        f"they cannot be made: {_why(host, 'namespaces')}",
        "inside of a container, give it the capability SYS_ADMIN",
    )


def _overlay(host: Host) -> Check:
    if host.overlay:
        return Check("overlay", Verdict.OK, "writable layers can be in the state folder")
    return Check(
        "overlay",
        Verdict.MISSING,
        f"the file system of the state folder cannot have layers: {_why(host, 'overlay')}",
        "set EPHEMERA_HOME to a folder on ext4, xfs, btrfs or a tmpfs",
    )


def _users(host: Host) -> Check:
    if host.user_namespaces and host.idmap:
        return Check("users", Verdict.OK, "root of a machine is nobody on this computer")
    if not host.is_root:
        says = "root of a machine is the user who started the platform, in a user namespace"
        return Check("users", Verdict.LIMITED, says, "start the platform as root")
    lacking = "idmap" if host.user_namespaces else "user_namespaces"
    return Check(
        "users",
        Verdict.LIMITED,
        f"root of a machine cannot be mapped to somebody else: {_why(host, lacking)}",
        "use Linux 5.19 or newer, ext4, xfs or btrfs for / and the state folder, and a sysctl"
        " user.max_user_namespaces above 0",
    )


def _cgroups(host: Host) -> Check:
    layout, usable = _LAYOUTS[host.cgroups], host.controllers
    unlimited = [one for one in ("memory", "cpu", "pids") if one not in usable]
    means = []
    if unlimited:
        means.append(f"machines are not limited in {', '.join(unlimited)}")
    if "freezer" not in usable:
        means.append("machines cannot be suspended")
    if means and host.group_lacks:
        why, hint = host.group_lacks
        return Check("cgroups", Verdict.LIMITED, f"{layout}: {'; '.join(means)}: {why}", hint)
    if means:
        hint = _for_controllers(host)
        return Check("cgroups", Verdict.LIMITED, f"{layout}: {'; '.join(means)}", hint)
    says = f"{layout}: {', '.join(usable)}"
    if host.ends_with:
        ends = f"{says}; but the platform and its machines end when {host.ends_with} logs out"
        hint = f"loginctl enable-linger {host.ends_with}"
        return Check("cgroups", Verdict.LIMITED, ends, hint)
    return Check("cgroups", Verdict.OK, says)


def _for_controllers(host: Host) -> str:
    if host.is_root and host.cgroups == "v2" and host.controllers:
        return (
            "add cgroup_enable=memory to the kernel's command line; inside of a container, give its"
            " cgroup the controllers"
        )
    if host.is_root:
        return "mount the controllers writable; inside of a container, give it a cgroup of its own"
    if not host.controllers:  # a server, which has been refused a group before it was here
        return "`ephemera doctor` says why, outside of the user namespace"
    return (
        "as root: systemctl edit user@.service, write there `[Service]` and"
        " `Delegate=cpu memory pids`, and start the computer again"
    )


def _seccomp(host: Host) -> Check:
    if host.seccomp:
        return Check("seccomp", Verdict.OK, "system calls are filtered")
    says = "system calls cannot be filtered"
    hint = "apt-get install libseccomp2, and use a kernel with seccomp"
    return Check("seccomp", Verdict.LIMITED, says, hint)


def _network(host: Host) -> Check:
    if host.veth and host.bridge:
        return Check("network", Verdict.OK, "apps have private networks")
    lacking = "bridge" if host.veth else "veth"
    return Check(
        "network",
        Verdict.MISSING,
        f"apps cannot have private networks: no {lacking}: {_why(host, lacking)}",
        "load the kernel's modules `veth` and `bridge`",
    )


def _nft(host: Host) -> Check:
    if host.nft:
        return Check("nft", Verdict.OK, f"{host.nft} keeps apps apart and leads outside")
    says = f"apps cannot be kept apart from each other: {_why(host, 'nft')}"
    return Check("nft", Verdict.MISSING, says, "apt-get install nftables")


def _disks(host: Host) -> Check:
    if host.disks:
        return Check("disks", Verdict.OK, "volumes can be disks of a size")
    return Check(
        "disks",
        Verdict.LIMITED,
        "volumes are folders without a limit: there is no mkfs.ext4, ext4 or loop device",
        "apt-get install e2fsprogs; inside of a container, give it /dev/loop-control",
    )


def _why(host: Host, probed: str) -> str:
    return host.reasons.get(probed, "it was not tried")


_CHECKS: tuple[Callable[[Host], Check], ...] = (
    _root,
    _runtime,
    _namespaces,
    _overlay,
    _users,
    _cgroups,
    _seccomp,
    _network,
    _nft,
    _outside,
    _disks,
)
