"""What a Tab key costs: the processor time of the process that a shell starts for it."""

from __future__ import annotations

import os
import resource
import statistics
import sys
from pathlib import Path

from benchmarks.measuring import Result, spawn

#: One needs the options of one command, the other the first lines of all.
_TYPED = ("ephemera logs -a shop --", "ephemera s")


def completion(folder: Path, rounds: int) -> list[Result]:
    """Complete as bash does, beside a Python that does nothing; no platform runs."""
    os.environ["EPHEMERA_HOME"] = str(folder)
    samples: dict[str, list[float]] = {}
    for turn in range(rounds + 1):
        for words in (*_TYPED, ""):
            spent_ms = _completed(words) if words else _spent_ms("-c", "pass")
            if turn:  # one round before the first is not counted
                samples.setdefault(words, []).append(spent_ms)
    slowest = max(statistics.median(samples[words]) for words in _TYPED)
    bare = statistics.median(samples[""])
    key = "completion by the Tab key, processor time"
    return [Result(key, slowest, "ms", 120, rounds, "bare Python start", bare)]


def _completed(words: str) -> float:
    asked = {"COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    os.environ.update(asked, _EPHEMERA_COMPLETE="complete_bash")
    try:
        return _spent_ms("-m", "ephemera")
    finally:
        for name in (*asked, "_EPHEMERA_COMPLETE"):
            del os.environ[name]


def _spent_ms(*arguments: str) -> float:
    before = _children_ms()
    spawn("/bin/sh", "-c", 'exec "$@" >/dev/null', "sh", sys.executable, *arguments)
    return _children_ms() - before


def _children_ms() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (used.ru_utime + used.ru_stime) * 1000
