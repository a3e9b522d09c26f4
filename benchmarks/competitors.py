"""What the container driver is compared with: crun, podman and Docker, each at its best.

Each runs in namespaces of its own, see `sandbox`, with its data in a temporary folder, so that
nothing of this computer is changed. All of them give a machine a private network on a bridge and
the limits of the smallest guest, run busybox's `true`, and see its exit.

- crun gets the bundle that the driver makes for it, with all namespaces, and the cheapest network
  that can be made. Images, writable layers, logs, records and an API are not asked of it.
- podman uses crun, and its own default network.
- Docker is asked over its socket, as the platform is: create, start, wait.
"""

from __future__ import annotations

import errno
import gzip
import io
import json
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import httpx2
from tests import images

from benchmarks import sandbox
from ephemera.platform.drivers.container import bundle, seccomp
from ephemera.platform.drivers.container.users import User

MEMORY_MB, PIDS_MAX = 256, 4096
_TRUE = "/bin/true"
_PATH = "PATH=/usr/sbin:/usr/bin:/sbin:/bin"
_CGROUP = "ephemera-bench"
_NAMESPACES = ("mount", "net", "pid", "ipc", "uts", "fork", "kill-child", "mount-proc")
_DOCKER_STARTS_WITHIN_S = 120
#: Where this process has no CAP_SYS_RESOURCE, higher limits than its own are refused.
_FILES, _PROCESSES = "1024:1024", "4096:4096"


class Competitor(AbstractContextManager["Competitor"], Protocol):
    """Runs machines in another way than the platform."""

    #: What it is called in a table.
    name: str

    def run_true(self) -> float:
        """Run `true` in a new machine, and return how long it took to see its end; seconds."""
        ...


def lacking(*programs: str) -> str:
    """Return which programs are not on this computer; empty where all are."""
    return ", ".join(one for one in programs if shutil.which(one) is None)


