"""`python -m benchmarks [--short] [--record] [NAME ...]`.

Prints what was measured. A budget that was missed is said, never an error: machines are noisy,
and a number is judged by somebody who knows what else ran. `--record` writes the numbers into
SPECIFICATION.md.
"""

from __future__ import annotations

import argparse
import platform
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks import (
    build,
    completion,
    containers,
    deploy,
    guide,
    idle,
    images,
    jobs,
    machines,
    proxy,
    recording,
    records,
    wake,
)
from benchmarks.measuring import Result


class Benchmark(NamedTuple):
    """A benchmark, and how many rounds it takes, in full and in short."""

    run: Callable[[Path, int], list[Result]]
    rounds: int
    rounds_short: int


BENCHMARKS = {
    "create": Benchmark(machines.create_to_exit, 300, 30),
    "launches": Benchmark(machines.launches, 2000, 100),
    "task": Benchmark(jobs.task_result, 60, 5),
    "guide": Benchmark(guide.start_to_complete, 40, 3),
    "idle": Benchmark(idle.idle, 30, 3),
    "answers": Benchmark(records.answers, 300, 10),
    "throughput": Benchmark(records.throughput, 8000, 16),
    "waits": Benchmark(records.waits, 100, 5),
    "container_create": Benchmark(containers.create_to_exit, 40, 2),
    "container_launches": Benchmark(containers.launches, 2000, 30),
    "container_alive": Benchmark(containers.alive, 1000, 10),
    "container_guide": Benchmark(guide.start_to_complete_in_containers, 40, 2),
    "container_task": Benchmark(jobs.task_result_in_container, 60, 3),
    "image": Benchmark(images.pull, 7, 1),
    "wake": Benchmark(wake.first_byte, 40, 3),
    "container_wake": Benchmark(wake.first_byte_in_container, 40, 3),
    "build": Benchmark(build.again, 20, 2),
    "deploy": Benchmark(deploy.one_line, 10, 1),
    "proxy": Benchmark(proxy.proxied, 20, 1),
    "completion": Benchmark(completion.completion, 30, 2),
    "container_job": Benchmark(jobs.whole_job_in_container, 60, 3),
}

_PREFIX = "ephemera-bench-"


def main() -> None:
    """Measure what was asked for, and print it."""
    options = _parser().parse_args()
    results: list[Result] = []
    for name in options.names or BENCHMARKS:
        benchmark = BENCHMARKS[name]
        rounds = benchmark.rounds_short if options.short else benchmark.rounds
        # what a platform leaves to end by itself may do so while its folder is removed
        with tempfile.TemporaryDirectory("", _PREFIX, ignore_cleanup_errors=True) as folder:
            results += benchmark.run(Path(folder), rounds)
    Console().print(_table(results))
    if options.record:
        recording.record(results)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *BENCHMARKS], help="all, if none is named")
    parser.add_argument("--short", action="store_true", help="a few rounds, to see that it works")
    parser.add_argument("--record", action="store_true", help="write into SPECIFICATION.md")
    return parser


def _table(results: list[Result]) -> Table:
    table = Table(title=f"medians, on {platform.system()} {platform.machine()}")
    for heading in ("what", "measured", "budget", "compared with", "ratio"):
        table.add_column(heading)
    for one in results:
        compared = f"{one.compared}: {one.reference:.2f}" if one.reference else ""
        table.add_row(
            one.key,
            f"{one.value:.2f} {one.unit}",
            f"{one.budget:g} {'' if one.kept else '(missed)'}",
            compared,
            f"{one.ratio:.2f}" if one.ratio else "",
        )
    return table


if __name__ == "__main__":
    main()
