"""Asking before something is gone for good."""

from __future__ import annotations

import sys

import typer

from ephemera.cli.screen import note
from ephemera.errors import ConfigError


def ask(question: str, *, yes: bool) -> None:
    """Return if somebody says yes, or has said so beforehand. Anything else ends the command.

    Args:
        question: Such as `Destroy app shop with its 3 machines?`.
        yes: Whether `--yes` was given.

    Raises:
        ConfigError: nobody is there to be asked.
        typer.Exit: the answer is no; exit status 1.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise ConfigError(f"nobody is there to answer: {question}", hint="--yes says so beforehand")
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        note("nothing was done")
        raise typer.Exit(1)
