"""Writes docs/reference/cli.md from the commands themselves; with --check, tells if it is stale."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from typing import Any

import typer

from ephemera.cli.main import app
from pages import settle

HEAD = """\
<!-- Written by scripts/generate_cli_reference.py. Change the command's docstring instead. -->

# The command line

Results go to stdout; everything said about them, errors too, goes to stderr. `NO_COLOR` is
respected, and there are colours on terminals only. State is in the folder that `EPHEMERA_HOME`
names. Which app a command is about: [look after an app](../howto/look-after-an-app.md).

| Exit status | Means |
|---|---|
| 0 | done |
| 1 | `error: ...`, and where there is something to try, `hint: ...`; or the answer was no |
| 2 | the command was called the wrong way |
| 3 | `status` only: no platform runs |
| 124 | `machine run` only: the time of `--timeout` was over |
| 130, 143 | ended by Ctrl-C, by SIGTERM |
| any | that of the program, 128 + n where signal n ended it: `machine run`, `exec` and `shell`, \
`console`, `ssh console` |
"""


def main() -> int:
    """Write or check the page; return the exit status."""
    return settle("cli.md", "\n".join([HEAD, *_sections(typer.main.get_command(app), "ephemera")]))


def _sections(command: Any, name: str) -> Iterator[str]:
    """Yield the text of a command, or of all commands of a group."""
    if hasattr(command, "commands"):
        if command.help and name != "ephemera":
            yield f"## {name}\n\n{command.help}\n"
        for word, child in sorted(command.commands.items()):
            yield from _sections(child, f"{name} {word}")
        return
    depth = "#" * name.count(" ") + "#"
    yield f"{depth} {name}\n\n{inspect.cleandoc(command.help or '')}\n"
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    rows = [_row(one) for one in command.params if one.param_type_name == "option"]
    usage = [name, *(["[OPTIONS]"] if rows else []), *map(_argument, arguments)]
    yield f"```\n{' '.join(usage)}\n```\n"
    if rows:
        yield "| Option | Means |\n|---|---|\n" + "\n".join(rows) + "\n"


def _argument(argument: Any) -> str:
    name = (argument.metavar or argument.name).upper().removesuffix("...")
    if argument.nargs != -1:
        return name if argument.required or name.startswith("[") else f"[{name}]"
    # a command of another program has options of its own
    return f"-- {name}..." if argument.name == "command" else f"{name}..."


def _row(option: Any) -> str:
    value = "" if option.is_flag else f" {(option.metavar or option.name).upper()}"
    names = ", ".join(f"`{name}{value}`" for name in (*option.opts, *option.secondary_opts))
    means = [option.help or ""]
    if option.envvar:
        variables = [option.envvar] if isinstance(option.envvar, str) else option.envvar
        means.append("Else " + " or ".join(f"`{one}`" for one in variables) + ".")
    if option.default not in (None, False):
        means.append(f"Default: `{option.default}`.")
    return f"| {names} | {' '.join(means)} |"


if __name__ == "__main__":
    sys.exit(main())
