"""From a project, its `fly.toml` and what somebody wants to what is to be built."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ephemera.deploy.build import choosing
from ephemera.deploy.build.request import BuildRequest, Destination, Dockerfile
from ephemera.deploy.flytoml import FlyToml
from ephemera.deploy.launch.signing import is_own
from ephemera.deploy.scan import python
from ephemera.deploy.scan.scanning import scan
from ephemera.errors import ConfigError
from ephemera.oci.architectures import this_computer

_DOCKERFILE = "Dockerfile"
#: What Fly.io's computers are.
_FLY_ARCHITECTURE = "amd64"


@dataclass(frozen=True, slots=True)
class Place:
    """Where what is built will run.

    Attributes:
        home: The platform's state folder; on Fly.io ours, where layers are kept.
        destination: See `BuildRequest`.
        driver: How the platform runs machines; empty on Fly.io.
    """

    home: Path
    destination: Destination | None = None
    driver: str = ""

    @property
    def architecture(self) -> str:
        """What its computers are, in the words of images."""
        return this_computer().name if self.driver else _FLY_ARCHITECTURE


def request_for(
    toml: FlyToml,
    app: str,
    release_id: str,
    place: Place,
    *,
    builder: str = "",
    fresh: bool = False,
) -> BuildRequest:
    """Return what is to be built for an app, of the folder that its `fly.toml` is in.

    Args:
        builder: Goes before that of the `fly.toml`.
        fresh: See `BuildRequest`.

    Raises:
        ConfigError: no builder fits, or it cannot be found out how the app is started.
    """
    folder, said = toml.path.parent.absolute(), toml.build
    request = BuildRequest(
        folder=folder,
        app=app,
        release_id=release_id,
        start=tuple(toml.processes.get(toml.default_group(), ())),
        home=place.home,
        destination=place.destination,
        driver=place.driver,
        builder=builder or said.builder or "",
        ignorefile=folder / said.ignorefile if said.ignorefile else None,
        base=str((said.model_extra or {}).get("base") or ""),
        architecture=place.architecture,
        fresh=fresh,
    )
    request = replace(request, dockerfile=_dockerfile(request, toml))
    if choosing.choose(request) in (choosing.BUILDAH, choosing.DOCKER):
        return request
    return _with_project(request)


def _dockerfile(request: BuildRequest, toml: FlyToml) -> Dockerfile | None:
    """Return the Dockerfile that counts: one that is named, asked for, or not as we wrote it."""
    said = toml.build
    path = request.folder / (said.dockerfile or _DOCKERFILE)
    is_asked = said.dockerfile or request.builder in (choosing.BUILDAH, choosing.DOCKER)
    if not is_asked and not is_own(path):
        return None
    return Dockerfile(path, said.args, said.build_target or "")


def _with_project(request: BuildRequest) -> BuildRequest:
    """Return a request with what the project's files tell."""
    try:
        project = scan(request.folder)
    except ConfigError:
        if not request.start:
            raise
        # It says itself how it is started: it need not be a web application.
        return replace(request, python=python.find(request.folder)[0])
    start: Sequence[str] = request.start or shlex.split(project.command)
    collect = shlex.split(project.collect_command)
    return replace(request, start=start, python=project.python, collect=collect)
