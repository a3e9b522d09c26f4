"""Where the container driver has what machines are made of, in mounts that are its own.

```
/run/ephemera/   in memory, seen by the zygote and its monitors only
  layers/   the layers of images, with the owners that machines see
  host/     this computer's own file system, likewise
  root/     the file system of the one machine that a monitor has
  run/      what a monitor has for its one boot, and what it and crun tell each other
  nowhere/  nothing, which is what the first process of a machine sees
  crun      the program, read-only
  init      what that process is
  caller    what becomes a program of a machine, see `programs`
  enter     what becomes crun, likewise
```
Not in the state folder, which is its owner's alone: whoever becomes the program is somebody else
already, the root of a machine, when it comes to these.
"""

from __future__ import annotations

import os
from typing import NamedTuple


def above(path: str) -> list[str]:
    """Return the folders that a folder is in, the innermost first."""
    found = list[str]()
    while path != "/":
        path = os.path.dirname(path)
        found.append(path)
    return found


class Places(NamedTuple):
    """The folders, by what they are for."""

    home: str
    #: Whether we are root of a user namespace only, who can make nothing in `/run`, and whose
    #: machines have no users of their own: then it is in the state folder.
    user_namespace: bool = False

    @property
    def base(self) -> str:
        """Where everything is mounted. Others see an empty folder."""
        return f"{self.home}/run" if self.user_namespace else "/run/ephemera"

    @property
    def layers(self) -> str:
        """The layers of images, as machines see them."""
        return f"{self.base}/layers"

    @property
    def host(self) -> str:
        """This computer's own file system, as machines see it."""
        return f"{self.base}/host"

    @property
    def root(self) -> str:
        """The file system of a machine."""
        return f"{self.base}/root"

    @property
    def run(self) -> str:
        """What a monitor has for its one boot, and what it and crun tell each other."""
        return f"{self.base}/run"

    @property
    def nowhere(self) -> str:
        """Nothing: what the first process of a machine sees."""
        return f"{self.base}/nowhere"

    @property
    def crun(self) -> str:
        """The program, where nobody can change it."""
        return f"{self.base}/crun"

    @property
    def init(self) -> str:
        """The program that the first process of a machine is."""
        return f"{self.base}/init"

    @property
    def caller(self) -> str:
        """The program that makes system calls until it is one of a machine."""
        return f"{self.base}/caller"

    @property
    def enter(self) -> str:
        """The program that becomes crun in the cgroups of a machine."""
        return f"{self.base}/enter"

    @property
    def stored_layers(self) -> str:
        """The layers of images, as they are on the disk."""
        return f"{self.home}/images/layers"

    @property
    def ranges(self) -> str:
        """The file by which machines of all platforms have users of their own."""
        return "/run/ephemera.users"

    def make(self) -> None:
        """Make what has to be there outside of our own mounts. Repeating is safe.

        Raises:
            OSError: it cannot be made.
        """
        os.makedirs(self.stored_layers, mode=0o700, exist_ok=True)
        os.makedirs(self.base, exist_ok=True)
