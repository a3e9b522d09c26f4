"""What one boot leaves in its machine's folder, and what may be believed of it.

```
machines/<machine id>/
  <boot>.lock   flock held by the monitor for life; inside it, the program: {"pid", "start", "host"}
  <boot>.sock   where the monitor can be reached
  <boot>.exit   how the boot ended, as JSON; written once, all at once
  <boot>.err    a traceback, should a monitor ever fail
  <boot>.files  the machine's files, where it has any, at <boot>.files/<guest_path>
  <boot>.root   the working folder of the program
  <boot>.layer  what a container wrote to its file system
```

The server makes the lock; a monitor only ever opens it. So taking the lock away, by somebody who
holds it, buries the boot: a monitor that comes late finds nothing to take. A folder costs more
than all the rest of a boot's files, which is why a boot has no folder of its own around them.
Standard library only.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from contextlib import suppress
from typing import Any, NamedTuple

#: More than the longest exit has.
_EXIT_BYTES = 1024
_MACHINE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_OF_A_BOOT = re.compile(r"([1-9][0-9]{0,9})\.[a-z]+")


def is_machine_id(text: str) -> bool:
    """Whether `text` may name a folder: letters, digits, `-` and `_`, at most 64."""
    return _MACHINE_ID.fullmatch(text) is not None


def make_folder(path: str) -> None:
    """Make a folder for us alone. Repeating is safe."""
    with suppress(FileExistsError):
        os.mkdir(path, 0o700)


def boots(machine: str) -> list[int]:
    """Return the boots that left anything in a machine's folder, oldest first."""
    try:
        names = os.listdir(machine)
    except FileNotFoundError:
        return []
    return sorted({int(found[1]) for name in names if (found := _OF_A_BOOT.fullmatch(name))})


class BootFolder(NamedTuple):
    """Where one boot keeps what must outlive its processes."""

    #: The folder of the machine.
    machine: str
    boot: int

    @property
    def lock(self) -> str:
        """The lock and record of the boot."""
        return f"{self.machine}/{self.boot}.lock"

    @property
    def socket(self) -> str:
        """Where the monitor listens."""
        return f"{self.machine}/{self.boot}.sock"

    @property
    def exit(self) -> str:
        """How the boot ended."""
        return f"{self.machine}/{self.boot}.exit"

    @property
    def errors(self) -> str:
        """The last words of a monitor that failed."""
        return f"{self.machine}/{self.boot}.err"

    @property
    def files(self) -> str:
        """The folder under which the machine's files lie."""
        return f"{self.machine}/{self.boot}.files"

    @property
    def layer(self) -> str:
        """The folder of what a container wrote to its file system."""
        return f"{self.machine}/{self.boot}.layer"

    @property
    def root(self) -> str:
        """The working folder of a program that was given no other."""
        return f"{self.machine}/{self.boot}.root"

    def make(self) -> None:
        """Make what a monitor must find: the machine's folder and the lock. Repeating is safe."""
        make_folder(self.machine)
        os.close(os.open(self.lock, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))

    def is_buried(self) -> bool:
        """Whether the boot was destroyed, or never was."""
        return not os.path.exists(self.lock)

    def bury(self) -> None:
        """Have nobody ever take this boot again. Only for who holds the lock; repeat-safe."""
        with suppress(FileNotFoundError):
            os.unlink(self.lock)

    def bury_ended(self) -> bool:
        """Bury a boot that ended and has no monitor any more; whether that could be done."""
        try:
            lock = os.open(self.lock, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return True
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if self.read_exit() is None:
                return False
            self.bury()
        except BlockingIOError:
            return False
        finally:
            os.close(lock)
        return True

    def leavings(self) -> list[str]:
        """Return the paths of all that the boot left."""
        names = os.listdir(self.machine)
        return [f"{self.machine}/{name}" for name in names if name.startswith(f"{self.boot}.")]

    def read_record(self) -> dict[str, Any] | None:
        """Return as which process the boot was started, or None where it is not on record."""
        try:
            with open(self.lock, "rb") as file:
                found = json.load(file)
        except (FileNotFoundError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def read_exit(self) -> dict[str, Any] | None:
        """Return how the boot ended, as `Exit` has it, or None where it has not."""
        try:
            with open(self.exit, "rb") as file:
                found = json.load(file)
        except (FileNotFoundError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def reserve_exit(self) -> None:
        """Have room for how the boot will end, however full the disk gets meanwhile.

        Raises:
            OSError: there is none.
        """
        _write(self.exit + ".new", bytes(_EXIT_BYTES))

    def write_exit(self, exit_: dict[str, Any]) -> None:
        """Write down how the boot ended, all at once.

        Raises:
            OSError: it could not be written, for example because the disk is full.
        """
        fresh = self.exit + ".new"
        _write(fresh, json.dumps(exit_).encode())
        os.rename(fresh, self.exit)


def _write(path: str, content: bytes) -> None:
    """Have this, and no more, in a file, with fewer questions to the kernel than `open` has."""
    # not made empty first: then its room would be somebody else's
    file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(file, rest) :]
        os.ftruncate(file, len(content))
    finally:
        os.close(file)
