"""The command line, run within this process: that takes a tenth of the time of starting one."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO
from unittest import mock

from ephemera.cli import main
from tests.acceptance.command_line import CommandLine


@dataclass(frozen=True)
class Said:
    """What a command wrote."""

    stdout: str
    stderr: str


class Inside:
    """Runs `ephemera ...` as a user would, in a folder.

    Attributes:
        folder: The working folder of the commands.
        environment: All of their environment.
    """

    def __init__(self, ephemera: CommandLine, folder: Path) -> None:
        self.folder = folder
        self.environment = dict(ephemera.environment)

    @property
    def home(self) -> Path:
        """The state folder that the commands work on."""
        return Path(self.environment["EPHEMERA_HOME"])

    def __call__(self, *arguments: str, code: int = 0, stdin: str = "") -> Said:
        """Run a command to its end, which must be the exit status `code`."""
        out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
        with self._as_started(arguments, stdin, out, err):
            try:
                main.main()
                status: Any = 0
            except SystemExit as end:
                status = end.code or 0
        said = Said(_written(out), _written(err))
        assert status == code, f"{arguments}: {status}\n{said.stdout}\n{said.stderr}"
        return said

    @contextlib.contextmanager
    def _as_started(
        self, arguments: tuple[str, ...], stdin: str, out: TextIO, err: TextIO
    ) -> Iterator[None]:
        given = io.TextIOWrapper(io.BytesIO(stdin.encode()), "utf-8")
        before = signal.getsignal(signal.SIGTERM)
        with (
            mock.patch.dict(os.environ, self.environment, clear=True),
            mock.patch.object(sys, "argv", ["ephemera", *arguments]),
            mock.patch.object(sys, "stdin", given),
            contextlib.chdir(self.folder),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            try:
                yield
            finally:
                signal.signal(signal.SIGTERM, before)


def _written(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()
