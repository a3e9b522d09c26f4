"""What an image says about the program that it is for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """What an image says about the program that it is for."""

    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    #: Each `NAME=value`.
    env: tuple[str, ...] = ()
    #: `NAME`, `UID`, or either with `:GROUP`; empty for root.
    user: str = ""
    workdir: str = ""
    #: Such as `SIGTERM` or `15`; empty where it says nothing.
    stop_signal: str = ""
    #: Such as `8080/tcp`.
    exposed_ports: tuple[str, ...] = ()
