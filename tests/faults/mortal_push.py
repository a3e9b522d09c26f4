"""Pushes that kill themselves before their n-th step, each in a process and a folder of its own.

`python -m tests.faults.mortal_push FOLDER`: `FOLDER/1` is that of the push which was killed before
its first step, and the last folder that of the push which came through.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests import images
from tests.registry_world import RegistryWorld

IMAGE = images.build(images.layer(images.file("it", b"1" * 100)))
TAG = "v1"
#: By these the registry changes what is on the disk.
_STEPS = ("link", "unlink", "rename", "replace", "fsync", "mkdir")


def push(folder: Path, step: int) -> None:
    """Push the image, and die before the step of that number, if there are so many."""
    world = RegistryWorld(folder)
    left = step

    def mortal(act: Callable[..., Any]) -> Callable[..., Any]:
        def acting(*args: Any, **kwargs: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return act(*args, **kwargs)

        return acting

    for name in _STEPS:
        setattr(os, name, mortal(getattr(os, name)))
    asyncio.run(world.push(IMAGE, TAG))


def main(top: Path) -> None:
    """Push and die at one step after the other."""
    step = 0
    died = True
    while died:
        step += 1
        pid = os.fork()
        if pid == 0:
            push(top / str(step), step)
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        died = os.WIFSIGNALED(status)
        assert died or status == 0


if __name__ == "__main__":
    main(Path(sys.argv[1]))
