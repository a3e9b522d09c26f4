"""Who is woken when, and that nobody's turn is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from ephemera.platform.proxy.queues import Queues

LONG = 60.0


def run(scene: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(scene())  # type: ignore[arg-type]  # it is an async function


async def waiting(queues: Queues, woken: list[str], *names: str) -> list[asyncio.Task[None]]:
    async def wait(name: str) -> None:
        await queues.wait("app", LONG)
        woken.append(name)

    tasks = [asyncio.create_task(wait(name)) for name in names]
    await asyncio.sleep(0)
    return tasks


def test_one_seat_wakes_the_one_who_has_waited_longest() -> None:
    async def scene() -> None:
        queues, woken = Queues(), list[str]()
        tasks = await waiting(queues, woken, "a", "b")
        queues.wake_one("app")
        await tasks[0]
        assert woken == ["a"]
        assert queues.length("app") == 1
        queues.wake_all("app")
        await tasks[1]
        queues.wake_one("app")
        queues.wake_all("app")
        assert queues.length("app") == 0

    run(scene)


def test_the_turn_of_one_who_has_gone_is_the_next_one_s() -> None:
    async def scene() -> None:
        queues, woken = Queues(), list[str]()
        tasks = await waiting(queues, woken, "a", "b", "c")
        queues.wake_one("app")
        tasks[0].cancel()
        await tasks[1]
        assert woken == ["b"]
        tasks[2].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert queues.length("app") == 0

    run(scene)


def test_nobody_waits_for_longer_than_he_wants() -> None:
    async def scene() -> None:
        queues = Queues()
        await queues.wait("app", 0.0)
        assert queues.length("app") == 0

    run(scene)
