"""What this computer can do for the container driver, found out by trying.

What it means for people, and whether the driver can run at all, is in `checks`.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ephemera.errors import DriverError
from ephemera.platform.drivers.container import (
    rootless_groups,
    seccomp,
    subordinates,
    syscalls,
)
from ephemera.platform.drivers.container.cgroups import Tree
from ephemera.platform.drivers.container.ext4 import TOOL_PATH

Layout = Literal["v2", "v1", "hybrid", "none"]

#: The folder that holds the `ephemera` package, which the program has to find without `site`.
_PACKAGES = Path(__file__).parents[4]
_PROGRAM = (
    f"import sys; sys.path.insert(0, {str(_PACKAGES)!r})\n"
    "from ephemera.platform.drivers.container.probing import main; main()"
)
_PROBES = ("user_namespaces", "namespaces", "overlay", "idmap", "veth", "bridge", "nft", "launches")
#: What is tried takes a tenth of a second, and over twenty on an emulated computer that is busy;
#: one that needs this long is stuck.
_PROBED_WITHIN_S = 60
_VERSION = re.compile(r"crun version (\S+)")


@dataclass(frozen=True, slots=True)
class Host:
    """What the container driver can use of this computer."""

    #: Such as `Linux 6.1.0`.
    kernel: str
    #: Whether we are root of all of it, not of a user namespace only.
    is_root: bool
    #: The path of the program; empty where it is not there.
    crun: str = ""
    crun_version: str = ""
    #: Whether programs can be started by system calls of ours.
    launches: bool = False
    #: Whether system calls can be filtered, by the kernel and by what starts programs.
    seccomp: bool = False
    cgroups: Layout = "none"
    #: Below which folder groups with a controller can be made, for each that is usable of memory,
    #: cpu, pids and freezer.
    controllers: Mapping[str, str] = field(default_factory=dict)
    #: Whether a user namespace can be made, with 65,536 users where we are root.
    user_namespaces: bool = False
    #: Whether all other namespaces can be made, the network's included.
    namespaces: bool = False
    #: Whether an overlay can be mounted whose writable layer is in the state folder.
    overlay: bool = False
    #: Whether files of the state folder, and of `/`, can be shown as another root's.
    idmap: bool = False
    veth: bool = False
    bridge: bool = False
    #: The path of `nft`, where it can load a rule that masquerades; else empty.
    nft: str = ""
    #: Whether files can be mounted as disks, and ext4 be made in them.
    disks: bool = False
    #: What a user who is not root lacks to be given groups, and what to do.
    group_lacks: tuple[str, str] | None = None
    #: The user whose systemd takes all of this away when that user logs out; else empty.
    ends_with: str = ""
    #: Whether we are in a user namespace already.
    user_namespace: bool = False
    #: What a user who is not root lacks to be one there, and what to do.
    user_lacks: Sequence[tuple[str, str]] = ()
    #: Whether a network of a user can be led outside.
    pasta: bool = False
    #: Why a probe failed, in the kernel's words, by the name of its field.
    reasons: Mapping[str, str] = field(default_factory=dict)


def probe(home: Path) -> Host:
    """Return what this computer can do. Takes a tenth of a second, and leaves nothing changed.

    Args:
        home: The state folder, which need not exist yet. What depends on the file system is tried
            in a temporary folder inside it, or inside the next folder above it that exists.

    Raises:
        DriverError: nothing could be tried.
    """
    kernel = f"{platform.system()} {platform.release()}"
    in_user_namespace = syscalls.in_user_namespace()
    is_root = os.geteuid() == 0 and not in_user_namespace
    if sys.platform != "linux":
        return Host(kernel, is_root)
    crun, nft = shutil.which("crun") or "", shutil.which("nft", path=TOOL_PATH) or ""
    found = _try_out(home, crun, nft)
    tried, tree, controllers = found["tried"], Tree(**found["tree"]), found["controllers"]
    version = _VERSION.search(found["crun"])
    works = {name: not tried[name] for name in _PROBES if name != "nft"}
    return Host(
        kernel,
        is_root,
        crun=crun if version else "",
        crun_version=version[1] if version else "",
        seccomp=_filters(found["crun"]),
        cgroups=_layout(tree),
        controllers=controllers,
        group_lacks=found["group_lacks"] and tuple(found["group_lacks"]),
        ends_with=rootless_groups.ends_with(controllers.get("freezer", "")),
        nft="" if tried["nft"] else nft,
        disks=_has_disks() and is_root,
        user_namespace=in_user_namespace,
        user_lacks=() if os.geteuid() == 0 else tuple(subordinates.find()[1]),
        pasta=bool(shutil.which("pasta")) and os.access("/dev/net/tun", os.R_OK | os.W_OK),
        reasons={name: tried[name] for name in _PROBES if tried[name]},
        **works,
    )


def _try_out(home: Path, crun: str, nft: str) -> dict[str, Any]:
    arguments = [crun, nft, str(home.absolute())]
    try:
        with tempfile.TemporaryDirectory(
            prefix=".ephemera-probe-", dir=_existing(home), ignore_cleanup_errors=True
        ) as folder:
            done = subprocess.run(
                [sys.executable, "-I", "-S", "-c", _PROGRAM, folder, *arguments],
                capture_output=True,
                text=True,
                timeout=_PROBED_WITHIN_S,
                check=True,
            )
    except subprocess.CalledProcessError as error:
        last = error.stderr.strip().rpartition("\n")[2]
        raise DriverError(f"what this computer can do cannot be tried: {last}") from error
    except OSError as error:
        raise DriverError(
            f"what this computer can do cannot be tried: {error}",
            hint="set EPHEMERA_HOME to a folder you may write to",
        ) from error
    except subprocess.TimeoutExpired as error:
        raise DriverError(
            f"what this computer can do cannot be tried: it takes more than {_PROBED_WITHIN_S} s",
            hint="try again when this computer has less to do",
        ) from error
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _filters(crun: str) -> bool:
    """Whether the kernel filters system calls, and anybody here can say which."""
    can_say = seccomp.compiles() or "+SECCOMP" in crun
    return can_say and Path("/proc/sys/kernel/seccomp").exists()


def _existing(folder: Path) -> Path:
    return next(one for one in (folder, *folder.absolute().parents) if one.is_dir())


def _has_disks() -> bool:
    """Whether files can be disks. To mount one would take a device, so it is not tried."""
    ext4 = "\text4\n" in Path("/proc/filesystems").read_text()
    made_with = shutil.which("mkfs.ext4", path=TOOL_PATH)
    return ext4 and bool(made_with) and os.access("/dev/loop-control", os.R_OK | os.W_OK)


def _layout(tree: Tree) -> Layout:
    if tree.version == 2:
        return "v2"
    if tree.version == 1:
        return "hybrid" if tree.hybrid else "v1"
    return "none"
