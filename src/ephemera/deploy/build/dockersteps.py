"""Which line of a `Dockerfile` a build came to, told by what the program said. No I/O but the file.

Each program says it in its own way:

```
[1/2] STEP 3/4: RUN make                 buildah
Step 3/4 : RUN make                      docker, the older way of building
Dockerfile:3                             docker with BuildKit
```
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

_STEP = re.compile(r"(?:\[\d+/\d+\] )?(?:STEP \d+/\d+:|Step \d+/\d+ :) (.+)")
_BUILDKIT = re.compile(r"(\S*Dockerfile\S*):(\d+)")
#: Of an instruction in a message.
_SHOWN_MAX = 120


def where_it_failed(lines: Sequence[str], dockerfile: Path) -> str:
    """Return the line and its instruction, `Dockerfile:3 (RUN make)`; empty where nobody knows.

    Args:
        lines: What the program said.
    """
    instructions = dict(_instructions(dockerfile))
    for line in reversed(lines):
        named, step = _BUILDKIT.fullmatch(line.strip()), _STEP.fullmatch(line)
        if named and int(named[2]) in instructions:
            number = int(named[2])
            return f"{dockerfile}:{number} ({instructions[number][:_SHOWN_MAX]})"
        if step:
            return _of_step(step[1], instructions, dockerfile)
    return ""


def _of_step(step: str, instructions: dict[int, str], dockerfile: Path) -> str:
    wanted = _squeezed(step)
    fitting = [number for number, text in instructions.items() if _squeezed(text) == wanted]
    place = f"{dockerfile}:{fitting[0]}" if fitting else str(dockerfile)
    return f"{place} ({step[:_SHOWN_MAX]})"


def _instructions(dockerfile: Path) -> Iterator[tuple[int, str]]:
    """Yield each instruction as one line, with the number of the first of its lines."""
    try:
        lines = dockerfile.read_text(errors="replace").splitlines()
    except OSError:
        return
    begun, parts = 0, list[str]()
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        begun = begun if parts else number
        parts.append(text.removesuffix("\\").strip())
        if not text.endswith("\\"):
            yield begun, " ".join(parts)
            parts = []


def _squeezed(text: str) -> str:
    return "".join(text.split()).lower()
