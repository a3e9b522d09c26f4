"""What every benchmark has in common: samples, medians, and a result that says what it is.

Machines are noisy, so each benchmark measures something known in the same run, interleaved with
what it is about, and the ratio of the two is what can be compared from run to run.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Result:
    """One measured number.

    Attributes:
        key: What SPECIFICATION.md calls it.
        value: The median, in `unit`.
        budget: What was promised for a quiet machine, in `unit`.
        compared: What was measured in the same run to compare with, for example `bare spawn`.
        reference: Its median, in `unit`; None where nothing is compared.
    """

    key: str
    value: float
    unit: str
    budget: float
    samples: int
    compared: str = ""
    reference: float | None = None
    at_least: bool = False

    @property
    def kept(self) -> bool:
        """Whether the budget was kept in this run."""
        return self.value >= self.budget if self.at_least else self.value <= self.budget

    @property
    def ratio(self) -> float | None:
        """The value in terms of what it is compared with."""
        return self.value / self.reference if self.reference else None


class Stopwatch:
    """Collects samples: milliseconds, where it runs."""

    def __init__(self) -> None:
        self.samples: list[float] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        """Time the block."""
        begun = time.perf_counter()
        yield
        self.samples.append((time.perf_counter() - begun) * 1000)

    @property
    def median(self) -> float:
        """The median of the samples."""
        return statistics.median(self.samples)


def spawn(*command: str) -> None:
    """Run a program and wait for its end, with nothing in between."""
    pid = os.posix_spawn(command[0], list(command), os.environ)
    os.waitpid(pid, 0)


def interleaved(rounds: int, *parts: Callable[[Stopwatch], None]) -> list[Stopwatch]:
    """Run the parts in turn, so that a slow moment of the machine hits them all.

    One round before the first is not counted, unless there is but one: that shows only that all of
    it works.
    """
    watches = [Stopwatch() for _ in parts]
    uncounted = 1 if rounds > 1 else 0
    for _ in range(uncounted + rounds):
        for part, watch in zip(parts, watches, strict=True):
            part(watch)
    for watch in watches:
        del watch.samples[:uncounted]
    return watches
