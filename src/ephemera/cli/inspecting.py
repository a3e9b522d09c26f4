"""`ephemera machine inspect` and `machine export`: finding out why a machine ended as it did."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from ephemera.cli.locating import app_of
from ephemera.cli.options import AppOfMachine, ConfigFile, Json, MachineId
from ephemera.cli.screen import note, say, say_json, say_record, say_table
from ephemera.errors import ConfigError

if TYPE_CHECKING:
    from ephemera.cli.findings import Findings

_LINES = 20


def inspect(
    machine: MachineId,
    app: AppOfMachine = None,
    config: ConfigFile = None,
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=0, metavar="N", help="How many lines of its log.")
    ] = _LINES,
    as_json: Json = False,
) -> None:
    """Show what there is to know of how a machine ended, and what can still be had of it.

    Of its variables only the names are shown: their values may be secrets.
    """
    from ephemera.cli.findings import gathered

    findings = gathered(app_of(machine, app, config), machine, lines)
    if as_json:
        say_json(findings.as_json())
    else:
        _show(findings)


def _show(findings: Findings) -> None:
    say(findings.summary())
    say("")
    say_record(findings.record())
    say("")
    say_table(("WHEN", "EVENT", "STATUS", "BY", "WHY"), findings.timeline())
    if findings.lines:
        say("")
    for entry in findings.lines:
        say(entry.line())
    say("")
    for purpose, command in findings.next_steps():
        say(f"{purpose}: {command}")


def export(
    machine: MachineId,
    app: AppOfMachine = None,
    config: ConfigFile = None,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where to; `-` is standard output."),
    ] = None,
) -> None:
    """Write the file system of a machine as a tar archive, also of one that has ended.

    A file is there when it is whole, and not before.
    """
    from ephemera.client.own.machines import OwnMachines

    if output in (None, "-") and sys.stdout.isatty():
        raise ConfigError(
            "an archive is not for a terminal", hint=f"write it to a file: -o {machine}.tar"
        )
    found = app_of(machine, app, config)
    with OwnMachines() as own, own.export(found, machine) as blocks:
        if output in (None, "-"):
            _copy(blocks, sys.stdout.buffer)
        else:
            size = _write_whole(Path(output), blocks)
            note(f"wrote {output}, {size:,} bytes")


def _write_whole(target: Path, blocks: Iterable[bytes]) -> int:
    """Write a file that appears when it is whole, for its owner only; return its bytes.

    Raises:
        ConfigError: it cannot be written there.
    """
    import tempfile

    try:
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    except OSError as error:
        raise _unwritable(target, error) from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            size = _copy(blocks, file)
        Path(name).replace(target)
    except OSError as error:
        raise _unwritable(target, error) from error
    finally:
        Path(name).unlink(missing_ok=True)
    return size


def _copy(blocks: Iterable[bytes], file: BinaryIO) -> int:
    size = 0
    for block in blocks:
        size += file.write(block)
    file.flush()
    return size


def _unwritable(target: Path, error: OSError) -> ConfigError:
    return ConfigError(f"{target} cannot be written: {error.strerror}")
