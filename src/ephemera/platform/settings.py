"""What an embedded platform is told when it is started, and keeps to until it stops."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ephemera.errors import ConfigError
from ephemera.home import IDLE_TIMEOUT_S

#: The only region of a platform that is told of none.
DEFAULT_REGION = "local"
#: What stands for several regions where one is asked for, see `edge.regions`.
AREAS = frozenset({"any", "apac", "eu", "na", "sa", "us", "usa"})


@dataclass(frozen=True, slots=True)
class Settings:
    """How one platform differs from another."""

    #: The codes of its regions. The first is where machines go that name none.
    regions: tuple[str, ...] = (DEFAULT_REGION,)
    #: Whether requests are limited as on Fly.io.
    fly_limits: bool = False
    #: Whether tests may make it misbehave, see `ephemera.testing`.
    testing: bool = False
    #: After how long without a request a machine is stopped whose service says `autostop`;
    #: seconds.
    idle_timeout_s: float = IDLE_TIMEOUT_S
    #: Where the proxy listens, `HOST:PORT`; empty for the usual port, or any where it is taken.
    proxy: str = ""
    proxy_tls: str = ""

    def __post_init__(self) -> None:
        """Refuse what no platform can be.

        Raises:
            ConfigError: a region's code is not one, means several regions, or is there twice;
                there is no region; or a time is not one.
        """
        for code in self.regions:
            if not _REGION.fullmatch(code) or code in AREAS:
                raise ConfigError(
                    f"{code!r} is not the code of a region", hint="a code is such as 'iad'"
                )
        if not 0 <= self.idle_timeout_s < float("inf"):
            raise ConfigError(
                f"{self.idle_timeout_s} is not how long a machine may be idle",
                hint="give seconds, for example 300",
            )
        if not self.regions or len(set(self.regions)) < len(self.regions):
            raise ConfigError("a platform has at least one region, and each of them once")

    def options(self) -> tuple[str, ...]:
        """Return the arguments of `python -m ephemera.platform` that lead to these settings."""
        regions = () if self.regions == (DEFAULT_REGION,) else ("--regions", *self.regions)
        limits = ("--fly-limits",) if self.fly_limits else ()
        idle = self.idle_timeout_s
        idles = () if idle == IDLE_TIMEOUT_S else ("--idle-timeout", f"{idle:g}")
        proxy = ("--proxy", self.proxy) if self.proxy else ()
        proxy_tls = ("--proxy-tls", self.proxy_tls) if self.proxy_tls else ()
        testing = ("--testing",) if self.testing else ()
        return (*regions, *limits, *idles, *proxy, *proxy_tls, *testing)


_REGION = re.compile(r"[a-z0-9]{1,32}")
