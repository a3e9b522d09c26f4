"""What `ephemera machine run` was asked for, as the config of a machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ephemera.errors import ConfigError

if TYPE_CHECKING:
    from ephemera.wire.volumes import Volume

#: What a machine has where nobody says: the smallest that Fly.io has.
_CPUS, _MEMORY_MB = 1, 256


@dataclass(frozen=True, slots=True)
class Wish:
    """A machine as somebody wants it."""

    image: str
    command: Sequence[str] = ()
    entrypoint: str | None = None
    user: str | None = None
    #: Never printed: secrets may be among it.
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    cpus: int | None = None
    memory_mb: int | None = None
    restart: str = "no"
    #: Whether it goes when its program has ended.
    destroyed_at_end: bool = False

    def config(self) -> dict[str, Any]:
        """Return the config of such a machine, without its volumes."""
        config: dict[str, Any] = {"image": self.image, "restart": {"policy": self.restart}}
        program = self._program()
        if self.user is not None:
            config["processes"] = [{**program, "user": self.user}]
        elif program:
            config["init"] = program
        if self.env:
            config["env"] = dict(self.env)
        if self.cpus is not None or self.memory_mb is not None:
            config["guest"] = {
                "cpu_kind": "shared",
                "cpus": self.cpus or _CPUS,
                "memory_mb": self.memory_mb or _MEMORY_MB,
            }
        if self.destroyed_at_end:
            config["auto_destroy"] = True
        return config

    def _program(self) -> dict[str, list[str]]:
        program = {}
        if self.entrypoint is not None:
            program["entrypoint"] = [self.entrypoint] if self.entrypoint else []
        if self.command:
            program["cmd"] = list(self.command)
        return program


def environment(
    given: Iterable[str], file: Path | None, ours: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Return the variables of `KEY=VALUE` words and of a file of such lines; words go first.

    Args:
        given: `KEY` alone takes the value that the variable has here.
        file: A variable a line; empty lines and those that begin with `#` are none.

    Raises:
        ConfigError: a word is no variable, or one has no value here; or the file cannot be read.
    """
    found = dict(_of_file(file)) if file else {}
    for word in given:
        name, is_set, value = word.partition("=")
        if not name:
            raise ConfigError(f"{word!r} is not KEY=VALUE", hint="for example --env COLOUR=green")
        if not is_set and name not in ours:
            raise ConfigError(
                f"the variable {name} is not set here", hint=f"give it a value: --env {name}=..."
            )
        found[name] = value if is_set else ours[name]
    return found


def _of_file(file: Path) -> Iterator[tuple[str, str]]:
    try:
        lines = file.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the variables in {file} cannot be read: {error}") from error
    for number, line in enumerate(map(str.strip, lines), start=1):
        if line and not line.startswith("#"):
            name, is_set, value = line.partition("=")
            if not is_set or not name:  # the line is not shown: it may be a secret
                raise ConfigError(f"line {number} of {file} is not KEY=VALUE")
            yield name, value


def mount(word: str, volumes: Callable[[], Sequence[Volume]]) -> dict[str, str]:
    """Return the mount that `VOLUME:/path` asks for.

    Args:
        word: The volume by its id, or by its name: then one that no machine has.
        volumes: Returns the app's volumes; asked where there is a name.

    Raises:
        ConfigError: it is no such word, or there is no such volume, or a machine has it.
    """
    volume, _, path = word.partition(":")
    if not volume or not path.startswith("/"):
        raise ConfigError(f"{word!r} is not VOLUME:/path", hint="for example --volume data:/data")
    if volume.startswith("vol_"):
        return {"volume": volume, "path": path}
    named = [one for one in volumes() if one.name == volume]
    free = [one for one in named if not one.attached_machine_id]
    if free:
        return {"volume": free[0].id, "path": path}
    if named:
        holders = ", ".join(str(one.attached_machine_id) for one in named)
        raise ConfigError(
            f"a machine has every volume named {volume!r}: {holders}",
            hint="a volume is free again when its machine is destroyed",
        )
    raise ConfigError(f"the app has no volume named {volume!r}")
