"""What a monitor does with a disk, in a process with a mount namespace of its own.

`python -m tests.disk_monitor IMAGE TARGET` mounts it and says `attached`, or what went wrong.
Then it does what it is told, a line each: `detach`, `grow`.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ephemera.platform.drivers.container import disks, syscalls

ATTACHED = "attached"


class Holder:
    """A process that has a disk mounted, or says why not.

    Attributes:
        said: What it said first.
    """

    def __init__(self, image: Path, target: Path) -> None:
        target.mkdir(exist_ok=True)
        self.target = target
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.disk_monitor", str(image), str(target)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.said = self._hear()

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    @property
    def inside(self) -> Path:
        """The disk as the process sees it."""
        return Path(f"/proc/{self.pid}/root{self.target}")

    def tell(self, what: str) -> str:
        """Have it do something, and return what it says of it."""
        assert self._process.stdin is not None
        self._process.stdin.write(what + "\n")
        self._process.stdin.flush()
        return self._hear()

    def kill(self) -> None:
        """Kill it as nothing can be killed more. Repeating is safe."""
        self._process.send_signal(signal.SIGKILL)
        self._process.communicate()

    def _hear(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@contextmanager
def holding(image: Path, target: Path) -> Iterator[Holder]:
    """Have a disk mounted while the block runs."""
    holder = Holder(image, target)
    try:
        yield holder
    finally:
        holder.kill()


def main(image: str, target: str) -> None:
    """Mount the disk and do what is told."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # as monitors do
    syscalls.unshare(syscalls.CLONE_NEWNS)
    syscalls.mount("none", "/", "", syscalls.MS_REC | syscalls.MS_PRIVATE)
    _say(ATTACHED, lambda: disks.attach(image, target))
    for line in sys.stdin:
        match line.strip():
            case "grow":
                _say("grown", lambda: disks.grow(image, target))
            case "detach":
                _say("detached", lambda: disks.detach(target))


def _say(done: str, act: object) -> None:
    assert callable(act)
    try:
        act()
    except OSError as error:
        print(f"{error.errno} {error.strerror}", flush=True)
    else:
        print(done, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
