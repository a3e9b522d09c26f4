"""Where the container driver keeps what is the same for all machines, in its state folder.

```
<home>/container/
  layers/   the layers of images, with the owners that machines see: a mount of ours alone
  host/     this computer's own file system, likewise
  root/     the file system of the one machine that a monitor has
  run/      what a monitor and crun tell each other, in memory
```
The folders are empty but for mounts in the private namespaces of zygote and monitors.
"""

from __future__ import annotations

import hashlib
import os
from typing import NamedTuple


class Places(NamedTuple):
    """The folders, by what they are for."""

    home: str

    @property
    def layers(self) -> str:
        """The layers of images, as machines see them."""
        return f"{self.home}/container/layers"

    @property
    def host(self) -> str:
        """This computer's own file system, as machines see it."""
        return f"{self.home}/container/host"

    @property
    def root(self) -> str:
        """The file system of a machine."""
        return f"{self.home}/container/root"

    @property
    def run(self) -> str:
        """What a monitor and crun tell each other."""
        return f"{self.home}/container/run"

    @property
    def stored_layers(self) -> str:
        """The layers of images, as they are on the disk."""
        return f"{self.home}/images/layers"

    @property
    def name(self) -> str:
        """What names this platform among all of this computer."""
        return "ephemera-" + hashlib.sha256(os.fsencode(self.home)).hexdigest()[:10]

    def make(self) -> None:
        """Make the folders. Repeating is safe.

        Raises:
            OSError: one cannot be made.
        """
        os.makedirs(self.stored_layers, mode=0o700, exist_ok=True)
        for folder in (self.layers, self.host, self.root, self.run):
            os.makedirs(folder, mode=0o700, exist_ok=True)
