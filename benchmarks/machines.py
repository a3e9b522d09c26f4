"""How fast the platform makes machines, with the `process` driver."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from benchmarks import launching
from benchmarks.measuring import Result, Stopwatch, interleaved, spawn
from ephemera import Client
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
    each = launching.of_one_part(rounds)
    with serving(folder, settings=Settings()) as server:
        with Client(server.endpoint.url, server.token) as client:
            client.apps.create(_APP)

        def bare(watch: Stopwatch) -> None:
            begun = time.perf_counter()
            for _ in range(each):
                spawn(_TRUE)
            watch.samples.append(each / (time.perf_counter() - begun))

        ours, floor = interleaved(
            launching.PARTS,
            lambda watch: launching.rate(server, _APP, _CONFIG, each, watch),
            bare,
        )
    return [
        Result(
            "launches sustained, process",
            ours.median,
            "per s",
            300,
            rounds,
            "bare spawn + wait",
            floor.median,
            at_least=True,
        )
    ]
