"""What a runtime is told of a machine: the OCI's config of a container, and of a process in it.

Source: the runtime specification of the OCI, and for what is masked and kept read-only, the
kernel's documentation of `/proc` and `/sys`. Standard library only.
"""

from __future__ import annotations

import resource
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ephemera.platform.drivers.container.users import User

#: What a machine's root may do there. What it may not, among others: mount, make devices, set
#: the clock, load modules, trace what is more privileged, set up networks.
_CAPABILITIES = [
    "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_NET_BIND_SERVICE",
    "CAP_NET_RAW", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
]  # fmt: skip
_MASKED = [
    "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kallsyms", "/proc/kcore", "/proc/keys",
    "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi", "/proc/sysrq-trigger",
    "/proc/timer_list", "/sys/devices/virtual/powercap", "/sys/firmware", "/sys/kernel/debug",
    "/sys/kernel/security",
]  # fmt: skip
_READ_ONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys"]
#: Of one machine, more than it needs: a computer has some thousands (kernel.pty.max), which one
#: machine could otherwise keep from all others.
TERMINALS_MAX = 256
_QUIET = ["nosuid", "noexec", "nodev"]
#: Open files of one process. No more than we may have ourselves: that would be refused.
_FILES = min(65536, resource.getrlimit(resource.RLIMIT_NOFILE)[1])


class Filter(NamedTuple):
    """The filter of system calls: compiled, or as text where that could not be done.

    Both are empty where this computer cannot filter.
    """

    compiled: str
    section: Mapping[str, Any]


class Bind(NamedTuple):
    """Something of this computer that a machine sees."""

    source: str
    target: str
    options: Sequence[str] = ()


def process(
    command: Sequence[str], env: Mapping[str, str], user: User, folder: str, *, tty: bool
) -> dict[str, Any]:
    """Return a process, as the OCI has it."""
    return {
        "terminal": tty,
        "user": {"uid": user.uid, "gid": user.gid, "additionalGids": list(user.groups)},
        "args": list(command),
        "env": [f"{name}={value}" for name, value in env.items()],
        "cwd": folder,
        "noNewPrivileges": True,
        "capabilities": {
            kind: _CAPABILITIES if kind == "bounding" or user.uid == 0 else []
            for kind in ("bounding", "effective", "permitted")
        },
        "rlimits": [{"type": "RLIMIT_NOFILE", "hard": _FILES, "soft": _FILES}],
    }


def config(
    main: Mapping[str, Any],
    root: str,
    hostname: str,
    namespaces: Mapping[str, str],
    binds: Sequence[Bind],
    filter_: Filter,
    *,
    shm_mb: int,
    cgroup_version: int,
) -> dict[str, Any]:
    """Return a container.

    Args:
        main: Its first process.
        root: The folder of its file system.
        namespaces: The paths of those that are there already, by the OCI's names of their kinds.
        shm_mb: How much `/dev/shm` holds.
    """
    mounts = [
        _mount("/proc", "proc", "proc", *_QUIET),
        _mount("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=64k"),
        _mount(
            "/dev/pts", "devpts", "devpts",
            "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5",
            f"max={TERMINALS_MAX}",
        ),
        _mount("/dev/shm", "tmpfs", "shm", *_QUIET, "mode=1777", f"size={shm_mb}m"),
        _mount("/dev/mqueue", "mqueue", "mqueue", *_QUIET),
        _mount("/sys", "sysfs", "sysfs", *_QUIET, "ro"),
    ]  # fmt: skip
    if cgroup_version == 2:  # programs that look for their limits find them
        mounts.append(_mount("/sys/fs/cgroup", "cgroup", "cgroup", *_QUIET, "ro"))
    mounts += [_mount(one.target, "bind", one.source, "rbind", *one.options) for one in binds]
    joined = [{"type": kind, "path": path} for kind, path in namespaces.items()]
    found: dict[str, Any] = {
        "ociVersion": "1.0.2",
        "process": dict(main),
        "root": {"path": root},
        "hostname": hostname,
        "mounts": mounts,
        "linux": {
            "namespaces": [*joined, {"type": "mount"}, {"type": "cgroup"}],
            "maskedPaths": _MASKED,
            "readonlyPaths": _READ_ONLY,
        },
    }
    if filter_.compiled:
        found["annotations"] = {"run.oci.seccomp_bpf_data": filter_.compiled}
    elif filter_.section:  # neither, where calls cannot be filtered: crun takes no empty filter
        found["linux"]["seccomp"] = dict(filter_.section)
    return found


def _mount(target: str, kind: str, source: str, *options: str) -> dict[str, Any]:
    return {"destination": target, "type": kind, "source": source, "options": list(options)}
