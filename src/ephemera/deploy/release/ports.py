"""A port of its own for each machine of the image `host`.

Machines of other images have a network of their own, and all listen on the port that the
`fly.toml` names. Those of `host` share this computer's: each is told in `PORT` where to listen,
and its services and checks have that port in the place of the one in the file. The proxy goes by
the port outside, which stays as it is.
"""

from __future__ import annotations

import random
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping

from ephemera.deploy.release import labels
from ephemera.errors import ConfigError
from ephemera.wire.models import MachineConfig
from ephemera.wire.services import Check, Service, ServiceCheck

#: The image that is this computer itself.
HOST_IMAGE = "host"
#: What programs read their port from: gunicorn and many others, and uvicorn.
_VARIABLES = ("PORT", "UVICORN_PORT")

#: Systems give those who connect a port from 32768 on, macOS from 49152: while a machine is at
#: rest, its port must not be one that somebody is given.
_PORTS = range(10_000, 32_768)
#: Enough to find one where nearly all are taken.
_TRIES = 100_000


def needs_own(config: MachineConfig) -> bool:
    """Return whether a machine of this config needs a port of its own."""
    return config.image == HOST_IMAGE and bool(config.services or config.checks)


def own(config: MachineConfig, port: int) -> MachineConfig:
    """Return the config of a machine that listens on `port` and nowhere else.

    The first service is the one that the program learns of. Others keep their ports: no program
    knows of more than one variable.
    """
    told = _told(config)
    env = {**(config.env or {}), **dict.fromkeys(_VARIABLES, str(port))}
    metadata = {**(config.metadata or {}), labels.PORT: str(port)}
    services = [_service(one, told, port) for one in config.services or ()]
    checks = {name: _check(one, told, port) for name, one in (config.checks or {}).items()}
    changes = {
        "env": env,
        "metadata": metadata,
        "services": services or None,
        "checks": checks or None,
    }
    return config.model_copy(update=changes)


def of(said: Mapping[str, str] | None) -> int | None:
    """Return the port that the machine with these labels has of its own, or None."""
    port = (said or {}).get(labels.PORT, "")
    return int(port) if port.isascii() and port.isdigit() else None


def free(taken: Iterable[int], claim: Callable[[int], bool]) -> Iterator[int]:
    """Yield ports that nobody listens on now, none of them twice.

    Args:
        taken: Those of machines that are at rest, and will want them again.
        claim: Says whether a port is ours now, and not that of another deploy.

    Raises:
        ConfigError: there is none left.
    """
    used = set(taken)
    while True:
        port = next((one for one in _tried() if one not in used and _is_free(one)), None)
        if port is None:
            raise ConfigError(
                f"no port from {_PORTS.start} to {_PORTS.stop - 1} is free for a machine",
                hint="destroy machines that you do not need: `ephemera apps list`",
            )
        used.add(port)
        if claim(port):
            yield port


def _tried() -> Iterator[int]:
    """Yield ports to look at; not in order, for whoever deploys at the same time does so too."""
    return (random.choice(_PORTS) for _ in range(_TRIES))  # noqa: S311 - it guards nothing


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("", port))  # at any address: the program may listen at all of them
        except OSError:
            return False
    return True


def _told(config: MachineConfig) -> int | None:
    """Return the port that the program would listen on, as the `fly.toml` has it."""
    if config.services:
        return config.services[0].internal_port
    return next((check.port for check in (config.checks or {}).values()), None)


def _service(service: Service, told: int | None, port: int) -> Service:
    if service.internal_port != told:
        return service
    checks = [_service_check(check, told, port) for check in service.checks or ()]
    return service.model_copy(update={"internal_port": port, "checks": checks or None})


def _service_check(check: ServiceCheck, told: int | None, port: int) -> ServiceCheck:
    return check.model_copy(update={"port": port}) if check.port == told else check


def _check(check: Check, told: int | None, port: int) -> Check:
    return check.model_copy(update={"port": port}) if check.port == told else check
