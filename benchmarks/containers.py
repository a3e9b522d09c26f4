"""How fast the platform makes machines that are really isolated, with the `container` driver.

Busybox in a private network and with limits, as in the other ways to run a container that it is
compared with, see `competitors`. Those that are not installed are left out, and that is said.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests import images
from tests.registry import running_registry

from benchmarks import launching
from benchmarks.competitors import Competitor, Crun, Docker, Podman, lacking
from benchmarks.measuring import Result, Stopwatch, interleaved
from ephemera import Client
from ephemera.platform.settings import Settings
from ephemera.testing.serving import Server, serving

_APP = "bench"
_DRIVER = "container"
#: What 100 launches per second are of those that `crun run` does by itself: it did 147 on the
#: computer on which that budget was set, two at a time.
_OF_CRUN = 0.68
#: Of one round: what takes hundreds of milliseconds is run once meanwhile.
_TIMES = 5
_CREATED = "create → `true` ran → exit seen, container"


class World(NamedTuple):
    """A platform that runs containers, and an image that it has pulled."""

    server: Server
    client: Client
    image: str

    def config(self, *command: str) -> dict[str, Any]:
        """Return a machine that runs a command of busybox, and is not started again."""
        return {
            "image": self.image,
            "init": {"exec": list(command)},
            "guest": {"cpu_kind": "shared", "cpus": 1, "memory_mb": 256},
            "restart": {"policy": "no"},
        }


def create_to_exit(folder: Path, rounds: int) -> list[Result]:
    """Create a machine, let it run `true`, and see its exit as a client that waits for it."""
    with ExitStack() as stack:
        world = stack.enter_context(_world(folder))
        others = _competitors(stack, folder)

        def ours(watch: Stopwatch) -> None:
            for _ in range(_TIMES):
                _run_true(world, watch)

        def theirs(one: Competitor, watch: Stopwatch) -> None:
            for _ in range(_TIMES if isinstance(one, Crun) else 1):
                watch.samples.append(one.run_true() * 1000)

        parts = [lambda watch, one=one: theirs(one, watch) for one in others]
        watch, *watches = interleaved(rounds, ours, *parts)
    medians = {one.name: other.median for one, other in zip(others, watches, strict=True)}
    crun = medians.pop("crun run", None)
    count = len(watch.samples)
    results = [Result(_CREATED, watch.median, "ms", 20, count, "crun run", crun)]
    if crun:
        results.append(
            Result(
                "create → exit seen: container to `crun run`", watch.median / crun, "x", 2, count
            )
        )
    for name, median in medians.items():
        ratio = median / watch.median
        results.append(
            Result(
                f"create → exit seen: {name} to container", ratio, "x", 15, rounds, at_least=True
            )
        )
    return results


def launches(folder: Path, rounds: int) -> list[Result]:
    """Create machines as fast as one client may, and count those that have ended, per second."""
    each = launching.of_one_part(rounds)
    with ExitStack() as stack:
        world = stack.enter_context(_world(folder))
        config = world.config("/bin/true")
        parts = [lambda watch: launching.rate(world.server, _APP, config, each, watch)]
        if not _left_out("crun"):
            crun = stack.enter_context(Crun(folder / "crun"))
            parts.append(lambda watch: watch.samples.append(_best_rate(crun, each)))
        ours, *theirs = interleaved(launching.PARTS, *parts)
    reference = theirs[0].median if theirs else None
    key, per_second = "launches sustained, container", ours.median
    results = [Result(key, per_second, "per s", 100, rounds, "crun run", reference, at_least=True)]
    if reference:
        key, ratio = "launches sustained: container to `crun run`", per_second / reference
        results.append(Result(key, ratio, "x", _OF_CRUN, rounds, at_least=True))
    return results


def _best_rate(crun: Crun, count: int) -> float:
    """Return how many containers a second `crun run` does, with as many at once as suits it."""
    ways = (1, 2, 4)
    return max(crun.per_second(max(1, count // len(ways)), at_once) for at_once in ways)


def alive(folder: Path, rounds: int) -> list[Result]:
    """Have `rounds` machines alive at once, and see what each costs beside its own program."""
    with _world(folder) as world:
        config = world.config("/bin/sleep", "86400")
        started = asyncio.run(launching.launch(world.server, _APP, config, rounds, "started"))
        memory_mb = launching.memory_mb(world.server.endpoint.pid, without="sleep")
        destroyed = asyncio.run(launching.destroy_all(world.server, _APP))
    return [
        Result("1,000 machines alive, memory of each", memory_mb / rounds, "MB", 4, rounds),
        Result("1,000 machines started", started, "s", 10, rounds),
        Result("1,000 machines destroyed", destroyed, "s", 10, rounds),
    ]


@contextmanager
def _world(folder: Path) -> Iterator[World]:
    with (
        running_registry(folder / "registry") as registry,
        serving(folder / "home", driver=_DRIVER, settings=Settings()) as server,
        Client(server.endpoint.url, server.token) as client,
    ):
        world = World(server, client, registry.push("busybox", images.busybox()))
        client.apps.create(_APP)
        _run_true(world, Stopwatch())  # pulls the image
        yield world


def _run_true(world: World, watch: Stopwatch) -> None:
    with watch.running():
        machine = world.client.machines.create(_APP, config=world.config("/bin/true"))
        world.client.machines.wait(_APP, machine.id, "stopped")
    world.client.machines.destroy(_APP, machine.id)


def _competitors(stack: ExitStack, folder: Path) -> list[Competitor]:
    """Start those that are installed here."""
    found: list[Competitor] = []
    if not _left_out("crun"):
        found.append(stack.enter_context(Crun(folder / "crun")))
    if not _left_out("podman", "crun", "iptables"):
        found.append(stack.enter_context(Podman(folder / "podman")))
    if not _left_out("dockerd", "containerd", "iptables"):
        found.append(stack.enter_context(Docker(folder / "docker")))
    return found


def _left_out(*programs: str) -> bool:
    missing = lacking(*programs)
    if missing:
        print(f"not compared with {programs[0]}: there is no {missing}", file=sys.stderr)
    return bool(missing)
