"""The real command line, on a state folder of its own, with nothing of our environment."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: What a program needs to run at all; nothing that could lead it to another platform.
_KEPT_VARIABLES = ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH")
#: Long enough for a slow computer, and never waited for where all is well.
DONE_WITHIN_S = 50
_GONE_WITHIN_S = 30


class CommandLine:
    """Runs `ephemera ...` as a user would.

    Attributes:
        home: The state folder that the commands work on.
        environment: What they are started with.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        self.environment = kept | {"EPHEMERA_HOME": str(home), "TMPDIR": str(home.parent)}

    def __call__(
        self, *arguments: str, code: int = 0, folder: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, which must be the exit status `code`, in `folder`."""
        done = subprocess.run(
            [sys.executable, "-m", "ephemera", *arguments],
            env=self.environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DONE_WITHIN_S,
            check=False,
        )
        assert done.returncode == code, f"{arguments}\n{done.stdout}\n{done.stderr}\n{self.log()}"
        return done

    @contextmanager
    def running(
        self, *arguments: str, folder: Path | None = None
    ) -> Iterator[subprocess.Popen[str]]:
        """Start a command in a folder, and see to it that it does not outlive the block."""
        process = subprocess.Popen(
            [sys.executable, "-m", "ephemera", *arguments],
            cwd=folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with process:
            try:
                yield process
            finally:
                process.kill()

    def python(self, program: str, **environment: str) -> str:
        """Return what a Python program prints that a user might have written."""
        done = subprocess.run(
            [sys.executable, "-c", program],
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=DONE_WITHIN_S,
            check=False,
        )
        assert done.returncode == 0, f"{done.stderr}\n{self.log()}"
        return done.stdout

    def log(self) -> str:
        """Return what the detached platform has logged."""
        file = self.home / "platform.log"
        return file.read_text(errors="replace") if file.exists() else "no platform was started"


def must_be_gone(folder: Path) -> None:
    """Check that no process is left that was started with `folder` in its command line.

    One that has done its work may take a moment to be gone, and nothing tells when it is.
    """
    deadline = time.monotonic() + _GONE_WITHIN_S
    while left := _processes_of(folder):
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


def _processes_of(folder: Path) -> list[str]:
    listed = subprocess.run(
        ["ps", "-A", "-ww", "-o", "args="], capture_output=True, text=True, check=True
    )
    return [line for line in listed.stdout.splitlines() if str(folder) in line]
