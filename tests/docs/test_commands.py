"""Every command that the documentation names exists, with the options that it names."""

from __future__ import annotations

import re
import shlex
from functools import cache
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


@cache
def _ephemera() -> Any:
    return typer.main.get_command(app)


def _unknown(named: str) -> str:
    """Return what of a command does not exist; empty where all of it does."""
    command = _ephemera()
    words = iter(shlex.split(named.replace("'", "").replace('"', "")))
    for word in words:
        if word == _NOT_OURS:
            return ""
        if word.startswith("-"):
            options, (given, has_value, _) = _options(command), word.partition("=")
            if given not in options and not {f"-{letter}" for letter in given[1:]} <= set(options):
                return word
            if options.get(given) and not has_value:
                next(words, "")
        elif hasattr(command, "commands"):
            if word not in command.commands:
                return word
            command = command.commands[word]
        elif not command.context_settings.get("allow_interspersed_args", True):
            return ""  # what follows is another program's, without a mark
    return ""


def _options(command: Any) -> dict[str, bool]:
    """Return the options of a command, and whether a value follows them."""
    taken = {
        option: not parameter.is_flag
        for parameter in command.params
        if parameter.param_type_name == "option"
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    return taken | {"-h": False, "--help": False}


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
    assert _unknown("machine run --frobnicate IMAGE") == "--frobnicate"
    assert _unknown("machine run -it -e KEY=VALUE IMAGE sh -c --frobnicate") == ""
    assert _unknown("machine run -iz IMAGE") == "-iz"
