"""The builder `python`: an image without a container, a daemon or root.

```
 base image        from its registry; sent from there to ours, each layer once
 dependencies      made once per lock file
 source            made each time; the only one that a change of source sends
```
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ephemera.deploy.build import base as bases
from ephemera.deploy.build import document, ignoring, layers, source
from ephemera.deploy.build.base import Base
from ephemera.deploy.build.bytecode import Compiler
from ephemera.deploy.build.copying import copy
from ephemera.deploy.build.dependencies import Dependencies
from ephemera.deploy.build.ignoring import Ignored
from ephemera.deploy.build.installing import Target
from ephemera.deploy.build.layers import Layer
from ephemera.deploy.build.leftovers import remove_leftovers
from ephemera.deploy.build.request import BuildRequest, Built, Tell, shown_size
from ephemera.deploy.build.sending import Image, send
from ephemera.deploy.build.venv import PLACE, Venv, home_of_python, version_of_python

_BASE = "docker.io/library/python:{}-slim"
_PORT = 8080
#: How the names of folders begin in which a layer of source is being made.
_NEW = "source-"
#: Names of images whose C library is musl.
_MUSL = ("alpine", "musl")


def build(request: BuildRequest, tell: Tell) -> Built:
    """Build an image of a Python project, and push it.

    Raises:
        BuildError: dependencies cannot be installed, a registry says no, or there is no room.
        ConfigError: a file of the project cannot be understood.
    """
    kept = request.cache_folder
    kept.mkdir(parents=True, exist_ok=True)
    remove_leftovers(kept, f"{_NEW}*")
    base = asyncio.run(_base(request, tell))
    # Not within a loop, which would keep an interruption from what installs dependencies.
    with tempfile.TemporaryDirectory(dir=kept, prefix=_NEW) as made:
        ours = _layers(request, base, Path(made), tell)
        config = document.config(base.config, ours, _settings(request, base))
        manifest = document.manifest(config, base.layers, ours)
        asyncio.run(send(request, Image(base, ours, config, manifest), tell))
    size = sum(one.size for one in base.layers) + sum(one.size for one in ours)
    return Built("python", request.image, manifest.digest, size)


async def _base(request: BuildRequest, tell: Tell) -> Base:
    text = request.base or _BASE.format(request.python)
    return await bases.find(
        text, request.architecture, request.cache_folder / "bases", tell, fresh=request.fresh
    )


def _layers(request: BuildRequest, base: Base, made: Path, tell: Tell) -> Sequence[Layer]:
    """Return our layers, lowest first."""
    target = _target(request, base)
    if target.python != request.python:
        tell(f"base image {base.reference}: has Python {target.python}, so that is used")
    venv = Venv(target.python, home_of_python(base.env))
    kept, compression = request.cache_folder, request.compression
    dependencies = Dependencies(
        request.folder, target, venv, kept / "dependencies", compression
    ).layer(tell, fresh=request.fresh)
    compiler = Compiler(target.python, kept / "bytecode" / request.app)
    folder, ignored = _source(request, made, tell)
    warn = _silent if request.collect else tell  # of a copy it was told when it was made
    entries = source.entries(folder, ignored, venv, compiler, warn)
    ours = layers.write(entries, made / "layer", compression)
    compiler.keep()
    tell(f"source: {shown_size(ours.size)}")
    return [dependencies, ours]


def _source(request: BuildRequest, made: Path, tell: Tell) -> tuple[Path, Ignored]:
    """Return the folder that goes into the image, and what of it does not.

    It is a copy where files are to be collected, so that none is written into the project.
    """
    if not request.collect:
        return request.folder, ignoring.ignored(request.folder, request.ignorefile)
    copy(request, made / "copy", tell)
    return made / "copy", Ignored()


def _silent(_: str) -> None: ...


def _target(request: BuildRequest, base: Base) -> Target:
    python = version_of_python(base.env) or request.python
    is_musl = any(word in request.base for word in _MUSL)
    return Target(python, request.architecture, is_musl)


def _settings(request: BuildRequest, base: Base) -> Mapping[str, Any]:
    """Return how the image is run, under the names of its config."""
    variables = {
        "PATH": f"/{PLACE}/bin:{base.path}",
        "VIRTUAL_ENV": f"/{PLACE}",
        "HOME": source.HOME,
        "USER": "app",
        "PYTHONUNBUFFERED": "1",
        "PORT": str(_PORT),
        "UVICORN_HOST": "0.0.0.0",  # noqa: S104 - a machine has a network of its own
        "UVICORN_PORT": str(_PORT),
        **request.env,
    }
    return {
        "Env": [f"{name}={value}" for name, value in variables.items()],
        "Cmd": list(request.start),
        "User": f"{source.USER_ID}:{source.USER_ID}",
        "WorkingDir": source.WORKDIR,
        "ExposedPorts": {f"{_PORT}/tcp": {}},
    }
