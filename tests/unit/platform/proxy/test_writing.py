"""Whoever writes waits while nobody reads, and no longer."""

from __future__ import annotations

import asyncio

from ephemera.platform.proxy.writing import Writing


class Far:
    """The far end of a tunnel."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def write(self, data: bytes) -> None: ...

    def hold(self) -> None:
        self.told.append("hold")

    def go_on(self) -> None:
        self.told.append("go on")

    def close(self) -> None: ...


def test_all_who_write_go_on_when_it_is_read_again_and_one_who_left_holds_up_nobody() -> None:
    async def check() -> None:
        writing = Writing()
        await writing.drain()
        writing.pause()
        writing.pause()
        assert writing.is_paused
        one, two = (asyncio.create_task(writing.drain()) for _ in range(2))
        await asyncio.sleep(0)
        one.cancel()
        await asyncio.sleep(0)
        assert (one.cancelled(), two.done()) == (True, False)
        writing.resume()
        writing.resume()
        await two
        await writing.drain()

    asyncio.run(check())


def test_the_far_end_of_a_tunnel_reads_no_more_meanwhile() -> None:
    async def check() -> None:
        writing, far = Writing(), Far()
        writing.pause(far)
        assert not writing.is_paused
        await writing.drain()
        writing.resume(far)
        assert far.told == ["hold", "go on"]

    asyncio.run(check())


def test_who_waited_before_it_became_a_tunnel_goes_on_too() -> None:
    async def check() -> None:
        writing, far = Writing(), Far()
        writing.pause()
        waiting = asyncio.create_task(writing.drain())
        await asyncio.sleep(0)
        writing.resume(far)
        await waiting

    asyncio.run(check())
