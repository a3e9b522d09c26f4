"""The contract of drivers, for a user who is not root: a program, run as that user.

Its arguments are a folder of its own, the image of machines, and perhaps the checks to run. It
prints a JSON object: for each check what it failed with, empty where the promise was kept.
"""

from __future__ import annotations

import asyncio
import json
import sys
import traceback
from pathlib import Path

from ephemera.platform.drivers import entered, open_driver
from ephemera.testing.drivers import CHECKS, Check, Programs, Subject, run_check
from tests.one_driver import OF_TWO_DRIVERS, Run, one_driver

_TIMEOUT_S = 100


def main() -> None:
    """Run every check."""
    folder, image, *names = Path(sys.argv[1]), *sys.argv[2:]
    folder.mkdir()
    with entered("container", folder), one_driver("container", folder / "kept-open") as kept_open:
        found = {
            name: _attempt(
                _alone if name in OF_TWO_DRIVERS else kept_open, CHECKS[name], folder / name, image
            )
            for name in names or CHECKS
        }
    print(json.dumps(found))


def _attempt(run: Run, check: Check, home: Path, image: str) -> str:
    try:
        home.mkdir()
        run(check, _subject(home, image))
    except Exception:  # noqa: BLE001 - it is told
        return traceback.format_exc()
    return ""


def _alone(check: Check, subject: Subject) -> None:
    """Run a check with drivers of its own."""

    async def in_time() -> None:
        async with asyncio.timeout(_TIMEOUT_S):
            await run_check(check, subject)

    asyncio.run(in_time())


def _subject(home: Path, image: str) -> Subject:
    programs = Programs(
        exits=lambda code: ["sh", "-c", f"exit {code}"],
        runs=["sleep", "1000"],
        ignores_term=["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1000; done"],
        prints=lambda line: ["echo", line],
        copies=["cat"],
        writes=lambda path, text: ["sh", "-c", 'echo "$1" > "$0"', path, text],
    )
    return Subject(lambda: open_driver("container", home), programs, home / "logs", image)


if __name__ == "__main__":
    main()
