"""Holds the writes to a mounted disk until standard input ends, so for no longer than its server.

`held` is said once they wait, an error otherwise. A program of its own, because a disk that stays
frozen holds every process that writes to it for ever. Standard library only.
"""

from __future__ import annotations

import os
import sys

from ephemera.platform.drivers.container import disks


def main() -> None:
    """Hold the disk whose image is the first argument."""
    image = sys.argv[1]
    where = disks.mounted(image)
    if where is None:
        sys.exit(f"{image} is mounted nowhere")
    try:
        folder = disks.freeze(where)
    except OSError as error:
        sys.exit(str(error.strerror))
    try:
        os.write(1, b"held\n")
        while os.read(0, 4096):
            pass  # nothing is said, the end is waited for
    finally:
        disks.thaw(folder)
