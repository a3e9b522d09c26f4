"""What is said of the machine that a supervisor runs in."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from ephemera.errors import NoAnswer, NotFound
from ephemera.jobs.busyness import BUSY_KEY, Busyness
from ephemera.testing.clock import FakeClock

HERE = {"EPHEMERA_API_SOCKET": "/.fly/api", "FLY_APP_NAME": "shop", "FLY_MACHINE_ID": "m1"}


class World:
    def __init__(self, environ: dict[str, str]) -> None:
        self.said: list[str] = []
        self.errors: list[Exception] = []
        self.clock = FakeClock()
        self.busyness = Busyness(self.clock, environ)
        machines = SimpleNamespace(set_metadata=self._set, delete_metadata=self._delete)
        self.client: Any = SimpleNamespace(machines=machines)

    async def _set(self, app: str, machine: str, key: str, value: str) -> None:
        self._hear(f"{app}/{machine} {key}={value}")

    async def _delete(self, app: str, machine: str, key: str) -> None:
        self._hear(f"{app}/{machine} no {key}")

    def _hear(self, what: str) -> None:
        if self.errors:
            raise self.errors.pop()
        self.said.append(what)

    def tell(self, *busy: bool, apart_s: float = 1.0) -> list[str]:
        async def main() -> None:
            for one in busy:
                self.busyness.tell(self.client, busy=one)
                if self.busyness.task:
                    await self.busyness.task
                self.clock.advance(apart_s)

        asyncio.run(main())
        return self.said


BUSY, IDLE = f"shop/m1 {BUSY_KEY}=jobs", f"shop/m1 no {BUSY_KEY}"


def test_it_is_said_when_it_changes() -> None:
    assert World(HERE).tell(False, True, True, True, False, False) == [IDLE, BUSY, IDLE]


def test_it_is_said_again_now_and_then_while_there_are_jobs() -> None:
    assert World(HERE).tell(True, True, apart_s=60) == [BUSY, BUSY]


def test_nothing_is_said_outside_of_a_machine_of_the_platform() -> None:
    assert World({}).tell(True) == []
    assert World({"FLY_APP_NAME": "shop", "FLY_MACHINE_ID": "m1"}).tell(True) == []


def test_what_could_not_be_said_is_said_later() -> None:
    world = World(HERE)
    world.errors = [NoAnswer("no answer")]
    assert world.tell(True, True, True, True) == [BUSY]


def test_that_nobody_had_said_it_is_as_well() -> None:
    world = World(HERE)
    world.errors = [NotFound("no such key", status=404)]
    assert world.tell(False, False, True) == [BUSY]
