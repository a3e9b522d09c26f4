"""No layer is unpacked twice at the same time, and those that were are not remembered for that."""

from __future__ import annotations

import asyncio
import gc

from ephemera.platform.images.pull import LayerLocks


def test_those_who_want_the_same_layer_come_one_after_the_other() -> None:
    locks, inside = LayerLocks(), list[str]()

    async def unpack(name: str) -> None:
        async with locks.of("sha256:a"):
            inside.append(f"{name} in")
            for _ in range(3):
                await asyncio.sleep(0)
            inside.append(f"{name} out")

    async def scene() -> None:
        async with asyncio.TaskGroup() as group:
            for name in ("one", "two"):
                group.create_task(unpack(name))

    asyncio.run(scene())
    assert inside == ["one in", "one out", "two in", "two out"]
    gc.collect()
    assert len(locks._locks) == 0
