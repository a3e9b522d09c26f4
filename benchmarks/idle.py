"""What a platform costs that has nothing to do. Linux only: it is read from /proc."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from benchmarks.measuring import Result
from ephemera.testing.serving import serving

#: What the kernel answers where a process has ended, as spares may at any time.
_GONE = (FileNotFoundError, ProcessLookupError)


def idle(folder: Path, rounds: int) -> list[Result]:
    """Measure the memory and processor time of an idle platform, `rounds` seconds long."""
    with serving(folder) as server:
        pids = [server.endpoint.pid, *children(server.endpoint.pid)]
        time.sleep(2)  # let it finish starting; this is a measurement, not a wait for a state
        before = {pid: cpu_s(pid) for pid in pids}
        time.sleep(rounds)
        share = sum(max(0.0, cpu_s(pid) - used) for pid, used in before.items()) / rounds * 100
        memory = sum(map(pss_mb, pids))
    return [
        Result("idle platform, processor", share, "% of a core", 1, rounds),
        Result("idle platform, memory (PSS)", memory, "MB", 80, 1),
    ]


def children(pid: int) -> list[int]:
    """Return the processes that descend from one; those that end meanwhile are left out."""
    found = []
    with suppress(*_GONE):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in map(int, _said(thread / "children").split()):
                found += [child, *children(child)]
    return found


def cpu_s(pid: int) -> float:
    """Return the processor time that a process has used so far; seconds. 0 for one that is gone."""
    fields = _said(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") if fields else 0.0


def pss_mb(pid: int) -> float:
    """Return the memory of a process, what is shared in parts; MB. 0 for one that is gone."""
    for line in _said(Path(f"/proc/{pid}/smaps_rollup")).splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def name(pid: int) -> str:
    """Return the name of a process; empty for one that is gone."""
    return _said(Path(f"/proc/{pid}/comm")).strip()


def _said(path: Path) -> str:
    """Return what the kernel says of a process; nothing where it has ended."""
    with suppress(*_GONE):
        return path.read_text()
    return ""
