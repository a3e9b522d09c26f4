"""How fast the platform makes machines, with the `process` driver."""

from __future__ import annotations

import asyncio
import shutil
import time
from pathlib import Path

from benchmarks.measuring import Result, Stopwatch, interleaved, spawn
from ephemera import AsyncClient, Client
from ephemera.platform.settings import Settings
from ephemera.testing.serving import serving

_APP = "bench"
_TRUE = shutil.which("true") or "/bin/true"
_CONFIG = {"image": "host", "init": {"exec": [_TRUE]}, "restart": {"policy": "no"}}


def create_to_exit(folder: Path, rounds: int) -> list[Result]:
    """Create a machine, let it run `true`, and see its exit as a client that waits for it."""
    with (
        serving(folder, settings=Settings()) as server,
        Client(server.endpoint.url, server.token) as client,
    ):
        client.apps.create(_APP)

        def whole(watch: Stopwatch) -> None:
            with watch.running():
                machine = client.machines.create(_APP, config=_CONFIG)
                client.machines.wait(_APP, machine.id, "stopped")
            client.machines.destroy(_APP, machine.id)

        def bare(watch: Stopwatch) -> None:
            with watch.running():
                spawn(_TRUE)

        ours, floor = interleaved(rounds, whole, bare)
    return [
        Result(
            "create → `true` ran → exit seen, process",
            ours.median,
            "ms",
            8,
            rounds,
            "bare spawn + wait",
            floor.median,
        )
    ]


def launches(folder: Path, rounds: int) -> list[Result]:
    """Create machines as fast as one client may, and count those that have ended, per second."""
    with serving(folder, settings=Settings()) as server:
        seconds = asyncio.run(_launch(server.endpoint.url, server.token, rounds))
        begun = time.perf_counter()
        for _ in range(rounds):
            spawn(_TRUE)
        floor = rounds / (time.perf_counter() - begun)
    return [
        Result(
            "launches sustained, process",
            rounds / seconds,
            "per s",
            300,
            rounds,
            "bare spawn + wait",
            floor,
            at_least=True,
        )
    ]


async def _launch(url: str, token: str, count: int) -> float:
    places = asyncio.Semaphore(16)
    async with AsyncClient(url, token) as client:
        await client.apps.create(_APP)

        async def one() -> None:
            async with places:
                machine = await client.machines.create(_APP, config=_CONFIG)
                await client.machines.wait(_APP, machine.id, "stopped")

        begun = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(count):
                group.create_task(one())
        return time.perf_counter() - begun
