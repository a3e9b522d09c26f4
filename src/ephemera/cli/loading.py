"""Commands that are imported when they are called.

```
ephemera --help       the modules are imported, and tell the first lines of their commands
ephemera logs -a ...  one module is imported, and the options of its commands are read
```

To read the options of all commands takes longer than anybody waits for a Tab key, and most of what
the shell starts is about one of them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup


class Place(NamedTuple):
    """Where a command, or a group of commands, is to be found."""

    #: In `ephemera.cli`.
    module: str
    #: A function, or a `typer.Typer`.
    attribute: str
    #: The heading under which `ephemera --help` lists it.
    panel: str

    def find(self) -> Any:
        """Import it."""
        return getattr(import_module(f"ephemera.cli.{self.module}"), self.attribute)


class Read(Mapping[str, TyperCommand | TyperGroup]):
    """Commands by name, each with its options, which are read when it is first asked for."""

    def __init__(self, places: Mapping[str, Place]) -> None:
        self._places = places
        self._read = cache(self._read_anew)

    def __getitem__(self, name: str) -> TyperCommand | TyperGroup:
        return self._read(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def _read_anew(self, name: str) -> TyperCommand | TyperGroup:
        alone, place = _empty(), self._places[name]
        found = place.find()
        if isinstance(found, typer.Typer):
            alone.add_typer(found, name=name, rich_help_panel=place.panel)
        else:
            alone.command(name, rich_help_panel=place.panel)(found)
        group: Any = typer.main.get_command(alone)
        read: TyperCommand | TyperGroup = group.commands[name]
        return read


def _empty() -> typer.Typer:
    """Return a group that stays one when it has a single command."""
    empty = typer.Typer(add_completion=False, rich_markup_mode="markdown")
    empty.callback()(lambda: None)
    return empty


def commands(places: Mapping[str, Place]) -> type[TyperGroup]:
    """Return the class of a group that has these commands, in this order."""
    read: Any = Read(places)

    class Commands(TyperGroup):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self.commands = read

        def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - as typer calls it
            """Return the names, and read nothing."""
            return list(places)

        def get_command(self, ctx: Any, cmd_name: str) -> TyperCommand | None:  # noqa: ARG002
            """Return what is shown of a command in a list; None where there is none."""
            return _listed(cmd_name, places[cmd_name]) if cmd_name in places else None

        def resolve_command(self, ctx: Any, args: list[str]) -> Any:
            """Return the command that is called, as it is."""
            name, listed, rest = super().resolve_command(ctx, args)
            return name, read[name] if listed else None, rest

    return Commands


def _listed(name: str, place: Place) -> TyperCommand:
    """Return a command that has a help, and no options yet."""
    found: typer.Typer | Callable[..., Any] = place.find()
    told = found.info.help if isinstance(found, typer.Typer) else inspect.getdoc(found)
    return TyperCommand(name, help=told, rich_help_panel=place.panel, rich_markup_mode="markdown")
