"""What the caller of a launch asks for."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ephemera.deploy.launch.names import check_name
from ephemera.errors import ConfigError

_REGION = re.compile(r"[a-z]{2,12}")
#: `auto` lets each deploy choose.
BUILDERS = ("auto", "python", "buildah", "docker", "host")


@dataclass(frozen=True)
class Wishes:
    """The options of a launch. What is left out is as before, or is found out.

    Raises:
        ConfigError: one of them cannot be.
    """

    #: The app's name. Else that of the `fly.toml` that is there, else the folder's.
    name: str | None = None
    org: str = "personal"
    #: The first one is the primary region.
    regions: tuple[str, ...] = ()
    #: Stop machines that have nothing to do, to the last one.
    serverless: bool | None = None
    terraform: bool = False
    builder: str | None = None
    #: Write over files that somebody edited.
    force: bool = False

    def __post_init__(self) -> None:
        if self.name is not None:
            check_name(self.name)
        for region in self.regions:
            if not _REGION.fullmatch(region):
                raise ConfigError(
                    f"'{region}' is not the code of a region", hint="one is 'iad', another 'fra'"
                )
        if self.builder is not None and self.builder not in BUILDERS:
            known = ", ".join(BUILDERS)
            raise ConfigError(f"there is no builder '{self.builder}'", hint=f"there are: {known}")
