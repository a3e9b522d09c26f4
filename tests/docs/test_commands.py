"""Every command that the documentation names exists, with the options that it names."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest
import typer

from ephemera.cli.main import app
from tests.docs.markdown import Page, pages

#: A command ends where the shell goes on with something else.
_COMMAND = re.compile(r"(?<![\w.-])ephemera (?!import\b)(?=[a-z-])([^\n;|&)#`]*)")
#: What follows is another program's.
_NOT_OURS = "--"


def _named(page: Page) -> list[str]:
    """Return the commands of a page, each without the word `ephemera`."""
    pieces = [code for code in page.code() if code.startswith("ephemera ")]
    pieces += [
        line
        for block in page.blocks()
        if block.language in ("", "sh", "console", "ini")
        for line in block.text.splitlines()
        if block.language != "console" or line.startswith("$ ")
    ]
    return [found[1] for piece in pieces for found in _COMMAND.finditer(piece)]


def _unknown(named: str) -> str:
    """Return what of a command does not exist; empty where all of it does."""
    command: Any = typer.main.get_command(app)
    for word in shlex.split(named.replace("'", "").replace('"', "")):
        if word == _NOT_OURS:
            return ""
        if word.startswith("-"):
            if word.partition("=")[0] not in _options(command):
                return word
        elif hasattr(command, "commands"):
            if word not in command.commands:
                return word
            command = command.commands[word]
    return ""


def _options(command: Any) -> set[str]:
    own = {
        option
        for parameter in command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    return own | {"-h", "--help"}


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_every_command_on_a_page_exists(page: Page) -> None:
    unknown = {named: _unknown(named) for named in _named(page)}
    assert {named: word for named, word in unknown.items() if word} == {}


def test_commands_are_found_where_pages_have_them() -> None:
    everywhere = {named.split()[0] for page in pages() for named in _named(page)}
    assert {"up", "down", "status", "jobs", "machine", "logs", "supervise"} <= everywhere


def test_what_does_not_exist_is_noticed() -> None:
    assert _unknown("jobs frobnicate") == "frobnicate"
    assert _unknown("jobs show JOB --frobnicate") == "--frobnicate"
    assert _unknown("machine exec ID -- ls --color") == ""
