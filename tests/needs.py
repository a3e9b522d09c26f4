"""What tests need of the computer that they run on: one name for each, with what to install.

```python
pytestmark = [pytest.mark.crun, needs.root, needs.crun]
```

Where something lacks, the test is skipped and says why. In CI (`CI=true`) all of it is installed by
`scripts/setup_system.sh`, so there `tests/skips.py` makes an error of a skip of a test that is
marked `root`, `crun`, `browser` or `postgresql`.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

#: Where programs of the system are that only root has in the path.
_PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))


def which(program: str) -> str | None:
    """Return the path of a program of the system, also of one that is for root."""
    return shutil.which(program, path=_PATH)


def _program(name: str, package: str) -> pytest.MarkDecorator:
    reason = f"there is no {name}: apt-get install {package}, or `make system` as root"
    return pytest.mark.skipif(which(name) is None, reason=reason)


linux = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
proc = pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc")
root = pytest.mark.skipif(os.geteuid() != 0, reason="needs to be root: it mounts, limits and maps")
buildah = _program("buildah", "buildah")
crun = _program("crun", "crun")
registry = _program("docker-registry", "docker-registry")
busybox = pytest.mark.skipif(
    not Path("/bin/busybox").exists(),
    reason="there is no /bin/busybox: apt-get install busybox-static, or `make system` as root",
)
skopeo = _program("skopeo", "skopeo")
umoci = _program("umoci", "umoci")
nft = _program("nft", "nftables")
#: What tests are marked with, and need, that run containers.
containers = [pytest.mark.root, pytest.mark.crun, root, crun, nft]
ip = _program("ip", "iproute2")
ext4 = _program("mkfs.ext4", "e2fsprogs")
loop = pytest.mark.skipif(
    not Path("/dev/loop-control").exists(),
    reason="there are no loop devices: modprobe loop, or give the container /dev/loop-control",
)
uidmap = _program("newuidmap", "uidmap")
pasta = _program("pasta", "passt")
#: Where Debian has the programs of PostgreSQL; the newest first.
POSTGRESQL = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
postgresql = pytest.mark.skipif(
    not POSTGRESQL or which("setpriv") is None,
    reason="there is no PostgreSQL: apt-get install postgresql, or `make system` as root",
)
_RESTRICTED = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
user_namespaces = pytest.mark.skipif(
    _RESTRICTED.exists() and _RESTRICTED.read_text().strip() != "0",
    reason=f"users may do nothing in user namespaces: echo 0 >{_RESTRICTED}, as root",
)
tun = pytest.mark.skipif(
    not Path("/dev/net/tun").exists(),
    reason="there is no /dev/net/tun: modprobe tun, or give the container /dev/net/tun",
)
user_systemd = pytest.mark.skipif(
    not (
        Path("/sys/fs/cgroup/cgroup.controllers").exists()
        and Path("/run/systemd/system").exists()
        and which("loginctl")
    ),
    reason="there is no systemd with cgroups of version 2: make test-cgroup2 VARIANT=systemd",
)
zstd = _program("zstd", "zstd")
