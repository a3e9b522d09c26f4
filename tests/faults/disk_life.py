"""Volumes that are disks, by a process that is killed somewhere on the way.

`python -m tests.faults.disk_life HOME NUMBER before|after` opens the volumes of a state folder,
goes through all that disks can go through, and dies at its n-th write. With `NUMBER` 0 it does not.
It says what it has been given, a line each: `source ID`, `made ID`, `destroyed ID`.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from ephemera.platform.volumes.states import State
from tests import disk_content
from tests.faults.mortality import die_at_write
from tests.unit.platform.volumes.shelf import Shelf

TEXT = "what a volume holds\n" * 1000
SIZE_GB, LARGER_GB = 1, 2


async def main(home: Path, number: int, when: str) -> None:
    """Live."""
    shelf = Shelf(home, has_disks=True)
    shelf.open()
    die_at_write(shelf.store.engine, number, when)
    source = await shelf.add_disk(size_gb=SIZE_GB)
    disk_content.write(shelf.image(source), "file", TEXT)
    _say("source", source.id)
    snapshot = await shelf.snapshot(source)
    restored = await shelf.add_disk(snapshot_id=snapshot.id, size_gb=LARGER_GB)
    _say("made", restored.id)
    fork = await shelf.add_disk(source_volume_id=source.id)
    _say("made", fork.id)
    for volume in (restored, fork):
        await shelf.reaches(volume, State.CREATED)
    await shelf.volumes.sizing.settle(shelf.volumes.extend(shelf.again(fork), LARGER_GB))
    shelf.volumes.destroy(shelf.again(restored))
    _say("destroyed", restored.id)
    await shelf.reaches(restored, State.DESTROYED)
    await shelf.close()
    _say("over", "")


def _say(what: str, volume: str) -> None:
    print(what, volume, flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
