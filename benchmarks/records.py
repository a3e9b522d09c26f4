"""How fast the platform answers when it has a thousand machines to keep in mind.

With the `mock` driver: what is measured is the platform, not what its machines do.
"""

from __future__ import annotations

import asyncio
import resource
import time
from pathlib import Path
from typing import Any

import httpx2

from benchmarks.idle import cpu_s
from benchmarks.measuring import Result, Stopwatch, interleaved
from benchmarks.plain_http import Connection
from ephemera.testing.serving import Server, serving

_MACHINES = 1000
_WAITERS = 1000
#: Fewer where time is short: so many for each round that is measured.
_MACHINES_A_ROUND = 20
#: As many as keep the server busy while the client reads.
_CONNECTIONS = 8
_PATH = "/v1/apps/bench/machines"
_CONFIG = {"image": "host", "init": {"exec": ["run"]}, "restart": {"policy": "no"}}
_REST = {"config": _CONFIG, "skip_launch": True}


def answers(folder: Path, rounds: int) -> list[Result]:
    """Measure what a caller waits for, with a thousand machines there."""
    with serving(folder, driver="mock") as server, _client(server) as http:
        machine = _fill(http, rounds)

        def get(path: str, watch: Stopwatch) -> None:
            with watch.running():
                http.get(path).raise_for_status()

        def create(watch: Stopwatch) -> None:
            with watch.running():
                made = http.post(_PATH, json=_REST).raise_for_status().json()
            http.delete(f"{_PATH}/{made['id']}").raise_for_status()

        one, listed, created, floor = interleaved(
            rounds,
            lambda watch: get(f"{_PATH}/{machine}", watch),
            lambda watch: get(f"{_PATH}?summary=true", watch),
            create,
            lambda watch: get("/", watch),
        )
    budgets = (("GET machine", one, 2), ("list, summary", listed, 25), ("create", created, 5))
    return [
        Result(f"{what}, among 1,000", it.median, "ms", budget, rounds, "`GET /`", floor.median)
        for what, it, budget in budgets
    ]


def throughput(folder: Path, rounds: int) -> list[Result]:
    """Ask for a machine as often as one core can, and count the answers."""
    with serving(folder, driver="mock") as server, _client(server) as http:
        machine = _fill(http, rounds)
        per_second = asyncio.run(_answers_per_second(server, f"{_PATH}/{machine}", rounds))
    key = "GET machine, requests, among 1,000"
    return [Result(key, per_second, "per s", 1000, rounds, at_least=True)]


def waits(folder: Path, rounds: int) -> list[Result]:
    """Measure what a wait adds to the event it waits for, and what waits cost meanwhile."""
    _allow_many_connections()
    with serving(folder, driver="mock") as server, _client(server) as http:
        http.post("/v1/apps", json={"name": "bench"}).raise_for_status()
        added = asyncio.run(_added_by_waiting(server, http, rounds))
        share = asyncio.run(_cost_of_waiters(server, _started(http), min(rounds, 30)))
    return [
        Result("wait, after the event", added.median, "ms", 2, rounds),
        Result("1,000 waits at once, processor", share, "% of a core", 1, _WAITERS),
    ]


def _client(server: Server) -> httpx2.Client:
    return httpx2.Client(base_url=server.endpoint.url, headers=server.headers, timeout=60)


def _fill(http: httpx2.Client, rounds: int) -> str:
    """Make an app with a thousand machines at rest, and return the id of one of them."""
    http.post("/v1/apps", json={"name": "bench"}).raise_for_status()
    count = min(_MACHINES, rounds * _MACHINES_A_ROUND)
    made = [http.post(_PATH, json=_REST).raise_for_status().json() for _ in range(count)]
    return str(made[count // 2]["id"])


def _started(http: httpx2.Client) -> str:
    made: dict[str, Any] = http.post(_PATH, json={"config": _CONFIG}).raise_for_status().json()
    http.get(f"{_PATH}/{made['id']}/wait").raise_for_status()
    return str(made["id"])


async def _answers_per_second(server: Server, path: str, count: int) -> float:
    async def ask() -> None:
        async with Connection(server.endpoint.url, server.token) as connection:
            for _ in range(count // _CONNECTIONS):
                await connection.get(path)

    begun = time.perf_counter()
    await asyncio.gather(*(ask() for _ in range(_CONNECTIONS)))
    return count // _CONNECTIONS * _CONNECTIONS / (time.perf_counter() - begun)


async def _added_by_waiting(server: Server, http: httpx2.Client, rounds: int) -> Stopwatch:
    """Time the answer to a wait from the answer to the stop that it waits for."""
    watch = Stopwatch()
    async with Connection(server.endpoint.url, server.token) as waiting:
        for _ in range(rounds):
            machine = _started(http)
            waiter = asyncio.create_task(waiting.get(f"{_PATH}/{machine}/wait?state=stopped"))
            await asyncio.sleep(0.005)  # it is on its way; what matters is that it came first
            async with Connection(server.endpoint.url, server.token) as asking:
                await asking.post(f"{_PATH}/{machine}/stop")
            with watch.running():
                await waiter
            http.delete(f"{_PATH}/{machine}").raise_for_status()
    return watch


async def _cost_of_waiters(server: Server, machine: str, seconds: int) -> float:
    path = f"{_PATH}/{machine}/wait?state=stopped&timeout=60"
    connections = [Connection(server.endpoint.url, server.token) for _ in range(_WAITERS)]
    try:
        for connection in connections:
            await connection.open()
            connection.send("GET", path)
        await asyncio.sleep(2)  # let all of them arrive; this is a measurement
        before = cpu_s(server.endpoint.pid)
        await asyncio.sleep(seconds)
        return (cpu_s(server.endpoint.pid) - before) / seconds * 100
    finally:
        for connection in connections:
            connection.close()


def _allow_many_connections() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