class _Sandbox:
    """The process that everything is started by. As a context manager it ends at the end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._said = folder / "sandbox.log"
        folder.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Self:
        flags = [f"--{name}" for name in _NAMESPACES]
        command = ["unshare", *flags, "--propagation=private"]
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(
                [*command, sys.executable, "-m", "benchmarks.sandbox"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
            )
        assert self._read() == "ready"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()
        _remove_cgroups()

    def ask(self, *words: object) -> Any:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(words).encode() + b"\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> Any:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the sandbox ended: {self._said.read_text()[-2000:]}")
        return json.loads(line)


class Crun(_Sandbox):
    """`crun run` of a bundle that is there already."""

    name = "crun run"

    def __enter__(self) -> Self:
        root = self.folder / "rootfs"
        for one in (self.folder, self.folder.parent):  # the machine's root is somebody else
            one.chmod(0o711)
        with tarfile.open(fileobj=io.BytesIO(busybox_tar())) as tar:
            tar.extractall(root, filter="fully_trusted")
        for lane in range(sandbox.LANES):
            config = self.folder / f"lane{lane}" / "config.json"
            config.parent.mkdir(parents=True)
            config.write_text(json.dumps(_config(root, lane)))
        return super().__enter__()

    def run_true(self) -> float:
        """Make a network, and run a container in it."""
        return float(self.ask("time in network", self._command(0)))

    def per_second(self, rounds: int, at_once: int) -> float:
        """Run about `rounds` containers, so many at once, and return how many a second ended."""
        each = max(1, rounds // at_once)
        commands = [self._command(lane) for lane in range(at_once)]
        return each * at_once / float(self.ask("rate", commands, each))

    def _command(self, lane: int) -> list[str]:
        crun = shutil.which("crun") or "crun"
        return [crun, "run", "--bundle", str(self.folder / f"lane{lane}"), f"lane{lane}"]


class Podman(_Sandbox):
    """`podman run --rm`, with its own default network, and crun."""

    name = "podman"

    def __enter__(self) -> Self:
        super().__enter__()
        tar = self.folder / "busybox.tar"
        tar.write_bytes(busybox_tar())
        self.ask("time", [*self._podman(), "import", "--quiet", str(tar), "busybox"])
        return self

    def run_true(self) -> float:
        """Run a container and have it removed, which is not asked of the others."""
        limits = [f"--memory={MEMORY_MB}m", "--cpus=1", f"--pids-limit={PIDS_MAX}"]
        limits += [f"--ulimit=nofile={_FILES}", f"--ulimit=nproc={_PROCESSES}"]
        parent = f"--cgroup-parent=/{_CGROUP}"
        command = [*self._podman(), "run", "--rm", *limits, parent, "busybox", _TRUE]
        return float(self.ask("time", command))

    def _podman(self) -> list[str]:
        places = ("root", "runroot", "tmpdir", "network-config-dir")
        folders = [f"--{place}={self.folder / place}" for place in places]
        podman = shutil.which("podman") or "podman"
        return [podman, *folders, "--cgroup-manager=cgroupfs", "--runtime=crun"]


class Docker(_Sandbox):
    """The Docker Engine, by its API."""

    name = "Docker"

    def __enter__(self) -> Self:
        super().__enter__()
        socket = self.folder / "docker.sock"
        self.ask("start", self._dockerd(socket), str(self.folder / "dockerd.log"))
        transport = httpx2.HTTPTransport(uds=str(socket))
        self._http = httpx2.Client(base_url="http://docker", transport=transport, timeout=120)
        self._await_answer()
        query = {"fromSrc": "-", "repo": "busybox", "tag": "latest"}
        self._http.post("/images/create", params=query, content=busybox_tar()).raise_for_status()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()
        super().__exit__(kind, error, trace)

    def run_true(self) -> float:
        """Create a container, start it and wait for it; removing it is not timed."""
        begun = time.perf_counter()
        made = self._post("/containers/create", json=_DOCKER_CONFIG).json()["Id"]
        self._post(f"/containers/{made}/start")
        ended = self._post(f"/containers/{made}/wait").json()
        seconds = time.perf_counter() - begun
        assert ended["StatusCode"] == 0, ended
        self._http.delete(f"/containers/{made}").raise_for_status()
        return seconds

    def _post(self, path: str, **body: Any) -> httpx2.Response:
        return self._http.post(path, **body).raise_for_status()

    def _await_answer(self) -> None:
        deadline = time.monotonic() + _DOCKER_STARTS_WITHIN_S
        while time.monotonic() < deadline:
            with suppress(httpx2.TransportError):
                self._http.get("/_ping").raise_for_status()
                return
            time.sleep(0.05)
        raise TimeoutError((self.folder / "dockerd.log").read_text()[-2000:])

    def _dockerd(self, socket: Path) -> list[str]:
        places = {"data-root": "data", "exec-root": "exec", "pidfile": "pid"}
        folders = [f"--{option}={self.folder / place}" for option, place in places.items()]
        dockerd = shutil.which("dockerd") or "dockerd"
        return [dockerd, f"--host=unix://{socket}", *folders, f"--cgroup-parent=/{_CGROUP}"]


_DOCKER_CONFIG = {
    "Image": "busybox",
    "Cmd": [_TRUE],
    "Env": [_PATH],
    "HostConfig": {
        "Memory": MEMORY_MB << 20,
        "NanoCpus": 1_000_000_000,
        "PidsLimit": PIDS_MAX,
        "Ulimits": [{"Name": "nofile", "Soft": 1024, "Hard": 1024}],
    },
}


def _config(root: Path, lane: int) -> dict[str, Any]:
    """Return the container that the driver would ask crun for, limits and namespaces included."""
    name, _, value = _PATH.partition("=")
    main = bundle.process([_TRUE], {name: value}, User(0, 0, (), "/root"), "/", tty=False)
    joined = {"network": sandbox.network_of(lane)}
    filtered = bundle.Filter(seccomp.compiled(), seccomp.section())
    config = bundle.config(
        main, str(root), "bench", joined, (), filtered, shm_mb=64, cgroup_version=1
    )
    linux = config["linux"]
    linux["namespaces"] += [{"type": kind} for kind in ("pid", "ipc", "uts", "user")]
    mapped = [{"containerID": 0, "hostID": 100_000, "size": 65_536}]
    linux |= {"uidMappings": mapped, "gidMappings": mapped}
    linux |= {"cgroupsPath": f"/{_CGROUP}/lane{lane}", "resources": _RESOURCES}
    return config


_RESOURCES = {
    "memory": {"limit": MEMORY_MB << 20, "swap": MEMORY_MB << 20},
    "cpu": {"quota": 100_000, "period": 100_000, "shares": 1024},
    "pids": {"limit": PIDS_MAX},
}


def busybox_tar() -> bytes:
    """Return the file system of the image that everybody runs, as a tar archive."""
    return gzip.decompress(images.busybox_layer().blob.data)


def _remove_cgroups() -> None:
    """Remove those that nobody is in any more; those of another sandbox are left for its end."""
    for top in Path("/sys/fs/cgroup").glob(f"*/{_CGROUP}"):
        folders: Sequence[Path] = [*(one for one in top.rglob("*") if one.is_dir()), top]
        for folder in sorted(folders, key=lambda one: -len(one.parts)):
            try:
                folder.rmdir()
            except OSError as error:
                if error.errno not in (errno.ENOENT, errno.EBUSY):
                    raise
