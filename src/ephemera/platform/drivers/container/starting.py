"""What the monitor of a boot is asked for: the spec and the image, put together."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ephemera.platform.drivers.base import BootSpec
from ephemera.platform.drivers.monitoring.asking import files, kept
from ephemera.platform.drivers.monitoring.folder import BootFolder
from ephemera.platform.drivers.monitoring.frames import Message
from ephemera.platform.images import Image, ImageConfig
from ephemera.platform.network.router import Plug

_NO_CONFIG = ImageConfig()


def request(spec: BootSpec, folder: BootFolder, image: Image | None, plug: Plug | None) -> Message:
    """Return what the monitor is asked.

    Args:
        image: None for this computer's own file system.
        plug: None where the machine has no network.
    """
    config = image.config if image else _NO_CONFIG
    defaults = _image_environment(config.env) if image else kept(os.environ)
    return {
        "do": "start",
        "machine": folder.machine,
        "boot": folder.boot,
        "host": image is None,
        "layers": list(image.layers) if image else [],
        "command": _command(spec, config),
        "env": {**defaults, **spec.env},
        "user": spec.user or config.user,
        "workdir": spec.env.get("EPHEMERA_WORKDIR") or config.workdir,
        "tty": spec.tty,
        "files": files(spec.files),
        "mounts": [
            {"path": one.path, "source": one.source, "volume": one.volume_id} for one in spec.mounts
        ],
        "beside": [
            {
                "command": list(one.command),
                "env": {**defaults, **one.env},
                "user": one.user or spec.user or config.user,
            }
            for one in spec.beside
        ],
        "cpus": spec.cpus,
        "memory_mb": spec.memory_mb,
        "swap_mb": spec.swap_mb,
        "plug": plug.to_message() if plug else None,
        "address": spec.address,
        "nameserver": plug.resolver if plug else "",
        "api_folder": os.path.dirname(spec.api_socket),
        "log_folder": spec.log_folder,
        "instance": spec.machine_id,
        "region": spec.region,
    }


def visit(spec: BootSpec, folder: BootFolder, image: Image | None, what: str) -> Message:
    """Return what a monitor is asked that is to visit what a boot left: `look` or `export`."""
    nothing = {"files": [], "mounts": [], "beside": [], "api_folder": ""}
    return {**request(spec, folder, image, None), **nothing, "do": "visit", "what": what}


def _command(spec: BootSpec, config: ImageConfig) -> list[str]:
    if spec.after_entrypoint:
        return [*config.entrypoint, *spec.command]
    return list(spec.command) or [*config.entrypoint, *config.cmd]


def _image_environment(variables: Sequence[str]) -> dict[str, str]:
    pairs = (one.partition("=") for one in variables)
    return {name: value for name, _, value in pairs if name}
