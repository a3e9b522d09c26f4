"""What a platform costs that has nothing to do. Linux only: it is read from /proc."""

from __future__ import annotations

import os
import time
from pathlib import Path

from benchmarks.measuring import Result
from ephemera.testing.serving import serving


def idle(folder: Path, rounds: int) -> list[Result]:
    """Measure the memory and processor time of an idle platform, `rounds` seconds long."""
    with serving(folder) as server:
        pids = [server.endpoint.pid, *children(server.endpoint.pid)]
        time.sleep(2)  # let it finish starting; this is a measurement, not a wait for a state
        before = sum(map(cpu_s, pids))
        time.sleep(rounds)
        share = (sum(map(cpu_s, pids)) - before) / rounds * 100
        memory = sum(map(pss_mb, pids))
    return [
        Result("idle platform, processor", share, "% of a core", 1, rounds),
        Result("idle platform, memory (PSS)", memory, "MB", 80, 1),
    ]


def children(pid: int) -> list[int]:
    return [
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text().split()
        for child in (child, *map(str, children(int(child))))
    ]


def cpu_s(pid: int) -> float:
    """Return the processor time that a process has used so far; seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def pss_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0
