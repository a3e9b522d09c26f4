"""A platform without HTTP, on the mock driver, with time that stands still until it is moved."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from ephemera.platform import migrate
from ephemera.platform.clock import Alarm
from ephemera.platform.drivers.mock import MockDriver
from ephemera.platform.machines import waiting
from ephemera.platform.machines.creation import Wish
from ephemera.platform.machines.owner import Owner
from ephemera.platform.machines.waiting import Wanted
from ephemera.platform.platform import Platform
from ephemera.platform.records import AppRecord
from ephemera.platform.states import State
from ephemera.platform.store import Store
from ephemera.wire.models import MachineConfig

#: What the mock driver does takes milliseconds; this long only where something is wrong, or where
#: the disk of the computer is very busy.
PATIENCE_S = 40


class _Clock:
    """A world's time. What is called at a time is called after as long in real time."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __call__(self) -> float:
        return self._world.now

    def call_at(self, when: float, act: Callable[[], None]) -> Alarm:
        return asyncio.get_running_loop().call_later(max(0.0, when - self._world.now), act)


class World:
    """One state folder; the platform on it can be killed and started again."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.driver = MockDriver()
        self.now = 1_700_000_000.0

    async def open(self) -> None:
        """Start a platform on the folder."""
        self.store = Store(self.home / "platform.db")
        migrate.upgrade(self.store.engine)
        self.platform = Platform(
            self.store, self.driver, self.home, "http://127.0.0.1:4280", clock=_Clock(self)
        )
        await self.platform.open()

    async def close(self) -> None:
        """Stop it; the driver's machines live on."""
        await self.platform.close()
        self.store.close()

    async def reopen(self) -> None:
        """Stop it and start it again on the same folder."""
        await self.close()
        await self.open()

    def app(self) -> AppRecord:
        """Return the app, created at the first call."""
        if not self.platform.apps.of_org("personal"):
            self.platform.apps.create("demo", "personal", "")
        return self.platform.apps.named("demo")

    def create(self, *command: str, name: str = "", **more: Any) -> Owner:
        """Create a machine that plays a command of the mock driver's script."""
        skip_launch = more.pop("skip_launch", False)
        whole = {"image": "host", "init": {"exec": list(command)}, **more}
        wish = Wish(name=name, skip_launch=skip_launch, lease_owner="me")
        config = MachineConfig.model_validate(whole)
        owner, _ = self.platform.creation.create(self.app(), config, wish)
        return owner

    def again(self, owner: Owner) -> Owner:
        """Return the owner that the platform has for the same machine now."""
        return self.platform.machines.owner(self.app(), owner.record.id)


Scene = Callable[[World], Awaitable[None]]


def play_in(home: Path, scene: Scene, prepare: Callable[[World], None] | None = None) -> None:
    """Run a scene, which is an async function, in a world of its own.

    Args:
        prepare: Changes the world before it opens.
    """

    async def whole() -> None:
        world = World(home)
        if prepare:
            prepare(world)
        await world.open()
        try:
            await scene(world)
        finally:
            await world.close()

    asyncio.run(whole())


async def reach(owner: Owner, *states: State) -> None:
    """Wait until the machine is in one of the states."""
    await waiting.reach(owner, Wanted(frozenset(states)), 40)


def happened(owner: Owner) -> list[str]:
    """Return what happened to a machine, oldest first, as `type/status`."""
    return [f"{event.type}/{event.status}" for event in reversed(owner.ledger.events())]
