"""What machines of a release are made from: an image, and with `host` the place of the files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ephemera.deploy.build import Built
from ephemera.wire.models import Init, MachineConfig


@dataclass(frozen=True, slots=True)
class Place:
    """Where the files of a release are on this computer, for the image `host`."""

    #: What runs where the `fly.toml` names no command.
    exec: tuple[str, ...]
    #: What goes in front of a command that it names.
    before: tuple[str, ...]
    env: dict[str, str]

    @property
    def is_there(self) -> bool:
        """Whether the files are still there: the last word before a command is their folder."""
        return not self.before or Path(self.before[-1]).is_dir()


@dataclass(frozen=True, slots=True)
class Image:
    """An image as it was built, or is named."""

    reference: str
    place: Place | None = None

    def applied(self, config: MachineConfig) -> MachineConfig:
        """Return the config of a machine, with what this image needs to run in it."""
        if self.place is None:
            return config
        named = (config.init and config.init.cmd) or None
        run = [*self.place.before, *named] if named else list(self.place.exec)
        init = (config.init or Init()).model_copy(update={"exec": run, "cmd": None})
        env = {**self.place.env, **(config.env or {})}
        return config.model_copy(update={"init": init, "env": env})


def of(built: Built) -> Image:
    """Return the image that a build has made."""
    if not built.exec:
        return Image(built.image)
    return Image(built.image, Place(tuple(built.exec), tuple(built.before), dict(built.env)))
