"""Runs a program whose output is for the user to see while it comes."""

from __future__ import annotations

import os
import subprocess
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

from ephemera.deploy.build.request import Tell
from ephemera.errors import BuildError

#: Of a program that says more, the last lines are kept.
_KEPT_LINES = 10_000


def run(
    command: Sequence[str], tell: Tell, *, cwd: Path, environ: Mapping[str, str] | None = None
) -> tuple[int, list[str]]:
    """Run a program and tell each line of its output, of both kinds, as it comes.

    Args:
        environ: Variables beside those of this process.

    Returns:
        Its exit code, negative for a signal, and its lines.

    Raises:
        BuildError: it cannot be started.
    """
    try:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env={**os.environ, **(environ or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    except OSError as error:
        raise BuildError(
            f"{command[0]} cannot be started: {error.strerror}", hint=f"try {command[0]} --version"
        ) from error
    lines: deque[str] = deque(maxlen=_KEPT_LINES)
    with process:
        try:
            assert process.stdout
            for line in process.stdout:
                lines.append(line.rstrip())
                tell(lines[-1])
        except BaseException:  # the user has interrupted it: it must not go on alone
            process.terminate()
            raise
    return process.returncode, list(lines)
