"""A container driver that starts machines for as long as it is let.

`python -m tests.faults.container_server HOME NAME COMMAND...` starts one after the other, and says
a line for each: its handle. The first line is `open`.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from pathlib import Path

from ephemera.errors import DriverError
from tests.container_world import World, quiet

_MACHINES_MAX = 1000


async def main(home: Path, name: str, command: list[str]) -> None:
    """Start machines."""
    world = World(home)
    async with world.driver() as driver:
        print("open", flush=True)
        for number in range(_MACHINES_MAX):
            machine_id = f"{name}-{number}"
            spec = world.spec(*command, machine_id=machine_id, env={"ME": machine_id})
            with suppress(DriverError):  # whoever was to start it was killed
                print(await driver.start(spec, quiet), flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))
