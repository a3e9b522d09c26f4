"""A command's module is imported when it is called, so that a Tab key is answered at once."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import typer

from ephemera.cli import main

#: What takes long to import, and what `ephemera` starts as without.
_HEAVY = {"asyncio", "http.client", "pydantic", "rich", "ssl"}
_PROGRAM = """
import atexit, sys
atexit.register(lambda: print(*sys.modules, file=sys.stderr))
from ephemera.cli.main import main
main()
"""


def loaded(*arguments: str, completing: str = "") -> set[str]:
    """Return the modules that a command has loaded at its end."""
    asked = {
        "_EPHEMERA_COMPLETE": "complete_bash",
        "COMP_WORDS": completing,
        "COMP_CWORD": str(completing.count(" ")),
    }
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, *arguments],
        env=os.environ | (asked if completing else {}),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout
    return set(done.stderr.split())


def test_a_commands_options_are_completed_without_the_others() -> None:
    modules = loaded(completing="ephemera releases -a shop --")
    assert "ephemera.cli.releases" in modules
    assert not (_HEAVY | {"ephemera.cli.status", "ephemera.cli.deploying"}) & modules


def test_commands_are_completed_without_their_options() -> None:
    assert not _HEAVY & loaded(completing="ephemera s")


def test_the_version_is_shown_without_any_command() -> None:
    modules = loaded("--version")
    assert not _HEAVY & modules
    assert "ephemera.cli.status" not in modules


@pytest.mark.parametrize("name", main.COMMANDS)
def test_every_command_is_listed_as_it_is(name: str) -> None:
    group = typer.main.get_command(main.app)
    context = typer.Context(group)
    listed = group.get_command(context, name)  # type: ignore[attr-defined]
    called = group.commands[name]  # type: ignore[attr-defined]
    assert listed.get_short_help_str() == called.get_short_help_str() != ""
    assert listed.rich_help_panel == called.rich_help_panel
