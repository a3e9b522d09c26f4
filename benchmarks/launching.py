"""Many machines at once: made as fast as one client may, weighed, and destroyed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any

from benchmarks.idle import children, name, pss_mb
from benchmarks.measuring import Stopwatch
from ephemera import AsyncClient
from ephemera.testing.serving import Server

#: Requests of the client that are under way at a time.
_AT_ONCE = 16
#: In how many parts launches are counted that are sustained, with what they are compared with in
#: between: a rate of one go is that of the computer's mood.
PARTS = 5


def of_one_part(count: int) -> int:
    """Return how many of so many launches are those of one part."""
    return max(1, count // PARTS)


def rate(server: Server, app: str, config: dict[str, Any], count: int, watch: Stopwatch) -> None:
    """Create machines and see each stopped; the sample is how many that were per second."""
    watch.samples.append(count / asyncio.run(launch(server, app, config, count, "stopped")))


async def launch(server: Server, app: str, config: dict[str, Any], count: int, state: str) -> float:
    """Create machines and see each reach a state; return how long it took for all; seconds."""

    async def one(client: AsyncClient) -> None:
        machine = await client.machines.create(app, config=config)
        await client.machines.wait(app, machine.id, state)

    return await _timed(server, (one for _ in range(count)))


async def destroy_all(server: Server, app: str) -> float:
    """Destroy the machines of an app, running or not; return how long it took; seconds."""
    async with AsyncClient(server.endpoint.url, server.token) as client:
        machines = await client.machines.list(app)

    async def one(machine_id: str, client: AsyncClient) -> None:
        await client.machines.destroy(app, machine_id, force=True)
        await client.machines.wait(app, machine_id, "destroyed")

    return await _timed(server, (partial(one, machine.id) for machine in machines))


def memory_mb(pid: int, *, without: str) -> float:
    """Return the memory (PSS) of a process and all that descend from it; MB.

    Args:
        without: The name of the programs that are not counted.
    """
    pids = [one for one in (pid, *children(pid)) if name(one) != without]
    return sum(map(pss_mb, pids))


async def _timed(
    server: Server, works: Iterable[Callable[[AsyncClient], Awaitable[None]]]
) -> float:
    places = asyncio.Semaphore(_AT_ONCE)
    async with AsyncClient(server.endpoint.url, server.token) as client:

        async def placed(work: Callable[[AsyncClient], Awaitable[None]]) -> None:
            async with places:
                await work(client)

        begun = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for work in works:
                group.create_task(placed(work))
        return time.perf_counter() - begun
